"""Rust in a sandbox, asked for as faces ask: compiled once, and never as somebody else's code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kowalski.agent.home.grants import Grants
from kowalski.agent.home.places import Places
from kowalski.engine import Engine
from kowalski.errors import RightsDenied
from kowalski.execution.rights import Rights
from kowalski.model.run import Limits, Origin, RunRequest, Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kowalski.model.event import RunResult

MB = 1 << 20

_FORGING = """\
use std::{fs, io::Write, os::unix::fs::OpenOptionsExt};
let kernel = std::os::unix::process::parent_id();
for fd in fs::read_dir(format!("/proc/{kernel}/fd"))? {
    let mut pipe = fs::OpenOptions::new();
    if let Ok(mut pipe) = pipe.write(true).custom_flags(0o4000).open(fd?.path()) {
        let _ = pipe.write_all(b"built 4 0\\nevilkept\\n");
    }
}
print!("the block itself");
"""

_REPLACING = """\
import glob, os, time
evil = "#!/bin/sh\\necho replaced\\n"
if os.fork() == 0:
    os.setsid()
    while True:
        for program in glob.glob("/tmp/rust.*/program"):
            try:
                with open(program + ".new", "w") as file:
                    file.write(evil)
                os.chmod(program + ".new", 0o755)
                os.rename(program + ".new", program)
            except OSError:
                pass
        time.sleep(0.001)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
async def engine(home: Path) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=home) as engine:
        yield engine


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "data.txt").write_text("one")
    return folder


async def test_warnings_that_were_kept_bear_the_name_of_who_runs_the_code_now(
    engine: Engine, workspace: Path
) -> None:
    request = _request('let unused = "for two"; println!("done");', workspace)
    for name in ("private", "public"):
        origin = Origin(f"{name}.md", 1, name)
        result = await engine.run(replace(request, origin=origin))
        assert f"--> <{name}>:1:5" in result.stderr


async def test_what_the_kernel_adds_is_not_drawn(engine: Engine) -> None:
    error = (await engine.run(_request('println!("a");\n}'))).error
    assert error is not None
    assert "Ok(())" not in error.traceback
    assert ":2:" in error.traceback


def _request(code: str, folder: Path | None = None) -> RunRequest:
    workspace = Workspace(str(folder)) if folder else None
    return RunRequest(language="rust", code=code, workspace=workspace)


def _kept(home: Path) -> set[tuple[str, int]]:
    """What is kept of compiled blocks: one that is compiled again is another file."""
    return {(path.name, path.stat().st_ino) for path in (home / "state" / "compiled").iterdir()}


async def _failed(engine: Engine, request: RunRequest) -> RunResult:
    result = await engine.run(request)
    assert result.status == "failed", result
    assert result.error is not None
    return result


async def test_a_program_that_is_kept_is_executed_where_it_lies(engine: Engine, home: Path) -> None:
    request = _request('print!("{}", std::env::current_exe()?.display())')
    assert (await engine.run(request)).stdout.startswith("/tmp/")
    for session in (None, "place"):
        place = (await engine.run(replace(request, session=session))).stdout
        assert place.startswith(f"{home}/state/blobs/open/")
    await engine.end_session("place")


async def test_an_unchanged_block_is_compiled_once(engine: Engine, home: Path) -> None:
    before = _kept(home)
    first = await engine.run(_request('let unused = 1; println!("hello");'))
    kept = _kept(home)
    second = await engine.run(_request('let unused = 1; println!("hello");'))

    assert (first.status, first.stdout, len(kept - before)) == ("ok", "hello\n", 1)
    assert _kept(home) == kept
    assert (second.stdout, second.stderr) == (first.stdout, first.stderr)
    assert second.diagnostics == first.diagnostics
    (warning,) = second.diagnostics
    assert (warning.severity, warning.type, warning.line) == ("warning", "unused_variables", 1)
    assert warning.column == 5


