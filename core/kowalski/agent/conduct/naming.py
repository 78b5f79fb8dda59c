"""How code is called, by itself and by what tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kowalski.model.run import RunRequest


def label_of(request: RunRequest) -> str:
    """What the code is called where it tells of itself: of a document's, nothing but the block."""
    origin = request.origin
    if origin is not None and origin.name is not None:
        return origin.document.rpartition("/")[2]
    return f"<{(origin and origin.block) or 'code'}>"


def program_of(request: RunRequest) -> tuple[str, ...]:
    """What the code is told of itself as a program; nothing where it is none."""
    origin = request.origin
    if origin is not None and origin.name is not None:
        return (origin.name, origin.document, *request.args)
    return ("", "", *request.args) if request.args else ()
