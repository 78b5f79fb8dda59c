"""What bash, zsh and fish offer when somebody presses TAB."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from terminal.screen import Screen
from terminal.shell import KOWALSKI

if TYPE_CHECKING:
    from terminal.shell import Shell

NOTES = (
    "```python {name=load}\n1\n```\n\n```bash {name=loud}\nls\n```\n\n```text {name=lost}\n```\n"
)
PRESS_TAB = """\
eval "$(kowalski completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
_python_argcomplete kowalski
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def env(shell: Shell) -> dict[str, str]:
    """The environment of somebody who types, with `kowalski` on PATH."""
    (shell.folder / "notes.md").write_text(NOTES)
    (shell.folder / "data.csv").write_text("")
    (shell.folder / "deep").mkdir(exist_ok=True)
    path = f"{Path(KOWALSKI).parent}{os.pathsep}{shell.env['PATH']}"
    return {**shell.env, "PATH": path, "TERM": "xterm", "HOME": str(shell.folder)}


def offered(shell: Shell, env: dict[str, str], line: str) -> set[str]:
    """What bash would offer at the end of `line`."""
    done = subprocess.run(
        ["bash", "-c", PRESS_TAB, "bash", line],
        cwd=shell.folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return {word.strip() for word in done.stdout.splitlines()}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kowalski ru", {"run", "runs"}),
        ("kowalski run ", {"notes.md", "deep/"}),
        ("kowalski run --keep", {"--keep-files", "--keep-going"}),
        ("kowalski run notes.md --block lo", {"load", "loud"}),
        ("kowalski run none.md --block lo", {""}),
        ("kowalski exec -l ja", {"java", "javascript"}),
        ("kowalski exec notes.md --of da", {"data.csv"}),
        ("kowalski exec notes.md --time", {""}),
        ("kowalski completion ", {"bash", "fish", "zsh"}),
        ("kowalski mcp --no-", {"--no-folder", "--no-net"}),
        ("kowalski nonsense ", {""}),
    ],
)
def test_it_offers_what_can_stand_there(
    shell: Shell, env: dict[str, str], line: str, words: set[str]
) -> None:
    assert offered(shell, env, line) == words


def test_sessions_and_runs_are_offered_by_an_agent_that_runs(
    shell: Shell, env: dict[str, str]
) -> None:
    shell.kowalski("exec", "-l", "python", "-s", "evening", "-c", "1")

    assert offered(shell, env, "kowalski sessions end eve") == {"evening"}
    assert "last" in offered(shell, env, "kowalski runs show ")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_offers_the_same(shell: Shell, env: dict[str, str]) -> None:
    script = "kowalski completion fish | source; complete -C 'kowalski run notes.md --block lo'"
    done = subprocess.run(
        ["fish", "-c", script],
        cwd=shell.folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == ["load\tline 1, python", "loud\tline 5, bash"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_what_is_typed(shell: Shell, env: dict[str, str]) -> None:
    written = shell.line(f"kowalski completion zsh > {shlex.quote(str(shell.folder / '.zshrc'))}")
    assert written.returncode == 0
    ours, theirs = pty.openpty()
    screen = Screen(ours, columns=80)
    shell.screens.append(screen)
    with os.fdopen(theirs, "wb") as terminal:
        screen.process = subprocess.Popen(
            ["zsh", "-i"],
            cwd=shell.folder,
            env={**env, "PS1": "ready> ", "ZDOTDIR": str(shell.folder)},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
    screen.wait_for("ready>")
    screen.press(b"kowalski blocks not\t")
    screen.wait_for(r"notes\.md")
    screen.press(b"\n")
    screen.wait_for("loud")
    screen.press(b"exit\n")
    assert screen.finish() == 0
