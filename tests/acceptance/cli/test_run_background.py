"""Blocks that go on while the next ones run."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kowalski_cli.exit_codes import CANCELLED
from terminal.document import events_of, write_document
from terminal.processes import alive, wait_until_gone

if TYPE_CHECKING:
    from terminal.shell import Shell

SERVER = "bash {name=serve background}\necho begins\npython3 -m http.server 8123 2>&1"
CLIENT = (
    "python {name=ask}\n"
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8123/').status"
)
WORKER = "bash {{name=work background}}\necho at work; sleep {} &\nwait"


def test_the_example_of_the_documentation_works(shell: Shell) -> None:
    page = (Path(__file__).parents[3] / "docs/documents.md").read_text(encoding="utf-8")
    section = page.partition("## Background")[2]
    (example,) = re.findall(r"````markdown\n(.*?)````", section.partition("\n## ")[0], re.DOTALL)
    (shell.folder / "notes.md").write_text(example)

    done = shell.kowalski("run", "notes.md")

    assert done.returncode == 0
    assert "→ 200" in done.stdout


def test_later_blocks_talk_to_a_server_that_ends_with_the_document(shell: Shell) -> None:
    write_document(shell.folder, SERVER, CLIENT)

    done = shell.kowalski("run", "notes.md")
    told = shell.kowalski("run", "notes.md", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert "goes on in the background" in done.stdout
    assert "listens on 8123" in done.stdout
    assert "→ 200" in done.stdout
    assert "serve, in the background, was stopped" in done.stdout
    assert '"GET / HTTP/1.1" 200' in done.stdout
    (goes_on,) = events_of(told.stdout, "background")
    assert goes_on["ports"] == [8123]
    (ended,) = events_of(told.stdout, "background_ended")
    assert (ended["name"], ended["status"]) == ("serve", "cancelled")
    (summary,) = events_of(told.stdout, "summary")
    assert (summary["ok"], summary["failed"]) == (2, 0)


def test_one_that_fails_meanwhile_fails_the_document(shell: Shell) -> None:
    until_told = "echo $$ > /tmp/pid; while [[ ! -e /tmp/go ]]; do sleep 0.05; done; exit 3"
    tell = "touch /tmp/go; while kill -0 $(< /tmp/pid); do sleep 0.05; done 2>/dev/null"
    write_document(shell.folder, f"bash {{name=serve background}}\n{until_told}", f"bash\n{tell}")

    done = shell.kowalski("run", "notes.md")

    assert done.returncode == 1
    assert "serve, in the background, failed: exit code 3" in done.stdout


def test_nothing_of_it_is_left_when_a_later_block_fails(shell: Shell) -> None:
    write_document(shell.folder, WORKER.format("1003.25"), "python\nraise ValueError")

    done = shell.kowalski("run", "notes.md")

    assert done.returncode == 1
    assert not alive("sleep 1003.25")


def test_in_a_session_that_lives_on_it_goes_on_until_that_ends(shell: Shell) -> None:
    write_document(shell.folder, WORKER.format("1004.25"), "python\nx = 41")

    done = shell.kowalski("run", "notes.md", "--session", "evening")
    assert done.returncode == 0
    assert alive("sleep 1004.25")
    asked = shell.kowalski("exec", "-l", "python", "-s", "evening", "-c", "x + 1")
    assert asked.stdout == "42\n"
    assert shell.kowalski("sessions", "end", "evening").returncode == 0

    wait_until_gone("sleep 1004.25")


@pytest.mark.parametrize("moment", ["goes on in the background", "busy"])
def test_ctrl_c_ends_it_too(shell: Shell, moment: str) -> None:
    write_document(shell.folder, WORKER.format("1005.25"), "bash\necho busy; sleep 100")

    screen = shell.watch("run", "notes.md")
    screen.wait_for(moment)
    screen.process.send_signal(signal.SIGINT)

    assert screen.finish() == CANCELLED
    wait_until_gone("sleep 1005.25")
