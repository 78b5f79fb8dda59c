"""`execute_code` over MCP over HTTP with a token, against a server that does nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from benchmarks.bare_http_server import TOKEN
from benchmarks.mcp_call import execute
from benchmarks.mcp_process import ServerUnavailableError
from benchmarks.measure import Contestant, interleave
from benchmarks.outcome import Outcome, Row, within
from kowalski.agent.home.places import Places

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import Process

    from benchmarks.account import ServerAccount
    from benchmarks.bench import Bench

KOWALSKI = (sys.executable, "-m", "kowalski_cli", "mcp", "--http", "--port", "0")
BARE = (sys.executable, str(Path(__file__).with_name("bare_http_server.py")))

# Nobody asks so fast for long, but a measure does.
_UNHURRIED = {"KOWALSKI_MCP_CALLS_BURST": "1000000"}


async def measure(bench: Bench) -> Outcome:
    """Both over HTTP with the same client; Kowalski's runs the code in a sandboxed session."""
    account, bare_account = bench.account("mcp-http"), bench.account("bare-http")
    async with (
        serving(KOWALSKI, bench.folder, account) as url,
        serving(BARE, bench.folder, bare_account) as bare_url,
        connected(url, Places.find().token_file.read_text().strip()) as client,
        connected(bare_url, TOKEN) as bare_client,
    ):
        ours, theirs = await interleave(
            [
                Contestant(
                    "kowalski: execute_code in a session",
                    lambda: execute(client, session_id="bench-http"),
                    (account, bench.agent),
                ),
                Contestant(
                    "bare SDK server with a token, constant result",
                    lambda: execute(bare_client),
                    (bare_account,),
                ),
            ],
            bench.rounds(300),
            warmup=5,
        )
    return Outcome(
        "mcp_http",
        "MCP over HTTP, session call",
        (Row(ours.name, ours), Row(theirs.name, theirs, (within(ours, theirs, 2),))),
    )


@asynccontextmanager
async def serving(argv: Sequence[str], folder: Path, account: ServerAccount) -> AsyncIterator[str]:
    """A server that says its address; it is stopped at the end.

    Raises:
        ServerUnavailableError: it did not start, with what it said.
    """
    with account.inside():
        process = await anyio.open_process(
            argv,
            cwd=folder,
            env={**os.environ, **_UNHURRIED},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
    async with process:
        try:
            yield await _address(process)
        finally:
            process.terminate()


async def _address(process: Process) -> str:
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    said = b""
    try:
        while not (found := re.search(rb"http://\S+/mcp", said)):
            said = await lines.receive_until(b"\n", 10_000)
    except (anyio.EndOfStream, anyio.IncompleteRead) as error:
        message = f"The server did not start; it said: {said.decode()}"
        raise ServerUnavailableError(message) from error
    return found[0].decode()


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Client]:
    """A client that has shaken hands, as assistants do."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode="legacy") as client,
    ):
        yield client
