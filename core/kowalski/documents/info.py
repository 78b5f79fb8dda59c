"""Info strings: what people write behind an opening fence, in all its dialects.

Understood are `python {name=load manual}`, Runme's `sh {"name":"load"}`, pandoc's
`{.python #load timeout=60}`, Quarto's and knitr's `{python, label="load"}` and the bare
`python title="x"`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

MAX_INFO: Final = 2000
"""Characters of an info string that are read; a longer one is refused."""

_LANGUAGE: Final = re.compile(r"[^ \t{]+")
_JSON: Final = re.compile(r"\{\s*(?:\"|\})")
_JSON_READER: Final = json.JSONDecoder(object_pairs_hook=lambda pairs: _Pairs(pairs))
_ENTRY: Final = re.compile(
    r"""
    (?: \#(?P<id>[^\s{}="',]++)
      | \.(?P<class>[^\s{}="',]++)
      | (?P<key>[^\s{}="',.\#][^\s{}="',]*+)
        (?: \s*+ = \s*+ (?P<value> "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | [^\s{}"']*+ ) )?+
    ) (?= [\s,{}] | \Z )
    """,
    re.VERBOSE,
)
_SEPARATORS: Final = re.compile(r"[\s,]*+")
_ESCAPE: Final = re.compile(r"\\(.)")


class _Pairs(list[tuple[str, object]]):
    """The members of a JSON object in the order in which they were written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One attribute as written, with its place. A flag has the value None."""

    key: str
    value: str | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Info:
    """An info string taken apart.

    `language` is the word that stands for it, as written. `fault` is a message and the column at
    which the string can no longer be read.
    """

    language: str | None
    entries: tuple[Entry, ...] = ()
    fault: tuple[str, int] | None = None


def read_info(info: str, line: int, column: int) -> Info:
    """Take `info` apart, which stands at `line` and `column` of a document."""
    if len(info) > MAX_INFO:
        return Info(
            None, (), (f"what follows the fence is longer than {MAX_INFO} characters", column)
        )
    if info.isalnum():
        return Info(info)
    reader = _Reader(info, line, column)
    if not info.startswith("{"):
        word = _LANGUAGE.match(info)
        language = word[0] if word else None
        reader.position = len(language or "")
        reader.read_all()
        return Info(language, tuple(reader.entries), reader.fault)
    reader.read_all()
    language = reader.first_class
    if language is None and reader.entries and reader.entries[0].value is None:
        language = reader.entries.pop(0).key
    return Info(language, tuple(reader.entries), reader.fault)


class _Reader:
    """Walks through an info string and collects its entries up to the first fault."""

    def __init__(self, info: str, line: int, column: int) -> None:
        self.info = info
        self.line = line
        self.column = column
        self.position = 0
        self.entries: list[Entry] = []
        self.first_class: str | None = None
        self.fault: tuple[str, int] | None = None

    def read_all(self) -> None:
        """Read from the position to the end."""
        inside = False
        while self.fault is None and self._next() is not None:
            character = self._next()
            if character == "{" and not inside:
                if _JSON.match(self.info, self.position):
                    self._read_json()
                else:
                    inside = True
                    self.position += 1
            elif character == "}" and inside:
                inside = False
                self.position += 1
            else:
                self._read_entry()
        if inside and self.fault is None:
            self._fail("its attributes are not closed: a `}` is missing")

    def _next(self) -> str | None:
        separators = _SEPARATORS.match(self.info, self.position)
        self.position = separators.end() if separators else self.position
        return self.info[self.position] if self.position < len(self.info) else None

    def _fail(self, message: str) -> None:
        self.fault = (message, self.column + self.position)

    def _add(self, key: str, value: str | None) -> None:
        self.entries.append(Entry(key, value, self.line, self.column + self.position))

    def _read_entry(self) -> None:
        match = _ENTRY.match(self.info, self.position)
        if match is None:
            rest = self.info[self.position : self.position + 20]
            self._fail(f"its attributes cannot be read from `{rest}` on")
            return
        if match["id"] is not None:
            self._add("name", match["id"])
        elif match["class"] is None:
            self._add(match["key"], _unquoted(match["value"]))
        elif self.first_class is None:
            self.first_class = match["class"]
        else:
            self._add("class", match["class"])
        self.position = match.end()

    def _read_json(self) -> None:
        try:
            members, end = _JSON_READER.raw_decode(self.info, self.position)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", "it is nested too deeply")
            self._fail(f"its JSON attributes cannot be read: {reason}")
            return
        for key, value in members:
            text = _json_text(value)
            if text is None:
                self._fail(f"the attribute `{key}` is neither text, number, truth value nor list")
                return
            self._add(key, text)
        self.position = end


def _unquoted(value: str | None) -> str | None:
    if value and value[0] in "\"'":
        return _ESCAPE.sub(r"\1", value[1:-1])
    return value


def _json_text(value: object) -> str | None:
    """A JSON value as an attribute's text; None for what no attribute can be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and not isinstance(value, _Pairs):
        items = [item for item in value if isinstance(item, str)]
        return ",".join(items) if len(items) == len(value) else None
    return None
