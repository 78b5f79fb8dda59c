"""What a kernel says and what its program prints, heard as it comes."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sys
import termios
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from kowalski.execution.frames import Frames, MalformedFrame
from kowalski.execution.own_folder import OwnFolder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from kowalski.execution.frames import Frame
    from kowalski.execution.sandbox.process import Process
    from kowalski.model.event import Stream

_LOG: Final = logging.getLogger(__name__)
_READ_BYTES: Final = 65536
_STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")


class Hearer(Protocol):
    """Takes what was heard. What it gives back is awaited before the next frame is heard."""

    def printed(self, stream: Stream, data: bytes) -> None: ...
    def said(self, frame: Frame) -> Awaitable[None] | None: ...
    def babbled(self) -> Awaitable[None]: ...


class Hearing:
    """Hears one process until `end`; `serve` must run as long.

    Its descriptors stay registered: to register them anew for every piece would be a tenth of a
    call's time.
    """

    def __init__(self, process: Process, hearer: Hearer) -> None:
        self._control = process.control_out
        self._printing = {"stdout": process.stdout_fd, "stderr": process.stderr_fd}
        self._hearer = hearer
        self._frames = Frames()
        self._folders: dict[Stream, OwnFolder] = {}
        self._loop = asyncio.get_running_loop()
        self._awaited: Awaitable[None] | None = None
        self._ended = False
        self._turn = anyio.Event()

    def begin(self) -> None:
        """Hear from now on."""
        for stream in _STREAMS:
            self._loop.add_reader(self._printing[stream], self._hear, stream)
        self._loop.add_reader(self._control, self._listen)

    async def serve(self) -> None:
        """Await what frames ask for, until the end."""
        while True:
            await self._turn.wait()
            self._turn = anyio.Event()
            while self._awaited is not None:
                await self._fulfil(self._awaited)
                self._awaited = None
                self._go_on()
            if self._ended:
                return
            self._loop.add_reader(self._control, self._listen)

    async def _fulfil(self, awaited: Awaitable[None]) -> None:
        try:
            await awaited
        except Exception:  # noqa: BLE001 - whatever it is, one kernel must not take the agent along
            _LOG.exception("What a kernel said could not be heard")
            await self._hearer.babbled()

    def end(self) -> None:
        """The process has ended: take what is left in its pipes. `serve` ends when that is done."""
        self.stop()
        self.drain()
        # What others write there that live on is nothing of the kernel's.
        for data in _what_is_in(self._control):
            self._frames.add(data)
        self._ended = True
        self._go_on()
        self._turn.set()

    def stop(self) -> None:
        """Hear no more."""
        for fd in (self._control, *self._printing.values()):
            self._loop.remove_reader(fd)

    def hide(self, folder: bytes) -> None:
        """Let what is printed not name this folder from now on: it is the kernel's own."""
        self._folders = {stream: OwnFolder(folder) for stream in _STREAMS}

    def drain(self) -> None:
        """Take what the program has printed by now."""
        for stream in _STREAMS:
            for data in _what_is_in(self._printing[stream]):
                self._tell(stream, data)
            if (folder := self._folders.get(stream)) is not None and (rest := folder.rest()):
                self._hearer.printed(stream, rest)

    def _hear(self, stream: Stream) -> None:
        data = _available(self._printing[stream])
        if data:
            self._tell(stream, data)
        elif data is not None:
            self._loop.remove_reader(self._printing[stream])

    def _tell(self, stream: Stream, data: bytes) -> None:
        if (folder := self._folders.get(stream)) is not None:
            data = folder.taken_from(data)
        self._hearer.printed(stream, data)

    def _listen(self) -> None:
        data = _available(self._control)
        if data:
            self._frames.add(data)
            self._go_on()
        elif data is not None:
            self._loop.remove_reader(self._control)

    def _go_on(self) -> None:
        """Tell of all frames that are whole, up to one that has to be awaited."""
        try:
            while self._awaited is None and (frame := self._frames.take()) is not None:
                self._awaited = self._hearer.said(frame)
        except Exception as error:  # noqa: BLE001 - whatever it is, the agent must not go along
            if not isinstance(error, MalformedFrame):
                _LOG.exception("What a kernel said could not be heard")
            # Nothing that it says can be trusted any more.
            self._frames = Frames()
            self._awaited = self._hearer.babbled()
        if self._awaited is not None:
            self._loop.remove_reader(self._control)
            self._turn.set()


def _available(fd: int, limit: int = _READ_BYTES) -> bytes | None:
    """What can be read; b"" behind the end, None where there is nothing yet."""
    try:
        return os.read(fd, limit)
    except BlockingIOError:
        return None


def _what_is_in(pipe: int) -> Iterator[bytes]:
    """What is in a pipe by now, in pieces, and nothing of what is written meanwhile."""
    count = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    left = int.from_bytes(count, sys.byteorder)
    while left > 0 and (data := _available(pipe, left)):
        yield data
        left -= len(data)
