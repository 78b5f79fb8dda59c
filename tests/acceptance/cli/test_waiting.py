"""What a command shows while all slots are taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from terminal.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDING = "print('up', flush=True)\nimport time\ntime.sleep(3600)"


@pytest.fixture
def full(home: dict[str, str], folder: Path) -> Iterator[Shell]:
    """A shell whose agent has one slot, which a program holds until it is killed."""
    env = {**home, "KOWALSKI_HOME": str(folder.parent / "full"), "KOWALSKI_AGENT_SLOTS": "1"}
    shell = Shell(env, folder)
    holding = shell.start("exec", "-l", "python", "-c", HOLDING)
    assert holding.stdout is not None
    assert holding.stdout.readline() == "up\n"
    yield shell
    shell.close()
    shell.kowalski("agent", "stop")


def test_a_program_that_waits_for_a_slot_says_so_until_it_begins(full: Shell) -> None:
    screen = full.watch("exec", "-l", "python", "-c", "print('mine')")

    screen.wait_for(r"waiting for a free slot · Ctrl-C ends it")
    full.started[0].kill()

    assert screen.finish() == 0
    assert screen.text.strip() == "mine"


def test_a_block_that_waits_for_a_slot_says_so_and_the_waiting_does_not_count(full: Shell) -> None:
    (full.folder / "notes.md").write_text("```bash\necho mine\n```\n")
    screen = full.watch("run", "notes.md")

    screen.wait_for(r" [12]\.\d s · waiting for a free slot · bash · line 1 · Ctrl-C ends it")
    full.started[0].kill()

    assert screen.finish() == 0
    assert re.search(r"✓ 1 block ok · \d+ ms · sandbox", screen.text)


def test_the_agent_counts_a_waiting_run_once(full: Shell) -> None:
    screen = full.watch("exec", "-l", "python", "-c", "print('mine')")
    screen.wait_for("waiting for a free slot")

    assert "1 run, 1 more waiting" in full.kowalski("agent").stdout
