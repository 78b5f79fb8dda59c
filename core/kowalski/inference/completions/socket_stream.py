"""One connection to a server, as bytes.

asyncio's own transport: the streams of anyio register the socket anew for every piece, and have a
cancel scope for each, which takes longer than everything that is done with the piece.
"""

from __future__ import annotations

import asyncio
import math
import socket
from typing import TYPE_CHECKING, Final, cast

import httpx2

from kowalski.inference.completions.connecting import connected_socket

if TYPE_CHECKING:
    import ssl
    from typing import Self

_HELD_BYTES: Final = 64 * 1024
_KEEPALIVE_IDLE_S: Final = 15
_KEEPALIVE_INTERVAL_S: Final = 5
_KEEPALIVE_PROBES: Final = 3
_UNACKNOWLEDGED_MS: Final = 30_000


class ConnectionDropped(httpx2.ReadError):
    """The server closed a connection that had served before, and said nothing to the request,
    which it may not have looked at."""


class SocketStream(asyncio.Protocol):
    """Bytes to and from one server.

    What is written leaves with the next read, or when there is much of it, so that a request is
    one packet. No more is held than `_HELD_BYTES` and one packet of the system's; then the server
    has to wait.

    Attributes:
        deadline: until when, on the loop's clock, reads may wait. May be moved at any time
            between two of them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.deadline = math.inf
        self._loop = loop
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._arrival: asyncio.Future[None] | None = None
        self._departure: asyncio.Future[None] | None = None
        self._held_up = False
        self._over = False
        self._error: Exception | None = None
        self._answered = self._kept = False

    @classmethod
    async def connected(cls, host: str, port: int, trust: ssl.SSLContext | None) -> Self:
        """A connection to a server; with `trust`, over TLS.

        Raises:
            OSError: there is none; `ssl.SSLError` is one.
        """
        loop = asyncio.get_running_loop()
        made = await connected_socket(host, port)
        try:
            _, stream = await loop.create_connection(
                lambda: cls(loop), sock=made, ssl=trust, server_hostname=host if trust else None
            )
        except BaseException:
            made.close()
            raise
        try:
            for option in _OPTIONS:
                stream._transport.get_extra_info("socket").setsockopt(*option)
        except OSError:
            # Some systems want none for a connection that has ended already.
            stream.close()
            raise
        return stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio has it."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        self._received += data
        if len(self._received) > _HELD_BYTES:
            self._held_up = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """As asyncio has it: the transport then closes by itself."""
        self._over = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        self._over = True
        self._error = exc
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        """As asyncio has it."""
        self._departure = self._loop.create_future()

    def resume_writing(self) -> None:
        """As asyncio has it."""
        departure, self._departure = self._departure, None
        if departure is not None and not departure.done():
            departure.set_result(None)

    @property
    def disturbed(self) -> bool:
        """Whether something came, or the end, that nobody has read."""
        return self._over or bool(self._received)

    def now(self) -> float:
        """The time on the loop's clock."""
        return self._loop.time()

    async def read(self, max_bytes: int) -> bytes:
        """Some of what has come, as soon as there is any; empty where nothing more comes.

        Raises:
            httpx2.ReadError: the connection broke; `ConnectionDropped` before a word was said.
            httpx2.ReadTimeout: nothing came until `deadline`.
        """
        if self._unsent:
            await self._flush()
        while not self._received:
            if self._over:
                return self._nothing_more()
            await self._wait()
        self._answered = True
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        if self._held_up and len(self._received) <= _HELD_BYTES:
            self._held_up = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes) -> None:
        """Have `buffer` sent. A connection that is closed takes it, and reading tells."""
        self._unsent.append(buffer)
        self._unsent_bytes += len(buffer)
        if self._unsent_bytes > _HELD_BYTES:
            await self._flush()

    def close(self) -> None:
        """Close it at once, whatever has not left yet."""
        self._transport.abort()

    async def _flush(self) -> None:
        if self._answered:
            self._answered, self._kept = False, True
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        if not self._transport.is_closing():
            self._transport.write(data)
        while self._departure is not None:
            await asyncio.shield(self._departure)

    async def _wait(self) -> None:
        self._arrival = self._loop.create_future()
        late = None
        if self.deadline < math.inf:
            late = self._loop.call_at(self.deadline, self._give_up)
        try:
            await self._arrival
        finally:
            self._arrival = None
            if late is not None:
                late.cancel()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _give_up(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_exception(httpx2.ReadTimeout("Nothing came in time."))

    def _nothing_more(self) -> bytes:
        said = str(self._error or "The server closed the connection.")
        if self._kept and not self._answered:
            raise ConnectionDropped(said) from self._error
        if self._error is not None:
            raise httpx2.ReadError(said) from self._error
        return b""


def _socket_options() -> list[tuple[int, int, int]]:
    """Notice within about half a minute that the other computer has gone."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    # Each system has some of these; macOS calls the first one TCP_KEEPALIVE.
    for names, value in (
        (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), _KEEPALIVE_IDLE_S),
        (("TCP_KEEPINTVL",), _KEEPALIVE_INTERVAL_S),
        (("TCP_KEEPCNT",), _KEEPALIVE_PROBES),
        (("TCP_USER_TIMEOUT",), _UNACKNOWLEDGED_MS),
    ):
        number = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
        if number is not None:
            options.append((socket.IPPROTO_TCP, number, value))
    return options


_OPTIONS: Final = _socket_options()
