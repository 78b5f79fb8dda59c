"""The command by which the owner grants something, for messages that name it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.execution.rights import Rights


def allow_command(root: str | Path, rights: Rights) -> str:
    """The command, ready for a shell, with which the owner grants `rights` to `root`."""
    words = ["kowalski", "allow", str(root)]
    if rights.network:
        words.append("--net")
    if rights.write:
        words.append("--write")
    for name in rights.env:
        words += ["--env", name]
    for path in rights.read:
        words += ["--read", path]
    return shlex.join(words)
