"""`kowalski sessions`."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from terminal.processes import alive

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_without_an_agent_there_are_none_and_none_is_started(shell: Shell) -> None:
    shell.kowalski("agent", "stop")

    done = shell.kowalski("sessions")

    assert "No session lives." in done.stdout
    assert shell.kowalski("agent", "status").returncode == 1


def test_they_are_listed_with_what_they_hold(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-s", "listed", "-c", "1")
    shell.kowalski("exec", "-l", "bash", "-s", "listed", "-c", "true")

    table = shell.kowalski("sessions").stdout
    (session,) = json.loads(shell.kowalski("sessions", "--json").stdout)

    assert re.search(r"^listed   python, bash     2  (now|\d+ s ago) ", table, re.MULTILINE)
    assert (session["name"], session["kernels"]) == ("listed", ["python", "bash"])
    assert session["workspace"]["root"] == str(shell.folder)


def test_their_variables_are_listed(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-s", "vars", "-c", "answer = 42; name = 'x'")

    table = shell.kowalski("sessions", "vars", "vars", "-l", "py").stdout
    listed = json.loads(shell.kowalski("sessions", "vars", "vars", "--json").stdout)

    assert "python    answer  int   42\n" in table
    assert {"language": "python", "name": "name", "type": "str", "preview": "'x'"} in listed


def test_variables_of_all_its_interpreters_are_listed(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-s", "two", "-c", "answer = 42")
    shell.kowalski("exec", "-l", "bash", "-s", "two", "-c", "question=why")

    table = shell.kowalski("sessions", "vars", "two").stdout
    one = shell.kowalski("sessions", "vars", "two", "-l", "bash").stdout

    assert re.search(r"^python +answer +int +42$", table, re.MULTILINE)
    assert re.search(r"^bash +question +string +why$", table, re.MULTILINE)
    assert "answer" not in one
    assert shell.kowalski("sessions", "vars", "nobody").returncode == 2


def test_an_interrupt_ends_what_runs_and_keeps_the_rest(shell: Shell) -> None:
    shell.kowalski("exec", "-l", "python", "-s", "kept", "-c", "x = 42")
    process = shell.start(
        "exec", "-l", "python", "-s", "kept", "-c", "print('up')\nwhile True: pass"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"

    done = shell.kowalski("sessions", "interrupt", "kept")

    assert done.stdout == "1 run interrupted.\n"
    assert process.wait(60) == 125
    assert shell.kowalski("exec", "-l", "python", "-s", "kept", "-c", "x").stdout == "42\n"


def test_an_ended_session_is_gone_with_its_processes(shell: Shell) -> None:
    marker = f"86399.{os.getpid()}6"
    code = f"import subprocess; p = subprocess.Popen(['sleep', '{marker}'])"
    shell.kowalski("exec", "-l", "python", "-s", "ended", "-c", code)

    done = shell.kowalski("sessions", "end", "ended")

    assert done.returncode == 0
    assert not alive(marker)
    names = [one["name"] for one in json.loads(shell.kowalski("sessions", "--json").stdout)]
    assert "ended" not in names


def test_what_makes_no_sense_is_refused(shell: Shell) -> None:
    for words in (("end", "nobody"), ("end",), ("list", "work"), ("vars",), ("burn", "it")):
        done = shell.kowalski("sessions", *words)

        assert (done.stdout, done.returncode) == ("", 2)
        assert done.stderr.startswith("kowalski")


@pytest.mark.parametrize("name", ["", "bad name!/", "-x", "..", "ä", "a\n", "x" * 65])
def test_a_name_that_makes_no_sense_opens_no_session(shell: Shell, name: str) -> None:
    refused = shell.kowalski("exec", "-l", "python", f"--session={name}", "-c", "1")

    assert refused.returncode == 2
    assert "cannot be the name of a session. A name has letters" in refused.stderr
    listed = json.loads(shell.kowalski("sessions", "--json").stdout)
    assert name not in [session["name"] for session in listed]


@pytest.mark.parametrize("name", ["a", "_", "Work-2.b_c", "x" * 64])
def test_a_name_within_the_rule_opens_one(shell: Shell, name: str) -> None:
    assert shell.kowalski("exec", "-l", "python", "-s", name, "-c", "1").returncode == 0
    assert shell.kowalski("sessions", "end", name).returncode == 0
