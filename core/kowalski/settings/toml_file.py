"""A TOML file of the owner's, with the lines of its keys."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kowalski.settings.ownership import check_folder, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.errors import KowalskiError

LARGEST_FILE: Final = 256 * 1024
"""Bytes of the largest file that is read."""

_CANDIDATES = 200
_PLACE = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What a file says. A missing file says nothing."""

    path: Path
    text: str
    data: dict[str, Any]

    def line_of(self, *key: str) -> int | None:
        """The line, counted from 1, on which `key` (a path of names) gets its value.

        None where it cannot be told.
        """
        lines = self.text.splitlines(keepends=True)
        mentions = [n for n, line in enumerate(lines, 1) if key[-1] in line][:_CANDIDATES]
        for number in mentions:
            # The first beginning of the file that parses and knows the key ends with its line.
            try:
                known: Any = tomllib.loads("".join(lines[:number]))
            except ValueError:
                continue
            for name in key:
                known = known.get(name) if isinstance(known, dict) else None
            if known is not None:
                return number
        return mentions[0] if mentions else None

    def place(self, *key: str) -> str:
        """`FILE, line N, key a.b`, for messages."""
        line = self.line_of(*key)
        return f"{self.path}, {f'line {line}, ' if line else ''}key {'.'.join(key)}"


def read_toml(path: Path, error: type[KowalskiError]) -> TomlFile:
    """Reads `path`, which together with its folder must be nobody's but the owner's to change.

    Raises:
        error: it is unsafe, too large, not UTF-8 or no TOML; the message names the line.
    """
    content = read_file(path, LARGEST_FILE, error)
    if content is None:
        return TomlFile(path, "", {})
    check_folder(path.parent, error)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        line = content.count(b"\n", 0, reason.start) + 1
        raise error(f"{path}, line {line}: not UTF-8; save the file as UTF-8.") from reason
    try:
        return TomlFile(path, text, tomllib.loads(text))
    except RecursionError as reason:
        raise error(f"{path}: nested too deeply.") from reason
    except ValueError as reason:
        found = _PLACE.match(str(reason))
        line = int((found and found["line"]) or max(1, len(text.splitlines())))
        what = found["what"] if found else str(reason)
        raise error(f"{path}, line {line}: not valid TOML: {what}.") from reason
