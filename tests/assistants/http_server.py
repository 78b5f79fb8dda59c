"""`kowalski mcp --http` as a real process, and what clients say to it."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Implementation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

ACCEPT = {"Accept": "application/json, text/event-stream"}
COMMAND = (sys.executable, "-m", "kowalski_mcp")


class HttpServer:
    """A server at a free port of the loopback."""

    def __init__(self, env: Mapping[str, str], folder: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--http", "--port", "0", *flags],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.welcome = ""
        while "Ctrl-C" not in self.welcome:
            line = self.process.stderr.readline()
            assert line, f"the server has gone; it said: {self.welcome}"
            self.welcome += line
        found = re.search(r"Serving MCP at (\S+/mcp),", self.welcome)
        assert found is not None, self.welcome
        self.url = found[1]

    def end(self) -> int:
        """End it as a service manager does. Returns its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)


@contextmanager
def http_server(env: Mapping[str, str], folder: Path, *flags: str) -> Iterator[HttpServer]:
    """A server that ends with the block."""
    server = HttpServer(env, folder, *flags)
    try:
        yield server
        assert server.end() == 0
    finally:
        server.process.kill()
        server.process.communicate()


@asynccontextmanager
async def http_assistant(url: str, token: str, mode: str = "legacy") -> AsyncIterator[Client]:
    """The SDK's own client; `mode` is a protocol revision or `legacy`."""
    info = Implementation(name="an-assistant", version="1")
    async with (
        httpx2.AsyncClient(headers=bearer(token), timeout=60) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=mode, client_info=info
        ) as client,
    ):
        yield client


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def greeting(revision: str = "2025-11-25") -> dict[str, Any]:
    """The first message of revisions before 2026."""
    params = {
        "protocolVersion": revision,
        "capabilities": {},
        "clientInfo": {"name": "wire", "version": "1"},
    }
    return {"jsonrpc": "2.0", "id": "init", "method": "initialize", "params": params}


def token_file(home: dict[str, str]) -> Path:
    """Where the token of this user is."""
    return Path(home["KOWALSKI_HOME"]) / "mcp-token"


def token_of(home: dict[str, str]) -> str:
    """The token that counts now."""
    return token_file(home).read_text().strip()


def post(url: str, *headers: dict[str, str], body: Any = None) -> httpx2.Response:
    """What a server answers to a message, by default a greeting."""
    together: list[tuple[str, str]] = [*ACCEPT.items()]
    for one in headers:
        together += one.items()
    with httpx2.Client(trust_env=False) as client:
        return client.post(url, headers=together, json=greeting() if body is None else body)
