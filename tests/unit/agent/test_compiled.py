"""Compiled programs are found by what they were compiled from, as long as they are kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kowalski.agent.store.blobs import Blobs
from kowalski.agent.store.compiled import Compiled
from kowalski.execution.build import Built
from kowalski.model.event import CompilerMessage

if TYPE_CHECKING:
    from pathlib import Path

KEY, OTHER = "a" * 64, "b" * 64
SAID = (CompilerMessage(severity="warning", type="unused", message="x", line=1, column=2),)
BUILT = Built(b"a program", "warning: x\n", (("data.txt", "c" * 64),))


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def compiled(tmp_path: Path, blobs: Blobs) -> Compiled:
    return Compiled(tmp_path / "compiled", blobs)


def test_a_program_is_found_by_its_key_with_all_that_is_known_of_it(compiled: Compiled) -> None:
    compiled.put(KEY, BUILT, SAID)
    kept = compiled.find(KEY)
    assert kept is not None
    with open(kept.path, "rb") as file:  # noqa: PTH123 - a path as the sandbox gets it
        assert file.read() == b"a program"
    assert (kept.words, kept.files, kept.messages) == (BUILT.words, BUILT.files, SAID)
    assert compiled.find(OTHER) is None


def test_the_last_program_of_a_key_counts(compiled: Compiled) -> None:
    compiled.put(KEY, BUILT, SAID)
    compiled.put(KEY, Built(b"another", "", ()), ())
    kept = compiled.find(KEY)
    assert kept is not None
    assert (kept.words, kept.messages) == ("", ())


def test_only_the_owner_can_see_what_is_kept(compiled: Compiled, tmp_path: Path) -> None:
    assert (tmp_path / "compiled").stat().st_mode & 0o777 == 0o700


def test_a_program_that_went_with_its_blob_is_not_found(compiled: Compiled, blobs: Blobs) -> None:
    compiled.put(KEY, BUILT, SAID)
    blobs.expire(0, 0, grace_s=0)
    assert compiled.find(KEY) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"sha256": "../../etc/passwd"}'])
def test_a_damaged_entry_is_none(compiled: Compiled, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "compiled" / KEY).write_bytes(damage)
    assert compiled.find(KEY) is None


def test_what_was_not_used_for_long_is_forgotten(compiled: Compiled, tmp_path: Path) -> None:
    for key in (KEY, OTHER):
        compiled.put(key, BUILT, SAID)
        os.utime(tmp_path / "compiled" / key, (1, 1))
    assert compiled.find(OTHER) is not None
    compiled.expire(3600)
    assert [path.name for path in (tmp_path / "compiled").iterdir()] == [OTHER]
