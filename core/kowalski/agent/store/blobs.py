"""Bytes kept by their content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from kowalski.errors import AgentUnavailable, Busy, InvalidRequest, UnknownRun
from kowalski.model.blob import BlobRef
from kowalski.settings.ownership import make_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

CHUNK: Final = 1024 * 1024
"""Bytes that are in memory at once while a blob is taken in."""

GRACE_S: Final = 60.0
"""Seconds for which a blob that was just used stays, so that its taker can pin it."""

_DIGITS: Final = frozenset("0123456789abcdef")
_TEMPORARY: Final = ".taking-"


def open_folder(folder: Path) -> Path:
    """Of the blobs below `folder`, what sandboxes may see: names can be opened, and not listed."""
    return folder / "open"


class Blobs:
    """Immutable bytes, each in a file that is named by its SHA-256.

    Every file stands in two folders. `folder` is what sandboxes see: its mode lets a name be
    opened but nothing be listed, so that code reaches just the blobs whose hash it was given.
    That holds for the owner too, who may be the user that a sandbox's code runs as, so the agent
    lists a second folder that no sandbox sees. Everything that `folder` has, the second one has.

    All methods work on the disk and block meanwhile; they may be called from several threads.
    """

    def __init__(self, folder: Path) -> None:
        """Opens the blobs below `folder`, which is made if need be.

        Raises:
            AgentUnavailable: it cannot be made, or others could change it.
        """
        self.folder = open_folder(folder)
        self._listed = folder / "all"
        self._lock = threading.Lock()
        make_folder(folder, AgentUnavailable)
        make_folder(self._listed, AgentUnavailable)
        make_folder(self.folder, AgentUnavailable, mode=0o311)

    def put(
        self,
        source: bytes | Path | BinaryIO,
        media_type: str = "application/octet-stream",
    ) -> BlobRef:
        """Keeps what `source` holds, and names it. A path must be a regular file, not a link.

        Raises:
            InvalidRequest: the path cannot be read.
            Busy: the disk is full.
        """
        if isinstance(source, bytes):
            known = BlobRef(hashlib.sha256(source).hexdigest(), len(source), media_type)
            if self._is_kept(known.sha256, known.size):
                return known
            source = io.BytesIO(source)
        if isinstance(source, Path):
            with _opened(source) as file:
                return self._take_in(file, media_type)
        return self._take_in(source, media_type)

    def path(self, sha256: str) -> Path:
        """The file of a blob, for reading alone.

        Raises:
            UnknownRun: no such blob is kept.
        """
        # What is no digest must not become a path.
        if len(sha256) != 64 or not _DIGITS.issuperset(sha256) or not self._is_kept(sha256):
            raise UnknownRun(f"No blob {sha256[:64]!r} is kept here: it may have expired.")
        return self.folder / sha256

    def read(self, sha256: str, limit: int, offset: int = 0) -> bytes:
        """At most `limit` bytes of a blob, from `offset` on.

        Raises:
            UnknownRun: no such blob is kept.
        """
        try:
            with self.path(sha256).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError as error:
            raise UnknownRun(f"The blob {sha256} has just expired.") from error

    def expire(
        self,
        max_age_s: float,
        max_total_bytes: int,
        pinned: Collection[str] = (),
        grace_s: float = GRACE_S,
    ) -> int:
        """Removes blobs unused for `max_age_s`, then those unused the longest until the rest fits.

        Never removes what is `pinned` (digests) or was used within the last `grace_s` seconds.
        Returns how many bytes were freed.
        """
        now = time.time()
        held: list[tuple[float, int, str]] = []
        total = freed = 0
        for name, status in self._entries():
            idle = now - status.st_mtime
            if name.startswith(_TEMPORARY):
                # Left by an agent that died; a live one writes to its own all the time.
                if idle > max(3600, grace_s):
                    (self._listed / name).unlink(missing_ok=True)
                continue
            total += status.st_size
            # Used since `now` was taken is just used; a clock set back makes no blob immortal.
            if name not in pinned and abs(idle) >= grace_s:
                held.append((status.st_mtime, status.st_size, name))
        for used, size, sha256 in sorted(held):
            if now - used <= max_age_s and total - freed <= max_total_bytes:
                break
            if self._remove_unless_used(sha256, used):
                freed += size
        return freed

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        with os.scandir(self._listed) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False)

    def _take_in(self, source: BinaryIO, media_type: str) -> BlobRef:
        temporary = self._listed / f"{_TEMPORARY}{os.urandom(8).hex()}"
        digest = hashlib.sha256()
        size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o444), "wb", buffering=0) as file:
                os.fchmod(file.fileno(), 0o444)
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[file.write(rest) :]
            ref = BlobRef(digest.hexdigest(), size, media_type)
            self._link(temporary, ref)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Busy(
                    f"The disk is full: make room where {self.folder.parent} stands, then retry."
                ) from error
            raise
        finally:
            with contextlib.suppress(OSError):
                # It may be that the folder itself is damaged, which was told already.
                temporary.unlink()
        return ref

    def _link(self, temporary: Path, ref: BlobRef) -> None:
        listed, opened = self._listed / ref.sha256, self.folder / ref.sha256
        with self._lock:
            if not _touch(listed, ref.size):
                # Nothing, or what a power cut left of it.
                opened.unlink(missing_ok=True)
                listed.unlink(missing_ok=True)
                listed.hardlink_to(temporary)
            if not opened.exists():
                opened.hardlink_to(listed)

    def _is_kept(self, sha256: str, size: int | None = None) -> bool:
        with self._lock:
            return (self.folder / sha256).exists() and _touch(self._listed / sha256, size)

    def _remove_unless_used(self, sha256: str, seen: float) -> bool:
        listed = self._listed / sha256
        with self._lock:
            try:
                if listed.stat().st_mtime != seen:
                    return False
            except FileNotFoundError:
                return False
            (self.folder / sha256).unlink(missing_ok=True)
            listed.unlink()
            return True


def _touch(path: Path, size: int | None) -> bool:
    """Marks a blob as used now; False if it is missing or not of that size."""
    try:
        if size is not None and path.stat().st_size != size:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _opened(path: Path) -> BinaryIO:
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidRequest(f"{path} is not a regular file.")
    return os.fdopen(descriptor, "rb", buffering=0)
