"""What a program printed as lines for a document: bounded, harmless, the same every time."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

HEAD_LINES: Final = 200
"""The first lines that are kept of an output too long for a document."""

TAIL_LINES: Final = 50
"""The last lines that are kept of it."""

HEAD_CHARACTERS: Final = 16_000
TAIL_CHARACTERS: Final = 4_000
LINE_CHARACTERS: Final = 2_000
"""The longest line that is kept whole."""

_HIDDEN: Final = re.compile(
    r"\x1b\[[0-?]*+[ -/]*+[@-~]?"  # colours, and what moves the cursor, erases, asks
    r"|\x1b[\]P^_X][^\x07\x1b]*+(?:\x07|\x1b\\)?"  # titles, the clipboard, links
    r"|\x1b[ -/]*+[0-~]?"
    r"|[^\x08]\x08"  # what was typed over
)
_CONTROL: Final = re.compile(
    # The last ones turn text around, so that it reads other than it is.
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
)


class Printed:
    """Takes in output as it comes, however it is cut, and keeps its beginning and its end.

    What a terminal would no longer show is left out: colours and other control sequences, and
    what a carriage return went back over, such as the earlier states of a progress bar. Any other
    control character becomes U+FFFD. Spaces at the ends of lines, which editors strip, go too.
    """

    def __init__(self) -> None:
        self._head: list[str] = []
        self._head_characters = 0
        self._tail: deque[str] = deque()
        self._tail_characters = 0
        self._left_out = 0
        self._line = ""
        self._beyond = 0
        self._returned = False

    def feed(self, text: str) -> None:
        """Take in a piece of output."""
        *whole, last = text.split("\n")
        for line in whole:
            self._extend(line)
            self._keep()
        self._extend(last)

    def lines(self) -> tuple[str, ...]:
        """All lines, once there are no more, and one that counts what was left out.

        There are none where all are empty.
        """
        if self._line:
            self._keep()
        left_out = [f"… {self._left_out:,} lines left out …"] if self._left_out else []
        lines = [*self._head, *left_out, *self._tail]
        while lines and not lines[-1]:
            lines.pop()
        return tuple(lines)

    def _extend(self, text: str) -> None:
        for index, piece in enumerate(text.split("\r")):
            # Only what is written after it goes over what stood before a carriage return.
            self._returned = self._returned or index > 0
            if not piece:
                continue
            if self._returned:
                self._line, self._beyond, self._returned = "", 0, False
            room = LINE_CHARACTERS - len(self._line)
            self._line += piece[:room]
            self._beyond += max(0, len(piece) - room)

    def _keep(self) -> None:
        line = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _HIDDEN.sub("", self._line)).rstrip()
        if self._beyond:
            line += f" … {self._beyond:,} characters left out"
        self._line, self._beyond, self._returned = "", 0, False
        # Once something is in the tail, what comes is behind it.
        if not self._tail and not self._left_out and self._fits_head(line):
            self._head.append(line)
            self._head_characters += len(line)
            return
        self._tail.append(line)
        self._tail_characters += len(line)
        while len(self._tail) > TAIL_LINES or self._tail_characters > TAIL_CHARACTERS:
            self._tail_characters -= len(self._tail.popleft())
            self._left_out += 1

    def _fits_head(self, line: str) -> bool:
        characters = self._head_characters + len(line)
        return len(self._head) < HEAD_LINES and characters <= HEAD_CHARACTERS
