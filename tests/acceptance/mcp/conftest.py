"""Assistants that share one agent, and the folder that they are started in."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from assistants.http_server import HttpServer, http_server, token_of
from assistants.sdk_client import assistant
from assistants.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from mcp import Client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the user's."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "notes.txt").write_text("remember the milk\n")
    return folder


@pytest.fixture(scope="module")
async def client(home: dict[str, str], folder: Path) -> AsyncIterator[Client]:
    """A client whose server was started in that folder."""
    async with assistant(home, folder) as client:
        yield client


@pytest.fixture
def connect(home: dict[str, str], folder: Path) -> Iterator[Callable[..., Wire]]:
    """Starts servers with flags, to talk to line by line."""
    with ExitStack() as stack:

        def connect(*flags: str, where: Path = folder) -> Wire:
            return stack.enter_context(_connected(home, where, flags))

        yield connect


@pytest.fixture(scope="module")
def wire(home: dict[str, str], folder: Path) -> Iterator[Wire]:
    """A server that has been greeted, and outlives whatever the tests of a file say to it."""
    with _connected(home, folder, ()) as wire:
        wire.initialize()
        yield wire


@pytest.fixture(scope="module")
def server(home: dict[str, str], folder: Path) -> Iterator[HttpServer]:
    """A server over HTTP that soon notes progress."""
    with http_server(home, folder, "--progress-every", "0.2") as server:
        yield server


@pytest.fixture
def token(home: dict[str, str], server: HttpServer) -> str:
    """The token that it asks for."""
    assert server.process.poll() is None
    return token_of(home)


@contextmanager
def _connected(home: dict[str, str], folder: Path, flags: tuple[str, ...]) -> Iterator[Wire]:
    wire = Wire(home, folder, *flags)
    try:
        yield wire
        wire.close()
    finally:
        wire.process.kill()
