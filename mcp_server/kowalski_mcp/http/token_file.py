"""The token that a client must show, and the file that holds it."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kowalski.errors import InvalidSettings
from kowalski.settings.ownership import check_folder, make_folder, read_file, write_file

if TYPE_CHECKING:
    from pathlib import Path

_BYTES: Final = 32
_LARGEST_FILE: Final = 1024
# As long as 256 bits are in base64, of what RFC 6750 lets a token consist of.
_FORM: Final = re.compile(rb"[A-Za-z0-9._~+/-]{43,512}=*")
_RENEW: Final = "`kowalski mcp --new-token` writes a new one"

_Seen = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and the principal that it proves: a name that does not tell the token."""

    value: bytes = field(repr=False)

    @property
    def principal(self) -> str:
        """Who shows it, such as `http-1a2b3c4d`."""
        return f"http-{hashlib.sha256(self.value).hexdigest()[:8]}"


class TokenFile:
    """A file that its owner alone may read. It is read anew whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token: Token | None = None
        self._seen: _Seen | None = None

    def ensure(self) -> Token:
        """The token, made at its first use.

        Raises:
            InvalidSettings: as `read`, or it cannot be written.
        """
        make_folder(self.path.parent, InvalidSettings)
        if read_file(self.path, _LARGEST_FILE, InvalidSettings, secret=True) is None:
            return self.renew()
        return self.read()

    def renew(self) -> Token:
        """Write another token in the place of the one that counted.

        Raises:
            InvalidSettings: it cannot be written.
        """
        make_folder(self.path.parent, InvalidSettings)
        try:
            write_file(self.path, secrets.token_urlsafe(_BYTES).encode() + b"\n")
        except OSError as error:
            raise InvalidSettings(f"{self.path} cannot be written: {error.strerror}.") from error
        return self.read()

    def read(self) -> Token:
        """The token that counts now.

        Raises:
            InvalidSettings: there is none, others could know or change it, or it could be guessed.
        """
        seen = self._look()
        if self._token is None or seen != self._seen:
            self._token = None
            self._token = self._read()
            self._seen = seen
        return self._token

    def _look(self) -> _Seen | None:
        try:
            status = self.path.lstat()
        except OSError:
            return None
        return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)

    def _read(self) -> Token:
        content = read_file(self.path, _LARGEST_FILE, InvalidSettings, secret=True)
        if content is None:
            raise InvalidSettings(f"{self.path} is gone: {_RENEW}.")
        check_folder(self.path.parent, InvalidSettings)
        # Editors and `echo` end a file with a line break.
        value = content.removesuffix(b"\n")
        if not _FORM.fullmatch(value):
            raise InvalidSettings(
                f"{self.path} holds no token: it must be one line of at least 43 letters, digits "
                f"and -._~+/, without blanks. {_RENEW}."
            )
        return Token(value)
