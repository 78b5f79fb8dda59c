"""Declarations that take the place of earlier ones in a session of Java's."""

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


async def _run(engine: Engine, *blocks: str) -> RunResult:
    """Blocks in the one session of these tests, each of which uses names of its own."""
    for code in blocks:
        result = await engine.run(RunRequest(language="java", code=code, session="anew"))
        assert result.error is None, result.error
    return result


@pytest.mark.parametrize(
    "declared",
    [
        "var counter = new Point();",
        "Point counter = new Point();",
        "var counter = List.of(new Point());",
    ],
)
async def test_a_variable_that_cannot_be_kept_is_said_to_be_forgotten(
    engine: Engine, declared: str
) -> None:
    result = await _run(engine, "class Point { int x; }", declared, "class Point { int x, y; }")
    assert result.stderr == "counter was forgotten, since Point was declared anew\n"
    result = await _run(engine, "var other = 1;")
    assert result.stderr == ""


async def test_what_rests_on_it_by_way_of_another_type_is_forgotten_too(engine: Engine) -> None:
    result = await _run(
        engine,
        "record Inner(int a) {} class Outer { Inner inner = new Inner(1); }",
        "var outer = new Outer(); Object any = outer;",
        "record Inner(int a, int b) {}\nclass Outer { Inner inner = new Inner(1, 2); }",
    )
    assert result.stderr == "outer was forgotten, since Inner was declared anew\n"
    assert (await _run(engine, "any != null")).value == "true"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("class Cell { int n = 7; }", "class Cell { int n = 8; String name; }"),
        ("class Cell { int n = 7; }", "class Cell { long n = 8; }"),
        ("class Cell { int n = 7; }", "class Cell { }"),
        ("class Cell { int n = 7; }", "class Cell { int n = 7; }"),
    ],
)
async def test_variables_of_other_types_keep_what_they_hold(
    engine: Engine, first: str, then: str
) -> None:
    held = """var n = new Cell().n;
var all = List.of(new Cell().n, 2);
var text = "of " + new Cell().n;
var next = n + 1;
"""
    result = await _run(engine, first, held, then)
    assert result.stderr == ""
    result = await _run(engine, 'n + " " + all + " " + text + " " + next')
    assert result.value == '"7 [7, 2] of 7 8"'


async def test_a_method_that_is_declared_anew_empties_no_variable(engine: Engine) -> None:
    blocks = "int made() { return 3; }", "var of = made();", "int made() { return 4; }"
    assert (await _run(engine, *blocks, "of")).value == "3"
    assert (await _run(engine, "String made() { return null; }", "of")).value == "3"


async def test_a_variable_that_its_block_declares_again_is_not_missed(engine: Engine) -> None:
    code = "record Size(int w) {}\nvar size = new Size(1);"
    result = await _run(engine, code, code.replace("int w", "long w"), "size")
    assert (result.value, result.stderr) == ("Size[w=1]", "")
    result = await _run(engine, code.replace("int w", "byte w").replace("(1)", "((byte) 1)"))
    assert result.stderr == ""
