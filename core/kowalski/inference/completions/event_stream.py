"""Server-sent events, decoded from bytes as they come.

The decoder that httpx2 has drops comments. In exo's streams those tell a prompt that is being read
from a server that is silent, so this one lets them through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
MAX_EMPTY_LINES: Final = 100_000

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class MalformedStream(Exception):
    """Bytes that are no stream of events, or one beyond the bounds."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. `complete` is False for the last one of a stream that ends in the midst of it."""

    data: str
    event: str = "message"
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Comment:
    """A line that begins with a colon, without it and the space after it."""

    text: str


StreamItem: TypeAlias = ServerSentEvent | Comment


class EventStream:
    """Decodes one stream. Lines may end in CR, LF or CRLF, cut anywhere."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._after_cr = False
        self._first = True
        self._event = ""
        self._data: list[str] = []
        self._data_bytes = 0
        self._empty_lines = 0

    def feed(self, chunk: bytes) -> list[StreamItem]:
        """What `chunk` completes.

        Raises:
            MalformedStream: a line or an event is longer than allowed, or too many lines are none.
        """
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        lines = _LINE_END.split(chunk)
        rest = lines.pop()
        if not lines:
            self._grow(rest)
            return []
        items: list[StreamItem] = []
        self._grow(lines[0])
        lines[0] = self._whole_line()
        for line in lines:
            if len(line) > MAX_LINE_BYTES:
                raise _too_long()
            if (item := self._take(line)) is not None:
                items.append(item)
        self._grow(rest)
        return items

    def end(self) -> list[StreamItem]:
        """What was left when the stream ended, if it is an event."""
        items: list[StreamItem] = []
        if self._line_bytes and (item := self._take(self._whole_line())) is not None:
            items.append(item)
        if self._data:
            items.append(self._dispatch(complete=False))
        return items

    def _grow(self, piece: bytes) -> None:
        self._line_bytes += len(piece)
        if self._line_bytes > MAX_LINE_BYTES:
            raise _too_long()
        if piece:
            self._line.append(piece)

    def _whole_line(self) -> bytes:
        line = b"".join(self._line)
        self._line.clear()
        self._line_bytes = 0
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        return line

    def _take(self, line: bytes) -> StreamItem | None:
        if not line and self._data:
            return self._dispatch(complete=True)
        if not line:
            self._forget()
            self._empty_lines += 1
            if self._empty_lines > MAX_EMPTY_LINES:
                raise MalformedStream(f"more than {MAX_EMPTY_LINES:,} empty lines")
            return None
        name, _, raw = line.partition(b":")
        value = raw.removeprefix(b" ").decode("utf-8", "replace")
        if not name and line.startswith(b":"):
            return Comment(value)
        if name == b"event":
            self._event = value
        elif name == b"data":
            self._data_bytes += len(line)
            if self._data_bytes > MAX_EVENT_BYTES:
                raise MalformedStream(f"an event of more than {MAX_EVENT_BYTES // 2**20} MB")
            self._data.append(value)
        return None

    def _dispatch(self, *, complete: bool) -> ServerSentEvent:
        event = ServerSentEvent("\n".join(self._data), self._event or "message", complete)
        self._forget()
        return event

    def _forget(self) -> None:
        self._event = ""
        self._data.clear()
        self._data_bytes = 0


def _too_long() -> MalformedStream:
    return MalformedStream(f"a line of more than {MAX_LINE_BYTES // 2**20} MB")


class PlainBody:
    """An answer that comes in one piece, as if it were a stream of a single event.

    `complete` is True for it: whether it is whole shows when its JSON is read.
    """

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, chunk: bytes) -> list[StreamItem]:
        """Nothing yet.

        Raises:
            MalformedStream: the body is longer than an event may be.
        """
        self._body += chunk
        if len(self._body) > MAX_EVENT_BYTES:
            raise MalformedStream(f"a piece of more than {MAX_EVENT_BYTES // 2**20} MB")
        return []

    def end(self) -> list[StreamItem]:
        """The body, unless it is empty."""
        body = self._body.removeprefix(_BOM).decode("utf-8", "replace")
        return [ServerSentEvent(body)] if body.strip() else []
