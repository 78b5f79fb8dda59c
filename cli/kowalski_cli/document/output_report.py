"""What a person reads about outputs in a document: differences, and what was written."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kowalski_cli.screen.quantity import count
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from kowalski_cli.document.story import BlockDiffers, DocumentChecked, DocumentWritten
    from kowalski_cli.screen.style import Style


def difference(told: BlockDiffers, document: str, style: Style) -> list[str]:
    """The lines of a difference, with its place."""
    place = style.bold(one_line(f"{document}:{told.line}:"))
    lines = [f"{place} {style.caution('what is written differs from what came out now')}"]
    for line in told.diff.split("\n")[2:-1]:
        # A tab stays one: it may be what differs.
        shown = line[0] + "\t".join(map(_plain, line[1:].split("\t")))
        paint = {"+": style.good, "-": style.bad, "@": style.dim}.get(line[0], str)
        lines.append(paint(shown))
    return lines


def checked(told: DocumentChecked, style: Style) -> str:
    """How a check went."""
    name = one_line(told.document)
    if not told.differing and not told.same:
        return "No output was compared."
    if not told.differing:
        sign = style.good(style.sign("ok"))
        return f"{sign} {name} shows what came out ({count(told.same, 'block')} compared)"
    command = style.name(f"kowalski run {shlex.quote(told.document)} --write")
    head = style.bad(f"{style.sign('failed')} {count(told.differing, 'block')}")
    verb = "differs" if told.differing == 1 else "differ"
    return f"{head} {verb} from what {name} shows, {told.same} the same; to write: {command}"


def saved(told: DocumentWritten) -> str:
    """What was written."""
    name = one_line(told.document)
    if not told.changed:
        return f"{name} showed all of this already."
    parts = [f"{count(told.changed, 'output')} written into {name}"]
    parts += [f"{told.unchanged} the same as before"] if told.unchanged else []
    parts += [f"{count(len(told.images), 'new image')} beside it"] if told.images else []
    return ", ".join(parts) + "."


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
