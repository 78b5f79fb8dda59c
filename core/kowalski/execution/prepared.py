"""Folders of what was prepared, side by side: which are ready, and how long they are kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

_READY: Final = "ready"
_DAY_S: Final = 86_400.0
_KEPT_S: Final = 30 * _DAY_S
_MOST: Final = 8
_MOST_PATH_BYTES: Final = 4096


def is_ready(folder: str) -> bool:
    """Whether what is in `folder` was made; it counts as used now."""
    mark = Path(folder, _READY)
    try:
        used_at = mark.stat().st_mtime
    except OSError:
        return False
    if time.time() - used_at > _DAY_S:
        with suppress(OSError):
            os.utime(mark)
    return True


def mark_ready(folder: str, program: str) -> None:
    """Note that what is in `folder` is made, for the `program` at this path.

    Raises:
        OSError: the note cannot be written.
    """
    Path(folder, _READY).write_bytes(os.fsencode(program))


def tidy(folder: str) -> None:
    """Remove what lies beside `folder` and is of no use any more.

    That is what was made for a program that is gone, or was not used for a month, or is not among
    the last few that were used. What cannot be removed stays.
    """
    latest = []
    for beside in Path(folder).parent.iterdir():
        if beside.name == Path(folder).name or beside.is_symlink():
            continue
        with suppress(OSError):
            mark = beside / _READY
            if mark.is_file():
                latest.append((mark.stat().st_mtime, beside))
    latest.sort(reverse=True)
    oldest = time.time() - _KEPT_S
    for position, (used_at, beside) in enumerate(latest, 2):
        if used_at < oldest or position > _MOST or not _has_its_program(beside):
            _remove(beside)


def _has_its_program(folder: Path) -> bool:
    try:
        with (folder / _READY).open("rb") as file:
            program = file.read(_MOST_PATH_BYTES)
    except OSError:
        return True
    # Nobody noted it in those that were made before there was such a note.
    return not program or Path(os.fsdecode(program)).exists()


def _remove(folder: Path) -> None:
    with suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # Whoever holds it is making it.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # What is half removed is not ready, and so is made anew.
            (folder / _READY).unlink()
            shutil.rmtree(folder)
        finally:
            os.close(lock)
