"""Where a command's document comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.documents.document import parse, read
from kowalski_cli.text_source import typed_text

if TYPE_CHECKING:
    from kowalski.documents.document import Document

STDIN: Final = "-"


def document_from(source: str) -> Document:
    """The document in the file `source`, or on stdin where that is `-`.

    Raises:
        DocumentTooLarge, InvalidDocument, InvalidRequest: it cannot be read.
    """
    if source == STDIN:
        return parse(typed_text("a document"), STDIN)
    return anyio.run(read, Path(source))
