"""HTTP/1.1 over connections that are kept."""

from __future__ import annotations

import math
import os
import ssl
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn, cast

import anyio
import httpcore2
import httpx2

from kowalski.inference.completions.socket_stream import Dropped, SocketStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable
    from typing import Self

_IDLE_CONNECTIONS: Final = 64
# Many servers close an idle connection after five seconds; a request must not meet that.
_IDLE_CONNECTION_S: Final = 4.0
_PORTS: Final = {b"http": 80, b"https": 443}


class ConnectionDropped(httpx2.ReadError):
    """As `Dropped`: the request may not have been looked at, and can be sent once more."""


_ERRORS: Final[dict[type[Exception], type[httpx2.RequestError]]] = {
    Dropped: ConnectionDropped,
    httpcore2.ReadError: httpx2.ReadError,
    httpcore2.ReadTimeout: httpx2.ReadTimeout,
    httpcore2.LocalProtocolError: httpx2.LocalProtocolError,
    httpcore2.RemoteProtocolError: httpx2.RemoteProtocolError,
}
_FAILURES: Final = tuple(_ERRORS)


@dataclass(frozen=True, slots=True)
class _Address:
    scheme: bytes
    host: bytes
    port: int


@dataclass(eq=False, slots=True)
class _Connection:
    address: _Address
    stream: SocketStream
    http: httpcore2.AsyncHTTP11Connection


class Transport(httpx2.AsyncBaseTransport):
    """Sends each request over an idle connection, or over a new one where there is none.

    httpcore2's own pool, which httpx2 would use, looks through all of its connections at each
    request and each answer. Here an answer that is over gives its connection back.
    """

    def __init__(self, trust: ssl.SSLContext, connect_s: float) -> None:
        """`connect_s`: seconds until a connection must stand, TLS included."""
        trust.set_alpn_protocols(["http/1.1"])
        self._trust = trust
        self._connect_s = connect_s
        self._idle: dict[_Address, deque[_Connection]] = {}
        self._busy: set[_Connection] = set()
        self._closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The beginning of the response; its `network_stream` is a `SocketStream`.

        Raises:
            httpx2.RequestError: there is none.
        """
        url = request.url
        address = _Address(url.raw_scheme, url.raw_host, url.port or _PORTS[url.raw_scheme])
        asked = httpcore2.Request(
            request.method,
            httpcore2.URL(
                scheme=address.scheme, host=address.host, port=address.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
        )
        connection = await self._idle_at(address) or await self._connect(address)
        self._busy.add(connection)
        try:
            response = await connection.http.handle_async_request(asked)
        except BaseException as error:
            # It has closed itself.
            self._busy.discard(connection)
            if isinstance(error, _FAILURES):
                _tell(error)
            raise
        return httpx2.Response(
            response.status,
            headers=response.headers,
            stream=_Body(self, connection, response),
            extensions=response.extensions,
        )

    def give_back(self, connection: _Connection) -> None:
        """The answer that came over it has been read, or is not wanted any more."""
        self._busy.discard(connection)
        if connection.http.is_idle() and not self._closed:
            connection.stream.deadline = math.inf
            self._idle.setdefault(connection.address, deque()).append(connection)

    async def aclose(self) -> None:
        """Close every connection, be it in use or not."""
        self._closed = True
        left = [*self._busy, *(one for idle in self._idle.values() for one in idle)]
        self._idle.clear()
        for connection in left:
            await connection.http.aclose()

    async def _idle_at(self, address: _Address) -> _Connection | None:
        """The connection there that was used last; those that waited for too long are closed."""
        idle = self._idle.get(address)
        if not idle:
            return None
        while idle and (len(idle) > _IDLE_CONNECTIONS or idle[0].http.has_expired()):
            await idle.popleft().http.aclose()
        while idle:
            connection = idle.pop()
            if not connection.http.has_expired():
                return connection
            await connection.http.aclose()
        return None

    async def _connect(self, address: _Address) -> _Connection:
        if self._closed:
            raise httpx2.ConnectError("Nothing is sent to this server any more.")
        encrypted = address.scheme == b"https"
        try:
            with anyio.fail_after(self._connect_s):
                stream = await SocketStream.connected(
                    address.host.decode("ascii"), address.port, self._trust if encrypted else None
                )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx2.ConnectError(_why(error, encrypted=encrypted)) from error
        origin = httpcore2.Origin(address.scheme, address.host, address.port)
        http = httpcore2.AsyncHTTP11Connection(origin, stream, _IDLE_CONNECTION_S)
        return _Connection(address, stream, http)


class _Body(httpx2.AsyncByteStream):
    """The body of one response, as it comes."""

    def __init__(
        self, transport: Transport, connection: _Connection, response: httpcore2.Response
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._response = response
        self._given_back = False
        # That is what its connections give.
        body = cast("AsyncIterable[bytes]", response.stream)
        self._pieces = cast("AsyncGenerator[bytes, None]", aiter(body))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._pieces.__anext__()
        except _FAILURES as error:
            _tell(error)

    async def aclose(self) -> None:
        if self._given_back:
            return
        self._given_back = True
        await self._pieces.aclose()
        await self._response.aclose()
        self._transport.give_back(self._connection)


def _why(error: OSError, *, encrypted: bool) -> str:
    """Why there is no connection, as the system or TLS has it."""
    if encrypted and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
        # It took the connection, and left when it was to speak TLS.
        return "SSL: it closed the connection"
    if isinstance(error, ssl.SSLError) or error.errno is None or error.errno <= 0:
        # These have words of their own.
        return str(error)
    return os.strerror(error.errno)


def _tell(error: Exception) -> NoReturn:
    """Raise it as httpx2 has it."""
    raise _ERRORS[type(error)](str(error)) from error
