"""Code blocks of Markdown documents, as everything else speaks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Severity = Literal["error", "warning"]

BlockKind = Literal["fenced", "indented"]

Check = Literal["exact", "exit", "ignore"]
"""What makes a block good: that it succeeds with the output that the document shows, where that is
checked; that it succeeds; or nothing at all."""

NO_SESSION: Final = "none"
"""The value of `session` that asks for a fresh interpreter."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something to say about a place of a document. Lines and columns count from 1.

    Columns count characters. An `error` keeps the block at that place from running.
    """

    line: int
    column: int
    message: str
    severity: Severity = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockAttributes:
    """What a block asks for besides its language.

    Attributes:
        name: how other blocks and people call it.
        session: the interpreter that it shares; `none` for a fresh one, None for the document's.
        timeout_s: seconds of execution; None for the device's default.
        device: where it must run; None for anywhere.
        needs: names of the blocks that run before it.
        manual: left out where the whole document runs.
        check: what makes it good.
        release: compiled for speed, in languages that are compiled.
        background: goes on while the blocks after it run.
        extra: everything else that was written, by key; a flag has an empty value.
    """

    name: str | None = None
    session: str | None = None
    timeout_s: float | None = None
    device: str | None = None
    needs: tuple[str, ...] = ()
    manual: bool = False
    check: Check = "exact"
    release: bool = False
    background: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock:
    """A block of code in a document. Lines and columns count from 1.

    Attributes:
        index: its place among all code blocks of the document, from 1.
        kind: how it is marked as code.
        language: the canonical language; None where it names none that Kowalski knows.
        info: what stands behind the opening fence, as written.
        code: the code without the markers of lists and quotes around it, its lines ended by `\\n`.
            Of a terminal transcript only the commands, with empty lines where output stood.
        start_line: its first line, the opening fence.
        end_line: its last line, the closing fence.
        first_line: the line of the document on which the code's first line stands.
        column: where the opening fence, or the first indented line, begins.
        indent: how many characters of the document stand before the code on its first line.
        closed: whether a closing fence was found.
        problem: why it does not run; None for a block that does.
    """

    index: int
    kind: BlockKind
    language: str | None
    info: str
    code: str
    start_line: int
    end_line: int
    first_line: int
    column: int
    indent: int = 0
    attributes: BlockAttributes = BlockAttributes()
    closed: bool = True
    problem: str | None = None

    @property
    def name(self) -> str | None:
        """How other blocks and people call it."""
        return self.attributes.name

    @property
    def runnable(self) -> bool:
        """Whether it can be run at all; `problem` says why not."""
        return self.problem is None

    @property
    def faulty(self) -> bool:
        """Whether it was meant to run, for it names a language, and an error keeps it from that."""
        return self.language is not None and self.problem is not None
