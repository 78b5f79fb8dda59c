"""What is said of programs that met a limit of theirs, and how the owner raises it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kowalski.settings.model import MB

if TYPE_CHECKING:
    from kowalski.execution.limits import EffectiveLimits
    from kowalski.model.event import ProgramError

_NO_MEMORY: Final = re.compile(
    r"(?i:cannot allocate memory|out of memory|unable to allocate|memory allocation of)"
    r"|\b(?:MemoryError|OutOfMemoryError|ENOMEM|bad_alloc)\b"
)
_NO_SPACE: Final = re.compile(
    r"(?i:no space left on device|file too large|file size limit exceeded)|\b(?:ENOSPC|EFBIG)\b"
)
_NO_PROCESS: Final = re.compile(
    r"(?i:can't start new thread|fork: retry|cannot fork|unable to create native thread"
    r"|fork: resource temporarily unavailable)"
)


def exhaustion_hint(error: ProgramError, stderr: str, limits: EffectiveLimits) -> str | None:
    """Which limit the program met, and the setting that raises it; None if it met none."""
    said = f"{error.type}: {error.message}\n{stderr}"
    if _NO_MEMORY.search(said):
        return _hint("memory", limits.memory_bytes // MB, " MB", "memory_mb")
    if _NO_SPACE.search(said):
        return _hint("disk space", limits.disk_bytes // MB, " MB", "disk_mb")
    if _NO_PROCESS.search(said):
        return _hint("processes and threads", limits.processes, "", "processes")
    return None


def dropped_note(dropped_bytes: int, limits: EffectiveLimits) -> str:
    """What to say of output that was not kept, and the setting that has more of it kept."""
    return (
        f"Output is missing: {dropped_bytes:,} bytes beyond the {limits.output_bytes // MB:,} MB "
        f"that are kept were dropped. To keep more, {_setting('output_mb')}."
    )


def _hint(what: str, limit: int, unit: str, key: str) -> str:
    return f"Code gets {limit:,}{unit} of {what} here. To give it more, {_setting(key)}."


def _setting(key: str) -> str:
    return f"set {key} under [limits] in the settings (`kowalski config` shows where they are)"
