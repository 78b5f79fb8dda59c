"""The folder beside a document with the images that its blocks made."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from kowalski.documents.document import MAX_DOCUMENT_BYTES
from kowalski.documents.outcome import content_in
from kowalski.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_NO_LINK: Final = re.compile(r"[^\w/.~-]")
_MOST_FILES: Final = 2000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class ImageFolder:
    """Holds images under names that tell their content; it comes with the first and goes with
    the last of them. A file that Kowalski did not make is neither replaced nor removed, and one
    that a file beside the document names is not removed either.

    Raises:
        InvalidRequest: images could not be written there.
    """

    def __init__(self, document: Path) -> None:
        self._path = document.with_name(f"{document.stem}_files")
        if self._path.is_symlink() or (self._path.exists() and not self._path.is_dir()):
            raise InvalidRequest(
                f"{self._path} is no folder of its own, and images belong there: move it away, or "
                "drop --write."
            )
        if self._path.is_dir() and not os.access(self._path, os.W_OK | os.X_OK, effective_ids=True):
            raise InvalidRequest(
                f"{self._path} is read-only, and images belong there: make it writable, or drop "
                "--write."
            )

    def link(self, name: str) -> str:
        """How the document links the image of this name."""
        return _NO_LINK.sub(
            lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()),
            f"{self._path.name}/{name}",
        )

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, whoever made it."""
        return os.path.lexists(self._path / name)

    def put(self, name: str, content: bytes) -> None:
        """Write an image that is not there.

        Raises:
            InvalidRequest: it cannot be written.
        """
        try:
            self._path.mkdir(exist_ok=True)
            with self._opened() as folder:
                _write(folder, name, content)
        except OSError as error:
            raise InvalidRequest(f"{self._path} cannot be written: {error.strerror}.") from error

    def remove(self, links: Iterable[str]) -> tuple[str, ...]:
        """Remove the images that `links` lead to, where Kowalski made them and nobody beside the
        document names them. Returns those.

        Raises:
            InvalidRequest: one cannot be removed.
        """
        start = self.link("")
        names = [link.removeprefix(start) for link in links if link.startswith(start)]
        try:
            with self._opened() as folder:
                gone = self._named_by_none([name for name in names if _ours(folder, name)])
                for name in gone:
                    os.unlink(name, dir_fd=folder)
            if gone:
                # It stays as long as it holds anything.
                with suppress(OSError):
                    self._path.rmdir()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InvalidRequest(
                f"Old images in {self._path} cannot be removed: {error.strerror}."
            ) from error
        return tuple(map(self.link, gone))

    def _named_by_none(self, names: list[str]) -> list[str]:
        """Those that no file beside the document names; none where that cannot be told."""
        if not names:
            return []
        forms = {name: (name.encode(), quote(name).encode()) for name in names}
        # What is hidden are drafts of editors, which stay behind.
        beside = [one for one in self._path.parent.glob("[!.]*") if one.is_file()]
        if len(beside) > _MOST_FILES:
            return []
        for path in beside:
            try:
                with path.open("rb") as file:
                    text = file.read(MAX_DOCUMENT_BYTES + 1)
            except OSError:
                return []
            if len(text) <= MAX_DOCUMENT_BYTES:
                named = [name for name, both in forms.items() if any(one in text for one in both)]
                for name in named:
                    del forms[name]
        return list(forms)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        # By its descriptor: what is put in its place meanwhile leads nowhere else.
        descriptor = os.open(self._path, _FOLDER)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _write(folder: int, name: str, content: bytes) -> None:
    # Under its name there is all of it or nothing: the name vouches for the content.
    draft = f".{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(draft, flags, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(draft, dir_fd=folder)
        raise


def _ours(folder: int, name: str) -> bool:
    """Whether a file has the content that its name tells."""
    content = content_in(name)
    if content is None:
        return False
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(content)
