"""The frames that a kernel and its agent exchange; docs/architecture.md has the grammar."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import anyio

MAX_HEADER_BYTES: Final = 4096
MAX_FIELDS: Final = 256
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
_READ_BYTES: Final = 65536


class MalformedFrame(Exception):
    """A kernel sent bytes that are no frame; nothing that it says can be trusted any more."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its kind, and its fields as bytes."""

    kind: str
    fields: tuple[bytes, ...]

    def text(self, index: int) -> str:
        """Field `index` as text; bytes that are no UTF-8 become U+FFFD, a missing field ''."""
        if index >= len(self.fields):
            return ""
        return self.fields[index].decode("utf-8", "replace")

    def number(self, index: int) -> int | None:
        """Field `index` as a number; None for an empty, missing or senseless one."""
        digits = self.text(index)
        return int(digits) if len(digits) < 19 and digits.lstrip("-").isdecimal() else None


def encode(kind: str, *fields: str | bytes) -> bytes:
    """The bytes of a frame."""
    bodies = [f if isinstance(f, bytes) else f.encode("utf-8", "surrogateescape") for f in fields]
    header = " ".join([kind, *(str(len(body)) for body in bodies)])
    return b"".join([header.encode("ascii"), b"\n", *bodies])


class FrameReader:
    """Reads frames from a non-blocking descriptor, keeping what came early for the next call."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()

    async def read(self) -> Frame | None:
        """The next frame; None when the other side has closed.

        Raises:
            MalformedFrame: the bytes are no frame, or one beyond the bounds.
        """
        while (end := self._buffer.find(b"\n", 0, MAX_HEADER_BYTES)) < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise MalformedFrame("a header without an end")
            if not await self._more():
                return None
        kind, lengths = _header(bytes(self._buffer[:end]))
        total = end + 1 + sum(lengths)
        while len(self._buffer) < total:
            if not await self._more():
                return None
        fields, at = [], end + 1
        for length in lengths:
            fields.append(bytes(self._buffer[at : at + length]))
            at += length
        del self._buffer[:total]
        return Frame(kind, tuple(fields))

    async def _more(self) -> bool:
        while True:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                await anyio.wait_readable(self._fd)
                continue
            self._buffer += data
            return bool(data)


def _header(line: bytes) -> tuple[str, list[int]]:
    tokens = line.split(b" ")
    if not tokens[0].isalpha() or len(tokens) > MAX_FIELDS:
        raise MalformedFrame("a header that names no kind")
    if not all(token.isdigit() and len(token) < 12 for token in tokens[1:]):
        raise MalformedFrame("a header with a length that is no number")
    lengths = [int(token) for token in tokens[1:]]
    if sum(lengths) > MAX_FRAME_BYTES:
        raise MalformedFrame(f"a frame of {sum(lengths)} bytes")
    return tokens[0].decode("ascii"), lengths


async def write(fd: int, data: bytes) -> None:
    """Write all of `data` to a non-blocking descriptor.

    Raises:
        BrokenPipeError: the other side has gone.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await anyio.wait_writable(fd)
