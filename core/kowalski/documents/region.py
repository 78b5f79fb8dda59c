"""What Kowalski wrote into a document below its blocks, found again by the comments around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kowalski.documents.scan import Found

OPENING: Final = "<!-- kowalski:output"
"""How the comment before an output begins; a name may follow, for readers alone."""

CLOSING: Final = "<!-- /kowalski:output -->"
"""The comment behind an output."""

_OPENING_LINE: Final = re.compile(rf"(?P<prefix>[ \t>]*){OPENING}(?: [^<>]*)? -->[ \t]*")
_IMAGE_LINE: Final = re.compile(r"!\[[^\[\]]*\]\((?P<target>[^()\s]*)\)")
_CLOSING_FENCE: Final = re.compile(r"[ \t>]*")


@dataclass(frozen=True, slots=True)
class Region:
    """An output that was written, with its comments. Lines count from 1, both ends included.

    A comment whose output was taken apart by hand is a region of its own line, with nothing in it.

    Attributes:
        prefix: what begins each of its lines: the markers of the quotes and lists around it.
        text: the lines of text in it.
        images: the files that it shows, as it links them.
    """

    start_line: int
    end_line: int
    prefix: str
    text: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def find_regions(lines: Sequence[str], found: Iterable[Found]) -> Iterator[Region]:
    """The regions of a document with these `lines` and this code, in their order."""
    code = {one.start_line: one for one in found}
    number = 1
    while number <= len(lines):
        if number in code:
            number = code[number].end_line + 1
            continue
        opening = _OPENING_LINE.fullmatch(lines[number - 1])
        if opening is None:
            number += 1
            continue
        region = _region(lines, number, container(opening["prefix"]), code)
        yield region
        number = region.end_line + 1


def prefix_below(lines: Sequence[str], end_line: int) -> str:
    """What begins a line in the quotes and lists of the code whose closing fence is `end_line`."""
    fence = _CLOSING_FENCE.match(lines[end_line - 1])
    return container(fence[0] if fence else "")


def container(markers: str) -> str:
    """`markers` such that what stands behind them keeps its spaces."""
    return f"{markers} " if markers.endswith(">") else markers


def past_blank(lines: Sequence[str], number: int, prefix: str) -> int:
    """The first line from `number` on that holds more than `prefix`."""
    while number <= len(lines) and not behind(prefix, lines[number - 1]):
        number += 1
    return number


def behind(prefix: str, line: str) -> str:
    """What `line` holds besides `prefix`, without the spaces at its end."""
    if line.startswith(prefix):
        return line[len(prefix) :].rstrip()
    return line.rstrip().removeprefix(prefix.rstrip())


def _region(lines: Sequence[str], start: int, prefix: str, code: Mapping[int, Found]) -> Region:
    number = past_blank(lines, start + 1, prefix)
    text: tuple[str, ...] = ()
    fence = code.get(number)
    if fence is not None and fence.kind == "fenced" and fence.closed:
        inside = lines[fence.start_line : fence.end_line - 1]
        text = tuple(behind(prefix, line) for line in inside)
        number = past_blank(lines, fence.end_line + 1, prefix)
    images: list[str] = []
    while number <= len(lines):
        line = behind(prefix, lines[number - 1])
        if line == CLOSING:
            return Region(start, number, prefix, text, tuple(images))
        image = _IMAGE_LINE.fullmatch(line)
        if image is None:
            break
        images.append(image["target"])
        number = past_blank(lines, number + 1, prefix)
    return Region(start, start, prefix)
