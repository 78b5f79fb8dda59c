"""Which blocks of a document run, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from kowalski.documents.order import by_name, in_order
from kowalski.errors import InvalidDocument, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection

    from kowalski.documents.document import Document
    from kowalski.model.block import CodeBlock


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A block that was not chosen though its place was, and why."""

    block: CodeBlock
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The blocks to run, in this order, and those that were left out, in the document's."""

    blocks: tuple[CodeBlock, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def faulty(self) -> int:
        """How many were left out for an error in the document."""
        return sum(left.block.faulty for left in self.left_out)


def plan(document: Document, *, only: Collection[str] = (), until: str | None = None) -> Plan:
    """Choose blocks of `document`: all of them, some with what they need, or all up to one.

    Each of `only`, and `until`, is a name or a place among the document's blocks, counted from 1.
    Blocks run in the document's order, each once; manual ones where they are named, or needed.

    Raises:
        InvalidRequest: both `only` and `until` are given, or name no block of the document.
        InvalidDocument: what was chosen cannot run or be put in order, with the place.
    """
    if only and until is not None:
        raise InvalidRequest("Name either the blocks or the last one, not both.")
    left_out: list[LeftOut] = []
    if only:
        chosen = sorted((_chosen(document, one) for one in only), key=lambda found: found.index)
    else:
        last = None if until is None else _chosen(document, until)
        chosen = []
        for candidate in document.blocks[: None if last is None else last.index]:
            reason = candidate.problem
            if reason is None and candidate.attributes.manual and candidate is not last:
                reason = "it is manual: it runs where it is named"
            if reason is None:
                chosen.append(candidate)
            else:
                left_out.append(LeftOut(candidate, reason))
    order, faults = in_order(chosen, by_name(document.blocks))
    if faults:
        first = min(faults, key=lambda fault: (fault.line, fault.column))
        _refuse(document, first.line, first.column, first.message)
    running = {ordered.index for ordered in order}
    return Plan(tuple(order), tuple(item for item in left_out if item.block.index not in running))


def _chosen(document: Document, wanted: str) -> CodeBlock:
    """The block that `wanted` stands for, if it can run."""
    if wanted.isascii() and wanted.isdecimal():
        found = document.blocks[int(wanted) - 1 : int(wanted)] if len(wanted) < 9 else ()
        unknown = f"it has {len(document.blocks)} blocks"
    else:
        found = tuple(block for block in document.blocks if block.name == wanted)
        names = list(dict.fromkeys(block.name for block in document.blocks if block.name))
        more = ", …" if len(names) > 20 else ""
        unknown = f"its names are {', '.join(names[:20])}{more}" if names else "no block has a name"
    if not found:
        raise InvalidRequest(f"{document.name or 'The document'} has no block {wanted}: {unknown}.")
    first = found[0]
    if len(found) > 1:
        lines = " and ".join(str(block.start_line) for block in found[:8])
        message = f"the name `{wanted}` is shared by the blocks in lines {lines}"
        _refuse(document, found[1].start_line, found[1].column, message)
    if first.problem is not None:
        message = f"the block `{wanted}` cannot run: {first.problem}"
        _refuse(document, first.start_line, first.column, message)
    return first


def _refuse(document: Document, line: int, column: int, message: str) -> NoReturn:
    raise InvalidDocument(f"{document.name or 'document'}:{line}:{column}: {message}.")
