"""What is told of a document's run besides the events of its blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from kowalski.model.block import Severity
    from kowalski.model.session import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about a place of the document; line and column count from 1."""

    line: int
    column: int
    message: str
    severity: Severity
    type: Literal["diagnostic"] = "diagnostic"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockBegins:
    """A block's turn has come; the events that follow are its own.

    `index` counts all blocks of the document from 1, `position` those of this run. Lines are the
    document's: `first_line` that of the code, the others those of the fences.
    """

    index: int
    position: int
    total: int
    name: str | None
    language: str
    start_line: int
    end_line: int
    first_line: int
    type: Literal["block"] = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSkipped:
    """A block that was to run and did not; fields as in `BlockBegins`."""

    index: int
    position: int
    total: int
    name: str | None
    language: str
    start_line: int
    reason: str
    type: Literal["skipped"] = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRefused:
    """The block whose turn had come could not be run; no event of its own came. Stands for one.

    `code` is stable, and `message` says what to do.
    """

    code: str
    message: str
    type: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockUnfit:
    """A block that names a language and cannot run, and why; `index` and line as elsewhere."""

    index: int
    start_line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRan:
    """How it went.

    Attributes:
        ok, failed, tolerated, skipped, not_run: how many blocks. Tolerated are failures of blocks
            that say so; not run are those after the end.
        unfit: blocks that were passed over because they cannot run.
        manual: names, or else numbers, of the blocks that only run when they are named.
        duration_ms: how long blocks ran, without the time in which they waited for a slot.
        sandbox: the level in which blocks ran; empty if none did.
        changes: what the run changed in its folder, in appearance.
        changes_lost: whether the sandbox ended before it could be asked.
        kept: the paths that were taken over into the folder; None if that was not asked for.
    """

    document: str
    folder: str
    ok: int
    failed: int
    tolerated: int
    skipped: int
    not_run: int
    unfit: tuple[BlockUnfit, ...]
    manual: tuple[str, ...]
    duration_ms: float
    sandbox: str
    session: str
    changes: tuple[Change, ...] = ()
    changes_lost: bool = False
    kept: tuple[str, ...] | None = None
    type: Literal["summary"] = "summary"


Told: TypeAlias = Remark | BlockBegins | BlockSkipped | BlockRefused | DocumentRan
