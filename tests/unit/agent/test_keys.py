"""Where the keys of servers are kept."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import keyring
import keyring.backend
import keyring.errors
import pytest
from keyring.backends import fail, null

from kowalski.agent.home.keys import Keys
from kowalski.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Vault(keyring.backend.KeyringBackend):
    """A keyring in memory, which can be locked."""

    priority = 1
    # Only who asks for it has it.
    viable = False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not found")

    def _check(self) -> None:
        if self.locked:
            raise keyring.errors.KeyringLocked("it is locked")


@pytest.fixture(autouse=True)
def previous() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def vault() -> Vault:
    backend = Vault()
    keyring.set_keyring(backend)
    return backend


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "keys.json"


def test_a_key_is_kept_in_the_keyring_and_in_no_file(vault: Vault, file: Path) -> None:
    keys = Keys(file)
    assert keys.store("studio", "s3cret") == "keyring"
    assert vault.kept == {("kowalski", "studio"): "s3cret"}
    assert keys.find("studio", "keyring") == "s3cret"
    keys.forget("studio", "keyring")
    keys.forget("studio", "keyring")
    assert not vault.kept
    assert not file.exists()


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_without_a_keyring_that_protects_a_key_is_in_a_file_of_the_owners_alone(
    backend: type[keyring.backend.KeyringBackend], file: Path
) -> None:
    keyring.set_keyring(backend())
    keys = Keys(file)
    assert keys.store("studio", "s3cret") == "file"
    assert keys.store("attic", "other") == "file"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys.find("studio", "file") == "s3cret"
    keys.forget("studio", "file")
    assert json.loads(file.read_text()) == {"attic": "other"}


def test_a_locked_keyring_is_said_and_nothing_is_written_elsewhere(
    vault: Vault, file: Path
) -> None:
    vault.kept["kowalski", "studio"] = "s3cret"
    vault.locked = True
    keys = Keys(file)
    for use in (
        lambda: keys.store("studio", "new"),
        lambda: keys.find("studio", "keyring"),
        lambda: keys.forget("studio", "keyring"),
    ):
        with pytest.raises(InvalidSettings, match="Unlock it"):
            use()
    assert not file.exists()


def test_a_key_that_went_away_is_said(vault: Vault, file: Path) -> None:
    with pytest.raises(InvalidSettings, match="not in the system's keyring any more"):
        Keys(file).find("studio", "keyring")
    with pytest.raises(InvalidSettings, match=r"keys\.json any more"):
        Keys(file).find("studio", "file")


def test_a_keyring_that_cannot_be_reached_any_more_is_said(file: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be reached now"):
        Keys(file).find("studio", "keyring")


@pytest.mark.parametrize("content", ["", "[]", '{"studio": 1}', "{"])
def test_a_file_that_holds_no_keys_is_refused(file: Path, content: str) -> None:
    file.parent.mkdir(mode=0o700)
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(InvalidSettings, match="Move it away"):
        Keys(file).find("studio", "file")


def test_a_file_that_others_could_read_is_refused(file: Path) -> None:
    keys = Keys(file)
    keys.store("studio", "s3cret")
    file.chmod(0o640)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        keys.find("studio", "file")
