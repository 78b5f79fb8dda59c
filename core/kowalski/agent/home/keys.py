"""Keys of servers, in the system's keyring where there is one, else in a file of the owner's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

from kowalski.errors import InvalidSettings
from kowalski.settings.ownership import make_folder, read_file, write_file

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

KeyPlace = Literal["keyring", "file"]

_SERVICE: Final = "kowalski"
_MAX_BYTES: Final = 1_000_000


class Keys:
    """Stores and finds keys by the name of their server. Each call may block for long.

    The keyring is that of the package `keyring`, which is optional. Its backends that store
    nothing, or store without protection, do not count.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def store(self, server: str, key: str) -> KeyPlace:
        """Keep a key, and tell where it is kept.

        Raises:
            InvalidSettings: it cannot be kept: the keyring is locked, or the file is unsafe.
        """
        keyring = _keyring()
        if keyring is not None:
            try:
                keyring.set_password(_SERVICE, server, key)
            except keyring.errors.KeyringError as error:
                raise _refused(server, error) from error
            return "keyring"
        self._change({**self._read(), server: key})
        return "file"

    def find(self, server: str, place: KeyPlace) -> str:
        """The key of a server.

        Raises:
            InvalidSettings: it is not there any more, or cannot be had.
        """
        key = self._read().get(server) if place == "file" else self._in_keyring(server)
        if not key:
            where = str(self._file) if place == "file" else "the system's keyring"
            raise InvalidSettings(
                f"The key of the server {server} is not in {where} any more. To give it again: "
                f"kowalski servers remove {server}, then add it with --key"
            )
        return key

    def forget(self, server: str, place: KeyPlace) -> None:
        """Delete a key, if it is still there.

        Raises:
            InvalidSettings: the keyring is locked, or the file is unsafe.
        """
        if place == "file":
            keys = self._read()
            if keys.pop(server, None) is not None:
                self._change(keys)
        elif (keyring := _keyring()) is not None:
            try:
                keyring.delete_password(_SERVICE, server)
            except keyring.errors.PasswordDeleteError:
                # Somebody deleted it elsewhere.
                return
            except keyring.errors.KeyringError as error:
                raise _refused(server, error) from error

    def _in_keyring(self, server: str) -> str | None:
        keyring = _keyring()
        if keyring is None:
            raise InvalidSettings(
                f"The key of the server {server} is in the system's keyring, which cannot be "
                "reached now. It needs the package keyring (uv tool install "
                "'kowalski-rlm[keyring]') and the desktop's session."
            )
        try:
            key: str | None = keyring.get_password(_SERVICE, server)
        except keyring.errors.KeyringError as error:
            raise _refused(server, error) from error
        return key

    def _read(self) -> dict[str, str]:
        content = read_file(self._file, _MAX_BYTES, InvalidSettings)
        if content is None:
            return {}
        mode = self._file.stat().st_mode
        if mode & 0o077:
            raise InvalidSettings(
                f"{self._file} may be read by other users (mode {mode & 0o7777:04o}), so its keys "
                f"are not secret any more: run `chmod 600 {self._file}`, and think of new keys."
            )
        try:
            keys = json.loads(content)
        except ValueError as error:
            raise InvalidSettings(f"{self._file} is no JSON: {error}. Move it away.") from error
        if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
            raise InvalidSettings(f"{self._file} holds no keys by server. Move it away.")
        return keys

    def _change(self, keys: dict[str, str]) -> None:
        try:
            make_folder(self._file.parent, InvalidSettings)
            write_file(self._file, json.dumps(keys, indent=1).encode())
        except OSError as error:
            raise InvalidSettings(f"{self._file} cannot be written: {error.strerror}.") from error


def _keyring() -> ModuleType | None:
    """The package, where it is installed and has a backend that protects what it stores."""
    try:
        # Optional, and slow to load.
        import keyring
        import keyring.errors
    except ImportError:
        return None
    backend = keyring.get_keyring()
    kind = type(backend)
    protects = not kind.__module__.startswith(("keyring.backends.fail", "keyring.backends.null"))
    plain = kind.__module__.startswith("keyrings.alt")
    return keyring if protects and not plain else None


def _refused(server: str, error: Exception) -> InvalidSettings:
    said = str(error) or type(error).__name__
    return InvalidSettings(
        f"The system's keyring does not give access to the key of the server {server}: {said}. "
        "Unlock it and try again, or name a variable with --key-env."
    )
