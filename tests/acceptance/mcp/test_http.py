"""MCP over HTTP: who is let in, and what they can reach."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from mcp import MCPError

from assistants.http_server import (
    ACCEPT,
    COMMAND,
    HttpServer,
    bearer,
    greeting,
    http_assistant,
    http_server,
)
from assistants.sdk_client import Answer, execute
from assistants.wire import MODERN
from terminal.processes import wait_until_alive, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp import Client


def token_file(home: dict[str, str]) -> Path:
    return Path(home["KOWALSKI_HOME"]) / "mcp-token"


def token_of(home: dict[str, str]) -> str:
    return token_file(home).read_text().strip()


@pytest.fixture(scope="module")
def server(home: dict[str, str], folder: Path) -> Iterator[HttpServer]:
    with http_server(home, folder, "--progress-every", "0.2") as server:
        yield server


@pytest.fixture(scope="module")
def strict(home: dict[str, str], folder: Path) -> Iterator[HttpServer]:
    """A server that lets few requests through."""
    few = {**home, "KOWALSKI_MCP_CALLS_BURST": "10", "KOWALSKI_MCP_CALLS_PER_S": "0.01"}
    with http_server(few, folder) as server:
        yield server


@pytest.fixture
def token(home: dict[str, str], server: HttpServer) -> str:
    assert server.process.poll() is None
    return token_of(home)


@pytest.fixture
def marker() -> str:
    """What the command line of one process has and no other."""
    return f"1000.{uuid.uuid4().int % 10**12}"


def sleeping(marker: str) -> dict[str, str]:
    return {"code": f"sleep {marker} & echo asleep; wait", "language": "bash"}


def post(url: str, *headers: dict[str, str], body: Any = None) -> httpx2.Response:
    together: list[tuple[str, str]] = [*ACCEPT.items()]
    for one in headers:
        together += one.items()
    with httpx2.Client(trust_env=False) as client:
        return client.post(url, headers=together, json=greeting() if body is None else body)


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_whoever_shows_the_token_is_let_in(server: HttpServer, token: str, revision: str) -> None:
    answer = post(server.url, bearer(token), body=greeting(revision))

    assert answer.status_code == 200
    assert f'"protocolVersion":"{revision}"' in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Server" not in answer.headers


def test_the_token_is_made_at_first_for_its_owner_alone(server: HttpServer, token: str) -> None:
    command = f'--header "Authorization: Bearer $(cat {server.welcome.split("cat ")[1][:-1]}'

    assert len(token) == 43
    file = Path(server.welcome.split("$(cat ")[1].split(")")[0])
    assert file.read_text().strip() == token
    assert file.stat().st_mode & 0o777 == 0o600
    assert server.url in server.welcome
    assert command in server.welcome
    assert token not in server.welcome


@pytest.mark.parametrize(
    "headers",
    [
        lambda token: [],
        lambda token: [bearer("x" * 43)],
        lambda token: [bearer(token[:-1])],
        lambda token: [{"Authorization": "Bearer"}],
        lambda token: [{"Authorization": token}],
        lambda token: [{"Authorization": f"Basic {token}"}],
        lambda token: [bearer(token), bearer("x" * 43)],
    ],
)
def test_whoever_does_not_is_not(
    server: HttpServer, token: str, headers: Callable[[str], list[dict[str, str]]]
) -> None:
    answer = post(server.url, *headers(token))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["token", "access_token", "authorization"])
def test_a_token_in_the_address_is_none(server: HttpServer, token: str, name: str) -> None:
    assert post(f"{server.url}?{name}={token}").status_code == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"]
)
def test_pages_of_other_origins_are_refused(server: HttpServer, token: str, origin: str) -> None:
    assert post(server.url, bearer(token), {"Origin": origin}).status_code == 403


def test_pages_of_this_device_are_not(server: HttpServer, token: str) -> None:
    origin = server.url.removesuffix("/mcp")

    assert post(server.url, bearer(token), {"Origin": origin}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_names_that_were_made_to_lead_here_are_refused(
    server: HttpServer, token: str, host: str
) -> None:
    assert post(server.url, bearer(token), {"Host": host}).status_code == 421


@pytest.mark.parametrize("path", ["/", "/mcp/", "/%6dcp", "//mcp", "/mcp/..%2fmcp", "/docs"])
def test_nothing_else_is_there(server: HttpServer, token: str, path: str) -> None:
    answer = post(server.url.removesuffix("/mcp") + path, bearer(token))

    assert answer.status_code == 404
    assert "Server" not in answer.headers


def test_a_body_without_bounds_is_refused(server: HttpServer, token: str) -> None:
    body = greeting() | {"more": "x" * (4 * 1024 * 1024)}

    assert post(server.url, bearer(token), body=body).status_code == 413


def test_a_head_without_an_end_is_cut_off(server: HttpServer) -> None:
    port = httpx2.URL(server.url).port
    with socket.create_connection(("127.0.0.1", port or 0)) as connection:
        connection.sendall(b"POST /mcp HTTP/1.1\r\nX-More: ")
        with pytest.raises(ConnectionError):
            connection.sendall(b"x" * 64 * 1024 * 1024)


def test_who_guesses_is_slowed_down_and_who_knows_is_not(
    strict: HttpServer, home: dict[str, str]
) -> None:
    guesses = [post(strict.url, bearer("x" * 43)) for _ in range(40)]

    assert guesses[0].status_code == 401
    assert guesses[-1].status_code == 429
    assert int(guesses[-1].headers["Retry-After"]) >= 1
    assert post(strict.url, bearer(token_of(home))).status_code == 200


def test_who_calls_too_often_is_told_when_to_come_back(
    strict: HttpServer, home: dict[str, str]
) -> None:
    answers = [post(strict.url, bearer(token_of(home))) for _ in range(11)]

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


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
    async with (
        http_assistant(server.url, token, mode) as client,
        anyio.create_task_group() as calls,
    ):
        calls.start_soon(client.call_tool, "execute_code", sleeping(marker))
        await anyio.to_thread.run_sync(wait_until_alive, marker)
        calls.cancel_scope.cancel()

    wait_until_gone(marker)


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
        assert (await execute(client, "1", session_id="s" * 50))["session_id"] == "s" * 50
        assert "50" in (await execute(client, "1", session_id="s" * 51)).text


async def test_a_new_token_ends_all_that_the_old_one_began(
    home: dict[str, str], folder: Path, marker: str
) -> None:
    with http_server(home, folder) as server:
        old = token_of(home)
        opened = post(server.url, bearer(old))
        session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
        assert post(server.url, bearer(old), session, body=PING).status_code == 200
        async with http_assistant(server.url, old, MODERN) as client:
            await execute(client, "x = 41", session_id="s")
            run_id = (await execute(client, "print('old')"))["run_id"]
            async with anyio.create_task_group() as calls:
                calls.start_soon(refused_call, client, marker)
                await anyio.to_thread.run_sync(wait_until_alive, marker)
                subprocess.run([*COMMAND, "--new-token"], env=home, check=True, capture_output=True)
                assert token_of(home) != old
                assert post(server.url, bearer(old)).status_code == 401
        wait_until_gone(marker)

        new = bearer(token_of(home))
        assert post(server.url, new, session, body=PING).status_code == 404
        async with http_assistant(server.url, token_of(home)) as client:
            assert_out_of_reach([await look(client, run_id) for look in LOOKS])
            assert (await execute(client, "'x' in globals()", session_id="s"))["value"] == "False"


async def test_code_ends_with_the_server(home: dict[str, str], folder: Path, marker: str) -> None:
    with http_server(home, folder) as server:
        async with (
            http_assistant(server.url, token_of(home), MODERN) as client,
            anyio.create_task_group() as calls,
        ):
            calls.start_soon(refused_call, client, marker)
            await anyio.to_thread.run_sync(wait_until_alive, marker)
            server.process.send_signal(signal.SIGINT)

        assert await anyio.to_thread.run_sync(server.process.wait) == 0
    wait_until_gone(marker)


def test_a_taken_port_is_said_to_be_taken(
    server: HttpServer, home: dict[str, str], folder: Path
) -> None:
    port = str(httpx2.URL(server.url).port)

    assert "--port" in refusal(home, folder, "--http", "--port", port)


def test_others_are_kept_out_until_the_owner_says_who_may_come(
    home: dict[str, str], folder: Path
) -> None:
    told = refusal(home, folder, "--http", "--port", "0", "--host", "0.0.0.0")

    assert "allowed_hosts = [" in told
    assert "allowed_origins = [" in told
    assert "settings.toml" in told


def test_a_token_that_others_could_have_read_is_refused(
    home: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    other = {**home, "KOWALSKI_HOME": str(tmp_path / "own")}
    subprocess.run([*COMMAND, "--new-token"], env=other, check=True, capture_output=True)
    token_file(other).chmod(0o640)

    assert "chmod 600" in refusal(other, folder, "--http", "--port", "0")


@pytest.mark.parametrize(
    "flags", [("--port", "1"), ("--host", "::1"), ("--http", "--port", "70000")]
)
def test_flags_that_mean_nothing_are_refused(
    home: dict[str, str], folder: Path, flags: tuple[str, ...]
) -> None:
    assert "--port" in refusal(home, folder, *flags)


PICTURE = "class P:\n def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n'\nP()"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def refusal(env: dict[str, str], folder: Path, *flags: str) -> str:
    """What a server says that does not start."""
    done = subprocess.run(
        [*COMMAND, *flags], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    return done.stderr


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
