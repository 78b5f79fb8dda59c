"""A terminal for tests to type in, and a server of language models to talk with from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.from_thread
import pytest

from doubles.completion_server import (
    CHAT,
    DONE,
    MODELS,
    completion_server,
    delta,
    finish,
    json_reply,
    stream,
    usage,
)
from doubles.exo.cluster import exo_cluster
from terminal.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from doubles.completion_server import CompletionServer, Reply, Wire
    from doubles.exo.cluster import ExoDouble


@pytest.fixture(scope="module")
def home(home: dict[str, str]) -> dict[str, str]:
    """That user's environment, in which no server is looked for: a test may run beside one."""
    return {**home, "KOWALSKI_INFERENCE_DISCOVER": "false"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of the user's to work in."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def shell(home: dict[str, str], folder: Path) -> Iterator[Shell]:
    """A shell in that folder."""
    shell = Shell(home, folder)
    yield shell
    shell.close()


async def _echo(wire: Wire) -> None:
    """Answer with what was asked; refuse what says `no`."""
    said = wire.heard.json()["messages"][-1]["content"]
    if said == "no":
        await json_reply({"error": {"message": "I will not."}}, status=400)(wire)
    else:
        await stream(delta(content=f"{said}!"), finish(), usage(3, 2), DONE)(wire)


@pytest.fixture
def portal() -> Iterator[anyio.from_thread.BlockingPortal]:
    """A loop in a thread of its own, for servers that answer while a test waits."""
    with anyio.from_thread.start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def serving(portal: anyio.from_thread.BlockingPortal) -> Iterator[Any]:
    """Starts a server with the replies to prompts that it is given; it ends with the test."""
    opened = []

    def serve(chat: Reply | list[Reply] = _echo, model: str = "small") -> CompletionServer:
        replies: dict[str, Reply | list[Reply]] = {
            MODELS: json_reply({"data": [{"id": model}]}),
            CHAT: chat,
        }
        context = portal.wrap_async_context_manager(completion_server(replies))
        opened.append(context)
        return context.__enter__()

    yield serve
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture
def rack(portal: anyio.from_thread.BlockingPortal, shell: Shell) -> Iterator[ExoDouble]:
    """An exo cluster of two nodes called rack, which the user has added."""
    with portal.wrap_async_context_manager(exo_cluster(2)) as double:
        added = shell.kowalski("servers", "add", "rack", *double.urls, "--kind", "exo")
        assert added.returncode == 0
        yield double
        assert shell.kowalski("servers", "remove", "rack").returncode == 0


@pytest.fixture
def studio(serving: Any, shell: Shell) -> Iterator[CompletionServer]:
    """A server called studio, which the user has added, that repeats what it is asked."""
    server: CompletionServer = serving()
    assert shell.kowalski("servers", "add", "studio", server.url).returncode == 0
    yield server
    assert shell.kowalski("servers", "remove", "studio").returncode == 0
