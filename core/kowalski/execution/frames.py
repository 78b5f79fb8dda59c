"""The frames that a kernel and its agent exchange; docs/architecture.md has the grammar."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import anyio

MAX_HEADER_BYTES: Final = 4096
MAX_FIELDS: Final = 256
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024


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
        plain = digits.removeprefix("-")
        return int(digits) if len(digits) < 19 and plain.isascii() and plain.isdecimal() else None


def encode(kind: str, *fields: str | bytes) -> bytes:
    """The bytes of a frame."""
    bodies = [f if isinstance(f, bytes) else f.encode("utf-8", "surrogateescape") for f in fields]
    header = " ".join([kind, *(str(len(body)) for body in bodies)])
    return b"".join([header.encode("ascii"), b"\n", *bodies])


class Frames:
    """The frames in bytes that come in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def add(self, data: bytes) -> None:
        """Take in what came."""
        self._buffer += data

    def take(self) -> Frame | None:
        """The next frame; None while it is not whole.

        Raises:
            MalformedFrame: the bytes are no frame, or one beyond the bounds.
        """
        buffer = self._buffer
        end = buffer.find(b"\n", 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(buffer) >= MAX_HEADER_BYTES:
                raise MalformedFrame("a header without an end")
            return None
        kind, lengths = _header(bytes(buffer[:end]))
        at = end + 1
        if len(buffer) < at + sum(lengths):
            return None
        fields = []
        for length in lengths:
            fields.append(bytes(buffer[at : at + length]))
            at += length
        del buffer[:at]
        return Frame(kind, tuple(fields))


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
