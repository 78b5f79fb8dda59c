"""The HTTP server program."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import pytest

from kowalski_mcp.http.address import Address, listen
from kowalski_mcp.http.program import serve_until_signal

if TYPE_CHECKING:
    from anyio.abc import SocketStream
    from starlette.types import Receive, Scope, Send


class Hello:
    """Says hello."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async def close(self, grace_s: float) -> None:
        assert grace_s > 0


async def test_of_too_many_who_say_nothing_the_oldest_makes_room() -> None:
    listener, address = listen(Address("127.0.0.1", 0))

    async def serve() -> None:
        await serve_until_signal(Hello(), listener, head_s=3600, silent=2)

    async with anyio.create_task_group() as tasks, AsyncExitStack() as stack:
        tasks.start_soon(serve)

        async def connect() -> SocketStream:
            return await stack.enter_async_context(
                await anyio.connect_tcp(address.host, address.port)
            )

        oldest, second, third = [await connect() for _ in range(3)]
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await oldest.receive()
        for one in (second, third):
            await one.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"hello" in b"".join([part async for part in one])
        signal.raise_signal(signal.SIGTERM)


async def test_who_says_nothing_is_cut_off_and_who_asks_is_answered() -> None:
    listener, address = listen(Address("127.0.0.1", 0))

    async def serve() -> None:
        await serve_until_signal(Hello(), listener, head_s=0.05)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        async with await anyio.connect_tcp(address.host, address.port) as silent:
            await silent.send(b"GET / HTTP/1.1\r\nHost:")
            assert [part async for part in silent] == []
        async with await anyio.connect_tcp(address.host, address.port) as asking:
            await asking.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"hello" in b"".join([part async for part in asking])
        signal.raise_signal(signal.SIGTERM)
