"""The redo log: what the journal was told, and its file does not have yet.

A note is one write of some hundred bytes, a tenth of what a transaction costs. It is in the
system's hands then, and outlives this process.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Statement: TypeAlias = tuple[str, tuple[str | int | float | None, ...]]
"""SQL with its values. It must do no harm when it is executed a second time."""

_SIZE_BYTES: Final = 256 * 1024
_LONGEST_BYTES: Final = 16 * 1024
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_HEADER: Final = struct.Struct("<II")
_END: Final = bytes(_HEADER.size)


class RedoLog:
    """Notes in a file of a fixed size; `held` are those that it holds, oldest first.

    Raises:
        OSError: on making it, where the file cannot be opened, read or given its room.
    """

    def __init__(self, path: Path) -> None:
        self.held: list[Statement] = []
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._at = self._read()
            missing = _SIZE_BYTES - os.fstat(self._fd).st_size
            if missing > 0:
                # Room that is had beforehand cannot be refused later, when the disk is full.
                os.pwrite(self._fd, bytes(missing), _SIZE_BYTES - missing)
        except BaseException:
            os.close(self._fd)
            raise

    def add(self, statements: Sequence[Statement]) -> bool:
        """Hold some more, all or none of them; False if they are too long, or there is no room.

        Raises:
            OSError: the file cannot be written.
            UnicodeEncodeError: a value holds half a surrogate pair.
        """
        body = _ENCODER.encode(statements).encode()
        end = self._at + _HEADER.size + len(body)
        if len(body) > _LONGEST_BYTES or end + len(_END) > _SIZE_BYTES:
            return False
        header = _HEADER.pack(len(body), zlib.crc32(body))
        data = b"".join((header, body, _END))
        if os.pwrite(self._fd, data, self._at) < len(data):
            return False
        self._at = end
        self.held.extend(statements)
        return True

    def clear(self) -> None:
        """Forget all: they are in the journal's file.

        Raises:
            OSError: the file cannot be written.
        """
        os.pwrite(self._fd, _END, 0)
        self._at = 0
        self.held.clear()

    def close(self) -> None:
        """Let go of the file; what it holds is there for the next agent."""
        os.close(self._fd)

    def _read(self) -> int:
        """Take in what another process has left; gives the place behind it.

        What that process was writing when it died is not taken for a note.
        """
        data = os.pread(self._fd, _SIZE_BYTES, 0)
        at = 0
        while at + _HEADER.size <= len(data):
            length, checksum = _HEADER.unpack_from(data, at)
            start = at + _HEADER.size
            body = data[start : start + length]
            if not length or len(body) < length or zlib.crc32(body) != checksum:
                break
            self.held.extend((sql, tuple(values)) for sql, values in json.loads(body))
            at = start + length
        return at
