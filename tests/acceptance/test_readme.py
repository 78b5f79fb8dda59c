"""The README's Python examples do what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def output_of(code: str, home: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code], env=home, capture_output=True, text=True, check=True
    )
    return ran.stdout


def test_the_script_prints_the_value(home: dict[str, str]) -> None:
    assert output_of(EXAMPLES[0], home) == "45\n"


def test_the_program_follows_the_run_to_its_end(home: dict[str, str]) -> None:
    assert output_of(EXAMPLES[1], home) == "0\n1\n2\nok\n"


def test_every_page_that_it_links_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", TEXT)
    missing = [link for link in links if not (README.parent / link).exists()]
    assert missing == []


def test_its_commands_need_nothing_but_the_clone_after_the_demo(home: dict[str, str]) -> None:
    (commands,) = [
        block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "exec" in block
    ]
    env = {**home, "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=README.parent, env=env, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "\n42\n" in done.stdout


def test_assistants_are_told_a_program_that_the_demo_has_made() -> None:
    named = set(re.findall(r"/path/to/kowalski(/[\w./-]+)", TEXT))

    assert named
    assert all(Path(f"{README.parent}{path}").is_file() for path in named)
