"""Which compiler of Rust is found, and how its errors are explained."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kowalski.errors import LanguageUnavailable
from kowalski.execution.languages.language import Interpreter
from kowalski.execution.languages.rust import Rust
from kowalski.model.event import ProgramError
from kowalski.model.run import Toolchain

if TYPE_CHECKING:
    from pathlib import Path

RUSTC = Interpreter("rust", "/opt/rust/bin/rustc", (), "PATH")


def _installed(prefix: Path) -> Path:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "rustc").touch(0o755)
    return prefix / "bin"


@pytest.fixture
def shims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """rustup with the toolchains `stable` and `1.85.0`, of which the first is the default."""
    home = tmp_path / "home"
    shims = _installed(home / ".cargo")
    (shims / "rustc").rename(shims / "rustup")
    (shims / "rustc").symlink_to("rustup")
    for name in ("stable", "1.85.0"):
        _installed(home / ".rustup" / "toolchains" / f"{name}-x86_64-unknown-linux-gnu")
    (home / ".rustup" / "settings.toml").write_text('default_toolchain = "stable"\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("RUSTUP_HOME", raising=False)
    monkeypatch.delenv("RUSTUP_TOOLCHAIN", raising=False)
    return shims


def _toolchain(shims: Path, workspace: Path | None = None) -> str:
    """The name of the toolchain that is taken; all of it is shown, and nothing besides."""
    found = Rust().locate(Toolchain(str(shims)), str(workspace) if workspace else None)
    (prefix,) = found.prefixes
    assert found.path == f"{prefix}/bin/rustc"
    return prefix.rpartition("/")[2].partition("-")[0]


def test_the_first_on_path_is_taken_with_the_folder_it_is_in(tmp_path: Path) -> None:
    first, second = _installed(tmp_path / "a"), _installed(tmp_path / "b")
    found = Rust().locate(Toolchain(f"/nowhere:relative:{first}:{second}"), None)
    assert (found.path, found.prefixes) == (f"{first}/rustc", (str(tmp_path / "a"),))


def test_another_compiler_at_the_same_path_is_another_one(tmp_path: Path) -> None:
    path = _installed(tmp_path / "a")
    before = Rust().locate(Toolchain(str(path)), None)
    (path / "new").write_text("newer")
    (path / "new").chmod(0o755)
    (path / "new").rename(path / "rustc")
    after = Rust().locate(Toolchain(str(path)), None)
    assert before.path == after.path
    assert before.identity != after.identity


def test_behind_rustups_shim_is_the_default(shims: Path) -> None:
    assert _toolchain(shims) == "stable"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rust-toolchain", "1.85.0\n"),
        ("rust-toolchain", '[toolchain]\nchannel = "1.85.0"\n'),
        ("rust-toolchain.toml", "[toolchain]\nchannel = '1.85.0'\n"),
    ],
)
def test_a_folder_chooses_its_toolchain(shims: Path, tmp_path: Path, name: str, text: str) -> None:
    folder = tmp_path / "project" / "inner"
    folder.mkdir(parents=True)
    (tmp_path / "project" / name).write_text(text)
    assert _toolchain(shims, folder) == "1.85.0"


def test_a_variable_outweighs_the_folder(
    shims: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rust-toolchain").write_text("stable\n")
    monkeypatch.setenv("RUSTUP_TOOLCHAIN", "1.85.0")
    assert _toolchain(shims, tmp_path) == "1.85.0"


@pytest.mark.parametrize("name", ["1.60.0", "../../elsewhere", "/", "*"])
def test_a_toolchain_that_is_not_there_is_named(shims: Path, tmp_path: Path, name: str) -> None:
    _installed(tmp_path / "home" / "elsewhere")
    (tmp_path / "rust-toolchain").write_text(f"{name}\n")
    with pytest.raises(LanguageUnavailable, match="not installed"):
        Rust().locate(Toolchain(str(shims)), str(tmp_path))


def test_without_a_compiler_it_is_said_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(LanguageUnavailable, match="apt install rustc gcc"):
        Rust().locate(Toolchain(str(tmp_path)), None)


def test_nothing_that_is_found_is_executed(tmp_path: Path) -> None:
    path = _installed(tmp_path / "a")
    (path / "rustc").write_text(f"#!/bin/sh\ntouch {tmp_path}/executed\n")
    Rust().locate(Toolchain(str(path)), None)
    assert not os.path.lexists(tmp_path / "executed")


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        (
            "noise\n\nthread 'main' (7) panicked at <code>:1:60:\nfirst\nsecond\nnote: run with "
            "`RUST_BACKTRACE=1` environment variable to display a backtrace\n",
            ("panic", "first\nsecond", 1, 10),
        ),
        (
            "thread 'main' panicked at <code>:3:60:\nolder\nstack backtrace:\n   0: x\n",
            ("panic", "older", 3, 60),
        ),
        (
            "thread 'a' panicked at <code>:2:1:\na\nthread 'main' panicked at <code>:4:2:\nb\n",
            ("panic", "b", 4, 2),
        ),
        (
            "thread 'main' panicked at 'told by Rust 1.63', <code>:1:60\nnote: run with x\n",
            ("panic", "told by Rust 1.63", 1, 10),
        ),
        ("nothing that is a panic\n", ("ExitStatus", "exit status 101", None, None)),
    ],
)
def test_a_panic_is_read_from_what_it_printed(
    stderr: str, told: tuple[str, str, int | None, int | None]
) -> None:
    moved = ProgramError(type="ExitStatus", message="exit status 101", line=1, column=50)
    error = Rust().explain(moved, RUSTC, stderr, "<code>")
    assert (error.type, error.message, error.line, error.column) == told


def test_without_cargo_it_is_said_how_to_get_it() -> None:
    hint = (
        Rust().explain(ProgramError(type="CargoUnavailable", message=""), RUSTC, "", "<code>").hint
    )
    assert "/opt/rust/bin/rustc has no cargo beside it. Install one" in str(hint)
