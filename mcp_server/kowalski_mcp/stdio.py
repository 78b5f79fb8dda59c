"""MCP messages over the process's own standard input and output."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import select
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

import anyio
import anyio.to_thread
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.types import JSONRPCMessage

LONGEST_LINE: Final = 128 * 1024 * 1024
"""Bytes of one message: the largest code and stdin, escaped. Longer ones are refused unread."""

_READ_BYTES: Final = 1024 * 1024


@contextmanager
def stdio_streams() -> Iterator[tuple[Incoming, Outgoing]]:
    """The two streams that a server of the SDK wants.

    Within the block nothing else reaches the client: file descriptor 0 reads nothing, and 1
    writes to stderr. The SDK's own transport passes each line through threads and tasks, which
    takes a third of a call's time; and it leaves a line that it cannot read unanswered.
    """
    source = _claim(0, os.open(os.devnull, os.O_RDONLY))
    sink = _claim(1, os.dup(2))
    outgoing = Outgoing(sink)
    incoming = Incoming(source, outgoing)
    try:
        yield incoming, outgoing
    finally:
        incoming.stop()
        for own, standard in ((source, 0), (sink, 1)):
            os.dup2(own, standard)
            os.close(own)


class _Stream:
    """What the SDK does with a stream besides using it. It ends with the process."""

    async def aclose(self) -> None:
        """Nothing: the descriptor belongs to the process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Outgoing(_Stream):
    """Takes messages and writes each as a line. The event loop never waits for the reader."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._turn = anyio.Lock(fast_acquire=True)
        self._rest = memoryview(b"")
        self._ready = select.poll()
        self._ready.register(sink, select.POLLOUT)

    async def send(self, item: SessionMessage, /) -> None:
        """Write a message; others wait for their turn.

        Raises:
            BrokenResourceError: nobody reads any more.
        """
        await self.write(item.message)

    async def write(self, message: JSONRPCMessage) -> None:
        """As `send`. What a cancelled writer left of its line, the next one writes first."""
        line = message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        async with self._turn:
            await self._flush()
            self._rest = memoryview(line)
            await self._flush()

    async def _flush(self) -> None:
        while self._rest:
            if not self._ready.poll(0):
                await anyio.wait_writable(self._sink)
            try:
                # So much at least can be written to a ready pipe without waiting.
                written = os.write(self._sink, self._rest[: select.PIPE_BUF])
            except BrokenPipeError as error:
                raise anyio.BrokenResourceError from error
            self._rest = self._rest[written:]


class Incoming(_Stream):
    """Gives the messages of the client, until it says no more.

    A line that is no message is answered with an error, and passed over. The descriptor stays
    registered while messages are asked for as quickly as they come.
    """

    def __init__(self, source: int, outgoing: Outgoing) -> None:
        self._source = source
        self._outgoing = outgoing
        self._buffer = bytearray()
        self._searched = 0
        self._too_long = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._came = anyio.Event()
        self._waiting = False
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        while (line := await self._line()) is not None:
            if not line.strip():
                continue
            try:
                return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
            except ValidationError:
                await self._refuse_line(line)
        raise StopAsyncIteration

    async def receive(self) -> SessionMessage | Exception:
        """The next message.

        Raises:
            EndOfStream: there is none.
        """
        try:
            return await anext(self)
        except StopAsyncIteration as error:
            raise anyio.EndOfStream from error

    async def _line(self) -> bytes | None:
        """The next line that is not too long; None at the end."""
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._searched = 0
                if not self._too_long:
                    return line
                self._too_long = False
                continue
            self._searched = len(self._buffer)
            if self._searched > LONGEST_LINE:
                await self._forget()
            if self._ended:
                rest = b"" if self._too_long else bytes(self._buffer)
                self._buffer.clear()
                return rest or None
            await self._more()

    async def _forget(self) -> None:
        self._buffer.clear()
        self._searched = 0
        if not self._too_long:
            self._too_long = True
            await self._refuse(None, PARSE_ERROR, "The message is too long")

    def stop(self) -> None:
        """Listen no more."""
        if self._loop is not None:
            self._loop.remove_reader(self._source)
            self._loop = None

    async def _more(self) -> None:
        """Wait for more of what the client says, or for its end."""
        if self._loop is None:
            loop = asyncio.get_running_loop()
            try:
                loop.add_reader(self._source, self._hear)
            except PermissionError:
                # A regular file is always ready, and epoll will not say so.
                self._keep(await anyio.to_thread.run_sync(os.read, self._source, _READ_BYTES))
                return
            self._loop = loop
        self._came = anyio.Event()
        self._waiting = True
        try:
            await self._came.wait()
        finally:
            self._waiting = False

    def _hear(self) -> None:
        if not self._waiting and len(self._buffer) > _READ_BYTES:
            # The rest can wait in the pipe until somebody asks for it.
            self.stop()
            return
        try:
            self._keep(os.read(self._source, _READ_BYTES))
        except BlockingIOError:
            return
        except OSError:
            # Such as a terminal or a socket whose other side is gone.
            self._keep(b"")
        self._came.set()

    def _keep(self, data: bytes) -> None:
        self._buffer += data
        if not data:
            self._ended = True
            self.stop()

    async def _refuse_line(self, line: bytes) -> None:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            await self._refuse(None, PARSE_ERROR, "The line is no JSON")
            return
        number = value.get("id") if isinstance(value, dict) else None
        if isinstance(number, bool) or not isinstance(number, (int, str)):
            number = None
        reason = "The line is no message of JSON-RPC 2.0, or holds text that is no Unicode"
        await self._refuse(number, INVALID_REQUEST, reason)

    async def _refuse(self, number: int | str | None, code: int, reason: str) -> None:
        error = ErrorData(code=code, message=reason)
        await self._outgoing.write(JSONRPCError(jsonrpc="2.0", id=number, error=error))


def _claim(standard: int, instead: int) -> int:
    """A private duplicate of a standard descriptor, which becomes `instead`."""
    private = fcntl.fcntl(standard, fcntl.F_DUPFD_CLOEXEC, 3)
    os.dup2(instead, standard)
    os.close(instead)
    return private
