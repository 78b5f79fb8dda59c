"""The README's Python examples do what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


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
    links = re.findall(r"\]\((?!http)([^)#]+)", README.read_text(encoding="utf-8"))
    missing = [link for link in links if not (README.parent / link).exists()]
    assert missing == []
