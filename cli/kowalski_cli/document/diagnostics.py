"""What is wrong with a document, told as compilers do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kowalski_cli.screen.screen import to_stderr
from kowalski_cli.screen.style import style_of
from kowalski_cli.screen.terminal_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kowalski.documents.document import Document
    from kowalski.model.block import Diagnostic


def tell_diagnostics(
    document: Document, diagnostics: Iterable[Diagnostic], *, plain: bool = False
) -> None:
    """Say on stderr what is wrong, a line each: `notes.md:12:3: warning: ...`."""
    style = style_of(sys.stderr, plain=plain)
    for one in diagnostics:
        paint = style.bad if one.severity == "error" else style.caution
        place = style.bold(one_line(f"{document.name}:{one.line}:{one.column}:"))
        to_stderr(f"{place} {paint(f'{one.severity}:')} {one_line(one.message)}\n")
