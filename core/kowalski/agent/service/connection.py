"""Lines of JSON over a socket: how a face and its agent talk. Both sides use it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    import socket
    from typing import Self

PROTOCOL: Final = 1
"""Raised whenever an older face or agent would misunderstand a newer one."""

MAX_LINE_BYTES: Final = 128 * 1024 * 1024

_READ_BYTES: Final = 256 * 1024
_CLOSE_S: Final = 5.0


class Connection:
    """A stream of JSON values, one a line. One reader at a time, and any number of writers.

    asyncio's own streams: those of anyio register the socket anew for every message, which takes
    a tenth of a call's time.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._searched = 0

    @classmethod
    async def over(cls, connected: socket.socket) -> Self:
        """A connection over a socket that is connected; it belongs to the connection then."""
        return cls(*await asyncio.open_unix_connection(sock=connected, limit=_READ_BYTES))

    async def send(self, value: Any) -> None:
        """Send one value.

        Raises:
            AgentUnavailable: the other side has gone.
        """
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        try:
            # A line is written as a whole, however many write at once.
            self._writer.write(line)
            await self._writer.drain()
        except ConnectionError as error:
            raise AgentUnavailable("The connection to the agent broke.") from error

    async def receive(self) -> Any | None:
        """The next value; None when the other side has gone.

        Raises:
            AgentUnavailable: what came is no JSON, or too long.
        """
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._searched > MAX_LINE_BYTES:
                raise AgentUnavailable("The other side sent a line without an end.")
            try:
                data = await self._reader.read(_READ_BYTES)
            except ConnectionError:
                return None
            if not data:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        try:
            return json.loads(line)
        except ValueError as error:
            raise AgentUnavailable("The other side sent a line that is no JSON.") from error

    async def close(self) -> None:
        """End the connection. What was sent is delivered, unless the other side does not read."""
        self._writer.close()
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_S) as patience:
            try:
                await self._writer.wait_closed()
            except ConnectionError:
                return
        if patience.cancelled_caught:
            self._writer.transport.abort()
