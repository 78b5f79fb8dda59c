"""A traceback of Python's in the lines of the document whose blocks it leads through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kowalski.documents.document import Document
    from kowalski.model.block import CodeBlock

_FRAME: Final = re.compile(r'(  File ")(?P<name>.+?)(?P<again> \(\d+\))?", line (?P<line>\d+)(.*)')

_SHOWN_CHARACTERS: Final = 200
"""Of a source line, what a traceback shows at most."""


def in_document(trace: Sequence[str], document: Document, current: CodeBlock) -> list[str]:
    """The lines of a traceback of the block `current`, with those of blocks as the document's.

    Blocks without a name share one, so a frame's block is the one that has its source line; a frame
    whose block cannot be found loses its number.
    """
    told = []
    names = {label_of(block) for block in document.blocks}
    for index, line in enumerate(trace):
        frame = _FRAME.fullmatch(line)
        if frame is None or frame["name"] not in names:
            told.append(line)
            continue
        source = trace[index + 1].strip() if index + 1 < len(trace) else ""
        number = _line(frame, source, document, current)
        place = f", line {number}" if number is not None else ""
        told.append(f'{frame[1]}{document.name}"{place}{frame[5]}')
    return told


def _line(frame: re.Match[str], source: str, document: Document, current: CodeBlock) -> int | None:
    line = int(frame["line"])
    for block in _candidates(document, current):
        lines = block.code.split("\n")
        if label_of(block) != frame["name"] or line > len(lines):
            continue
        if source and lines[line - 1].strip()[:_SHOWN_CHARACTERS] == source:
            return document.locate(block, line, 1)[0]
    return None


def _candidates(document: Document, current: CodeBlock) -> Iterator[CodeBlock]:
    yield current
    for block in reversed(document.blocks):
        if block.language == current.language and block.index != current.index:
            yield block


def label_of(block: CodeBlock) -> str:
    """What the kernel calls a block."""
    return f"<{block.name or 'code'}>"
