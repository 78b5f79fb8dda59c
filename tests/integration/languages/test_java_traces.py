"""Where exceptions of Java's come from, as they are told and as programs print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine
from kowalski.model.run import Origin, RunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.model.event import ProgramError, RunResult


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


async def _run(engine: Engine, session: str | None, code: str, block: str = "b") -> RunResult:
    origin = Origin("/notes.md", 1, block)
    return await engine.run(RunRequest(language="java", code=code, session=session, origin=origin))


async def _error(engine: Engine, session: str | None, code: str, block: str = "b") -> ProgramError:
    result = await _run(engine, session, code, block)
    assert result.error is not None
    return result.error


_BOOM = """int boom(int n) {
    int none = n - n;


    return n / none;
}"""


async def test_an_error_is_where_the_block_itself_was(engine: Engine) -> None:
    await _run(engine, "place", _BOOM, "first")
    error = await _error(engine, "place", "// calls\n  boom(3)", "second")
    assert (error.message, error.line) == ("/ by zero", 2)
    assert [line.strip() for line in error.traceback.splitlines()[1:]] == [
        "at boom(<first>:5)",
        "at <second>:2",
    ]


async def test_blocks_of_one_name_are_told_apart(engine: Engine) -> None:
    await _run(engine, "apart", _BOOM)
    error = await _error(engine, "apart", "boom(3)")
    assert error.line == 1
    assert [line.strip() for line in error.traceback.splitlines()[1:]] == [
        "at boom(<b> (1):5)",
        "at <b>:1",
    ]


async def test_what_no_longer_holds_is_told_where_it_is_used(engine: Engine) -> None:
    await _run(engine, "used", "\n\nclass Cell { int n; } int of(Cell cell) { return cell.n; }")
    await _run(engine, "used", "class Cell { }")
    error = await _error(engine, "used", "of(new Cell())")
    assert error.message.startswith("of cannot be used: cannot find")
    assert error.line == 1


_PRINTED = """class Mine extends RuntimeException {
    Mine(String message) { super(message); }
}
void deep() {
    new RuntimeException("printed").printStackTrace();
}
var given = List.of(
    new Object() { int of(int n) { deep(); return n; } }.of(1));
deep(); Runnable later = () -> {
    throw new Mine("alone");
};
var thread = new Thread(later, "worker");
thread.start(); thread.join();
"""


@pytest.mark.parametrize("session", ["printed", None])
async def test_what_a_program_prints_has_its_own_frames_and_lines_alone(
    engine: Engine, session: str | None
) -> None:
    printed = (await _run(engine, session, _PRINTED)).stderr
    assert 'Exception in thread "worker" Mine: alone\n' in printed
    for line in (5, 8, 9, 10):
        assert f"(<b>:{line})\n" in printed
    assert all(f"(<b>:{line})" not in printed for line in (2, 4, 6, 7, 11, 12))
    for inside in ("kowalski", "jshell", "JShell", "REPL", "do_it", "reflect"):
        assert inside not in printed


@pytest.mark.parametrize(
    ("session", "code"),
    [
        ("programs", "class Main { public static void main(String[] a) {\n %s } }"),
        ("programs", "class Made { void main() {\n %s } }"),
        ("programs", "package some;\nclass Main { public static void main(String[] a) { %s } }"),
        (None, "class Main { public static void main(String[] a) {\n %s } }"),
    ],
)
async def test_the_main_of_a_program_is_the_outermost_frame(
    engine: Engine, session: str | None, code: str
) -> None:
    name = "Made" if "Made" in code else "some.Main" if "some" in code else "Main"
    result = await _run(engine, session, code % 'new Exception("here").printStackTrace();', name)
    assert result.stderr == f"java.lang.Exception: here\n\tat {name}.main(<{name}>:2)\n"


async def test_an_object_is_called_by_the_name_of_its_type(engine: Engine) -> None:
    code = 'class Named { }\nSystem.out.println(new Named() + " " + Named.class);'
    printed = (await _run(engine, "named", code)).stdout
    assert printed.startswith("Named@")
    assert printed.endswith(" class Named\n")
    error = await _error(engine, "named", "class Own extends Exception { }\nthrow new Own();")
    assert error.type == "Own"


async def test_a_lambda_that_can_be_written_down_is_loaded_and_texts_stay(engine: Engine) -> None:
    code = """var bytes = new ByteArrayOutputStream();
var said = (Runnable & Serializable) () -> System.out.print("a $JShell$ do_it$");
new ObjectOutputStream(bytes).writeObject(said);
((Runnable) said).run();"""
    result = await _run(engine, None, code)
    assert (result.error and result.error.type, result.stdout) == (None, "a $JShell$ do_it$")


async def test_lambdas_that_were_written_down_are_read_back_in_their_session(
    engine: Engine,
) -> None:
    lambdas = "; ".join(
        f'out.writeObject((Runnable & Serializable) () -> System.out.print("{i} "))'
        for i in range(4)
    )
    await _run(
        engine,
        "read",
        f"""var written = new ByteArrayOutputStream();
Serializable with(int n) {{ return (Supplier<Integer> & Serializable) () -> n; }}
{{ var out = new ObjectOutputStream(written); {lambdas}; out.writeObject(with(7)); }}""",
    )
    code = """var in = new ObjectInputStream(new ByteArrayInputStream(written.toByteArray()));
for (int i = 0; i < 4; i++) ((Runnable) in.readObject()).run();
((Supplier<?>) in.readObject()).get()"""
    result = await _run(engine, "read", code)
    assert (result.stdout, result.value) == ("0 1 2 3 ", "7")


async def test_the_same_name_declared_anew_is_another_class(engine: Engine) -> None:
    await _run(engine, "anew", "class Own { int n = 1; } Object first = new Own();")
    result = await _run(engine, "anew", "class Own { int n = 2; }\nfirst.getClass() == Own.class")
    assert result.value == "false"
    assert (await _run(engine, "anew", "new Own().n")).value == "2"


async def test_the_instance_of_a_main_prints_as_it_is_made(engine: Engine) -> None:
    code = """class Made {
    Made() { System.out.print("made, "); }
    void main() { System.out.print("ran"); }
}"""
    assert (await _run(engine, None, code)).stdout == "made, ran"
    assert (await _run(engine, "made", code)).stdout == "made, ran"