async def test_other_arguments_need_no_other_program(engine: Engine, home: Path) -> None:
    request = _request('print!("{:?}", std::env::args().nth(1));')
    before = _kept(home)
    plain = await engine.run(request)
    kept = _kept(home)

    given = await engine.run(replace(request, args=("--kept",)))

    assert (plain.stdout, given.stdout) == ("None", 'Some("--kept")')
    assert len(kept - before) == 1
    assert _kept(home) == kept


@pytest.mark.parametrize("change", ["code", "release", "folder"])
async def test_another_block_is_another_program(
    engine: Engine, home: Path, workspace: Path, change: str
) -> None:
    request = _request('print!("{}", cfg!(debug_assertions))', workspace)
    assert (await engine.run(request)).stdout == "true"
    kept = _kept(home)
    other = {
        "code": replace(request, code=f"{request.code} // changed"),
        "release": replace(request, release=True),
        "folder": replace(request, workspace=None),
    }[change]
    assert (await engine.run(other)).stdout == ("false" if change == "release" else "true")
    assert len(_kept(home) - kept) == 1


async def test_a_block_sees_what_the_file_that_it_includes_holds_now(
    engine: Engine, workspace: Path
) -> None:
    request = _request('print!("{}", include_str!("data.txt"));', workspace)
    for text in ("one", "one", "two", "one"):
        (workspace / "data.txt").write_text(text)
        assert (await engine.run(request)).stdout == text


async def test_an_error_of_the_compilers_is_told_with_all_its_places(engine: Engine) -> None:
    result = await _failed(engine, _request('let x: i32 = "a";\nlet y: i32 = "b";\n'))
    assert result.error is not None
    assert (result.error.type, result.error.line, result.error.column) == ("E0308", 1, 14)
    places = {(said.type, said.line, said.column) for said in result.diagnostics}
    assert places == {("E0308", 1, 14), ("E0308", 2, 14)}
    assert '1 | let x: i32 = "a";' in result.error.traceback
    assert '2 | let y: i32 = "b";' in result.error.traceback


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [
        ('panic!("no");', 1, 1),
        ('let no = "no";\n  panic!("{no}")', 2, 3),
        ('fn main() { panic!("no") }', 1, 13),
    ],
)
async def test_a_panic_is_told_with_its_place(
    engine: Engine, code: str, line: int, column: int
) -> None:
    result = await _failed(engine, _request(code))
    assert result.exit_code == 101
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("panic", "no")
    assert (result.error.line, result.error.column) == (line, column)


async def test_an_error_that_main_returns_is_told(engine: Engine) -> None:
    result = await _failed(engine, _request('"x".parse::<i32>()?;'))
    assert result.error is not None
    assert (result.error.type, result.error.message) == (
        "Error",
        "ParseIntError { kind: InvalidDigit }",
    )


async def test_a_signal_is_told_by_its_name(engine: Engine) -> None:
    result = await _failed(engine, _request("std::process::abort()"))
    assert (result.signal, result.exit_code) == ("SIGABRT", None)


async def test_crates_take_the_network_and_are_compiled_once_until_they_change(
    engine: Engine, home: Path, workspace: Path
) -> None:
    source = workspace / "mine" / "src" / "lib.rs"
    source.parent.mkdir(parents=True)
    source.write_text('pub const SAID: &str = "one";')
    (workspace / "mine" / "Cargo.toml").write_text('[package]\nname = "mine"\nversion = "1.0.0"\n')
    # Only what the block says leads cargo.
    (workspace / ".cargo").mkdir()
    (workspace / ".cargo" / "config.toml").write_text('build.rustc-wrapper = "/bin/false"\n')
    manifest = '---\n[dependencies]\nmine = { path = "mine" }\n---\n'
    request = _request(manifest + 'print!("{}", mine::SAID);', workspace)

    denied = await _failed(engine, request)
    assert denied.error is not None
    assert (denied.error.type, denied.error.line) == ("CratesUnavailable", 3)
    assert f"kowalski allow {workspace} --net" in str(denied.error.hint)

    Grants(Places.within(home)).allow(workspace, Rights(network=True))
    before = _kept(home)
    assert (await engine.run(request)).stdout == "one"
    kept = _kept(home)
    assert len(kept - before) == 1
    assert (await engine.run(request)).stdout == "one"
    assert _kept(home) == kept
    source.write_text('pub const SAID: &str = "two";')
    assert (await engine.run(request)).stdout == "two"
    denied = await _failed(engine, replace(request, network=False))
    assert denied.error is not None
    assert denied.error.type == "CratesUnavailable"


