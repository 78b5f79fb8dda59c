"""Files and folders that nobody but their owner may change, checked before they are believed."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.errors import KowalskiError

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_folder(path: Path, error: type[KowalskiError]) -> None:
    """Makes sure that nobody but its owner and root may change what stands in `path`.

    Raises:
        error: it is no folder, is a symbolic link, is another user's, or others may write to it.
    """
    try:
        status = path.lstat()
    except OSError as reason:
        raise error(f"The folder {path} cannot be used: {reason.strerror}.") from reason
    if stat.S_ISLNK(status.st_mode):
        raise error(f"{path} is a symbolic link: put a real folder there instead.")
    if not stat.S_ISDIR(status.st_mode):
        raise error(f"{path} is not a folder: move it away.")
    _check_owner(path, status, error)


def make_folder(path: Path, error: type[KowalskiError], mode: int = 0o700) -> None:
    """Makes sure that `path` is a folder of ours with exactly `mode`, creating it if need be.

    A folder that others could change is refused, not repaired: they may have changed it already.

    Raises:
        error: it cannot be made, or `check_folder` refuses it, or it is not this user's own.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=mode)
    except FileExistsError:
        pass
    except OSError as reason:
        raise error(f"The folder {path} cannot be made: {reason.strerror}.") from reason
    check_folder(path, error)
    status = path.lstat()
    if status.st_uid != os.geteuid():
        raise error(f"{path} belongs to root: give it to yourself with `chown`.")
    if stat.S_IMODE(status.st_mode) != mode:
        path.chmod(mode)


def read_file(
    path: Path, limit: int, error: type[KowalskiError], *, secret: bool = False
) -> bytes | None:
    """The bytes of `path`, read through one descriptor that was checked; None if it is missing.

    A `secret` one must not be readable by others either.

    Raises:
        error: it is no regular file of at most `limit` bytes that only its owner may change,
            or it cannot be read.
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as reason:
        if reason.errno == errno.ELOOP:
            raise error(f"{path} is a symbolic link: put a real file there instead.") from reason
        raise error(f"{path} cannot be read: {reason.strerror}.") from reason
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise error(f"{path} is not a regular file: move it away.")
        _check_owner(path, status, error)
        if secret and status.st_mode & _OPEN_TO_OTHERS:
            raise error(
                f"{path} holds a secret and is open to other users (mode "
                f"{stat.S_IMODE(status.st_mode):04o}): put a new secret there, or if nobody can "
                f"have read it, run `chmod 600 {path}`."
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise error(f"{path} holds more than {limit:,} bytes: it cannot be what it should be.")
    return content


def write_file(path: Path, content: bytes) -> None:
    """Puts `content` in the place of `path`, whole or not at all, even across a power cut.

    The file has mode 0600.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_owner(path: Path, status: os.stat_result, error: type[KowalskiError]) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise error(
            f"{path} belongs to another user (uid {status.st_uid}): whoever that is could change "
            "it. Move it away, or give it to yourself with `chown`."
        )
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise error(
            f"{path} may be changed by other users (mode {stat.S_IMODE(status.st_mode):04o}): "
            f"look into it, then run `chmod go-w {path}`."
        )
