"""Text from programs that nobody vouches for, made harmless for the terminal that shows it.

An escape sequence can rewrite what stands above it, fill the clipboard or, in some terminals,
worse. Colours stay where they are wanted; everything else becomes visible.
"""

from __future__ import annotations

import re
from typing import Final

_COLOUR: Final = r"\x1b\[[0-9;:]{0,64}m"
_SEQUENCE: Final = (
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # what moves the cursor, erases, asks
    r"|[\x1b][\]P^_X][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # titles, clipboard, strings
    r"|\x1b[ -/]{0,8}[0-~]"
)
# Characters that turn the direction of what follows make text read as what it is not.
_CONTROL: Final = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_UNFINISHED: Final = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]P^_X][^\x07\x1b]{0,4096}\x1b?)?\Z"
)
_COLOURED: Final = re.compile(f"({_COLOUR})|{_SEQUENCE}|{_CONTROL}")
_PLAIN: Final = re.compile(f"{_SEQUENCE}|{_CONTROL}")
_DIRECTION: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class TerminalText:
    """Cleans one stream of text, whose pieces may end in the middle of a sequence.

    `colour` lets the sequences for colours through.
    """

    def __init__(self, *, colour: bool) -> None:
        self._pattern = _COLOURED if colour else _PLAIN
        self._held = ""

    def clean(self, text: str) -> str:
        """The part of `text` that can be told by now, harmless."""
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        self._held = unfinished[0] if unfinished else ""
        if unfinished:
            text = text[: unfinished.start()]
        return self._pattern.sub(_kept, text)

    def rest(self) -> str:
        """What was held back, once nothing follows."""
        rest, self._held = self._held, ""
        return self._pattern.sub(_kept, rest)


def harmless(text: str) -> str:
    """A whole text without control sequences."""
    cleaner = TerminalText(colour=False)
    return cleaner.clean(text) + cleaner.rest()


def one_line(text: str, width: int | None = None) -> str:
    """`text` as a single printable line of at most `width` characters."""
    line = " ".join(_DIRECTION.sub("", text).split())
    line = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line
    )
    if width is not None and len(line) > width:
        return line[: max(width - 1, 0)] + "…"
    return line


def _kept(match: re.Match[str]) -> str:
    colour = match.re is _COLOURED and match[1]
    if colour:
        return colour
    # A lone control character is shown; a whole sequence says nothing to a reader.
    return "\N{REPLACEMENT CHARACTER}" if len(match[0]) == 1 else ""