async def test_a_session_keeps_files_and_says_that_it_keeps_nothing_else(engine: Engine) -> None:
    writes = replace(_request('std::fs::write("/tmp/kept", "x")?;'), session="s")
    reads = replace(_request('print!("{}", std::fs::read_to_string("/tmp/kept")?);'), session="s")
    assert "program of its own" in (await engine.run(writes)).notes[0]
    assert (await engine.run(reads)).stdout == "x"
    await engine.end_session("s")


@pytest.fixture
def scripted(workspace: Path, home: Path) -> Path:
    """A folder with a crate whose build script notes each of its runs and reads `data.txt`."""
    crate = workspace / "mine"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "mine"\nversion = "1.0.0"\n')
    (crate / "src" / "lib.rs").write_text('pub const SAID: &str = env!("SAID");')
    (crate / "build.rs").write_text(
        """use std::{fs, io::Write};
        fn main() {
            let mut notes = fs::File::options().create(true).append(true).open("../notes").unwrap();
            notes.write_all(b"built\\n").unwrap();
            println!("cargo:rustc-env=SAID={}", fs::read_to_string("../data.txt").unwrap());
        }"""
    )
    Grants(Places.within(home)).allow(workspace, Rights(network=True, write=True))
    return workspace


_MANIFEST = '---\n[dependencies]\nmine = { path = "mine" }\n---\n'


@pytest.mark.parametrize(
    ("code", "status"),
    [('print!("{}", mine::SAID);', "ok"), ("let x: i32 = mine::SAID;", "failed")],
)
async def test_what_cannot_be_kept_is_built_once_for_a_run_in_a_session(
    engine: Engine, scripted: Path, code: str, status: str
) -> None:
    request = RunRequest(
        language="rust",
        code=_MANIFEST + code,
        workspace=Workspace(str(scripted), "write"),
        session="once",
    )
    for _ in range(2):
        (scripted / "notes").unlink(missing_ok=True)
        async with engine.start(request) as run:
            steps = [event.doing async for event in run.events() if event.type == "compiling"]
            result = await run.result()
        assert f"Compiling mine v1.0.0 ({scripted}/mine)" in steps
        assert (result.status, result.session_alive) == (status, True), result
        assert (result.stdout, result.stderr) == ("one" if status == "ok" else "", "")
        assert (scripted / "notes").read_text() == "built\n"
    await engine.end_session("once")


async def test_a_session_that_has_changed_files_builds_what_cannot_be_kept_of_its_own(
    engine: Engine, scripted: Path
) -> None:
    place = Workspace(str(scripted), "overlay")
    first = RunRequest(language="bash", code="printf own >data.txt", workspace=place, session="own")
    assert (await engine.run(first)).status == "ok"
    block = replace(first, language="rust", code=_MANIFEST + 'print!("{}", mine::SAID);')
    assert (await engine.run(block)).stdout == "own"
    assert (scripted / "data.txt").read_text() == "one"
    await engine.end_session("own")


