"""What a compiler or a panic prints of a block, with the places of the document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kowalski_cli.document.trace import label_of
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from kowalski.documents.document import Document
    from kowalski.model.block import CodeBlock

_ARROW: Final = re.compile(
    r"(?P<space> *)(?P<arrow>-->|:::) (?P<file>.*):(?P<line>\d+):(?P<column>\d+)"
)
_NUMBERED: Final = re.compile(r"(?P<line>\d+) *(?P<rest> [|+~-].*)")
_PANIC: Final = re.compile(
    r"(?P<before>thread '.*panicked at .*)"
    r"(?P<file><code>):(?P<line>\d+):(?P<column>\d+)(?P<rest>:?)"
)
_MESSAGE: Final = re.compile(
    r"(?P<before>)(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)(?P<rest>: (?:warning|error): .*)"
)
_MOST_CHARACTERS: Final = 2000
"""Of a line that may be the compiler's."""


class CompilerText:
    """Reads what comes on standard error, piece by piece.

    What the program itself prints passes, unless it looks as if the compiler or a panic spoke.
    """

    def __init__(self, document: Document, block: CodeBlock) -> None:
        self._document = document
        self._block = block
        self._label = label_of(block)
        self._lines = block.code.count("\n") + 1
        self._width = len(str(block.first_line + self._lines - 1))
        self._begun = ""
        self._is_told = False
        self._margin: int | None = None
        self._is_block = False
        self._is_about_block = False

    def translated(self, text: str) -> str:
        """A piece; of its last line, what may still become a place comes with the next one."""
        first, *lines = (self._begun + text).split("\n")
        last = lines.pop() if lines else None
        told = ""
        if last is None:
            last = first
        else:
            told = f"{first if self._is_told else self._line(first)}\n"
            self._is_told = False
        told += "".join(f"{self._line(line)}\n" for line in lines)
        self._begun = last if not self._is_told and self._may_be_place(last) else ""
        if self._begun:
            return told
        self._is_told = self._is_told or bool(last)
        return told + last

    def rest(self) -> str:
        """What was held back, for no more comes."""
        rest, self._begun = self._begun, ""
        return self._line(rest)

    def _may_be_place(self, begun: str) -> bool:
        if len(begun) > _MOST_CHARACTERS:
            return False
        if self._margin is not None:
            return True
        bare = begun.lstrip(" ")
        marks = ("--> ", "::: ", "thread '", f"{self._label}:")
        return any(bare.startswith(mark[: len(bare)]) for mark in marks)

    def _line(self, line: str) -> str:
        if len(line) > _MOST_CHARACTERS:
            return line
        if arrow := _ARROW.fullmatch(line):
            place = self._place(arrow)
            self._is_block = place is not None
            if self._margin is None:
                self._is_about_block = self._is_block
            self._margin = len(arrow["space"])
            return f"{self._indent()}{arrow['arrow']} {place or line[arrow.start('file') :]}"
        if self._margin is not None:
            return self._drawn(line, self._margin)
        found = _PANIC.fullmatch(line) or _MESSAGE.fullmatch(line)
        place = self._place(found) if found else None
        return (
            line if found is None or place is None else f"{found['before']}{place}{found['rest']}"
        )

    def _drawn(self, line: str, margin: int) -> str:
        """A line of code or one below it, as the compiler draws them: numbers in a margin."""
        if not line:
            self._margin = None
        elif numbered := _NUMBERED.fullmatch(line):
            number = int(numbered["line"]) + (self._block.first_line - 1 if self._is_block else 0)
            return f"{number:<{len(self._indent())}}{numbered['rest']}"
        elif line.startswith(" " * margin):
            return self._indent() + line[margin:]
        else:
            # Such as a help, whose code is that of the message.
            self._is_block = self._is_about_block
        return line

    def _indent(self) -> str:
        return " " * max(self._width, self._margin or 0)

    def _place(self, found: re.Match[str]) -> str | None:
        line, column = int(found["line"]), int(found["column"])
        if found["file"] not in (self._label, "<code>") or not 0 < line <= self._lines:
            return None
        line, column = self._document.locate(self._block, line, column)
        return f"{one_line(self._document.name)}:{line}:{column}"
