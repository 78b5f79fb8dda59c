"""Head and tail of a text that may be endless."""

from __future__ import annotations

from collections import deque
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from kowalski.model.event import Finished, RunResult, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Final = tuple(field.name for field in fields(Finished))
_VALUES: Final = attrgetter(*_NAMES)


class Excerpt:
    """Keeps the first and the last `limit / 2` bytes of what it is given, and counts the rest."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.total = 0

    def add(self, data: bytes) -> None:
        """Take in UTF-8 bytes."""
        self.total += len(data)
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data[-self._half :])
        self._tail_bytes += len(self._tail[-1])
        while self._tail_bytes - len(self._tail[0]) >= self._half:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def cut(self) -> int:
        """How many bytes lie between head and tail."""
        return self.total - len(self._head) - min(self._tail_bytes, self._half)

    def render(self, limit: int | None = None) -> str:
        """The text, or of a longer one `limit` bytes; a line of its own tells what was cut."""
        half = self._half if limit is None else min(self._half, limit // 2)
        head = bytes(self._head)
        tail = b"".join(self._tail)[-self._half :] if self._tail else b""
        if self.total <= 2 * half:
            return (head + tail).decode("utf-8", "replace")
        if not self.cut:
            tail = head + tail
        cut = self.total - 2 * half
        begun, ended = head[:half].decode("utf-8", "ignore"), tail[-half:].decode("utf-8", "ignore")
        return f"{begun}\n[... {cut:,} bytes cut ...]\n{ended}"


def with_excerpts(finished: Finished, excerpts: Mapping[Stream, Excerpt]) -> RunResult:
    """The result that a finished run and what it printed make together."""
    values = dict(zip(_NAMES, _VALUES(finished), strict=True))
    cut = finished.output.dropped_bytes > 0 or any(e.cut for e in excerpts.values())
    return RunResult(
        **values,
        stdout=excerpts["stdout"].render(),
        stderr=excerpts["stderr"].render(),
        truncated=cut,
    )
