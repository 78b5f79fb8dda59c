"""A bounded copy of a workspace, for enclosures that have no overlay."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kowalski.errors import SandboxUnavailable
from kowalski.model.session import MOST_CHANGES, Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_CLONE_NOFOLLOW: Final = 1
_COPIED: Final = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
_FICLONE: Final = 0x40049409

MOST_FILES: Final = 50_000
"""A workspace with more files than these is not copied."""

Look = tuple[int, int, int]
"""A file's size, its time of modification in nanoseconds, and its mode."""


@dataclass(frozen=True, slots=True)
class PrivateCopy:
    """A copy of a workspace as it was when it was made: each path's look, by relative path."""

    looks: dict[str, Look]

    def changes(self, copy: int) -> tuple[Change, ...]:
        """How the copy at the descriptor `copy` differs from what it was at first."""
        now = dict(_walk(copy))
        filled = {os.path.dirname(path) for path in now}
        found = [
            Change(path=path, kind="deleted")
            for path, before in self.looks.items()
            if _is_gone(path, before, now)
        ]
        for path, status in now.items():
            before = self.looks.get(path)
            same_kind = before is not None and stat.S_IFMT(before[2]) == stat.S_IFMT(status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                if not same_kind and path not in filled:
                    found.append(Change(path=path + "/", kind="added"))
            elif not same_kind:
                found.append(Change(path=path, kind="added", size=status.st_size))
            elif before != _look(status):
                found.append(Change(path=path, kind="modified", size=status.st_size))
        return tuple(found[:MOST_CHANGES])


def _is_gone(path: str, before: Look, now: dict[str, os.stat_result]) -> bool:
    """Whether nothing like it is there any more, though the folder that it was in is."""
    status = now.get(path)
    if status is not None:
        return stat.S_IFMT(status.st_mode) != stat.S_IFMT(before[2])
    parent = now.get(os.path.dirname(path))
    return "/" not in path or (parent is not None and stat.S_ISDIR(parent.st_mode))


def make(source: str, target: str, *, most_bytes: int, without: Collection[str]) -> PrivateCopy:
    """Copy the folder `source` to `target`, which must not exist; blocks the thread.

    `without` names absolute paths that are left out, with all below them; devices, sockets and
    pipes are left out too. Where the file system can, the copy shares its blocks.

    Raises:
        SandboxUnavailable: it is larger than `most_bytes`, or has too many files.
    """
    looks: dict[str, Look] = {}
    left = most_bytes
    os.mkdir(target, 0o755)
    root = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    left_out = {os.path.relpath(path, source) for path in without}
    try:
        for path, status in _walk(root, left_out):
            left -= status.st_size if stat.S_ISREG(status.st_mode) else 0
            if left < 0 or len(looks) == MOST_FILES:
                raise SandboxUnavailable(
                    f"{source} is too large to be copied for this run: more than "
                    f"{most_bytes >> 20} MB or {MOST_FILES} files. Run with access `read`, or see "
                    "`kowalski doctor` for a sandbox that needs no copy."
                )
            if _copy(f"{source}/{path}", f"{target}/{path}", status):
                looks[path] = _look(os.lstat(f"{target}/{path}"))
    finally:
        os.close(root)
    return PrivateCopy(looks)


def _walk(root: int, without: Collection[str] = ()) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a descriptor, parents first, by relative path; no link is followed."""

    def ignore(_: OSError) -> None:
        """What cannot be listed stays as it is."""

    for folder, folders, files, at in os.fwalk(".", dir_fd=root, onerror=ignore):
        prefix = "" if folder == "." else folder[2:] + "/"
        folders[:] = sorted(name for name in folders if prefix + name not in without)
        for name in [*folders, *sorted(files)]:
            if prefix + name not in without:
                try:
                    status = os.stat(name, dir_fd=at, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield prefix + name, status


def _copy(source: str, target: str, status: os.stat_result) -> bool:
    """Copy one thing; False for what is left out, such as a file that its owner cannot read."""
    if stat.S_IFMT(status.st_mode) not in _COPIED:
        return False
    if stat.S_ISDIR(status.st_mode):
        os.mkdir(target, 0o755)
        return True
    try:
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(source), target)
        else:
            _duplicate(source, target)
        shutil.copystat(source, target, follow_symlinks=False)
    except (PermissionError, FileNotFoundError):
        return False
    return True


def _duplicate(source: str, target: str) -> None:
    """Copy a file's content, sharing its blocks where the file system can."""
    if sys.platform == "darwin":
        import ctypes  # only needed here

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.clonefile(os.fsencode(source), os.fsencode(target), _CLONE_NOFOLLOW) == 0:
            return
    elif sys.platform == "linux":
        reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(writer, _FICLONE, reader)
        except OSError:
            with os.fdopen(os.dup(reader), "rb") as read, os.fdopen(os.dup(writer), "wb") as write:
                shutil.copyfileobj(read, write)
        finally:
            os.close(reader)
            os.close(writer)
        return
    shutil.copyfile(source, target, follow_symlinks=False)


def _look(status: os.stat_result) -> Look:
    return status.st_size, status.st_mtime_ns, status.st_mode
