"""Rust on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from terminal.document import events_of, write_document

if TYPE_CHECKING:
    from terminal.shell import Shell


def test_a_document_and_a_file_of_rust_run_with_their_warnings_and_errors(shell: Shell) -> None:
    (shell.folder / "data.txt").write_text("beside")
    write_document(
        shell.folder,
        'rust\nlet unused = 1;\nprintln!("{}", include_str!("data.txt"));',
        'rust {release}\nprintln!("{}", cfg!(debug_assertions));',
        'rs\nfn main() {\n    let x: i32 = "a";\n}',
    )

    done = shell.kowalski("run", "notes.md")
    told = shell.kowalski("run", "notes.md", "--json")

    assert "  beside\n" in done.stdout
    assert "! warning: unused variable: `unused`\n" in done.stdout
    assert "--> notes.md:4:5\n" in done.stdout
    assert "! 4 | let unused = 1;\n" in done.stdout
    assert "  false\n" in done.stdout
    assert "E0308: mismatched types: expected `i32`, found `&str`\n" in done.stdout
    assert "    at notes.md:14:18\n" in done.stdout
    assert done.returncode == told.returncode == 1
    first, _, last = events_of(told.stdout, "finished")
    assert [said["type"] for said in json.loads(json.dumps(first["diagnostics"]))] == [
        "unused_variables"
    ]
    assert last["error"]["line"] == 2  # type: ignore[index]

    (shell.folder / "broken.rs").write_text('pub fn f() -> i32 { "x" }')
    write_document(
        shell.folder, 'rust\nlet x: i32 = "a";\nnope();', "rust\nmod broken;\nfn main() {}"
    )
    done = shell.kowalski("run", "notes.md", "--keep-going")
    assert "    at notes.md:4:14\n" in done.stdout
    assert "E0425: cannot find function `nope`" in done.stdout
    assert "    at notes.md:5:1\n" in done.stdout
    assert "^^^ expected `i32`, found `&str`\n" in done.stdout
    assert "--> broken.rs:1:21" in done.stdout

    (shell.folder / "six.rs").write_text(
        'fn main() { println!("{}", 6 * 7); std::process::exit(3) }'
    )
    done = shell.kowalski("exec", "six.rs", "--release")
    assert (done.stdout, done.returncode) == ("42\n", 3)
    done = shell.kowalski("exec", "--release", "-l", "python", "-c", "42")
    assert (done.stdout, done.returncode) == ("42\n", 0)
    assert "--release has no effect on python" in done.stderr


def test_what_cargo_is_at_is_seen_while_it_builds_and_goes(shell: Shell) -> None:
    crate = shell.folder / "slow"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "slow"\nversion = "1.0.0"\n')
    (crate / "src" / "lib.rs").touch()
    sleeping = "std::thread::sleep(std::time::Duration::from_secs(2))"
    (crate / "build.rs").write_text(f"fn main() {{ {sleeping} }}")
    block = '---\n[dependencies]\nslow = { path = "slow" }\n---\nprintln!("built");'
    write_document(shell.folder, f"rust\n{block}")
    shell.kowalski("allow", ".", "--net")

    screen = shell.watch("run", "notes.md")

    screen.wait_for(r"\d s · Compiling slow v1\.0\.0 ")
    assert screen.finish() == 0
    assert "\n  built\n" in screen.text
    assert "Compiling" not in screen.text


def test_what_a_program_has_told_of_its_end_is_not_told_again(shell: Shell) -> None:
    returned = shell.kowalski("exec", "-l", "rust", "-c", '"x".parse::<i32>()?;')
    assert returned.stderr == "Error: ParseIntError { kind: InvalidDigit }\n"
    panicked = shell.kowalski("exec", "-l", "rust", "-c", 'panic!("at the disco")')
    assert panicked.stderr.count("at the disco") == 1
    assert "panicked at <code>:1:" in panicked.stderr
    killed = shell.kowalski("exec", "-l", "rust", "-c", "std::process::abort()")
    assert killed.stderr == "SIGABRT: the program was ended by SIGABRT\n"
    assert (returned.returncode, panicked.returncode) == (1, 101)
