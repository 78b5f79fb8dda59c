"""Lines of JSON over a socket: how a face and its agent talk. Both sides use it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Self

PROTOCOL: Final = 1
"""Raised whenever an older face or agent would misunderstand a newer one."""

MAX_LINE_BYTES: Final = 128 * 1024 * 1024

_CLOSE_S: Final = 5.0
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class Connection(asyncio.Protocol):
    """A stream of JSON values, one a line, with any number of writers.

    A protocol of asyncio's, whose values are heard where they arrive: streams take a turn of the
    loop to hand them on, and those of anyio register the socket anew for every message.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._searched = 0
        self._early: deque[Any] = deque()
        self._hear: Callable[[Any], None] | None = None
        self._changed = anyio.Event()
        self._nonsense: AgentUnavailable | None = None
        self._gone = False
        self._writable: anyio.Event | None = None
        self._lost = anyio.Event()

    @classmethod
    async def over(cls, connected: socket.socket) -> Self:
        """A connection over a socket that is connected; it belongs to the connection then."""
        _, connection = await asyncio.get_running_loop().create_unix_connection(cls, sock=connected)
        return connection

    async def send(self, value: Any) -> None:
        """Send one value. Waits while the other side does not read.

        Raises:
            AgentUnavailable: the other side has gone.
        """
        if self._lost.is_set() or self._transport.is_closing():
            raise _broken()
        # A line is written as a whole, however many write at once.
        self._transport.write(_ENCODER.encode(value).encode() + b"\n")
        while self._writable is not None:
            await self._writable.wait()
            if self._lost.is_set():
                raise _broken()

    async def receive(self) -> Any | None:
        """The next value; None when the other side has gone. Only before `hear`.

        Raises:
            AgentUnavailable: what came is no JSON, or too long.
        """
        while not self._early:
            if self._gone:
                self._check()
                return None
            await self._changed.wait()
            self._changed = anyio.Event()
        value = self._early.popleft()
        if not self._early and not self._gone:
            self._transport.resume_reading()
        return value

    async def hear(self, hear: Callable[[Any], None]) -> None:
        """Call `hear` with every value that comes; returns when the other side has gone.

        Raises:
            AgentUnavailable: what came is no JSON, or too long.
        """
        self._hear = hear
        while self._early:
            hear(self._early.popleft())
        if not self._gone:
            self._transport.resume_reading()
        while not self._gone:
            await self._changed.wait()
            self._changed = anyio.Event()
        self._check()

    def leave(self) -> None:
        """Take the other side for gone: nothing more that it says is heard."""
        self._gone = True
        self._hear = None
        self._buffer.clear()
        self._transport.pause_reading()
        self._changed.set()

    async def close(self) -> None:
        """End the connection. What was sent is delivered, unless the other side does not read."""
        self._transport.close()
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_S) as patience:
            await self._lost.wait()
        if patience.cancelled_caught:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a socket's is one
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """As `asyncio.Protocol`."""
        if self._gone:
            return
        self._buffer += data
        while not self._gone and (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._searched = 0
            try:
                value = json.loads(line)
            except ValueError:
                self._stop("The other side sent a line that is no JSON.")
                return
            if self._hear is not None:
                self._hear(value)
            else:
                self._keep(value)
        self._searched = len(self._buffer)
        if self._searched > MAX_LINE_BYTES:
            self._stop("The other side sent a line without an end.")

    def eof_received(self) -> bool:
        """As `asyncio.Protocol`: what is under way to the other side is still delivered."""
        self._gone = True
        self._changed.set()
        return True

    def pause_writing(self) -> None:
        """As `asyncio.Protocol`."""
        self._writable = anyio.Event()

    def resume_writing(self) -> None:
        """As `asyncio.Protocol`."""
        if self._writable is not None:
            writable, self._writable = self._writable, None
            writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        """As `asyncio.Protocol`."""
        self._gone = True
        self._changed.set()
        self._lost.set()
        if self._writable is not None:
            self._writable.set()

    def _keep(self, value: Any) -> None:
        """Nobody hears yet: let nothing more come than this read brought."""
        if not self._early:
            self._transport.pause_reading()
        self._early.append(value)
        self._changed.set()

    def _stop(self, reason: str) -> None:
        self._nonsense = AgentUnavailable(reason)
        self.leave()

    def _check(self) -> None:
        if self._nonsense is not None:
            raise self._nonsense


def _broken() -> AgentUnavailable:
    return AgentUnavailable("The connection to the agent broke.")
