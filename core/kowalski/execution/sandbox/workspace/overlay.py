"""What was written to an overlay, relative to the folder under it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from kowalski.model.session import MOST_CHANGES, Change

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPAQUE: Final = "user.overlay.opaque"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def changes_above(upper: int, root: str) -> tuple[Change, ...]:
    """The changes that the upper layer at descriptor `upper` makes to the folder `root`.

    What is deleted comes before what stands in its place. A folder is named, with a slash at its
    end, only if it is new and empty. No symbolic link is followed. The time it takes grows with
    the changes, not with the folder.
    """
    lower = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found: list[Change] = []
        for change in _walk(upper, lower, "", opaque=False):
            found.append(change)
            if len(found) == MOST_CHANGES:
                break
        return tuple(found)
    finally:
        os.close(lower)


def _walk(upper: int, lower: int | None, prefix: str, *, opaque: bool) -> Iterator[Change]:
    """The changes in one folder; `lower` is None where there is no folder under it."""
    names = sorted(os.listdir(upper))
    if opaque and lower is not None:
        for name in sorted(set(os.listdir(lower)) - set(names)):
            yield Change(path=prefix + name, kind="deleted")
    for name in names:
        above = os.stat(name, dir_fd=upper, follow_symlinks=False)
        below = _below(lower, name)
        if _is_whiteout(above):
            if below is not None:
                yield Change(path=prefix + name, kind="deleted")
        elif stat.S_ISDIR(above.st_mode):
            yield from _walk_folder(upper, lower, name, below, prefix, opaque=opaque)
        else:
            yield from _compare(prefix + name, above, below)


def _walk_folder(
    upper: int,
    lower: int | None,
    name: str,
    below: os.stat_result | None,
    prefix: str,
    *,
    opaque: bool,
) -> Iterator[Change]:
    path = prefix + name
    if below is not None and not stat.S_ISDIR(below.st_mode):
        yield Change(path=path, kind="deleted")
        below = None
    try:
        inner = os.open(name, _FOLDER, dir_fd=upper)
    except PermissionError:
        # The program closed its own folder; that it exists is all that can be said.
        yield Change(path=path + "/", kind="added")
        return
    try:
        if below is None or lower is None:
            if not os.listdir(inner):
                yield Change(path=path + "/", kind="added")
            yield from _walk(inner, None, path + "/", opaque=False)
            return
        under = os.open(name, _FOLDER, dir_fd=lower)
        try:
            yield from _walk(inner, under, path + "/", opaque=opaque or _is_opaque(inner))
        finally:
            os.close(under)
    finally:
        os.close(inner)


def _compare(path: str, above: os.stat_result, below: os.stat_result | None) -> Iterator[Change]:
    if below is None:
        yield Change(path=path, kind="added", size=above.st_size)
    elif stat.S_IFMT(above.st_mode) != stat.S_IFMT(below.st_mode):
        yield Change(path=path, kind="deleted")
        yield Change(path=path, kind="added", size=above.st_size)
    elif _looks(above) != _looks(below):
        yield Change(path=path, kind="modified", size=above.st_size)


def _looks(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_mode


def _below(lower: int | None, name: str) -> os.stat_result | None:
    if lower is None:
        return None
    try:
        return os.stat(name, dir_fd=lower, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(folder: int) -> bool:
    try:
        return os.getxattr(folder, _OPAQUE) == b"y"
    except OSError:
        return False
