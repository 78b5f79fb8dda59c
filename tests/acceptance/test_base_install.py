"""What `pip install kowalski-rlm` brings: little, and enough."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MOST_PACKAGES = 50
MOST_BYTES = 80_000_000


def _uv(*arguments: str, **env: str) -> None:
    # `uv run` says which uv it is.
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv is not None, "uv is not on PATH: run `make setup`"
    subprocess.run(
        [uv, *arguments], cwd=PROJECT, env={**os.environ, **env}, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    _uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", str(folder))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with that wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    _uv("venv", "--python", sys.executable, str(folder))
    locked = ("--frozen", "--no-default-groups", "--no-install-project")
    _uv("sync", *locked, UV_PROJECT_ENVIRONMENT=str(folder))
    _uv("pip", "install", "--no-deps", "--python", str(folder / "bin" / "python"), str(wheel))
    return folder


def test_it_stays_small(environment: Path) -> None:
    packages = list(environment.rglob("*.dist-info"))
    size = sum(path.lstat().st_size for path in environment.rglob("*") if not path.is_dir())

    assert 0 < len(packages) <= MOST_PACKAGES
    assert 0 < size < MOST_BYTES


def test_it_has_both_commands(environment: Path) -> None:
    for command in (["kowalski", "--version"], ["kowalski-mcp", "--help"]):
        program = environment / "bin" / command[0]
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=True)
        assert done.stdout.strip()


def test_it_has_the_programs_that_live_inside_sandboxes(wheel: Path) -> None:
    kernels = Path("kowalski/execution/kernels")
    here = {path.name for path in (PROJECT / "core" / kernels).iterdir() if path.is_file()}

    with zipfile.ZipFile(wheel) as archive:
        packed = {Path(name).name for name in archive.namelist() if Path(name).parent == kernels}

    assert here
    assert packed == here


def test_it_carries_nothing_of_the_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {Path(name).parts[0] for name in archive.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "kowalski",
        "kowalski_cli",
        "kowalski_mcp",
    }
