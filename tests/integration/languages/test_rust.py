"""Blocks of Rust: what they may look like, how they end, and what their compiler says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from integration.languages.rust_process import start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integration.languages.kernel_process import KernelProcess, Told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rust")


@pytest.fixture(scope="module")
def rust(folder: Path) -> Iterator[KernelProcess]:
    process = start(folder, os.environ["PATH"], {"GRANTED": "secret", "RUSTFLAGS": "--nonsense"})
    yield process
    process.close()


def _place(told: Told) -> tuple[str, int | None, int | None]:
    return told.error_type, *told.error_place


def test_the_version_is_told(rust: KernelProcess) -> None:
    assert rust.hello is not None
    assert rust.hello.text(0).startswith("1.")


@pytest.mark.parametrize(
    "code",
    [
        'println!("42")',
        'fn main() { println!("42"); }',
        '#!/usr/bin/env rust\n#![allow(unused)]\n//! About.\nlet x = 42;\nprintln!("{x}")',
        "use std::fmt;\nstruct A;\nimpl fmt::Display for A {\n"
        '    fn fmt(&self, f: &mut fmt::Formatter<\'_>) -> fmt::Result { write!(f, "42") }\n}\n'
        'println!("{A}");',
        'mod inner { pub fn answer() -> &\'static str { "42" } }\nprintln!("{}", inner::answer());',
        "fn answer() -> i32 { 42 }\n// fn main() {}\n/* /* fn main() {} */ */\n"
        'let text = r#"fn main() {}"#;\nassert!(!text.is_empty());\nprintln!("{}", answer());\n',
        'let n: i32 = "42".parse()?;\nprintln!("{n}");',
    ],
    ids=["expression", "main", "head", "items", "module", "mentions", "question-mark"],
)
def test_statements_run_with_and_without_a_main(rust: KernelProcess, code: str) -> None:
    told = rust.run(code)
    assert (told.stdout, told.stderr, told.exit_code) == ("42\n", "", 0), told


def test_an_error_has_the_place_in_the_block_on_the_first_line_too(rust: KernelProcess) -> None:
    told = rust.run('let x: i32 = "a";\nlet y = 1;\n', label="notes.md[2]")
    assert _place(told) == ("E0308", 1, 14)
    assert told.error_message == "mismatched types: expected `i32`, found `&str`"
    assert told.traceback.startswith(
        "error[E0308]: mismatched types\n"
        " --> notes.md[2]:1:14\n"
        "  |\n"
        '1 | let x: i32 = "a";\n'
        "  |        ---   ^^^ expected `i32`, found `&str`\n"
    )
    assert told.exit_code == 1


def test_an_error_in_a_program_with_a_main_has_its_place(rust: KernelProcess) -> None:
    assert _place(rust.run("fn main() {\n    missing();\n}\n")) == ("E0425", 2, 5)


def test_a_warning_is_printed_with_its_place_and_the_program_runs(rust: KernelProcess) -> None:
    told = rust.run('\nlet unused = 1;\nprintln!("ran");', label="b")
    assert told.stdout == "ran\n"
    assert "warning: unused variable: `unused`\n --> b:2:5\n" in told.stderr


def test_stdin_is_the_programs(rust: KernelProcess) -> None:
    code = 'let mut s = String::new();\nstd::io::stdin().read_line(&mut s)?;\nprint!("{s}");'
    assert rust.run(code, stdin="line\nrest").stdout == "line\n"


@pytest.mark.parametrize("code", ["std::process::exit(7)", "fn main() { std::process::exit(7) }"])
def test_an_exit_code_is_told(rust: KernelProcess, code: str) -> None:
    told = rust.run(code)
    assert (told.exit_code, told.error_type) == (7, "ExitStatus")


def test_nothing_is_kept_between_blocks(rust: KernelProcess) -> None:
    assert rust.run("static X: i32 = 1;\nassert_eq!(X, 1);").exit_code == 0
    assert rust.run('println!("{X}");').error_type == "E0425"
    assert rust.variables() == {}


def test_the_program_holds_none_of_the_kernels_descriptors(rust: KernelProcess) -> None:
    code = (
        'for fd in std::fs::read_dir("/proc/self/fd")? {\n'
        "    let name = fd?.file_name();\n"
        '    let n: i32 = name.to_string_lossy().parse()?;\n    if n > 3 { println!("{n}"); }\n}'
    )
    told = rust.run(code)
    assert (told.stdout, told.exit_code) == ("", 0), told


def test_an_interrupt_ends_the_program_and_the_kernel_lives_on(rust: KernelProcess) -> None:
    code = 'println!("up");\nloop { std::thread::park(); }'
    told = rust.run(code, interrupt_at=["up"])
    assert (told.error_type, told.exit_code) == ("KeyboardInterrupt", 130)
    assert rust.run('println!("again")').stdout == "again\n"


def test_the_compiler_gets_no_variable_that_the_program_gets(rust: KernelProcess) -> None:
    assert "not defined" in rust.run('println!("{}", env!("GRANTED"));').error_message
    code = 'println!("{:?} {}", option_env!("GRANTED"), std::env::var("GRANTED")?);'
    assert rust.run(code).stdout == "None secret\n"


@pytest.fixture
def included(rust: KernelProcess, folder: Path) -> Path:
    """A file that stood there for a while: another compilation took place meanwhile."""
    file = folder / "data.txt"
    file.write_text("one")
    rust.run("")
    return file


def _build(rust: KernelProcess, code: str) -> tuple[bytes, list[str]]:
    """The program of a block, and the names and hashes of what it includes."""
    rust.send("build", "tell", "", "")
    (built,) = rust.run(code).compiled
    assert built.kind == "built"
    return built.fields[0], [built.text(index) for index in range(2, len(built.fields))]


@pytest.mark.parametrize(("mode", "in_place"), [(0o555, True), (0o444, False)])
def test_a_program_that_was_kept_runs_without_its_compiler_where_it_lies_if_it_may(
    rust: KernelProcess, tmp_path: Path, mode: int, in_place: bool
) -> None:
    binary, _ = _build(rust, 'print!("{}", std::env::current_exe()?.display())')
    kept = tmp_path / "kept"
    kept.write_bytes(binary)
    kept.chmod(mode)
    rust.send("build", "", str(kept), "said before\n")
    told = rust.run("this would be no Rust")
    assert (told.stdout == str(kept), told.stderr) == (in_place, "said before\n"), told
    assert (told.exit_code, [frame.kind for frame in told.compiled]) == (0, ["kept"])


def test_a_block_without_a_main_has_modules_of_files_beside_it(
    rust: KernelProcess, included: Path
) -> None:
    (included.parent / "helper.rs").write_text("pub fn answer() -> i32 { 42 }")
    code = (
        'let text = "mod no;";\n#[allow(unused)] mod helper;\nprint!("{text}{}", helper::answer());'
    )
    told = rust.run(code)
    assert (told.stdout, told.stderr) == ("mod no;42", ""), told


def test_a_program_that_was_kept_counts_while_what_it_includes_stays(
    rust: KernelProcess, included: Path, tmp_path: Path
) -> None:
    code = 'print!("{}", include_str!("data.txt"));'
    binary, files = _build(rust, code)
    assert files[::2] == ["data.txt"]
    kept = tmp_path / "kept"
    kept.write_bytes(binary)
    for text, how in [("one", "kept"), ("two", "built"), ("one", "kept")]:
        included.write_text(text)
        rust.send("build", "", str(kept), "", *files)
        told = rust.run(code)
        assert told.stdout == text
        assert [frame.kind for frame in told.compiled] == [how]
    included.unlink()
    rust.send("build", "", str(kept), "", *files)
    assert "couldn't read" in rust.run(code).error_message


@pytest.mark.parametrize(
    "code",
    [
        'std::arch::global_asm!(".data", ".incbin \\"data.txt\\"", ".text");\nfn main() {}',
        'print!("{}", include_str!("/proc/self/stat").len() > 0);',
    ],
    ids=["assembler", "changing"],
)
def test_a_program_is_not_kept_where_what_it_includes_cannot_be_watched(
    rust: KernelProcess, included: Path, code: str
) -> None:
    assert _build(rust, code) == (b"", [])


def test_release_is_compiled_for_speed(rust: KernelProcess) -> None:
    code = 'print!("{}", cfg!(debug_assertions));'
    assert rust.run(code).stdout == "true"
    rust.send("build", "release", "", "")
    assert rust.run(code).stdout == "false"


def test_what_is_only_to_be_compiled_does_not_run(rust: KernelProcess) -> None:
    rust.send("build", "only tell", "", "")
    told = rust.run('print!("ran")')
    assert (told.stdout, told.exit_code) == ("", 0)
    assert told.compiled[0].fields[0].startswith(b"\x7fELF")


@pytest.mark.parametrize("compiler", ["#!/nowhere/sh\n", "#!/bin/sh\necho not rustc\n"])
def test_a_compiler_that_does_not_start_is_told_where_code_wants_it(
    tmp_path: Path, compiler: str
) -> None:
    path = tmp_path / "bin" / "rustc"
    path.parent.mkdir()
    path.write_text(compiler)
    path.chmod(0o755)
    process = start(tmp_path, str(path.parent))
    told = process.run('println!("1")')
    process.close()
    assert told.error_type == "CompilerUnavailable"
    assert str(path) in told.error_message
