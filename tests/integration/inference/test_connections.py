"""The connections over which servers are asked."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import httpx2
import pytest
from anyio.abc import SocketAttribute

from doubles.completion_server import CHAT, chunk, completion_server, head, json_reply, stream_head
from kowalski.inference.completions.http_client import open_client, read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

    from doubles.completion_server import CompletionServer, Reply, Wire
    from kowalski.inference.completions.http_client import HttpClient

KILOBYTE = 1024


@asynccontextmanager
async def asked(reply: Reply) -> AsyncIterator[tuple[CompletionServer, HttpClient, str]]:
    """A server that says `reply` to every prompt, a client for it, and where to ask."""
    async with completion_server({CHAT: reply}) as server:
        client = await open_client(connect_s=3, encrypted=False)
        async with client:
            yield server, client, f"{server.url}/v1/chat/completions"


async def turns(count: int) -> None:
    """Let everybody else go on."""
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


async def answer(client: HttpClient, url: str) -> bytes:
    """The whole body of an answer."""
    response = await client.ask(url, b"{}")
    try:
        return await read_body(response, KILOBYTE)
    finally:
        await response.aclose()


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with asked(json_reply("first")) as (server, client, url):
        assert [await answer(client, url) for _ in range(3)] == [b'"first"'] * 3
        assert server.connections == 1


@pytest.mark.skipif(sys.platform != "linux", reason="tells nobody which timers a socket has")
async def test_a_server_that_is_silent_is_looked_after_by_the_system() -> None:
    async with asked(json_reply("first")) as (server, client, url):
        await answer(client, url)
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        timers = [row[5] for row in rows if int(row[2].partition(":")[2], 16) == server.port]
        assert [timer.partition(":")[0] for timer in timers] == ["02"]


async def test_what_a_server_says_unasked_is_no_answer_to_the_next_request() -> None:
    read = anyio.Event()

    async def say(wire: Wire) -> None:
        await json_reply("asked")(wire)
        await read.wait()
        await json_reply("unasked", status=408)(wire)

    async with asked(say) as (server, client, url):
        assert await answer(client, url) == b'"asked"'
        read.set()
        await turns(10)
        assert await answer(client, url) == b'"asked"'
        assert server.connections == 2


async def test_what_a_server_says_behind_its_answer_is_no_answer_to_the_next_request() -> None:
    async def say(wire: Wire) -> None:
        await wire.send(
            head(content_length="5") + b"asked" + head(408, content_length="7") + b"unasked"
        )

    async with asked(say) as (server, client, url):
        assert [await answer(client, url) for _ in range(2)] == [b"asked"] * 2
        assert server.connections == 2


async def test_a_server_that_says_more_than_is_read_has_to_wait() -> None:
    sent = 0

    async def flood(wire: Wire) -> None:
        nonlocal sent
        await wire.send(stream_head())
        while True:
            await wire.send(chunk(bytes(64 * KILOBYTE)))
            sent += 64

    async with asked(flood) as (_, client, url):
        response = await client.ask(url, b"{}")
        before = -1
        for _ in range(200):
            before = sent
            await turns(50)
            if sent == before:
                break
        assert sent == before
        await response.aclose()


async def test_a_request_that_is_given_up_is_not_held_for_a_server_that_reads_nothing() -> None:
    given_up, gone = anyio.Event(), anyio.Event()
    body = bytes(32 * KILOBYTE * KILOBYTE)
    came = 0

    async def serve(connection: SocketStream) -> None:
        nonlocal came
        await given_up.wait()
        async with connection:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    came += len(await connection.receive())
        gone.set()

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
        await open_client(connect_s=3, encrypted=False) as client,
    ):
        tasks.start_soon(listener.serve, serve)
        port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as asking:
            asking.start_soon(client.ask, f"http://127.0.0.1:{port}/", body)
            await turns(100)
            asking.cancel_scope.cancel()
        given_up.set()
        await gone.wait()
        assert came < len(body)
        tasks.cancel_scope.cancel()


async def test_a_client_that_is_closed_ends_the_answers_that_come_over_it() -> None:
    async def begin(wire: Wire) -> None:
        await wire.send(stream_head(), chunk(b"beginning"))
        await wire.until_left()

    async with asked(begin) as (server, client, url):
        response = await client.ask(url, b"{}")
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"beginning"
        await client.aclose()
        with pytest.raises(httpx2.RequestError):
            await anext(pieces)
        await server.left.wait()
        with pytest.raises(httpx2.ConnectError, match="any more"):
            await client.ask(url, b"{}")
