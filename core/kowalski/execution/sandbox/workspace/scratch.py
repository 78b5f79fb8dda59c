"""Folders on the disk for what is written inside sandboxes that have no memory of their own."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "kowalski-box-"


def make() -> str:
    """A new folder by its real path, which names this process as the one that answers for it."""
    return os.path.realpath(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))


def remove(scratch: str) -> None:
    """Remove a folder, whatever code inside made of it; blocks the thread."""

    def open_up(_function: object, path: str, _error: object) -> None:
        """Give back the rights that code took from its own folders, and try again."""
        with suppress(OSError):
            if stat.S_ISDIR(os.lstat(path).st_mode):
                os.chmod(path, 0o700)
                os.chmod(os.path.dirname(path), 0o700)
                shutil.rmtree(path, ignore_errors=True)

    shutil.rmtree(scratch, onerror=open_up)


def remove_abandoned() -> None:
    """Remove the folders of this user whose processes are gone, killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        with suppress(OSError, ValueError):
            pid = int(folder.name.removeprefix(PREFIX).partition("-")[0])
            if folder.stat().st_uid == os.getuid() and not _lives(pid):
                remove(str(folder))


def size(folder: str) -> int:
    """The space that a folder's files occupy, in bytes. What vanishes meanwhile is left out."""
    total = 0
    pending = [folder]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
    return total


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
