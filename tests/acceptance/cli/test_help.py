"""The help of `kowalski`, and the examples in it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kowalski_cli.catalogue import SUMMARIES

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.exo.cluster import ExoDouble
    from terminal.shell import Shell

HEAVY = {"httpx2", "markdown_it", "mcp", "pydantic", "sqlite3"}
LOOPED = {"anyio", "asyncio"}
ASKING = {"infer", "models"}
SMALL = "mlx-community/Qwen3-0.6B-4bit"
NOTES = """\
# Notes

```python {name=load}
words = "the quick brown fox".split()
open("words.txt", "w").write(" ".join(words))
```

```bash {name=plot needs=load}
cat words.txt
```
"""


@pytest.fixture
def project(folder: Path) -> Path:
    """A folder with what the examples speak of."""
    (folder / "notes.md").write_text(NOTES)
    (folder / "report.py").write_text("print('report')")
    (folder / "prompts.jsonl").write_text('"Name a colour."\n{"prompt": "Name a city."}\n')
    (folder.parent / "data").mkdir()
    return folder


def test_the_help_lists_every_command(shell: Shell) -> None:
    done = shell.kowalski("--help")

    assert done.returncode == 0
    for name, summary in SUMMARIES.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", done.stdout, re.MULTILINE)


def test_without_a_command_the_help_is_an_answer_to_a_mistake(shell: Shell) -> None:
    done = shell.kowalski()

    assert (done.stdout, done.returncode) == ("", 2)
    assert "usage: kowalski COMMAND" in done.stderr


def test_a_slip_is_understood(shell: Shell) -> None:
    done = shell.kowalski("rnu")

    assert done.returncode == 2
    assert "did you mean `kowalski run`?" in done.stderr


@pytest.mark.parametrize("name", sorted(SUMMARIES))
def test_the_help_of_a_command_fits_a_terminal(shell: Shell, name: str) -> None:
    done = shell.kowalski(name, "--help")

    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == shell.kowalski("help", name).stdout
    usage = done.stdout.partition("examples:")[0]
    assert max(map(len, usage.splitlines())) <= 80


@pytest.mark.parametrize("name", sorted(set(SUMMARIES) - {"mcp"}))
def test_its_examples_work(
    shell: Shell, project: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if name in ASKING:
        request.getfixturevalue("studio")
    if name == "models":
        rack: ExoDouble = request.getfixturevalue("rack")
        rack.catalogue |= {SMALL}
        rack.downloaded |= {SMALL}
    shell.kowalski("exec", "-l", "python", "-s", "work", "-c", "x = 1", "--no-workspace")
    examples = re.findall(r"^  (.*kowalski .*)$", shell.kowalski(name, "--help").stdout, re.M)
    assert examples

    for example in examples:
        done = shell.line(example)
        assert done.returncode == 0, (example, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("words", "never"),
    [
        (("--version",), HEAVY | LOOPED | {"argparse", "json"}),
        (("--help",), HEAVY | LOOPED | {"argparse", "json"}),
        (("exec", "--help"), HEAVY),
        (("exec", "-l", "python", "-c", "1"), HEAVY),
        (("infer", "--help"), HEAVY),
        (("servers",), HEAVY),
        (("allow",), HEAVY | LOOPED),
        (("blocks", "notes.md"), HEAVY - {"markdown_it"}),
        (("run", "notes.md"), HEAVY - {"markdown_it"}),
    ],
)
def test_a_command_loads_only_what_it_needs(
    shell: Shell, project: Path, words: tuple[str, ...], never: set[str]
) -> None:
    # Measuring coverage loads modules of its own.
    env = {name: value for name, value in shell.env.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kowalski_cli", *words],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(re.findall(r"^import time:.*\| +(\w+)$", done.stderr, re.MULTILINE))
    assert "kowalski" in loaded
    assert loaded & never == set()
