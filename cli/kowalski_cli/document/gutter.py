"""A program's output under the header of its block, indented, stderr told from stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski_cli.screen.terminal_text import TerminalText

if TYPE_CHECKING:
    from kowalski.model.event import Stream
    from kowalski_cli.document.compiler_text import CompilerText
    from kowalski_cli.screen.style import Style

_PREFIX: Final[dict[Stream, str]] = {"stdout": "  ", "stderr": "! "}
_RESET: Final = "\x1b[0m"


class Gutter:
    """Indents what one block prints, piece by piece, and makes it harmless for a terminal.

    Colours of the program's own pass where `style` has colours. A carriage return goes back to
    the beginning of the line, behind the gutter; without colours it begins a new line.
    """

    def __init__(self, style: Style, compiler: CompilerText | None = None) -> None:
        """`compiler` knows what is on stderr besides what the program says."""
        self._style = style
        self._compiler = compiler
        self._cleaners: dict[Stream, TerminalText] = {
            "stdout": TerminalText(colour=style.colour),
            "stderr": TerminalText(colour=style.colour),
        }
        self._last: Stream = "stdout"
        self._at_line_start = True
        self._returned = False
        self._coloured = False

    def output(self, stream: Stream, text: str) -> str:
        """What to write for a piece of output."""
        change = "" if self._at_line_start or stream == self._last else self._new_line()
        self._last = stream
        clean = self._cleaners[stream].clean(text)
        if stream == "stderr" and self._compiler is not None:
            clean = self._compiler.translated(clean)
        return change + self._indented(stream, clean)

    def end(self) -> str:
        """What to write once no more output comes: the rest, and the end of the last line."""
        rest = self._compiler.rest() if self._compiler is not None else ""
        rest = self._indented("stderr", rest) + "".join(
            self._indented(stream, cleaner.rest()) for stream, cleaner in self._cleaners.items()
        )
        end = "" if self._at_line_start else self._new_line()
        return rest + (_RESET if self._coloured else "") + end

    def _indented(self, stream: Stream, text: str) -> str:
        if self._returned:
            text = "\r" + text
        # A line feed may follow with the next piece, and then the two are one.
        self._returned = text.endswith("\r")
        text = text.removesuffix("\r").replace("\r\n", "\n")
        if not self._style.colour:
            text = text.replace("\r", "\n")
        return "".join(self._line(stream, line) for line in text.splitlines(keepends=True))

    def _line(self, stream: Stream, line: str) -> str:
        prefix = self._prefix(stream) if self._at_line_start else ""
        self._at_line_start = line.endswith("\n")
        if line.endswith("\r"):
            return prefix + self._painted(stream, line[:-1]) + "\r" + self._prefix(stream)
        if self._at_line_start:
            return prefix + self._painted(stream, line[:-1]) + "\n"
        return prefix + self._painted(stream, line)

    def _painted(self, stream: Stream, text: str) -> str:
        if not self._style.colour:
            return text
        if "\x1b" in text:
            self._coloured = True
            return text
        return self._style.stderr(text) if stream == "stderr" else text

    def _prefix(self, stream: Stream) -> str:
        return "  " if self._style.colour else _PREFIX[stream]

    def _new_line(self) -> str:
        self._at_line_start = True
        return "\n"
