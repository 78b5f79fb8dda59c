"""HTTP/1.1 over connections that are kept."""

from __future__ import annotations

import os
import ssl
from collections import deque
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import httpx2

from kowalski.inference.completions.connection import Connection
from kowalski.inference.completions.socket_stream import SocketStream

if TYPE_CHECKING:
    from typing import Self

_IDLE_CONNECTIONS: Final = 64
_PORTS: Final = {"http": 80, "https": 443}

_Address = tuple[str, str, int]


class Transport(httpx2.AsyncBaseTransport):
    """Sends each request over an idle connection, or over a new one where there is none.

    What httpx2 would use looks through all connections at each request and each answer, and has
    a dozen steps for each piece. Here an answer that is over gives its connection back.
    """

    def __init__(self, trust: ssl.SSLContext, connect_s: float) -> None:
        """`connect_s`: seconds until a connection must stand, TLS included."""
        trust.set_alpn_protocols(["http/1.1"])
        self._trust = trust
        self._connect_s = connect_s
        self._idle: dict[_Address, deque[Connection]] = {}
        self._busy: set[Connection] = set()
        self._closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The beginning of the response; its `network_stream` is a `SocketStream`.

        Raises:
            httpx2.RequestError: there is none.
        """
        url = request.url
        address = (url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        connection = self._idle_at(address) or await self._connect(*address)
        self._busy.add(connection)
        try:
            head, stream = await connection.ask(request)
        except BaseException:
            self._busy.discard(connection)
            raise
        return httpx2.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(self, address, connection),
            extensions={"network_stream": stream},
        )

    def give_back(self, address: _Address, connection: Connection) -> None:
        """The answer that came over it has been read, or is not wanted any more."""
        self._busy.discard(connection)
        connection.rest()
        if connection.idle and not self._closed:
            self._idle.setdefault(address, deque()).append(connection)
        else:
            connection.close()

    async def aclose(self) -> None:
        """Close every connection, be it in use or not."""
        self._closed = True
        for connection in (*self._busy, *(one for idle in self._idle.values() for one in idle)):
            connection.close()
        self._idle.clear()
        # Only then they are.
        await anyio.lowlevel.cancel_shielded_checkpoint()

    def _idle_at(self, address: _Address) -> Connection | None:
        """The connection there that was used last; those that waited for too long are closed."""
        idle = self._idle.get(address)
        if not idle:
            return None
        while idle and (len(idle) > _IDLE_CONNECTIONS or not idle[0].idle):
            idle.popleft().close()
        while idle:
            if (connection := idle.pop()).idle:
                return connection
            connection.close()
        return None

    async def _connect(self, scheme: str, host: str, port: int) -> Connection:
        if self._closed:
            raise httpx2.ConnectError("Nothing is sent to this server any more.")
        encrypted = scheme == "https"
        try:
            with anyio.fail_after(self._connect_s):
                trust = self._trust if encrypted else None
                return Connection(await SocketStream.connected(host, port, trust))
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx2.ConnectError(_why(error, encrypted=encrypted)) from error


class _Body(httpx2.AsyncByteStream):
    """The body of one response, as it comes."""

    def __init__(self, transport: Transport, address: _Address, connection: Connection) -> None:
        self._transport = transport
        self._address = address
        self._connection = connection
        self._given_back = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if (piece := await self._connection.piece()) is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        if not self._given_back:
            self._given_back = True
            self._transport.give_back(self._address, self._connection)


def _why(error: OSError, *, encrypted: bool) -> str:
    """Why there is no connection, as the system or TLS has it."""
    if encrypted and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        # It took the connection, and left when it was to speak TLS.
        return "SSL: it closed the connection"
    if isinstance(error, ssl.SSLError) or error.errno is None or error.errno <= 0:
        # These have words of their own.
        return str(error)
    return os.strerror(error.errno)
