"""What a sandbox is to contain, in terms that every mechanism understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kowalski.execution.limits import EffectiveLimits
    from kowalski.execution.rights import Rights
    from kowalski.model.run import Workspace


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """A sandbox before it stands. Equal specs give interchangeable sandboxes.

    Attributes:
        python: the interpreter that runs the first program inside, `kernels/init.py`.
        toolchains: folders, by their real paths, that its interpreters need besides the system's.
        workspace: the folder that it sees at its own path; None for a scratch folder alone.
        hidden: files and folders within the workspace that stay unreadable.
        held: files and folders within the workspace that stay as they are, though it is written.
        blobs: the folder of blobs, which can be opened by name but not listed; None for none.
    """

    python: str
    toolchains: tuple[str, ...]
    limits: EffectiveLimits
    rights: Rights
    workspace: Workspace | None = None
    hidden: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    blobs: str | None = None
