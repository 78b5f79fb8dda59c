"""Blocks of Rust that need crates, with cargo and crates within the folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from integration.languages.rust_process import start
from kowalski.execution.languages.rust import Rust
from kowalski.model.run import Toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integration.languages.kernel_process import KernelProcess, Told

MANIFEST = '---cargo\n[dependencies]\nmine = { path = "mine" }\n---\n'
LEADING = {
    "CARGO_HOME": "/nowhere",
    "RUSTC_WRAPPER": "/bin/false",
    "CARGO_BUILD_TARGET": "nonsense",
    "CARGO_PKG_NAME": "theirs",
}
"""Variables that would lead cargo, had it them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crates")
    (folder / "data.txt").write_text("included")
    _crate(folder / "mine", 'pub fn answer() -> &\'static str { "42" }')
    return folder


@pytest.fixture(scope="module")
def rust(folder: Path) -> Iterator[KernelProcess]:
    process = start(folder, os.environ["PATH"], LEADING)
    yield process
    process.close()


def _crate(folder: Path, code: str, build_script: str = "") -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").write_text(code)
    (folder / "Cargo.toml").write_text(f'[package]\nname = "{folder.name}"\nversion = "1.2.3"\n')
    if build_script:
        (folder / "build.rs").write_text(build_script)


def _run(rust: KernelProcess, code: str, how: str = "network") -> Told:
    rust.send("build", how, "", "")
    return rust.run(code)


def _place(told: Told) -> tuple[str, int | None]:
    return told.error_type, told.error_place[0]


def test_a_block_uses_the_crates_of_its_manifest_and_the_files_beside_it(
    rust: KernelProcess,
) -> None:
    told = _run(rust, MANIFEST + 'print!("{} {}", mine::answer(), include_str!("data.txt"));')
    assert (told.stdout, told.stderr, told.exit_code) == ("42 included", "", 0), told


def test_what_cargo_is_at_is_told_and_is_no_output(folder: Path, tmp_path: Path) -> None:
    process = _toolchain(tmp_path, 'echo "warning: not of work" >&2\nexec REAL "$@"\n')
    code = MANIFEST.replace('"mine"', f'"{folder}/mine"') + "mine::answer();"
    told = _run(process, code)
    assert [frame.text(0) for frame in told.steps if "Compiling" in frame.text(0)] == [
        f"Compiling mine v1.2.3 ({folder}/mine)",
        "Compiling code v0.0.0",
    ]
    assert not any("warning" in frame.text(0) for frame in told.steps)
    assert (told.stdout, told.stderr, told.exit_code) == ("", "", 0), told
    broken = _run(process, code.replace("answer", "nothing"))
    assert "Compiling" not in broken.traceback
    failed = _run(process, code.replace(f'"{folder}/mine"', '"nowhere"'))
    process.close()
    assert "warning: not of work" in failed.traceback


def test_a_manifest_in_a_comment_counts_too_and_may_rename(rust: KernelProcess) -> None:
    manifest = '//! ```cargo\n//! [dependencies.other]\n//! package = "mine"\n//! path = "mine"\n'
    told = _run(rust, manifest + '//! ```\nprint!("{}", other::answer());')
    assert (told.stdout, told.exit_code) == ("42", 0), told


def test_a_manifest_decides_on_the_edition_and_the_names_of_the_package(
    rust: KernelProcess,
) -> None:
    head = '---\n[package]\nname = "mine-too"\nedition = "2015"\n---\n'
    code = 'fn main() { let async = 1; print!("{} {}", async, env!("CARGO_PKG_NAME")); }'
    told = _run(rust, head + code)
    assert (told.stdout, told.exit_code) == ("1 mine-too", 0), told


def test_release_is_for_speed_with_crates_too(rust: KernelProcess) -> None:
    code = MANIFEST + 'print!("{} {}", mine::answer(), cfg!(debug_assertions));'
    assert _run(rust, code).stdout == "42 true"
    assert _run(rust, code, "network release").stdout == "42 false"


def test_an_error_beside_crates_has_its_place_in_the_block(rust: KernelProcess) -> None:
    told = _run(rust, MANIFEST + 'mine::answer();\nlet x: i32 = "a";\n')
    assert (told.error_type, *told.error_place) == ("E0308", 6, 14)


def test_an_error_within_a_crate_is_told_in_the_compilers_words(
    rust: KernelProcess, folder: Path
) -> None:
    _crate(folder / "broken", "pub fn f() -> i32 { missing }")
    told = _run(rust, MANIFEST.replace("mine", "broken"))
    assert told.error_type == "E0425"
    assert "broken/src/lib.rs:1:21" in told.traceback


def test_what_cargo_has_against_a_manifest_is_told_at_the_line_of_the_crate(
    rust: KernelProcess,
) -> None:
    told = _run(rust, MANIFEST.replace('"mine"', '"nowhere"'))
    assert _place(told) == ("CargoError", 3)
    assert "failed to load manifest for dependency `mine`" in told.error_message
    assert "nowhere/Cargo.toml" in told.traceback


def test_a_manifest_that_is_wrong_is_told_at_its_own_place(rust: KernelProcess) -> None:
    told = _run(rust, '---\npackage.edition = "2018"\n[dependencies]\nmine = = 1\n---\n')
    assert _place(told) == ("CargoError", 4)
    assert " --> block:4:8\n" in told.traceback
    assert "\n4 | mine = = 1\n" in told.traceback
    told = _run(rust, '---\n[dependencies]\nmine = "x.y"\n---\n')
    assert _place(told) == ("CargoError", 3)
    for own in ("Cargo.toml", "/rust."):
        assert own not in told.error_message + told.traceback


