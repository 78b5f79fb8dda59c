"""What was prepared is kept as long as it may be of use."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

import pytest

from kowalski.execution.prepared import is_ready, mark_ready, tidy

if TYPE_CHECKING:
    from pathlib import Path

_DAY_S = 86_400


@pytest.fixture
def program(tmp_path: Path) -> Path:
    program = tmp_path / "java"
    program.touch()
    return program


def _made(tmp_path: Path, name: str, program: Path, days: float = 0) -> Path:
    """Something that was made, and last used so many days ago."""
    folder = tmp_path / "made" / name
    folder.mkdir(parents=True)
    (folder / "kernel").write_text("large")
    mark_ready(str(folder), str(program))
    used_at = time.time() - days * _DAY_S
    os.utime(folder / "ready", (used_at, used_at))
    return folder


def test_what_a_month_of_runs_did_not_use_is_removed(tmp_path: Path, program: Path) -> None:
    old, young = (_made(tmp_path, f"{days}", program, days) for days in (31, 29))
    tidy(str(_made(tmp_path, "new", program)))
    assert (old.exists(), young.exists()) == (False, True)


def test_who_asks_whether_it_is_ready_uses_it(tmp_path: Path, program: Path) -> None:
    used = _made(tmp_path, "used", program, 31)
    assert is_ready(str(used))
    tidy(str(_made(tmp_path, "new", program)))
    assert (used / "kernel").exists()


def test_what_was_made_for_a_program_that_is_gone_is_removed(tmp_path: Path, program: Path) -> None:
    of_none = _made(tmp_path, "of none", tmp_path / "gone")
    unknown = _made(tmp_path, "unknown", program)
    (unknown / "ready").write_bytes(b"")
    tidy(str(_made(tmp_path, "new", program)))
    assert (of_none.exists(), unknown.exists()) == (False, True)


def test_only_the_few_that_were_used_last_are_kept(tmp_path: Path, program: Path) -> None:
    made = [_made(tmp_path, f"{days}", program, days) for days in range(10)]
    tidy(str(_made(tmp_path, "new", program)))
    assert [folder.exists() for folder in made] == [True] * 7 + [False] * 3


def test_what_another_process_makes_or_what_is_no_such_folder_is_left_alone(
    tmp_path: Path, program: Path
) -> None:
    busy = _made(tmp_path, "busy", program, 31)
    elsewhere = _made(tmp_path / "else", "where", program, 31)
    (tmp_path / "made" / "link").symlink_to(elsewhere)
    unready = tmp_path / "made" / "unready"
    unready.mkdir()
    lock = os.open(busy, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tidy(str(_made(tmp_path, "new", program)))
    finally:
        os.close(lock)
    assert is_ready(str(busy))
    assert is_ready(str(elsewhere))
    assert unready.exists()
