"""What is told of a document's run besides the events of its blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from kowalski.model.block import Severity
    from kowalski.model.event import Status
    from kowalski.model.session import Change, LeftBehind


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
class BackgroundGoesOn:
    """The block whose turn it was goes on beside the next ones: its turn is over.

    `ports` are those on which it listens, as far as that is known.
    """

    run_id: str
    ports: tuple[int, ...]
    type: Literal["background"] = "background"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundEnds:
    """A block that went on has ended: by itself, or since the others were over.

    Fields as in `BlockBegins` and `Finished`; `tail` is the end of what it printed meanwhile.
    """

    index: int
    name: str | None
    language: str
    start_line: int
    run_id: str
    status: Status
    reason: str | None
    exit_code: int | None
    tail: str
    type: Literal["background_ended"] = "background_ended"


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
        faulty: how many of them name a language, and have an error in what else they say.
        manual: names, or else numbers, of the blocks that only run when they are named.
        duration_ms: how long blocks ran, without the time in which they waited for a slot.
        dropped_bytes: of the output of all blocks, what was beyond what is kept.
        sandbox: the level in which blocks ran; empty if none did.
        changes: what the run changed in its folder, in appearance.
        changes_lost: whether the sandbox ended before it could be asked.
        kept: the paths that were taken over into the folder; None if that was not asked for.
        not_kept: those that were to be and were not, each with the reason.
    """

    document: str
    folder: str
    ok: int
    failed: int
    tolerated: int
    skipped: int
    not_run: int
    unfit: tuple[BlockUnfit, ...]
    faulty: int
    manual: tuple[str, ...]
    duration_ms: float
    dropped_bytes: int
    sandbox: str
    session: str
    changes: tuple[Change, ...] = ()
    changes_lost: bool = False
    kept: tuple[str, ...] | None = None
    not_kept: tuple[LeftBehind, ...] = ()
    type: Literal["summary"] = "summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockWritten:
    """The document now shows the output of a block; lines count as it stood before.

    `how` tells whether an output came, took the place of another, or went.
    """

    index: int
    name: str | None
    start_line: int
    how: Literal["added", "changed", "removed"]
    type: Literal["written"] = "written"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentWritten:
    """The document shows what ran. `unchanged` blocks of `changed + unchanged` did so before.

    `images` are the files that came and `images_removed` those that went, as documents link them.
    """

    document: str
    changed: int
    unchanged: int
    images: tuple[str, ...] = ()
    images_removed: tuple[str, ...] = ()
    type: Literal["saved"] = "saved"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDiffers:
    """The document shows something else than what the block did now.

    `line` is where it shows that, or would. `diff` is a unified one, from the document to now.
    """

    index: int
    name: str | None
    start_line: int
    line: int
    diff: str
    type: Literal["differs"] = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentChecked:
    """How many blocks did what the document shows, and how many did not."""

    document: str
    same: int
    differing: int
    type: Literal["checked"] = "checked"


Told: TypeAlias = (
    Remark
    | BlockBegins
    | BlockSkipped
    | BlockRefused
    | BackgroundGoesOn
    | BackgroundEnds
    | DocumentRan
    | BlockWritten
    | DocumentWritten
    | BlockDiffers
    | DocumentChecked
)