@pytest.mark.parametrize("path", ["", '#[path = "/tmp/own.rs"] '])
async def test_an_error_that_a_session_s_own_file_mends_is_none_there(
    engine: Engine, path: str
) -> None:
    writing = "echo 'pub fn f() {}' | tee own.rs >/tmp/own.rs"
    first = RunRequest(language="bash", code=writing, session="mended")
    assert (await engine.run(first)).status == "ok"
    code = f'{path}mod own;\nfn main() {{ own::f(); print!("ran"); }}'
    result = await engine.run(replace(first, language="rust", code=code))
    assert (result.status, result.stdout) == ("ok", "ran"), result
    await engine.end_session("mended")


async def test_a_program_cannot_say_what_its_kernel_compiled(engine: Engine, home: Path) -> None:
    request = _request(_FORGING)
    assert (await engine.run(request)).stdout == "the block itself"
    kept = _kept(home)
    for _ in range(2):
        result = await engine.run(request)
        assert (result.stdout, result.status) == ("the block itself", "ok")
    assert _kept(home) == kept


async def test_what_a_session_left_alive_becomes_no_other_runs_program(engine: Engine) -> None:
    replacing = RunRequest(language="python", code=_REPLACING, session="bad")
    assert (await engine.run(replacing)).status == "ok"
    block = _request('print!("the block itself");')
    await engine.run(replace(block, session="bad"))
    await engine.end_session("bad")

    assert (await engine.run(block)).stdout == "the block itself"


async def test_the_compiler_sees_no_file_that_the_program_may_not_see(
    engine: Engine, workspace: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    for path in (tmp_path / "secret.txt", home / "state" / "journal.sqlite"):
        code = f'print!("{{}}", include_bytes!("{path}").len());'
        result = await _failed(engine, _request(code, workspace))
        assert result.error is not None
        assert "couldn't read" in result.error.message


async def test_variables_that_lead_the_compiler_are_refused(
    engine: Engine, workspace: Path
) -> None:
    for name in ("RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_RUSTC_WRAPPER"):
        with pytest.raises(RightsDenied, match=name):
            await engine.run(replace(_request("", workspace), env={name: "/bin/false"}))


async def test_a_macro_that_never_ends_is_ended(engine: Engine) -> None:
    result = await _failed(engine, _request("macro_rules! a { () => { a!{} } }\na!{}\n"))
    assert result.error is not None
    assert "recursion limit" in result.error.message


async def test_what_is_nested_too_deeply_is_told_in_one_line(engine: Engine) -> None:
    code = "let x = " + "(" * 20_000 + "1" + ")" * 20_000 + ";"
    result = await _failed(engine, _request(code))
    assert result.error is not None
    assert (result.error.type, result.error.message) == (
        "CompileError",
        "the code is nested too deeply for the compiler",
    )
    assert result.error.traceback == f"error: {result.error.message}\n"


async def test_a_compilation_that_takes_too_long_is_ended_and_its_session_lives(
    engine: Engine,
) -> None:
    code = "const X: u64 = { let mut i = 0; while i < u64::MAX { i += 1; } i };\nfn main() {}"
    slow = replace(_request(f"#![allow(long_running_const_eval)]\n{code}"), limits=Limits(wall_s=1))
    remembering = RunRequest(language="bash", code="x=kept", session="slow")
    await engine.run(remembering)
    result = await engine.run(replace(slow, session="slow"))
    assert (result.status, result.session_alive) == ("timeout", True)
    assert "its limit" in str(result.reason)
    assert (await engine.run(replace(remembering, code="echo $x"))).stdout == "kept\n"
    await engine.end_session("slow")


async def test_a_compilation_that_takes_too_much_memory_is_ended(engine: Engine) -> None:
    code = "static A: [u64; 1 << 29] = { let mut a = [1; 1 << 29]; a[0] = 0; a };\nfn main() {}"
    result = await engine.run(replace(_request(code), limits=Limits(memory_bytes=300 * MB)))
    assert result.status in ("failed", "killed")
    assert result.error is not None
    assert "memory" in f"{result.reason} {result.error.message}"
