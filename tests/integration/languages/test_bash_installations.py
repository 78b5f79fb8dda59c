"""Which Bash is found, what it sees of the folder's Python, and how its errors are explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.bash import Bash
from kowalski.execution.languages.language import Interpreter
from kowalski.model.event import ProgramError
from kowalski.model.run import Toolchain

if TYPE_CHECKING:
    from pathlib import Path


def _installed(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "bash").touch(0o755)
    return folder


def test_the_first_on_path_is_taken_with_the_folder_it_is_in(tmp_path: Path) -> None:
    first, second = _installed(tmp_path / "a" / "bin"), _installed(tmp_path / "b" / "bin")
    found = Bash().locate(Toolchain(f"/nowhere:relative:{first}:{second}"), None)
    assert (found.path, found.source) == (f"{first}/bash", "PATH")
    assert found.prefixes == (str(tmp_path / "a"),)


def test_one_in_a_home_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    inside = _installed(tmp_path / "bin")
    with pytest.raises(LanguageUnavailable, match="apt install bash"):
        Bash().locate(Toolchain(str(inside)), None)


def test_python_is_that_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    found = Bash().locate(Toolchain("/usr/bin:/bin"), str(tmp_path))
    assert found.env["PATH"].startswith(f"{tmp_path}/.venv/bin:")
    assert str(tmp_path / ".venv") in found.prefixes


@pytest.mark.parametrize(
    ("stderr", "line", "kind", "message"),
    [
        (
            "code: line 3: syntax error near unexpected token `)'\ncode: line 3: `)'\n",
            None,
            "SyntaxError",
            "syntax error near unexpected token `)'",
        ),
        (
            "notes.md[a: b]: line 3: unexpected EOF while looking for matching `''\n",
            None,
            "SyntaxError",
            "unexpected EOF while looking for matching `''",
        ),
        (
            "code: line 3: nope: unbound variable\n",
            None,
            "ExitStatus",
            "nope: unbound variable (exit status 2)",
        ),
        (
            "code: line 1: one: command not found\ncode: line 3: jq: command not found\n",
            3,
            "ExitStatus",
            "jq: command not found (exit status 2)",
        ),
        ("noise\n", 3, "ExitStatus", "cmd: exit status 2"),
        ("code: line 1: x: command not found\n", 3, "ExitStatus", "cmd: exit status 2"),
    ],
)
def test_what_bash_only_prints_becomes_the_error(
    stderr: str, line: int | None, kind: str, message: str
) -> None:
    error = ProgramError(type="ExitStatus", message="cmd: exit status 2", line=line)
    label = stderr.partition(": line")[0]
    told = Bash().explain(error, Interpreter("bash", "/bin/bash", (), "PATH"), stderr, label)
    assert (told.type, told.message, told.line) == (kind, message, 3)
    assert (told.hint is not None) == ("jq" in message)
