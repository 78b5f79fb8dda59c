"""Where a command writes: stdout, with a last line that comes and goes on a terminal."""

from __future__ import annotations

import os
import sys
from typing import Final

from kowalski_cli.screen.style import style_of
from kowalski_cli.screen.terminal_text import harmless

_ERASE: Final = "\r\x1b[2K"
_USUAL_WIDTH: Final = 80


class Screen:
    """Writes to stdout, in pieces that are seen at once.

    Attributes:
        style: how text is painted.
        interactive: whether somebody watches who can be shown a line that is replaced.
        at_line_start: whether the next character begins a line.
    """

    def __init__(self, *, plain: bool = False) -> None:
        self.style = style_of(sys.stdout, plain=plain)
        self.interactive = sys.stdout.isatty() and self.style.colour
        self.at_line_start = True
        self._transient = False

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where there is none, and lines may be of any length."""
        if not sys.stdout.isatty():
            return None
        try:
            return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_WIDTH
        except OSError:
            return _USUAL_WIDTH

    def write(self, text: str) -> None:
        """Write text, in the place of the transient line if there is one.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if not text:
            return
        erase = _ERASE if self._transient else ""
        self._transient = False
        sys.stdout.write(erase + text)
        sys.stdout.flush()
        self.at_line_start = text.endswith("\n")

    def line(self, text: str = "") -> None:
        """Write a line."""
        self.write(f"{text}\n")

    def lines(self, lines: list[str]) -> None:
        """Write lines."""
        self.write("".join(f"{line}\n" for line in lines))

    def transient(self, text: str) -> None:
        """Show `text`, a painted line, until something is written; never beside a program's output.

        An empty text takes the line away. It must fit into the terminal's width.
        """
        if not self.interactive or not self.at_line_start or not (text or self._transient):
            return
        sys.stdout.write(_ERASE + text)
        sys.stdout.flush()
        self._transient = bool(text)


def to_stderr(text: str) -> None:
    """Write to stderr, seen at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


def note(text: str, *, plain: bool = False) -> None:
    """Tell the person something besides, on stderr; names in it may be of anybody's making."""
    style = style_of(sys.stderr, plain=plain)
    to_stderr(f"{style.dim('kowalski:')} {harmless(text)}\n")
