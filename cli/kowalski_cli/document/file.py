"""The file of a document that outputs are written into."""

from __future__ import annotations

import os
import shlex
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.documents.document import load
from kowalski.documents.edits import apply, carried_over, edits
from kowalski.errors import InvalidDocument, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.documents.document import Document
    from kowalski.documents.edits import Edit, Shown

_ATTEMPTS: Final = 5


class DocumentFile:
    """Replaces a document as a whole, in one step; a link to it stays a link.

    Attributes:
        target: the file itself, behind all links.

    Raises:
        InvalidDocument: there is no such file.
        InvalidRequest: it could not be written after a run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._check_kind(path)
        self.target = path.resolve()
        if not os.access(self.target, os.W_OK, effective_ids=True):
            raise InvalidRequest(f"{path} is read-only: make it writable, or drop --write.")
        if not os.access(self.target.parent, os.W_OK | os.X_OK, effective_ids=True):
            raise InvalidRequest(
                f"{self.target.parent} is read-only, and a document is written by putting a new "
                "file there: make the folder writable, or drop --write."
            )

    def _check_kind(self, file: Path) -> None:
        """Refuse what no new file can take the place of."""
        path = self._path
        try:
            status = file.stat()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InvalidDocument(f"{path} cannot be read: {reason}.") from error
        if not stat.S_ISREG(status.st_mode):
            raise InvalidRequest(f"{path} is no file that can be written: drop --write.")
        if status.st_nlink > 1:
            target = file.resolve()
            place, fresh = (shlex.quote(str(one)) for one in (target, f"{target}.new"))
            raise InvalidRequest(
                f"{path} has {status.st_nlink} names (hard links), and a document is written by "
                "putting a new file in the place of one: the others would go on showing what it "
                f"was. Drop --write, or make it a file of its own: cp -p {place} {fresh} && "
                f"mv {fresh} {place}"
            )

    def write(
        self, document: Document, outputs: Mapping[int, Shown]
    ) -> tuple[Document, dict[int, Edit]]:
        """Have the file show `outputs` of blocks of `document`, as which it was read.

        Where it was changed meanwhile, and still has those blocks, the changes stay. Returns the
        document as it stood right before, and the edits that were made in it.

        Raises:
            InvalidDocument: the blocks are no longer there, or `edits` says why.
            DocumentTooLarge: as `edits`.
            InvalidRequest: the file cannot be written. In any case it is as it was.
        """
        for _ in range(_ATTEMPTS):
            self._check_kind(self.target)
            now = load(self._path)
            carried = outputs if now.text == document.text else carried_over(outputs, document, now)
            if carried is None:
                raise InvalidDocument(
                    f"{self._path} was changed while its blocks ran, and does not have them any "
                    "more as they ran. It was left as it is."
                )
            made = edits(now, carried)
            if not made or self._replaced(now.text, apply(now.text, made.values())):
                return now, made
        raise InvalidDocument(f"{self._path} is changed all the time. It was left as it is.")

    def _replaced(self, before: str, after: str) -> bool:
        """Whether the file still held `before` and now holds `after`."""
        folder, name = self.target.parent, self.target.name
        try:
            descriptor, path = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=folder)
            fresh = Path(path)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(after.encode())
                    file.flush()
                    _as_before(self.target, descriptor)
                    os.fsync(descriptor)
                if self.target.read_bytes() != before.encode():
                    return False
                fresh.replace(self.target)
            finally:
                fresh.unlink(missing_ok=True)
            _sync(folder)
        except OSError as error:
            raise InvalidRequest(f"{self._path} cannot be written: {error.strerror}.") from error
        return True


def _as_before(target: Path, descriptor: int) -> None:
    """Give a file the mode of another, and owner and attributes where that is possible."""
    known, made = target.stat(), os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (known.st_uid, known.st_gid):
        with suppress(PermissionError):
            os.fchown(descriptor, known.st_uid, known.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(known.st_mode))
    if sys.platform == "linux":
        for name in _attributes(target):
            # Some are the system's to set, and others unknown to the file system.
            with suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(target, name))


def _attributes(path: Path) -> list[str]:
    """The names of its extended attributes, such as `system.posix_acl_access`."""
    if sys.platform == "linux":
        with suppress(OSError):
            return os.listxattr(path)
    return []


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
