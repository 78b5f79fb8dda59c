"""Blocks of Java that are refused as a whole, or stop half way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine
from kowalski.model.run import RunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.model.event import RunResult


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


async def _run(engine: Engine, session: str | None, *blocks: str) -> RunResult:
    """How the last one ends."""
    for code in blocks:
        result = await engine.run(RunRequest(language="java", code=code, session=session))
    return result


async def _held(engine: Engine, session: str) -> dict[str, str]:
    return {one.name: one.preview for one in await engine.variables(session, "java")}


_WRONG = 'int wrong = "x";'


@pytest.mark.parametrize("session", ["refused", None])
@pytest.mark.parametrize(
    ("code", "line"),
    [
        (f'int first = 1;\nSystem.out.println("ran");\n{_WRONG}', 3),
        ('class Lacks { Absent absent; }\nSystem.out.println("ran");', 1),
        ('System.out.println("ran"); int later() {\n    return absent();\n}', 2),
        ('System.out.println("ran");\nfor (int i = 0; i < 3; i++ {\n}', 2),
        (f'System.out.println("ran"); int fine = 1,\n{_WRONG[4:]}', 2),
    ],
)
async def test_nothing_of_a_block_runs_or_is_kept_that_does_not_compile(
    engine: Engine, session: str | None, code: str, line: int
) -> None:
    result = await _run(engine, session, code)
    assert result.error is not None
    assert (result.error.type, result.error.line, result.stdout) == ("CompileError", line, "")
    if session is not None:
        assert await _held(engine, session) == {}


async def test_what_a_refused_block_declares_anew_is_what_it_was(engine: Engine) -> None:
    code = 'int count = 1; String name() { return "old"; } record Size(int w) {}\ncount = 5;'
    again = "count = 6; long count = 7; int name() { return 8; } int more = 9;\n"
    result = await _run(engine, "was", code, again + _WRONG)
    assert result.error is not None
    held = await _held(engine, "was")
    assert held == {"count": "5", "name": "name()", "Size": "record Size(int w) {}"}
    assert (await _run(engine, "was", "count + name() + new Size(1)")).value == '"5oldSize[w=1]"'


async def test_a_block_that_throws_keeps_what_came_before(engine: Engine) -> None:
    code = """int before = 1;
int half = before / 0;
int before = 2; int after = 3; int later() { return 4; }"""
    result = await _run(engine, "half", "int before = 7;", code)
    assert result.error is not None
    assert result.error.line == 2
    assert await _held(engine, "half") == {"before": "1", "half": "0"}
    assert (await _run(engine, "half", "before + half")).value == "1"


async def test_a_block_that_exits_keeps_what_came_before(engine: Engine) -> None:
    result = await _run(engine, "exits", "int a = 1;\nSystem.exit(3);\nint b = 2;")
    assert result.exit_code == 3
    assert await _held(engine, "exits") == {"a": "1"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("int x = 1;\nint x = 2;", "x is already defined in line 1"),
        ("final int x = 1;\n x = 2;", "cannot assign a value to final variable x"),
        ("final var x = 1; void f() {\n x += 2; }", "cannot assign a value to final variable x"),
        ("final int x = 1;\nif (x > 0) { --x; }", "cannot assign a value to final variable x"),
    ],
)
async def test_a_block_by_itself_obeys_the_rules_of_programs(
    engine: Engine, code: str, message: str
) -> None:
    result = await _run(engine, None, 'System.out.println("ran"); ' + code)
    assert result.error is not None
    assert (result.error.message, result.error.line, result.stdout) == (message, 2, "")


async def test_another_variable_of_a_final_one_s_name_may_be_written_to(engine: Engine) -> None:
    code = """final int x = 1;
class Own { int x; void set() { x = 2; this.x++; } }
{ int y = x; y = 3; }
void of(int x) { x = 4; }
x"""
    assert (await _run(engine, None, code)).value == "1"


async def test_a_session_may_declare_a_variable_twice(engine: Engine) -> None:
    code = 'int twice = 1; System.out.print(twice); String twice = "b"; System.out.print(twice);'
    assert (await _run(engine, "twice", code)).stdout == "1b"


@pytest.mark.parametrize("session", ["ends", None])
@pytest.mark.parametrize(
    ("code", "stdout", "value"),
    [
        ('System.out.println("one")\nSystem.out.println("two")', "one\ntwo\n", None),
        ("int a = 5 // of\n\na + 1", "", "6"),
        ("var all = List.of(1,\n  2)\nall.stream()\n  .map(n -> n + 1)\n  .toList()", "", "[2, 3]"),
    ],
)
async def test_a_line_s_end_stands_for_a_semicolon(
    engine: Engine, session: str | None, code: str, stdout: str, value: str | None
) -> None:
    result = await _run(engine, session, code)
    assert (result.error, result.stdout, result.value) == (None, stdout, value)


async def test_what_is_wrong_besides_semicolons_is_told(engine: Engine) -> None:
    result = await _run(engine, "ends", 'System.out.println("one")\nint n = absent\n')
    assert result.error is not None
    assert (result.error.message, result.error.line) == ("cannot find symbol: variable absent", 2)
    assert result.stdout == ""
