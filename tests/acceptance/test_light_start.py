"""What a command does not need, it does not import."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

HEAVY = {"asyncio", "httpx2", "markdown_it", "mcp", "pydantic", "sqlite3"}


def _imported_by(*command: str) -> set[str]:
    # Measuring coverage would import a good deal of its own.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    program = [sys.executable, "-X", "importtime", *command]
    done = subprocess.run(program, env=env, capture_output=True, text=True, check=True)
    return set(re.findall(r"^import time:.*\| +(\w+)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_a_command_that_runs_nothing_imports_nothing_heavy(argument: str) -> None:
    assert _imported_by("-m", "kowalski_cli", argument) & HEAVY == set()


def test_the_names_of_the_model_cost_nothing_heavy() -> None:
    assert _imported_by("-c", "import kowalski.model.run, kowalski.errors") & HEAVY == set()


def test_heavy_imports_would_be_seen() -> None:
    assert "pydantic" in _imported_by("-c", "import pydantic")
