"""Tables of text that fit the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kowalski_cli.screen.style import Style

_GAP: Final = "  "
_LEAST: Final = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: what stands above.
        right: numbers stand at the right.
        flexible: cut, rather than others, where the terminal is too narrow.
        paint: gives a cell's text its colours.
    """

    title: str
    right: bool = False
    flexible: bool = False
    paint: Callable[[str], str] | None = None


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    style: Style,
    width: int | None,
    indent: str = "",
) -> list[str]:
    """The lines of a table, its titles first; columns in which nothing stands are left out.

    Every cell is one line of printable text. `width` is in columns of the terminal, None for any.
    """
    shown = [n for n in range(len(columns)) if any(row[n] for row in rows)]
    columns = [columns[n] for n in shown]
    rows = [[row[n] for n in shown] for row in rows]
    titles = [column.title for column in columns]
    widths = [max(_cells(text) for text in texts) for texts in zip(titles, *rows, strict=True)]
    if width is not None:
        _narrow(columns, widths, width - len(indent))
    lines = [_line(titles, columns, widths, [style.dim] * len(columns), style)] if titles else []
    paints = [column.paint or _unpainted for column in columns]
    lines += [_line(row, columns, widths, paints, style) for row in rows]
    return [indent + line for line in lines]


def _narrow(columns: Sequence[Column], widths: list[int], width: int) -> None:
    flexible = [n for n, column in enumerate(columns) if column.flexible]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0 and flexible:
        widest = max(flexible, key=lambda n: widths[n])
        if widths[widest] <= _LEAST:
            break
        widths[widest] -= 1
        excess -= 1


def _line(
    texts: Sequence[str],
    columns: Sequence[Column],
    widths: Sequence[int],
    paints: Sequence[Callable[[str], str]],
    style: Style,
) -> str:
    parts = []
    for text, column, width, paint in zip(texts, columns, widths, paints, strict=True):
        cut = _cut(text, width, style.sign("more"))
        fill = " " * (width - _cells(cut))
        parts.append(fill + paint(cut) if column.right else paint(cut) + fill)
    return _GAP.join(parts).rstrip()


def _cut(text: str, width: int, more: str) -> str:
    if _cells(text) <= width:
        return text
    while text and _cells(text) + len(more) > width:
        text = text[:-1]
    return text + more


def _cells(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    # A megabyte that most tables do not need.
    from unicodedata import combining, east_asian_width

    return sum(
        2 if east_asian_width(character) in "WF" else 0 if combining(character) else 1
        for character in text
    )


def _unpainted(text: str) -> str:
    return text
