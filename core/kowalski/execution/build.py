"""Programs that a kernel compiles, and that later runs of the same code may use again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kowalski.model.event import CompilerMessage


@dataclass(frozen=True, slots=True)
class Kept:
    """A program that was compiled before.

    Attributes:
        path: the program, as sandboxes see it.
        words: the compiler's warnings as it drew them.
        files: what the code includes: names, relative to where the code starts, and SHA-256s.
        messages: the warnings.
    """

    path: str
    words: str
    files: tuple[tuple[str, str], ...]
    messages: tuple[CompilerMessage, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """How a block is to be compiled.

    Attributes:
        release: for speed.
        kept: a program to use, where the files that it includes still are what they were.
        tell: the program is wanted, to be kept.
        only: it is compiled and not run.
        network: there is one, from which it may get what it needs.
    """

    release: bool = False
    kept: Kept | None = None
    tell: bool = False
    only: bool = False
    network: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """What a kernel compiled; `binary` is empty for what must not be kept. Others as in `Kept`.

    Attributes:
        lasts: it may be kept; else it is for the run alone for which it was compiled.
    """

    binary: bytes
    words: str
    files: tuple[tuple[str, str], ...]
    lasts: bool = True
