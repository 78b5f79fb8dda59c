"""Copy changes out of a sandbox into a folder, without trusting anything that was made inside."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kowalski.execution.repositories import BARE, is_repository, lies_in_repository, looks_bare
from kowalski.model.session import LeftBehind, TakenOver

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from kowalski.model.session import Change

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES: Final = 1 << 20
_OF_REPOSITORY: Final = "version control runs programs by what is there"


class Refused(Exception):
    """This change is not taken over; the reason is for people."""


def take_over(
    source: int, root: str, changes: Iterable[Change], paths: Collection[str] | None
) -> TakenOver:
    """Make `changes`, whose new content is below the descriptor `source`, in the folder `root`.

    `paths` selects files, and folders with all in them; None selects everything. Left behind are:
    what is no file, folder or link; links that lead out of `root`; whatever could be reached only
    through a symbolic link; what is or would be part of a repository's own folder; and what may
    not be written.

    Raises:
        OSError: the folder has gone, or its disk is full.
    """
    done: dict[str, None] = {}
    left: dict[str, str] = {}
    target = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        owner = os.fstat(target)
        for change in changes:
            if not _selected(change.path, paths):
                continue
            try:
                _keep_out_of_repositories(source, target, change.path)
                _apply(source, target, change, root, owner)
                done[change.path] = None
            except Refused as reason:
                left[change.path] = str(reason)
            except PermissionError:
                left[change.path] = "it may not be written there"
    finally:
        os.close(target)
    behind = (LeftBehind(path=path, reason=reason) for path, reason in left.items())
    return TakenOver(kept=tuple(path for path in done if path not in left), left=tuple(behind))


def _selected(path: str, paths: Collection[str] | None) -> bool:
    if paths is None:
        return True
    plain = path.rstrip("/")
    return any(plain == chosen or plain.startswith(chosen.rstrip("/") + "/") for chosen in paths)


def _keep_out_of_repositories(source: int, target: int, path: str) -> None:
    """Refuse what Git, Mercurial or Jujutsu could run programs by."""
    if lies_in_repository(path):
        raise Refused(_OF_REPOSITORY)
    parts = path.rstrip("/").split("/")
    for depth, part in enumerate(parts):
        folder = "/".join([".", *parts[:depth]])
        # Where two of them came before, or stand there, the third one would make it a repository.
        there = [name for name in BARE if _is_there(f"{folder}/{name}", target, source)]
        if looks_bare([part, *there]):
            raise Refused(_OF_REPOSITORY)


def _is_there(path: str, *folders: int) -> bool:
    for folder in folders:
        with suppress(OSError):
            os.stat(path, dir_fd=folder, follow_symlinks=False)
            return True
    return False


def _apply(source: int, target: int, change: Change, root: str, owner: os.stat_result) -> None:
    *parents, name = change.path.rstrip("/").split("/")
    to = _descend(target, parents, owner if change.kind != "deleted" else None)
    try:
        if change.kind == "deleted":
            _delete(name, to)
            return
        origin = _descend(source, parents, None)
        try:
            _copy(origin, to, change.path, root, owner)
        finally:
            os.close(origin)
    finally:
        os.close(to)


def _descend(folder: int, parents: list[str], owner: os.stat_result | None) -> int:
    """A descriptor of the folder `parents` below `folder`, made for `owner` where it is missing."""
    at = os.dup(folder)
    for name in parents:
        try:
            if owner is not None:
                _make_folder(name, at, owner)
            deeper = os.open(name, _FOLDER, dir_fd=at)
        except NotADirectoryError as error:
            raise Refused("it lies behind a link or a file") from error
        except FileNotFoundError as error:
            raise Refused("its folder is gone") from error
        except PermissionError as error:
            raise Refused("its folder is closed") from error
        finally:
            os.close(at)
        at = deeper
    return at


def _copy(origin: int, to: int, path: str, root: str, owner: os.stat_result) -> None:
    """Bring the last part of `path` from the folder `origin` to the folder `to`."""
    name = path.rstrip("/").rpartition("/")[2]
    try:
        status = os.stat(name, dir_fd=origin, follow_symlinks=False)
    except FileNotFoundError as error:
        raise Refused("it is gone") from error
    if stat.S_ISDIR(status.st_mode):
        _make_folder(name, to, owner)
    elif stat.S_ISLNK(status.st_mode):
        link = os.readlink(name, dir_fd=origin)
        if not _stays_inside(path, link, root):
            raise Refused("it is a link that leads out of the folder")
        _place(to, name, owner, lambda spare: os.symlink(link, spare, dir_fd=to))
    elif stat.S_ISREG(status.st_mode):
        _place(to, name, owner, lambda spare: _write(origin, name, to, spare))
    else:
        raise Refused("it is no file, folder or link")


def _make_folder(name: str, at: int, owner: os.stat_result) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=at)
        _give(name, at, owner)


def _place(to: int, name: str, owner: os.stat_result, make: Callable[[str], None]) -> None:
    """Let `make` create a file under a spare name, then put it in its place at once."""
    spare = f".kowalski-{secrets.token_hex(8)}"
    try:
        make(spare)
        _give(spare, to, owner)
        os.rename(spare, name, src_dir_fd=to, dst_dir_fd=to)
    except IsADirectoryError as error:
        raise Refused("a folder stands in its place") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(spare, dir_fd=to)


def _write(origin: int, name: str, to: int, spare: str) -> None:
    try:
        reader = os.open(name, _FILE, dir_fd=origin)
    except PermissionError as error:
        raise Refused("the program took away the right to read it") from error
    except FileNotFoundError as error:
        raise Refused("it is gone") from error
    with os.fdopen(reader, "rb") as read:
        status = os.fstat(reader)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("it is no file, folder or link")
        writer = os.open(
            spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=to
        )
        with os.fdopen(writer, "wb") as written:
            shutil.copyfileobj(read, written, _CHUNK_BYTES)
            # Rights of its own, such as set-user-id, a file does not bring along.
            os.fchmod(writer, status.st_mode & 0o777)


def _delete(name: str, at: int) -> None:
    try:
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        for _, folders, files, _ in os.fwalk(name, dir_fd=at):
            if any(map(is_repository, [*folders, *files])) or looks_bare([*folders, *files]):
                raise Refused("there is a repository in it")
        shutil.rmtree(name, dir_fd=at)
    else:
        os.unlink(name, dir_fd=at)


def _give(name: str, at: int, owner: os.stat_result) -> None:
    """What a privileged agent makes belongs to the folder's owner."""
    if os.geteuid() == 0:
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=at, follow_symlinks=False)


def _stays_inside(path: str, link: str, root: str) -> bool:
    """Whether a link at `path`, relative to `root`, leads to something below `root`.

    Only leading `..` are counted: a later one could follow another link out.
    """
    if link.startswith("/"):
        if not link.startswith(root.rstrip("/") + "/"):
            return False
        words, depth = link[len(root) :].split("/"), 0
    else:
        words, depth = link.split("/"), path.count("/")
    words = [word for word in words if word not in ("", ".")]
    climbs = 0
    while climbs < len(words) and words[climbs] == "..":
        climbs += 1
    return climbs <= depth and ".." not in words[climbs:]
