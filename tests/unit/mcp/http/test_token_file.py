"""The file that holds the token."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kowalski.errors import InvalidSettings
from kowalski_mcp.http.token_file import TokenFile

if TYPE_CHECKING:
    from pathlib import Path

GOOD = b"x" * 43


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own" / "mcp-token"


@pytest.fixture
def standing(path: Path) -> Path:
    """A good token that somebody wrote by hand."""
    path.parent.mkdir(mode=0o700)
    path.write_bytes(GOOD)
    path.chmod(0o600)
    return path


def test_it_is_made_once_with_256_bits_for_its_owner_alone(path: Path) -> None:
    token = TokenFile(path).ensure()

    assert len(token.value) == 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert TokenFile(path).ensure() == token
    assert [entry.name for entry in path.parent.iterdir()] == ["mcp-token"]


def test_a_new_one_is_another_and_counts_at_once(path: Path) -> None:
    running = TokenFile(path)
    old = running.ensure()

    TokenFile(path).renew()

    assert running.read() != old
    assert running.read().principal != old.principal


def test_the_principal_does_not_tell_the_token(path: Path) -> None:
    token = TokenFile(path).ensure()

    assert token.principal.removeprefix("http-") not in token.value.decode()
    assert token.value.decode() not in repr(token)


def test_one_that_was_written_by_hand_counts(standing: Path) -> None:
    standing.write_bytes(GOOD + b"\n")

    assert TokenFile(standing).read().value == GOOD


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n", GOOD[1:], b"x" * 2000),
        *(GOOD + b"\n\n", GOOD + b"\r\n", b" " + GOOD, GOOD + b"\n" + GOOD),
        *(GOOD + b"\0", GOOD + b"\x1b", GOOD + "ä".encode()),
    ],
)
def test_what_is_no_token_is_refused(standing: Path, content: bytes) -> None:
    standing.write_bytes(content)

    with pytest.raises(InvalidSettings):
        TokenFile(standing).ensure()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_one_that_others_could_know_or_change_is_refused(standing: Path, mode: int) -> None:
    running = TokenFile(standing)
    assert running.read().value == GOOD
    standing.chmod(mode)

    with pytest.raises(InvalidSettings, match="chmod"):
        running.read()
    with pytest.raises(InvalidSettings, match="chmod"):
        TokenFile(standing).ensure()


@pytest.mark.parametrize("leads", ["elsewhere", "nowhere"])
def test_a_link_is_refused(path: Path, leads: str) -> None:
    path.parent.mkdir(mode=0o700)
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(GOOD)
    elsewhere.chmod(0o600)
    path.symlink_to(path.with_name(leads))

    with pytest.raises(InvalidSettings, match="symbolic link"):
        TokenFile(path).ensure()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_one_of_another_user_is_refused(standing: Path) -> None:
    os.chown(standing, 12345, -1)

    with pytest.raises(InvalidSettings, match="another user"):
        TokenFile(standing).ensure()


def test_a_folder_that_others_could_change_is_refused(standing: Path) -> None:
    standing.parent.chmod(0o777)

    with pytest.raises(InvalidSettings, match="other users"):
        TokenFile(standing).ensure()


def test_one_that_is_gone_counts_no_more(standing: Path) -> None:
    running = TokenFile(standing)
    running.read()
    standing.unlink()

    with pytest.raises(InvalidSettings, match="--new-token"):
        running.read()
