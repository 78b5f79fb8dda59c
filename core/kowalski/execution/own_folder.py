"""The folder of a kernel's own in what its interpreter prints: nobody but Kowalski knows it."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 4096


class OwnFolder:
    """Takes a folder away where lines begin with it, in one stream that comes in pieces.

    Bash calls a script by the path that it was read from, and the code's label is but the end of
    that. `path` ends with a slash. Bytes that may be the beginning of it are held back.
    """

    def __init__(self, path: bytes) -> None:
        self._at_line = b"\n" + path[:_LONGEST]
        self._pattern = re.compile(b"\n(?:" + re.escape(path[:_LONGEST]) + b")+")
        self._before = b"\n"
        self._held = b""

    def taken_from(self, data: bytes) -> bytes:
        """What can be told by now of what was printed."""
        text = self._pattern.sub(b"\n", self._before + self._held + data)
        last = text.rfind(b"\n")
        begun = last >= 0 and len(text) > last + 1 and self._at_line.startswith(text[last:])
        self._held = text[last + 1 :] if begun else b""
        told = text[: last + 1] if begun else text
        self._before = told[-1:]
        return told[1:]

    def rest(self) -> bytes:
        """What was held back, once nothing follows for now; a line begins anew behind it."""
        rest, self._held, self._before = self._held, b"", b"\n"
        return rest
