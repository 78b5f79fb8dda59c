"""Which Python is found for a folder, and what is said where none is or a package is missing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine
from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.python import Python
from kowalski.model.event import ProgramError
from kowalski.model.run import RunRequest, Toolchain, Workspace

if TYPE_CHECKING:
    from kowalski.execution.languages.language import Interpreter


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def _installed(prefix: Path, version: str = "3.11", library: str = "lib") -> Path:
    """A folder that looks like an installed Python; running it would leave a mark."""
    binary = prefix / "bin" / f"python{version}"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\ntouch {prefix}/executed\n")
    binary.chmod(0o755)
    standard = prefix / library / f"python{version}"
    standard.mkdir(parents=True)
    (standard / "os.py").touch()
    for name in ("python3", "python"):
        (binary.parent / name).symlink_to(binary.name)
    return binary


def _environment(folder: Path, target: Path, config: str = "") -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(target)
    (folder / "bin" / "python3").symlink_to("python")
    (folder / "pyvenv.cfg").write_text(f"home = {target.parent}\n{config}")
    return folder


def _found(workspace: Path | None, *path: Path, virtual_env: Path | None = None) -> Interpreter:
    toolchain = Toolchain(
        ":".join(map(str, path)) or "/nowhere", str(virtual_env) if virtual_env else None
    )
    return Python().locate(toolchain, str(workspace) if workspace else None)


def test_path_is_searched_in_order_and_nothing_is_executed(tmp_path: Path) -> None:
    first, second = _installed(tmp_path / "a"), _installed(tmp_path / "b", "3.12")
    found = _found(None, first.parent, second.parent)
    assert (found.path, found.source) == (str(first.parent / "python3"), "PATH")
    assert found.prefixes == (str(tmp_path / "a"),)
    assert found.env["PATH"].startswith(f"{first.parent}:")
    assert not list(tmp_path.glob("*/executed"))


def test_the_folders_own_environment_comes_before_all_others(
    tmp_path: Path, workspace: Path
) -> None:
    base = _installed(tmp_path / "base")
    own = _environment(workspace / ".venv", base)
    other = _environment(tmp_path / "other", base)
    found = _found(workspace, base.parent, virtual_env=other)
    assert (found.path, found.source) == (f"{own}/bin/python", "the workspace's .venv")
    assert set(found.prefixes) == {str(tmp_path / "base"), str(own)}
    assert found.env["VIRTUAL_ENV"] == str(own)
    found = _found(None, base.parent, virtual_env=other)
    assert (found.path, found.source) == (f"{other}/bin/python", "VIRTUAL_ENV")
    assert not list(tmp_path.glob("*/executed"))


def test_an_environment_whose_interpreter_is_gone_is_passed_over(
    tmp_path: Path, workspace: Path
) -> None:
    base = _installed(tmp_path / "base")
    _environment(workspace / ".venv", tmp_path / "gone" / "bin" / "python3")
    found = _found(workspace, base.parent)
    assert found.source == "PATH"
    (note,) = found.notes
    assert f"{workspace}/.venv/bin/python does not lead to an interpreter" in note
    assert found.path in note
    with pytest.raises(LanguageUnavailable, match=r"\.venv/bin/python does not lead to an interp"):
        _found(workspace)


async def test_a_run_says_that_the_folders_environment_was_passed_over(
    tmp_path: Path, workspace: Path
) -> None:
    _environment(workspace / ".venv", tmp_path / "gone" / "bin" / "python3")
    request = RunRequest(language="python", code="1", workspace=Workspace(str(workspace)))
    async with Engine(embedded=True) as engine:
        result = await engine.run(request)
    assert result.ok
    assert any(".venv/bin/python does not lead to an" in note for note in result.notes)


def test_an_environment_on_path_is_one_without_being_named(tmp_path: Path) -> None:
    environment = _environment(tmp_path / "environment", _installed(tmp_path / "base"))
    found = _found(None, environment / "bin")
    assert found.env["VIRTUAL_ENV"] == str(environment)
    assert str(environment) in found.prefixes


@pytest.mark.parametrize(("version", "library"), [("3.14t", "lib"), ("3.12", "lib64")])
def test_other_shapes_of_installations_are_known(
    tmp_path: Path, version: str, library: str
) -> None:
    assert _found(None, _installed(tmp_path / "a", version, library).parent).path


@pytest.mark.parametrize("version", ["3.7", "3.6", "2.7"])
def test_a_python_that_is_too_old_is_passed_over(tmp_path: Path, version: str) -> None:
    old = _installed(tmp_path / "old", version)
    good = _installed(tmp_path / "good")
    assert _found(None, old.parent, good.parent).path == f"{good.parent}/python3"
    with pytest.raises(LanguageUnavailable, match=r"no standard library of Python 3\.8 or newer"):
        _found(None, old.parent)


def test_a_file_that_may_not_be_executed_is_no_interpreter(tmp_path: Path) -> None:
    binary = _installed(tmp_path / "a")
    binary.chmod(0o644)
    with pytest.raises(LanguageUnavailable, match="apt install python3"):
        _found(None, binary.parent)


@pytest.mark.parametrize("where", ["", "..", "../.."])
def test_a_home_is_never_shown_as_a_prefix(home: Path, where: str) -> None:
    place = Path(os.path.normpath(home / where))
    binary = _installed(place)
    with pytest.raises(LanguageUnavailable, match="which no code may see as a whole"):
        _found(None, binary.parent)


def test_links_that_lead_through_what_no_sandbox_shows_are_gone_around(
    tmp_path: Path, home: Path, workspace: Path
) -> None:
    """As uv does it: a link in `~/.local/bin`, and one between versions of an interpreter."""
    real = _installed(home / "uv" / "cpython-3.12.9", "3.12")
    (home / "uv" / "cpython-3.12").symlink_to("cpython-3.12.9")
    links = home / ".local" / "bin"
    links.mkdir(parents=True)
    (links / "python3").symlink_to(home / "uv" / "cpython-3.12" / "bin" / "python3.12")
    found = _found(None, links)
    assert (found.path, found.prefixes) == (str(real), (str(real.parent.parent),))
    target = home / "uv" / "cpython-3.12" / "bin" / "python3.12"
    environment = _environment(workspace / ".venv", target)
    found = _found(workspace)
    assert (found.path, found.source) == (str(real), "the workspace's .venv")
    assert found.env["KOWALSKI_ENVIRONMENT"] == str(environment)
    assert all(os.path.realpath(prefix) == prefix for prefix in found.prefixes)


def test_an_environment_that_is_a_link_itself_is_shown_where_it_is(
    tmp_path: Path, workspace: Path
) -> None:
    kept = _environment(tmp_path / "kept", _installed(tmp_path / "base"))
    (workspace / ".venv").symlink_to(kept)
    found = _found(workspace)
    assert found.path == f"{kept}/bin/python"
    assert str(kept) in found.prefixes


def _pyenv(root: Path, *versions: str) -> Path:
    for version in versions:
        _installed(root / "versions" / version, ".".join(version.split(".")[:2]))
    shims = root / "shims"
    shims.mkdir(parents=True)
    (shims / "python3").write_text(f"#!/bin/sh\ntouch {root}/executed\n")
    (shims / "python3").chmod(0o755)
    return shims


@pytest.mark.parametrize(
    ("chosen", "version"),
    [
        ("3.10.13\n", "3.10.13"),
        ("3.12\n", "3.12.10"),
        ("3.99.1\n3.10.13\n", "3.10.13"),
        ("../../../etc\n", "3.13.0"),
        ("", "3.13.0"),
        (None, "3.13.0"),
    ],
)
def test_shims_of_pyenv_are_seen_through_without_running_them(
    tmp_path: Path, workspace: Path, chosen: str | None, version: str
) -> None:
    shims = _pyenv(tmp_path / "pyenv", "3.10.13", "3.12.2", "3.12.10", "3.13.0")
    if chosen is not None:
        (workspace / ".python-version").write_text(chosen)
    inner = workspace / "inner"
    inner.mkdir()
    found = _found(inner, shims)
    assert found.path == f"{tmp_path}/pyenv/versions/{version}/bin/python3"
    assert not (tmp_path / "pyenv" / "executed").exists()


def test_the_version_that_pyenv_takes_for_all_folders_is_taken(tmp_path: Path) -> None:
    shims = _pyenv(tmp_path / "pyenv", "3.10.13", "3.13.0")
    (tmp_path / "pyenv" / "version").write_text("3.10.13\n")
    assert "3.10.13" in _found(None, shims).path


def test_a_folder_that_chose_the_systems_python_gets_what_comes_next_on_path(
    tmp_path: Path, workspace: Path
) -> None:
    shims = _pyenv(tmp_path / "pyenv", "3.13.0")
    (workspace / ".python-version").write_text("system\n")
    other = _installed(tmp_path / "other")
    assert _found(workspace, shims, other.parent).path == f"{other.parent}/python3"


def test_shims_of_asdf_are_seen_through(tmp_path: Path, workspace: Path) -> None:
    root = tmp_path / "asdf"
    _installed(root / "installs" / "python" / "3.11.4")
    _installed(root / "installs" / "python" / "3.12.1", "3.12")
    (root / "shims").mkdir()
    (root / "shims" / "python3").touch(0o755)
    (workspace / ".tool-versions").write_text("nodejs 20.1.0\npython 3.11.4\n")
    assert "installs/python/3.11.4/" in _found(workspace, root / "shims").path


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_a_hostile_version_file_neither_blocks_nor_fails(
    tmp_path: Path, workspace: Path, kind: str
) -> None:
    file = workspace / ".python-version"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(file)
    shims = _pyenv(tmp_path / "pyenv", "3.13.0")
    assert "3.13.0" in _found(workspace, shims).path


def test_what_pip_installed_for_the_user_is_shown(tmp_path: Path, home: Path) -> None:
    site = home / ".local" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    base = _installed(tmp_path / "base")
    found = _found(None, base.parent)
    assert str(site) in found.prefixes
    assert found.env["KOWALSKI_USER_SITE"] == str(site)
    environment = _environment(tmp_path / "environment", base)
    assert str(site) not in _found(None, virtual_env=environment).prefixes


def _hint(interpreter: Interpreter, module: str) -> str:
    error = ProgramError(type="ModuleNotFoundError", message=f"No module named {module!r}")
    hint = Python().explain(error, interpreter, "", "<code>").hint
    assert hint is not None
    return hint


def test_a_missing_module_is_named_with_the_exact_line_that_installs_it(tmp_path: Path) -> None:
    base = _installed(tmp_path / "base")
    by_pip = _found(None, virtual_env=_environment(tmp_path / "by pip", base))
    assert f"'{tmp_path}/by pip/bin/python' -m pip install numpy" in _hint(by_pip, "numpy.linalg")
    by_uv = _found(None, virtual_env=_environment(tmp_path / "by_uv", base, "uv = 0.9.0\n"))
    command = f"uv pip install --python {tmp_path}/by_uv/bin/python pyyaml"
    assert command in _hint(by_uv, "yaml")
    on_path = _found(None, base.parent)
    assert "python3 -m venv .venv && .venv/bin/python -m pip install x" in _hint(on_path, "x")


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    found = _found(None, _installed(tmp_path / "a").parent)
    error = ProgramError(type="ValueError", message="no 'module'")
    assert Python().explain(error, found, "", "<code>") is error


async def test_an_environment_of_uvs_shape_works_in_a_sandbox(
    tmp_path: Path, workspace: Path
) -> None:
    real = Path(sys.executable).resolve()
    (tmp_path / "linked").symlink_to(real.parent.parent)
    environment = _environment(workspace / ".venv", tmp_path / "linked" / "bin" / real.name)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "only_here.py").write_text("answer = 42\n")
    async with Engine(embedded=True, home=tmp_path / "engine") as engine:
        code = "import only_here, sys; (only_here.answer, sys.prefix)"
        place = Workspace(str(workspace))
        result = await engine.run(RunRequest(language="python", code=code, workspace=place))
    assert result.value == repr((42, str(environment)))
