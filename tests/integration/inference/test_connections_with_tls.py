"""The connections over which servers are asked, where they are encrypted."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener

from doubles.tls import contexts
from kowalski.inference.completions.http_client import HttpClient, open_client, read_body
from kowalski.inference.completions.transport import Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.streams.tls import TLSStream

MEGABYTE = 1024 * 1024


@asynccontextmanager
async def echo(trust: ssl.SSLContext) -> AsyncIterator[tuple[str, list[TLSStream]]]:
    """A server that says what it is told: its URL, and its connections."""
    connections = []

    async def serve(stream: TLSStream) -> None:
        connections.append(stream)
        reader = BufferedByteReceiveStream(stream)
        try:
            while True:
                head = await reader.receive_until(b"\r\n\r\n", 10_000)
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                body = await reader.receive_exactly(length)
                await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + body)
        except (anyio.IncompleteRead, anyio.BrokenResourceError):
            # The client has gone.
            return
        finally:
            await anyio.aclose_forcefully(stream)

    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with (
        TLSListener(plain, trust, standard_compatible=False) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, serve)
        yield f"https://localhost:{plain.extra(SocketAttribute.local_port)}/", connections
        tasks.cancel_scope.cancel()


async def test_a_connection_carries_much_both_ways_and_serves_again(tmp_path: Path) -> None:
    server, trusting = contexts(tmp_path)
    async with echo(server) as (url, connections), HttpClient(Transport(trusting, 3), {}) as client:
        for filling in (b"a", b"b"):
            sent = filling * MEGABYTE
            response = await client.ask(url, sent)
            assert await read_body(response, MEGABYTE) == sent
            await response.aclose()
        assert len(connections) == 1


async def test_nothing_is_said_to_a_server_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    server, _ = contexts(tmp_path)
    async with echo(server) as (url, connections), await open_client(connect_s=3) as client:
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.ask(url, b"secret")
        assert connections == []
