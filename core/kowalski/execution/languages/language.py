"""What every language offers: where its interpreter is, and how its kernel starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.execution.sandbox.process import Program
    from kowalski.model.event import ProgramError
    from kowalski.model.run import Toolchain

KERNELS: Final = Path(__file__).resolve().parent.parent / "kernels"
"""The folder of the kernels' programs, visible in every sandbox at the same path."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter that was found, and nothing of it was executed yet.

    Attributes:
        path: as the user knows it, such as that of a virtual environment's link.
        prefixes: real folders that must be visible for it to work, besides the system's.
        source: how it was found, in words.
        env: variables that it needs.
        identity: what changes when it is replaced; empty where that is of no concern.
        notes: what whoever runs code should know of how it was chosen.
    """

    language: str
    path: str
    prefixes: tuple[str, ...]
    source: str
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    identity: str = ""
    notes: tuple[str, ...] = ()


class Language(Protocol):
    """One language on this device."""

    @property
    def name(self) -> str:
        """Its canonical name."""
        ...

    @property
    def keeps_state(self) -> bool:
        """Whether a session's blocks see what earlier ones defined."""
        ...

    @property
    def compiles(self) -> bool:
        """Whether blocks are compiled first: programs may be kept, and have twice the time."""
        ...

    def locate(self, toolchain: Toolchain, workspace: str | None) -> Interpreter:
        """The interpreter for code in this folder. Executes nothing.

        Raises:
            LanguageUnavailable: there is none that works; the message says what to install.
        """
        ...

    def program(self, interpreter: Interpreter, memory_bytes: int) -> Program:
        """What to start as the language's kernel, inside a sandbox that may use so much memory."""
        ...

    def explain(
        self, error: ProgramError, interpreter: Interpreter, stderr: str, label: str
    ) -> ProgramError:
        """The error, completed where this language knows more or knows what to do about it.

        `stderr` is the end of what the program printed there, `label` what the code is called.
        """
        ...
