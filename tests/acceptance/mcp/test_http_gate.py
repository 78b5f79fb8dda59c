"""MCP over HTTP: who is let in."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from assistants.http_server import (
    COMMAND,
    HttpServer,
    bearer,
    greeting,
    http_server,
    post,
    token_file,
    token_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


AT_ONCE = 16
LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+ \S.*")
MOST_GUESSES = 200


@pytest.fixture(scope="module")
def strict(home: dict[str, str], folder: Path) -> Iterator[HttpServer]:
    """A server that lets few requests through."""
    few = {**home, "KOWALSKI_MCP_CALLS_BURST": "10", "KOWALSKI_MCP_CALLS_PER_S": "0.01"}
    with http_server(few, folder) as server:
        yield server


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


def test_a_browser_lets_pages_that_may_ask_read_the_answers(server: HttpServer, token: str) -> None:
    page = {"Origin": "http://localhost:8080"}
    asked = httpx2.options(server.url, headers={**page, "Access-Control-Request-Method": "POST"})
    answer = post(server.url, bearer(token), page)
    refused = post(server.url, page)

    assert asked.status_code == 204
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    for name in ("Authorization", "Content-Type", "Mcp-Session-Id", "Mcp-Protocol-Version"):
        assert name in asked.headers["Access-Control-Allow-Headers"].split(", ")
    assert (answer.status_code, refused.status_code) == (200, 401)
    for one in (asked, answer, refused):
        assert one.headers["Access-Control-Allow-Origin"] == page["Origin"]
        assert one.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in one.headers
    assert "Mcp-Session-Id" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_a_browser_is_told_nothing_for_others(
    server: HttpServer, token: str, headers: dict[str, str]
) -> None:
    asked = httpx2.options(server.url, headers=headers)

    assert asked.status_code == (403 if headers else 401)
    for one in (asked, post(server.url, bearer(token), headers)):
        assert not [name for name in one.headers if name.lower().startswith("access-control-")]


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


def test_nothing_that_strangers_send_reaches_the_log(home: dict[str, str], folder: Path) -> None:
    with http_server(home, folder, "--log-level", "debug") as server:
        for head in (
            b"Host: evil\x1b[31mRED",
            b"Host: localhost\r\nOrigin: http://evil\x1b[31mRED",
            b"Host: localhost\r\nAuthorization: evil\x1b[31mRED",
            b"Host: localhost\r\nConnection: upgrade\r\nUpgrade: evil\x1b[31mRED",
            b"No header: evil\x1b[31mRED",
        ):
            assert said(server, b"POST /mcp HTTP/1.1\r\n" + head + b"\r\n\r\n")
        assert said(server, b"evil\x1b[31mRED\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert server.end() == 0
        assert server.process.stderr is not None
        logged = server.process.stderr.read()

    assert all(LOGGED.fullmatch(line) for line in logged.splitlines())
    assert "shutting down" in logged
    assert "evil" not in logged
    assert "request" not in logged


def test_who_guesses_is_slowed_down_and_who_knows_is_not(
    strict: HttpServer, home: dict[str, str]
) -> None:
    guesses = [post(strict.url, bearer("x" * 43))]
    while guesses[-1].status_code == 401 and len(guesses) < MOST_GUESSES:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            guesses += pool.map(lambda _: post(strict.url, bearer("x" * 43)), range(AT_ONCE))

    assert guesses[0].status_code == 401
    assert guesses[-1].status_code == 429
    assert int(guesses[-1].headers["Retry-After"]) >= 1
    assert post(strict.url, bearer(token_of(home))).status_code == 200


def test_who_calls_too_often_is_told_when_to_come_back(
    strict: HttpServer, home: dict[str, str]
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(
            pool.map(lambda _: post(strict.url, bearer(token_of(home))), range(2 * AT_ONCE))
        )

    answers.sort(key=lambda answer: answer.status_code)
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="others have one loopback address")
def test_whoever_comes_to_another_address_of_the_loopback_is_let_in(
    home: dict[str, str], folder: Path
) -> None:
    with http_server(home, folder, "--host", "127.0.0.2") as server:
        assert "127.0.0.2" in server.url
        assert post(server.url, bearer(token_of(home))).status_code == 200


def test_a_taken_port_is_said_to_be_taken(
    server: HttpServer, home: dict[str, str], folder: Path
) -> None:
    port = str(httpx2.URL(server.url).port)

    told = refusal(home, folder, "--http", "--port", port)

    assert "--port" in told
    assert "usage" not in told


def test_others_are_kept_out_until_the_owner_says_who_may_come(
    home: dict[str, str], folder: Path
) -> None:
    told = refusal(home, folder, "--http", "--port", "0", "--host", "0.0.0.0")

    assert 'allowed_hosts = ["this-device.example:*"]' in told
    assert 'allowed_origins = ["http://this-device.example:*"]' in told
    assert "settings.toml" in told


def test_the_owner_says_who_may_come_from_elsewhere(
    home: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    other = {**home, "KOWALSKI_HOME": str(tmp_path / "own")}
    settings = tmp_path / "own" / "settings.toml"
    settings.parent.mkdir(mode=0o700)
    allowed = 'allowed_hosts = ["box.example:*"]\nallowed_origins = ["https://chat.example"]\n'
    settings.write_text(f"[mcp]\n{allowed}")

    with http_server(other, folder, "--host", "0.0.0.0") as server:
        named = httpx2.URL(server.url)
        token = bearer(token_of(other))
        url = str(named.copy_with(host="127.0.0.1"))
        host = {"Host": f"box.example:{named.port}"}

        assert "unencrypted" in server.welcome
        assert named.host == "box.example"
        assert post(url, token, host, {"Origin": "https://chat.example"}).status_code == 200
        assert post(url, token, host, {"Origin": "https://evil.example"}).status_code == 403
        assert post(url, token, {"Host": "evil.example"}).status_code == 421
        assert post(url, host).status_code == 401


def test_a_token_that_others_could_have_read_is_refused(
    home: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    other = {**home, "KOWALSKI_HOME": str(tmp_path / "own")}
    token_file(other).parent.mkdir(mode=0o700)
    token_file(other).write_text("x" * 43)
    token_file(other).chmod(0o640)

    assert "chmod 600" in refusal(other, folder, "--http", "--port", "0")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--port", "1"), "--port go with --http"),
        (("--host", "::1"), "--port go with --http"),
        (("--http", "--port", "70000"), "'70000' is no port: give a number from 0 to 65535"),
        (("--http", "--port", "-1"), "'-1' is no port"),
        (("--answer-after", "soon"), "'soon' is no time: give seconds"),
    ],
)
def test_flags_that_mean_nothing_are_refused(
    home: dict[str, str], folder: Path, flags: tuple[str, ...], told: str
) -> None:
    assert told in refusal(home, folder, *flags)


def said(server: HttpServer, request: bytes) -> bytes:
    """What is answered to what need not be HTTP."""
    with socket.create_connection(("127.0.0.1", httpx2.URL(server.url).port or 0)) as connection:
        connection.sendall(request)
        return connection.recv(4096)


def refusal(env: dict[str, str], folder: Path, *flags: str) -> str:
    """What a server says that does not start."""
    done = subprocess.run(
        [*COMMAND, *flags], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    return done.stderr
