"""Lines of JSON over a stream: how a face and its agent talk. Both sides use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski.errors import AgentUnavailable

if TYPE_CHECKING:
    from anyio.abc import ByteStream

MAX_LINE_BYTES: Final = 128 * 1024 * 1024


class Connection:
    """A stream of JSON values, one a line. One reader at a time; writers take turns."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._searched = 0
        self._sending = anyio.Lock()

    async def send(self, value: Any) -> None:
        """Send one value.

        Raises:
            AgentUnavailable: the other side has gone.
        """
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        try:
            async with self._sending:
                await self._stream.send(line)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
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
                self._buffer += await self._stream.receive(262144)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        try:
            return json.loads(line)
        except ValueError as error:
            raise AgentUnavailable("The other side sent a line that is no JSON.") from error

    async def close(self) -> None:
        """End the connection."""
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()
