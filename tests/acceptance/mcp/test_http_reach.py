"""MCP over HTTP: what whoever is let in can reach, and when it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from mcp import MCPError

from assistants.http_server import (
    COMMAND,
    HttpServer,
    bearer,
    http_assistant,
    http_server,
    post,
    token_file,
    token_of,
)
from assistants.sdk_client import Answer, execute
from assistants.wire import MODERN
from terminal.processes import alive, wait_until_alive, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp import Client


@pytest.fixture
def marker() -> str:
    """What the command line of one process has and no other."""
    return f"1000.{uuid.uuid4().int % 10**12}"


def sleeping(marker: str) -> dict[str, str]:
    return {"code": f"sleep {marker} & echo asleep; wait", "language": "bash"}


def in_background(marker: str) -> dict[str, str]:
    """Code that is over at once, and leaves a process behind in its session."""
    return {"code": f"(sleep {marker}) >/dev/null 2>&1 &", "language": "bash"}


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_code_runs_and_is_followed(server: HttpServer, token: str, mode: str) -> None:
    noted: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        noted.append(message)

    async with http_assistant(server.url, token, mode) as client:
        await execute(client, "x = 41", session_id=f"s-{mode}")
        answer = await execute(client, "x + 1", session_id=f"s-{mode}")
        slow = {"code": "echo a line; sleep 1", "language": "bash"}
        await client.call_tool("execute_code", slow, progress_callback=note)

    assert answer["value"] == "42"
    assert answer["session_id"] == f"s-{mode}"
    assert any(message is not None and "a line" in message for message in noted)


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_withdrawing_a_call_ends_its_code(
    server: HttpServer, token: str, marker: str, mode: str
) -> None:
    async with http_assistant(server.url, token, mode) as client:
        async with anyio.create_task_group() as calls:
            calls.start_soon(client.call_tool, "execute_code", sleeping(marker))
            await anyio.to_thread.run_sync(wait_until_alive, marker)
            calls.cancel_scope.cancel()

        await anyio.to_thread.run_sync(wait_until_gone, marker)
        assert not (await execute(client, "print(1)")).is_error


def test_a_session_that_ended_or_never_was_is_unknown(server: HttpServer, token: str) -> None:
    opened = post(server.url, bearer(token))
    session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
    assert post(server.url, bearer(token), session, body=PING).status_code == 200
    assert httpx2.delete(server.url, headers={**bearer(token), **session}).status_code == 200

    for one in (session, {"Mcp-Session-Id": "chosen-by-the-client"}):
        assert post(server.url, bearer(token), one, body=PING).status_code == 404


async def test_what_others_began_cannot_be_reached(
    server: HttpServer, token: str, home: dict[str, str], folder: Path
) -> None:
    owners = owners_run(home, folder)
    async with http_assistant(server.url, token) as client:
        await execute(client, "x = 41", session_id="shared")
        own = (await execute(client, "print('mine')"))["handle"]

        assert (await call(client, "read_output", handle=own))["text"] == "mine\n"
        assert_out_of_reach([await look(client, owners) for look in LOOKS])
        with pytest.raises(MCPError, match="begun with this token"):
            await client.read_resource(f"kowalski://artifact/{owners}-0")
        lines = {"template": "{input}", "inputs": owners}
        asked = await call(client, "distributed_infer", **lines)
        assert "neither a run's handle nor a file" in asked.text
        assert (await execute(client, "secret", session_id="of-the-owner")).is_error
        await execute(client, "secret = 'another'", session_id="of-the-owner")
    assert owners_run(home, folder, "print(secret)") != owners


async def test_what_one_began_oneself_can_be_reached(server: HttpServer, token: str) -> None:
    async with http_assistant(server.url, token) as client:
        made = await execute(client, PICTURE)
        (picture,) = made["artifacts"]

        assert not (await call(client, "get_artifact", id=picture["id"])).is_error
        assert (await client.read_resource(f"kowalski://artifact/{picture['id']}")).contents
        assert (await call(client, "wait", run_id=made["run_id"]))["status"] == "ok"
        assert (await execute(client, "1", session_id="s" * 64))["session_id"] == "s" * 64
        assert "64" in (await execute(client, "1", session_id="s" * 65)).text


async def test_a_new_token_ends_all_that_the_old_one_began(
    home: dict[str, str], folder: Path, marker: str
) -> None:
    left = marker.replace("1000.", "2000.")
    with http_server(home, folder) as server:
        old = token_of(home)
        opened = post(server.url, bearer(old))
        session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
        assert post(server.url, bearer(old), session, body=PING).status_code == 200
        async with http_assistant(server.url, old, MODERN) as client:
            await execute(client, "x = 41", session_id="s")
            await execute(client, **in_background(left), session_id="s")
            run_id = (await execute(client, "print('old')"))["run_id"]
            async with anyio.create_task_group() as calls:
                calls.start_soon(refused_call, client, marker)
                await anyio.to_thread.run_sync(wait_until_alive, marker)
                subprocess.run([*COMMAND, "--new-token"], env=home, check=True, capture_output=True)
                assert token_of(home) != old
                await anyio.to_thread.run_sync(wait_until_gone, left)
                assert post(server.url, bearer(old)).status_code == 401
        wait_until_gone(marker)
        assert not any(name.startswith("http-") for name in sessions_of(home))

        new = bearer(token_of(home))
        assert post(server.url, new, session, body=PING).status_code == 404
        async with http_assistant(server.url, token_of(home)) as client:
            assert_out_of_reach([await look(client, run_id) for look in LOOKS])
            assert (await execute(client, "'x' in globals()", session_id="s"))["value"] == "False"


async def test_a_token_that_counts_no_more_ends_all_that_it_began(
    home: dict[str, str], folder: Path, marker: str
) -> None:
    left = marker.replace("1000.", "2000.")
    with http_server(home, folder) as server:
        old = token_of(home)
        async with http_assistant(server.url, old, MODERN) as client:
            await execute(client, **in_background(left), session_id="s")
            async with anyio.create_task_group() as calls:
                calls.start_soon(refused_call, client, marker)
                await anyio.to_thread.run_sync(wait_until_alive, marker)
                token_file(home).chmod(0o644)
                await anyio.to_thread.run_sync(wait_until_gone, marker)
                await anyio.to_thread.run_sync(wait_until_gone, left)
                assert post(server.url, bearer(old)).status_code == 401
        subprocess.run([*COMMAND, "--new-token"], env=home, check=True, capture_output=True)
        assert post(server.url, bearer(token_of(home))).status_code == 200


async def test_code_ends_with_the_server(home: dict[str, str], folder: Path, marker: str) -> None:
    left = marker.replace("1000.", "2000.")
    owners_run(home, folder)
    with http_server(home, folder) as server:
        async with (
            http_assistant(server.url, token_of(home), MODERN) as client,
            anyio.create_task_group() as calls,
        ):
            await execute(client, **in_background(left), session_id="s")
            calls.start_soon(refused_call, client, marker)
            await anyio.to_thread.run_sync(wait_until_alive, marker)
            server.process.send_signal(signal.SIGINT)

        assert await anyio.to_thread.run_sync(server.process.wait) == 0
    wait_until_gone(marker)
    assert not alive(left)
    assert "of-the-owner" in sessions_of(home)
    assert not any(name.startswith("http-") for name in sessions_of(home))


PICTURE = "class P:\n def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n'\nP()"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def owners_run(home: dict[str, str], folder: Path, code: str = "secret = 'of the owner'") -> str:
    """The id of a run in a terminal, in the session `of-the-owner`."""
    command = [COMMAND[0], "-m", "kowalski_cli", "exec", "--session", "of-the-owner", "--json"]
    done = subprocess.run(
        [*command, "-l", "python", "-c", code],
        cwd=folder,
        env=home,
        check=True,
        capture_output=True,
        text=True,
    )
    run_id: str = json.loads(done.stdout.splitlines()[-1])["run_id"]
    return run_id


def sessions_of(home: dict[str, str]) -> list[str]:
    """The sessions that live."""
    command = [COMMAND[0], "-m", "kowalski_cli", "sessions", "--json"]
    done = subprocess.run(command, env=home, check=True, capture_output=True, text=True)
    return [session["name"] for session in json.loads(done.stdout)]


async def call(client: Client, name: str, **arguments: object) -> Answer:
    return Answer(await client.call_tool(name, arguments))


async def refused_call(client: Client, marker: str) -> None:
    """Code that sleeps until its server ends it."""
    with pytest.raises(MCPError):
        await execute(client, **sleeping(marker))


LOOKS: list[Callable[[Client, str], Any]] = [
    lambda client, run_id: call(client, "wait", run_id=run_id),
    lambda client, run_id: call(client, "cancel", run_id=run_id),
    lambda client, run_id: call(client, "read_output", handle=run_id),
    lambda client, run_id: call(client, "get_artifact", id=f"{run_id}-0"),
]


def assert_out_of_reach(answers: list[Answer]) -> None:
    for answer in answers:
        assert answer.is_error
        assert "begun with this token" in answer.text
