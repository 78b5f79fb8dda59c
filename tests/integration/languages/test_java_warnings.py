"""What the Java compiler says of code that it takes, and code with nothing to run."""

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


async def _run(engine: Engine, code: str, session: str | None) -> RunResult:
    return await engine.run(RunRequest(language="java", code=code, session=session))


def _told(result: RunResult) -> list[tuple[str, str, int | None, int | None]]:
    return [(one.severity, one.type, one.line, one.column) for one in result.diagnostics]


@pytest.mark.parametrize(
    ("package", "session"), [("", "warnings"), ("package old; ", "warnings"), ("", None)]
)
async def test_warnings_name_their_places_and_stop_nothing(
    engine: Engine, package: str, session: str | None
) -> None:
    code = f"""{package}import java.util.*;
class Old {{
    public static void main(String[] arguments) {{
        List names = new ArrayList<String>();
        names.add(new Date(1, 2, 3).getDay());
        System.out.println("ran");
    }}
}}
"""
    result = await _run(engine, code, session)
    assert (result.status, result.stdout) == ("ok", "ran\n")
    assert set(_told(result)) == {
        ("warning", "compiler.warn.raw.class.use", 4, 9),
        ("warning", "compiler.warn.unchecked.call.mbr.of.raw.type", 5, 18),
        ("warning", "compiler.warn.has.been.deprecated", 5, 19),
        ("warning", "compiler.warn.has.been.deprecated", 5, 36),
    }
    assert "<code>:5:19: warning: Date(int,int,int) in java.util.Date has been" in result.stderr
    assert (
        "\n        names.add(new Date(1, 2, 3).getDay());\n                  ^\n" in result.stderr
    )


async def test_statements_are_warned_of_at_their_own_lines(engine: Engine) -> None:
    result = await _run(engine, 'int n = 1;\n\nn++;\n  n += new Integer("2");\nn', "warnings")
    ((severity, kind, *place),) = _told(result)
    # Some versions say besides that it is to be removed.
    assert (severity, kind[:33], place) == ("warning", "compiler.warn.has.been.deprecated", [4, 8])
    assert result.value == "4"
    assert (await _run(engine, "n", "warnings")).stderr == ""


async def test_each_use_of_what_a_session_deprecates_is_told_once_where_it_stands(
    engine: Engine,
) -> None:
    await _run(engine, "@Deprecated class Old { static Old made() { return null; } }", "old")
    code = """Old one = null;
var two = new Old();
var three = Old.made();
var four = (Function<Old, Old>) (Old given) -> given;"""
    result = await _run(engine, code, "old")
    places = sorted((one.line, one.column) for one in result.diagnostics)
    assert places == [(1, 1), (2, 15), (3, 13), (4, 22), (4, 27), (4, 34)]
    assert {one.message for one in result.diagnostics} == {"Old has been deprecated"}


async def test_errors_come_before_warnings(engine: Engine) -> None:
    code = "package all;\nclass All {\n  java.util.List raw;\n  int no = absent;\n}"
    result = await _run(engine, code, None)
    assert [(one.severity, one.line) for one in result.diagnostics] == [
        ("error", 4),
        ("warning", 3),
    ]
    assert (result.error and result.error.line) == 4
    result = await _run(engine, "new Integer(1);\n" * 60 + "absent();", "warnings")
    assert _told(result)[0] == ("error", "compiler.err.cant.resolve.location.args", 61, 1)
    result = await _run(engine, "Integer n = new Integer(1);\nabsent();", "warnings")
    assert [(one.severity, one.line) for one in result.diagnostics] == [
        ("error", 2),
        ("warning", 1),
    ]


@pytest.mark.parametrize(
    ("code", "session"),
    [
        ("record Point(int x, int y) {}\ninterface Shape { Point at(); }", None),
        ("record Point(int x, int y) {}\ninterface Shape { Point at(); }", "warnings"),
        ("package shapes;\n\nenum Side { LEFT }\n\nclass Box { private Side side; }", None),
        ("package shapes;\n\nenum Side { LEFT }\n\nclass Box { private Side side; }", "warnings"),
        ("/** Adds. */\nint sum(int a, int b) {\n    return a + b;\n}", "warnings"),
        ("import java.util.List;\n// and nothing else", "warnings"),
        (
            '@SuppressWarnings("unchecked")\nclass Quiet<T> { T[] all = (T[]) new Object[1]; }',
            "warnings",
        ),
    ],
)
async def test_mere_declarations_succeed_without_a_word(
    engine: Engine, code: str, session: str | None
) -> None:
    result = await _run(engine, code, session)
    assert (result.status, result.exit_code, result.error) == ("ok", 0, None)
    assert (result.stdout, result.stderr, result.value, result.diagnostics) == ("", "", None, ())
