"""Outputs of blocks as edits of their document, which change nothing else in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kowalski.documents.document import parse
from kowalski.documents.region import CLOSING, OPENING, prefix_below
from kowalski.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kowalski.documents.document import Document
    from kowalski.documents.region import Region
    from kowalski.model.block import CodeBlock

_LINE: Final = re.compile(r"[^\r\n]*(?P<end>\r\n|\r|\n|\Z)")
_TICKS: Final = re.compile(r"`{3,}")
_LABEL: Final = re.compile(r"\w(?:[\w .]|-(?!-))*")


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to stand below a block: lines of text, and the files of images, as linked."""

    lines: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` for the characters of a document from `start` on and before `end`, from 0."""

    start: int
    end: int
    text: str


def edits(document: Document, outputs: Mapping[int, Shown]) -> dict[int, Edit]:
    """What to change in `document` so that it shows `outputs`, by the blocks' indexes.

    An output takes the place of the one that was written before, and one that shows nothing
    leaves none; so does one that its block, a transcript, shows already. A block below which there
    is what it is to show needs no edit.

    Raises:
        InvalidDocument: the document's blocks would be others afterwards.
        DocumentTooLarge: it could not be read again.
    """
    lines = list(_LINE.finditer(document.text))
    made = {}
    for index in sorted(outputs):
        block, shown = document.blocks[index - 1], outputs[index]
        region = document.region_of(block)
        if not shown.images and is_transcribed(document, block, shown.lines):
            shown = Shown()
        wanted = _rendered(block, shown, prefix_below(document.lines, block.end_line))
        if region is None:
            start = end = lines[block.end_line - 1].start("end")
        else:
            if region.text == shown.lines and _same(document.lines, region, wanted):
                continue
            start = lines[region.start_line - 2].start("end")
            end = lines[region.end_line - 1].start("end")
        line_end = lines[block.start_line - 1]["end"]
        text = "".join(f"{line_end}{line}" for line in wanted)
        if start < end or text:
            made[index] = Edit(start, end, text)
    changed = parse(apply(document.text, made.values()), document.name)
    if _code(changed) != _code(document):
        raise InvalidDocument(
            f"{document.name or 'The document'} would be read in another way with the outputs in "
            "it, for it begins as front matter that nothing ends. Close that, or put a line above."
        )
    return made


def is_transcribed(document: Document, block: CodeBlock, lines: Sequence[str]) -> bool:
    """Whether `block` is a terminal's transcript that shows these lines itself."""
    return document.transcribed(block) == tuple(line for line in lines if line)


def apply(text: str, edits: Iterable[Edit]) -> str:
    """`text` after `edits`, which do not overlap."""
    pieces, position = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*pieces, text[position:]])


def carried_over(
    outputs: Mapping[int, Shown], before: Document, now: Document
) -> dict[int, Shown] | None:
    """`outputs` of blocks of `before` for the same blocks of `now`, another state of the document.

    None where one of the blocks is no longer there as it was, or cannot be told from others.
    """
    was, is_now = _alike(before), _alike(now)
    carried = {}
    for index, shown in outputs.items():
        block = before.blocks[index - 1]
        old, new = was[block.info, block.code], is_now.get((block.info, block.code), [])
        if len(old) != len(new):
            return None
        carried[new[old.index(index)]] = shown
    return carried


def _alike(document: Document) -> dict[tuple[str, str], list[int]]:
    """The indexes of the blocks with the same code."""
    alike: dict[tuple[str, str], list[int]] = {}
    for block in document.blocks:
        alike.setdefault((block.info, block.code), []).append(block.index)
    return alike


def _code(document: Document) -> list[tuple[str, str, bool]]:
    return [(block.info, block.code, block.runnable) for block in document.blocks]


def _rendered(block: CodeBlock, shown: Shown, prefix: str) -> list[str]:
    if not shown.lines and not shown.images:
        return []
    label = block.name if block.name and _LABEL.fullmatch(block.name) else ""
    body = []
    if shown.lines:
        ticks = (len(run) + 1 for line in shown.lines for run in _TICKS.findall(line))
        fence = "`" * max(ticks, default=3)
        body = [f"{fence}text", *shown.lines, fence]
    body += [f"![{label}]({image})" for image in shown.images]
    comment = f"{OPENING} {label} -->" if label else f"{OPENING} -->"
    return [f"{prefix}{line}".rstrip() for line in (comment, *body, CLOSING)]


def _same(lines: Sequence[str], region: Region, wanted: Sequence[str]) -> bool:
    """Whether a region is what is wanted, but for empty lines that a formatter put there."""
    empty = ("", region.prefix.rstrip())
    standing = (line.rstrip() for line in lines[region.start_line - 1 : region.end_line])
    return [line for line in standing if line not in empty] == [
        line for line in wanted if line not in empty
    ]
