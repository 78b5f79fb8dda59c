"""Quarto's option lines: `#| label: load` at the head of a block's code.

They are comments to the language, so the code keeps them and its lines stay where they are.
Only the YAML that people write there is read: scalars and flat lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kowalski.documents.info import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTION: Final = re.compile(r"(?P<key>[A-Za-z][\w.-]*)[ \t]*:(?:[ \t]+(?P<value>.*))?$")
_ITEM: Final = re.compile(r"-[ \t]+(?P<value>.*)$")
_MARKERS: Final = {"python": "#|", "bash": "#|"}
_COMMENT: Final = re.compile(r"[ \t]#.*$")


@dataclass(slots=True)
class _Option:
    key: str
    value: str | None
    line: int
    column: int
    items: list[str] = field(default_factory=list)


def read_option_lines(code: str, language: str, first_line: int, indent: int) -> list[Entry]:
    """The options at the head of `code`, whose first line is `first_line` of the document.

    `indent` is the number of characters that stand before the code in each line. A line that
    is no option becomes an entry with the line's text as its key.
    """
    marker = _MARKERS.get(language, "//|")
    options: list[_Option] = []
    for number, text in enumerate(_head(code, marker), first_line):
        body = text[len(marker) :].rstrip()
        inner = body.lstrip(" \t")
        column = indent + len(text.rstrip()) - len(inner) + 1
        if not inner:
            continue
        item = _ITEM.match(inner)
        option = _OPTION.match(inner)
        if item is not None and options and options[-1].value == "":
            options[-1].items.append(_scalar(item["value"]))
        elif option is None:
            options.append(_Option(inner, None, number, column))
        elif not body.startswith(("  ", "\t")):
            options.append(_Option(option["key"], _value(option["value"] or ""), number, column))
    return [
        Entry(option.key, ",".join(option.items) or option.value, option.line, option.column)
        for option in options
    ]


def _head(code: str, marker: str) -> Iterator[str]:
    start = 0
    while code.startswith(marker, start):
        end = code.index("\n", start)
        yield code[start:end]
        start = end + 1


def _value(text: str) -> str:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return ",".join(_scalar(item) for item in text[1:-1].split(","))
    return _scalar(text)


def _scalar(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        return text[1:end] if end > 0 else text
    return _COMMENT.sub("", text).strip()
