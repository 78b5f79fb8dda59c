"""Blocks of Java with many declarations, which are taken together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kowalski.engine import Engine
from kowalski.model.run import Limits, RunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.model.event import RunResult


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine(embedded=True, home=tmp_path_factory.mktemp("home")) as engine:
        yield engine


async def _run(engine: Engine, session: str, *blocks: str) -> RunResult:
    """How the last one ends; one declared after the other, rings of types would take minutes."""
    for code in blocks:
        limits = Limits(wall_s=30)
        request = RunRequest(language="java", code=code, session=session, limits=limits)
        result = await engine.run(request)
    return result


async def _held(engine: Engine, session: str) -> dict[str, str]:
    return {one.name: one.preview for one in await engine.variables(session, "java")}


def _ring(size: int) -> str:
    links = (f"record R{i}(R{(i + 1) % size} next) {{}}" for i in range(size))
    return "\n".join(links)


async def test_types_in_a_ring_are_declared_and_forgotten_at_once(engine: Engine) -> None:
    ring = _ring(80)
    wrong = ring.replace("R41(", "R41(Absent none, ")
    for code, line in ((wrong, 42), (f'{ring}\nvar late = 1;\nint wrong = "x";', 82)):
        result = await _run(engine, "ring", code)
        assert result.error is not None
        assert (result.error.type, result.error.line) == ("CompileError", line)
        assert await _held(engine, "ring") == {}
    result = await _run(engine, "ring", ring + "\nvar last = new R79(null);", "new R78(last)")
    assert result.value == "R78[next=R79[next=null]]"


async def test_a_block_s_declarations_see_each_other_and_later_blocks_them(engine: Engine) -> None:
    code = """int start = 2;
int twice = start * 2;
{ twice++; start = 0; }
boolean isEven(int n) { return n == 0 || isOdd(n - 1); }
boolean isOdd(int n) { return n != 0 && isEven(n - 1); }
class Counted { static int of = twice; Counter counter; }
interface Counter { Counted counted(); }
System.out.print(isOdd(twice) + " " + Counted.of);
twice = 7;"""
    assert (await _run(engine, "see", code)).stdout == "true 5"
    assert (await _run(engine, "see", "start + twice + Counted.of")).value == "12"
    result = await _run(engine, "see", "int twice = 1;\nint more = twice + 1;\nmore + twice")
    assert result.value == "3"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("int a = 1;\nint b = c;\nint c = 3;", "cannot find symbol: variable c"),
        ("int a = 1;\nSystem.out.print(b);\nint b = 3;", "cannot find symbol: variable b"),
        (
            "int a = 1;\nvar b = of(c);\nint of(int n) { return n; }",
            "cannot find symbol: variable c",
        ),
    ],
)
async def test_what_runs_sees_nothing_that_is_declared_later(
    engine: Engine, code: str, message: str
) -> None:
    result = await _run(engine, "later", code)
    assert result.error is not None
    assert (result.error.message.startswith(message), result.error.line) == (True, 2)
    assert (result.stdout, await _held(engine, "later")) == ("", {})


async def test_a_declaration_may_need_what_only_later_parts_declare(engine: Engine) -> None:
    code = """int seeded(int n) { return n + seed; }
int doubled(int n) { return 2 * seeded(n); }
var seed = 4;
doubled(1)"""
    assert (await _run(engine, "needs", code)).value == "10"


async def test_each_of_several_like_declarations_is_warned_of(engine: Engine) -> None:
    code = "\n".join(f"Integer n{i}() {{ return new Integer({i}); }}" for i in range(3))
    result = await _run(engine, "alike", code)
    assert {one.line for one in result.diagnostics} == {1, 2, 3}


async def test_errors_in_several_declarations_are_told_together(engine: Engine) -> None:
    code = "int one() { return a; }\nint two() { return b; }\nint three() { return 3; }"
    result = await _run(engine, "several", code)
    assert [one.line for one in result.diagnostics] == [1, 2]


async def test_a_block_of_declarations_may_end_with_what_never_returns(engine: Engine) -> None:
    code = (
        'int n = 1;\nint next() { return n + 1; }\nthrow new IllegalStateException("of " + next());'
    )
    result = await _run(engine, "ends", code)
    assert result.error is not None
    assert (result.error.message, result.error.line) == ("of 2", 3)


async def test_a_ring_may_be_declared_anew_and_stays_as_it_was_where_that_is_wrong(
    engine: Engine,
) -> None:
    ring = _ring(40)
    longer = ring.replace(" next)", " next, int length)")
    held = """var held = new R3(null);
int kept = String.valueOf(held).length();
int used() { return new R4(null).hashCode(); }"""
    await _run(engine, "again", ring, held)
    for wrong in (longer + '\nint wrong = "x";', longer + "\nabsent() + 1"):
        assert (await _run(engine, "again", wrong)).error is not None
        assert (await _run(engine, "again", "new R39(null)")).value == "R39[next=null]"
    result = await _run(engine, "again", longer + "\nSystem.out.print(kept);\nkept++;")
    assert (result.error, result.stdout) == (None, "13")
    assert (await _run(engine, "again", "new R3(null, kept)")).value == "R3[next=null, length=14]"
    result = await _run(engine, "again", "used()")
    assert result.error is not None
    assert result.error.message.startswith("used cannot be used: constructor R4")


async def test_what_rests_on_declarations_made_anew_together_follows_them(engine: Engine) -> None:
    first = "int rate() { return 2; }\nint base = 10;"
    rests = "int price(int n) { return base + n * rate(); }\nvar most = price(5);"
    anew = "int rate() { return 3; }\nint base = 100;\n{ base += most; }"
    result = await _run(engine, "rests", first, rests, anew, "price(1) + most")
    assert result.value == "143"


async def test_what_runs_before_a_declaration_made_anew_sees_the_earlier_one(
    engine: Engine,
) -> None:
    first = "int step() { return 1; }\nint by() { return step(); }"
    anew = "int early = by();\nint late() { return by(); }\nint step() { return 2; }"
    result = await _run(engine, "order", first, anew, "early * 10 + late()")
    assert result.value == "12"


async def test_a_timeout_while_a_block_is_compiled_leaves_its_session_as_it_was(
    engine: Engine,
) -> None:
    await _run(engine, "slow", "int alive = 7;")
    code = "\n".join(f"long of{i}(long n) {{ return n * {i}; }}" for i in range(150))
    request = RunRequest(
        language="java",
        code=code + '\nSystem.out.print("ran");',
        session="slow",
        limits=Limits(wall_s=0.05),
    )
    result = await engine.run(request)
    assert (result.status, result.session_alive, result.stdout) == ("timeout", True, "")
    assert await _held(engine, "slow") == {"alive": "7"}
