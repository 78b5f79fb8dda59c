"""What Rust's compiler draws below each of its errors: labels, notes and help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_HEAD: Final = re.compile(r"(?P<severity>error|warning)(?:\[\w+\])?: .*")
_ARROW: Final = re.compile(r" *--> (?P<file>.*):\d+:\d+")
_MOST_LINES: Final = 40


def drawings(text: Sequence[str], names: Collection[str]) -> list[list[str]]:
    """What stands below the first line of each error in a compiler's text.

    Without the place, where it is in a file of one of these `names`: those are told apart.
    """
    found: list[list[str]] = []
    below: list[str] = []
    for line in text:
        if head := _HEAD.fullmatch(line):
            below = []
            if head["severity"] == "error":
                found.append(below)
        elif below or not _is_place(line, names):
            below.append(line)
    return [_shortened(one) for one in found]


def _is_place(line: str, names: Collection[str]) -> bool:
    arrow = _ARROW.fullmatch(line)
    return arrow is not None and arrow["file"] in names


def _shortened(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines.pop()
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"... and {more} more lines"]