@pytest.mark.parametrize(
    ("code", "line", "crates"),
    [
        ('---\n[dependencies]\nserde = "1"\nrand.workspace = true\n---\n', 3, "(serde, rand)"),
        ('//! ```cargo\n//! [dependencies]\n//! time = "0.3"\n//! ```\n', 3, "(time)"),
        ("\nuse serde::Serialize;\nuse serde::Other;\nfn main() {}", 2, "(serde)"),
        ("extern crate rand;\nfn main() {}", 1, "(rand)"),
        ('let x = 1;\nlet y = serde_json::from_str("");\n', 2, "(serde_json)"),
    ],
    ids=["fenced", "comment", "use", "extern", "path"],
)
def test_without_the_network_the_crates_are_named(
    rust: KernelProcess, code: str, line: int, crates: str
) -> None:
    told = _run(rust, code, "")
    assert _place(told) == ("CratesUnavailable", line)
    assert crates in told.error_message


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("mod shapes {}\nfn main() { shape::f(); }", "E0433"),
        ("mod there {}\nuse there::Missing;\nfn main() {}", "E0432"),
    ],
    ids=["slip", "module"],
)
def test_what_is_no_crate_is_not_asked_of_cargo(rust: KernelProcess, code: str, error: str) -> None:
    assert _run(rust, code).error_type == error


def _files(rust: KernelProcess, code: str) -> tuple[str, bytes, list[str]]:
    told = _run(rust, code, "network tell only")
    built = told.compiled[-1]
    assert built.fields[0], told
    return built.kind, built.fields[0], [built.text(at) for at in range(2, len(built.fields))]


def test_the_files_of_a_crate_count_as_included(
    rust: KernelProcess, folder: Path, tmp_path: Path
) -> None:
    code = MANIFEST + 'print!("{}", mine::answer());'
    told, binary, files = _files(rust, code)
    assert told == "built"
    crate = folder / "mine"
    assert set(files[::2]) == {str(crate / "Cargo.toml"), str(crate / "src" / "lib.rs")}
    kept = tmp_path / "kept"
    kept.write_bytes(binary)
    text = (crate / "Cargo.toml").read_text()
    for changed, how in [(text, "kept"), (f"{text}description = 'x'\n", "built")]:
        (crate / "Cargo.toml").write_text(changed)
        rust.send("build", "network", str(kept), "", *files)
        assert [frame.kind for frame in rust.run(code).compiled] == [how]


def test_with_a_build_script_in_reach_a_program_is_not_kept(
    rust: KernelProcess, folder: Path
) -> None:
    told_by_script = 'fn main() { println!("cargo:rustc-env=SAID=by the script"); }'
    _crate(folder / "built", 'pub const SAID: &str = env!("SAID");', told_by_script)
    code = MANIFEST.replace("mine", "built") + 'print!("{}", built::SAID);'
    assert _run(rust, code).stdout == "by the script"
    told, _, files = _files(rust, code)
    assert (told, files) == ("passing", [])


def test_with_a_procedural_macro_in_reach_a_program_is_not_kept(
    rust: KernelProcess, folder: Path
) -> None:
    macro = "use proc_macro::TokenStream;\n#[proc_macro]\npub fn said(_: TokenStream) -> "
    _crate(folder / "macros", macro + 'TokenStream { "7".parse().unwrap() }')
    with (folder / "macros" / "Cargo.toml").open("a") as file:
        file.write('edition = "2021"\n[lib]\nproc-macro = true\n')
    code = MANIFEST.replace("mine", "macros") + 'print!("{}", macros::said!());'
    assert _run(rust, code).stdout == "7"
    told, _, files = _files(rust, code)
    assert (told, files) == ("passing", [])


def _toolchain(folder: Path, cargo: str) -> KernelProcess:
    """A toolchain with a `cargo` of its own, or none."""
    (folder / "bin").mkdir(parents=True)
    compiler = Rust().locate(Toolchain(os.environ["PATH"]), None).path
    programs = {"rustc": f'exec {compiler} "$@"\n'}
    if cargo:
        programs["cargo"] = cargo.replace("REAL", str(Path(compiler).with_name("cargo")))
    for name, script in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}")
        (folder / "bin" / name).chmod(0o755)
    return start(folder, str(folder / "bin"))


def test_crates_that_the_code_names_are_built_in_any_version(folder: Path, tmp_path: Path) -> None:
    to_path = f"""sed -i 's|"\\*"|{{ path = "{folder}/mine" }}|' Cargo.toml"""
    process = _toolchain(tmp_path, f'{to_path}\nexec REAL "$@"\n')
    told = _run(process, 'use mine::answer;\nprint!("{}", answer());')
    process.close()
    assert (told.stdout, told.exit_code) == ("42", 0), told


def test_a_crate_that_there_is_not_is_told_where_the_code_names_it(tmp_path: Path) -> None:
    error = "error: no matching package named `nosuch` found"
    process = _toolchain(tmp_path, f"echo '{error}' >&2\nexit 101\n")
    told = _run(process, "\nuse nosuch::a;\nfn main() {}")
    process.close()
    assert _place(told) == ("CargoError", 2)
    assert told.error_message == "no matching package named `nosuch` found"


def test_without_cargo_beside_the_compiler_it_is_said(tmp_path: Path) -> None:
    process = _toolchain(tmp_path, "")
    told = _run(process, "use serde::Serialize;\nfn main() {}")
    process.close()
    assert _place(told) == ("CargoUnavailable", 1)
    assert f"there is no {tmp_path}/bin/cargo" in told.error_message
