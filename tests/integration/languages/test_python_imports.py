"""The Python kernel: what programs can import."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from integration.languages.python_process import start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.languages.kernel_process import KernelProcess


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with a package, a `.pth` file and a distribution."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    (packages / "installed_here.py").write_text("answer = 42\n")
    (packages / "further.pth").write_text(
        f"{tmp_path / 'elsewhere'}\nimport sys; sys.pth_ran = 1\n"
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "by_pth.py").write_text("answer = 43\n")
    (packages / "thing-1.5.dist-info").mkdir()
    (packages / "thing-1.5.dist-info" / "METADATA").write_text("Name: thing\nVersion: 1.5\n")
    return folder


@pytest.fixture
def inside(environment: Path, tmp_path: Path) -> Iterator[KernelProcess]:
    """A kernel in that environment."""
    process = start(tmp_path, str(environment / "bin" / "python"))
    yield process
    process.close()


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("import installed_here; installed_here.answer", "42"),
        ("import by_pth; by_pth.answer", "43"),
        ("import by_pth, sys; sys.pth_ran", "1"),
        ("from importlib.metadata import version; version('thing')", "'1.5'"),
        ("import pkgutil; any(m.name == 'by_pth' for m in pkgutil.iter_modules())", "True"),
        ("import sys; sys.prefix.rpartition('/')[2]", "'environment'"),
        ("import sys; sum('site-packages' in p for p in sys.path)", "1"),
        ("import sys; sys.path[0]", "''"),
        ("import runpy; runpy.run_module('by_pth')['answer']", "43"),
    ],
)
def test_installed_packages_are_found_however_they_are_looked_for(
    inside: KernelProcess, code: str, value: str
) -> None:
    assert inside.run(code).value == value


def test_a_kernel_that_is_told_its_environment_needs_no_link_to_it(
    environment: Path, tmp_path: Path
) -> None:
    real = str(Path(sys.executable).resolve())
    process = start(tmp_path, real, {"KOWALSKI_ENVIRONMENT": str(environment)})
    try:
        told = process.run("import installed_here, sys, os\n(sys.prefix, sys.executable)")
        assert told.value == repr((str(environment), f"{environment}/bin/python"))
        assert process.run("[n for n in os.environ if 'KOWALSKI' in n]").value == "[]"
    finally:
        process.close()


def test_what_pip_installed_for_the_user_is_found(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    (site / "for_me.py").write_text("x = 7\n")
    real = str(Path(sys.executable).resolve())
    process = start(tmp_path, real, {"KOWALSKI_USER_SITE": str(site)})
    try:
        assert process.run("import for_me; for_me.x").value == "7"
    finally:
        process.close()


def test_modules_of_the_working_folder_come_first_and_follow_it(
    python: KernelProcess, tmp_path: Path
) -> None:
    (tmp_path / "colorsys.py").write_text("mine = True\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deeper.py").write_text("mine = 2\n")
    assert python.run("import colorsys; colorsys.mine").value == "True"
    assert python.run("import os; os.chdir('sub'); import deeper; deeper.mine").value == "2"


def test_files_with_names_of_standard_modules_do_not_disturb_the_kernel(
    python: KernelProcess, tmp_path: Path
) -> None:
    for name in ("json", "re", "select", "enum", "functools", "traceback", "linecache", "site"):
        (tmp_path / f"{name}.py").write_text("raise OSError('not the module you meant')\n")
    assert python.run("import json").error_message == "not the module you meant"
    (tmp_path / "json.py").write_text("mine = True\n")
    assert python.run("import json; json.mine").value == "True"
    assert python.run("ask([1])", functions={"ask": lambda x: x}).value == "[1]"
    assert python.run("1 / 0").error_type == "ZeroDivisionError"
    assert python.run("import not_there_at_all").error_type == "ModuleNotFoundError"
    assert "json" not in python.variables()
    assert python.run("json.mine").value == "True"


def test_a_program_sees_no_module_of_the_kernel(python: KernelProcess) -> None:
    code = "import sys\n[m for m in sys.modules if 'kernel' in m or m.startswith('python_')]"
    assert python.run(code).value == "[]"


def test_nothing_installed_is_looked_at_before_it_is_wanted(python: KernelProcess) -> None:
    code = "import math, collections, json, subprocess\n'site' in __import__('sys').modules"
    assert python.run(code).value == "False"


def test_help_is_there(python: KernelProcess) -> None:
    assert "built-in function" in python.run("help(len)").stdout
