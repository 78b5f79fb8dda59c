"""How text on a terminal looks: colours that hold in light and dark themes, and a few signs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNS: Final = {
    "block": ("▶", ">"),
    "ok": ("✓", "ok"),
    "failed": ("✗", "x"),
    "skipped": ("○", "-"),
    "value": ("→", "=>"),
    "dot": ("·", "-"),
    "bar": ("│", "|"),
    "more": ("…", "..."),
}


@dataclass(frozen=True, slots=True)
class Style:
    """Paints text. Without `colour` it comes back as it was.

    `unicode` tells whether signs beyond ASCII can be shown.
    """

    colour: bool = False
    unicode: bool = True

    def bold(self, text: str) -> str:
        """What a line is about."""
        return self._painted("1", text)

    def dim(self, text: str) -> str:
        """What is said besides."""
        return self._painted("2", text)

    def good(self, text: str) -> str:
        """What went well."""
        return self._painted("32", text)

    def bad(self, text: str) -> str:
        """What went wrong."""
        return self._painted("1;31", text)

    def stderr(self, text: str) -> str:
        """What a program printed to stderr."""
        return self._painted("31", text)

    def caution(self, text: str) -> str:
        """What deserves a look."""
        return self._painted("33", text)

    def name(self, text: str) -> str:
        """A name, or a command to be copied."""
        return self._painted("36", text)

    def sign(self, name: str) -> str:
        """A sign such as `ok` or `dot`, in what the terminal can show."""
        pair = _SIGNS[name]
        return pair[0] if self.unicode else pair[1]

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def style_of(
    stream: TextIO, *, plain: bool = False, environ: Mapping[str, str] = os.environ
) -> Style:
    """The style for a stream: coloured on a terminal, unless `plain` or `NO_COLOR` forbid it.

    `FORCE_COLOR` asks for colours elsewhere too.
    """
    return Style(_wants_colour(stream, plain, environ), _takes_unicode(stream))


def _wants_colour(stream: TextIO, plain: bool, environ: Mapping[str, str]) -> bool:
    if plain or environ.get("NO_COLOR"):
        return False
    forced = environ.get("FORCE_COLOR")
    if forced:
        return forced != "0"
    return stream.isatty() and environ.get("TERM") != "dumb"


def _takes_unicode(stream: TextIO) -> bool:
    try:
        "".join(pair[0] for pair in _SIGNS.values()).encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
