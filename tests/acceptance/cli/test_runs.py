"""`kowalski runs`."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from kowalski_cli import exit_codes
from terminal.processes import alive, wait_until_alive

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_the_newest_runs_come_first_with_how_they_ended(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-c", "print('first')")
    shell.kowalski("exec", "-l", "python", "-c", "1 / 0")

    table = shell.kowalski("runs", "--limit", "2").stdout.splitlines()
    records = json.loads(shell.kowalski("runs", "--limit", "2", "--json").stdout)

    assert "failed" in table[1]
    assert "1 / 0" in table[1]
    assert "ok" in table[2]
    assert [record["status"] for record in records] == ["failed", "ok"]


def test_a_run_is_shown_with_its_code_its_output_and_its_end(shell: Shell) -> None:
    code = "print('printed')\n{}['key']"
    shell.kowalski("exec", "-l", "python", "-s", "shown", "-c", code, "--", "--year", "a b")

    shown = shell.kowalski("runs", "show", "last").stdout

    for expected in (
        r"ended      failed, exit code 1",
        r"session    shown",
        f"folder     {shell.folder}",
        "arguments  --year 'a b'",
        "print('printed')\n{}['key']\n",
        "KeyError: 'key'",
        "output\nprinted\n",
    ):
        assert expected in shown


def test_the_beginning_of_an_id_is_enough(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-c", "print('found')")
    (record,) = json.loads(shell.kowalski("runs", "--limit", "1", "--json").stdout)

    done = shell.kowalski("runs", "show", record["run_id"][:8], "--output")

    assert done.stdout == "found\n"


def test_all_of_a_long_output_can_be_read(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-c", "for n in range(300_000): print('é', n)")

    done = shell.kowalski("runs", "show", "last", "--output")

    assert done.stdout == "".join(f"é {n}\n" for n in range(300_000))


def test_a_saved_figure_is_never_written_over_another_file(shell: Shell) -> None:
    code = (
        "class Evil:\n    def _repr_png_(self): return b'png'\nEvil.__name__ = '../../up'\nEvil()"
    )
    shell.kowalski("exec", "-l", "python", "-c", code)

    first = shell.kowalski("runs", "show", "last", "--save", "figures")
    second = shell.kowalski("runs", "show", "last", "--save", "figures")

    assert first.returncode == second.returncode == 0
    saved = sorted(path.relative_to(shell.folder) for path in shell.folder.rglob("*.png"))
    assert [str(path.parent) for path in saved] == ["figures", "figures"]
    assert not list(shell.folder.parent.glob("*.png"))


def test_a_run_is_cancelled_from_another_terminal(shell: Shell) -> None:
    marker = f"1000.{uuid.uuid4().int % 10**12}"
    running = shell.start("exec", "-l", "bash", "-c", f"sleep {marker}")
    wait_until_alive(marker)
    (record,) = json.loads(shell.kowalski("runs", "--limit", "1", "--json").stdout)

    done = shell.kowalski("runs", "cancel", record["run_id"][:8])
    again = shell.kowalski("runs", "cancel", record["run_id"][:8], "--json")

    assert done.stdout == f"The run {record['run_id'][:8]} is over: cancelled.\n"
    assert not alive(marker)
    assert running.wait() == exit_codes.CANCELLED
    assert json.loads(again.stdout)["status"] == "cancelled"


def test_a_run_that_is_over_is_not_cancelled(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-c", "1")

    done = shell.kowalski("runs", "cancel", "last")

    assert "was over already: ok" in done.stdout
    assert done.returncode == 0


def test_a_run_that_nobody_knows_is_refused(shell: Shell) -> None:
    done = shell.kowalski("runs", "show", "zzzz")

    assert (done.stdout, done.returncode) == ("", 2)
    assert "kowalski runs" in done.stderr


def test_a_killed_agent_leaves_the_truth(shell: Shell) -> None:
    process = shell.start("exec", "-l", "python", "-c", "print('up')\nwhile True: pass")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    agent = json.loads(shell.kowalski("agent", "--json").stdout)["pid"]

    shell.line(f"kill -9 {agent}")

    assert process.wait(60) == 125
    (record,) = json.loads(shell.kowalski("runs", "--limit", "1", "--json").stdout)
    assert record["status"] == "interrupted"
