"""The Python kernel: how it tells what went wrong."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from integration.languages.kernel_process import KernelProcess


def test_a_traceback_shows_the_blocks_lines_and_no_frame_of_the_kernel(
    python: KernelProcess,
) -> None:
    code = dedent("""\
        def half(n):
            return  n / 0 + 1

        print("before")
        half(3)
    """)
    told = python.run(code, label="notes.md[load]")
    assert told.stdout == "before\n"
    assert told.error_place == (2, 13)
    assert told.traceback == dedent("""\
        Traceback (most recent call last):
          File "notes.md[load]", line 5, in <module>
            half(3)
          File "notes.md[load]", line 2, in half
            return  n / 0 + 1
                    ^^^^^
        ZeroDivisionError: division by zero
    """)


@pytest.mark.parametrize(
    ("code", "kind", "message", "place"),
    [
        ("x = 1\nnope", "NameError", "name 'nope' is not defined", (2, 1)),
        ("ä = ö", "NameError", "name 'ö' is not defined", (1, 5)),
        ("{}['a']", "KeyError", "'a'", (1, 1)),
        ("assert 1 == 2, 'no'", "AssertionError", "no", (1, 8)),
        ("raise ValueError", "ValueError", "", (1, 1)),
        ("import json\njson.loads('[')", "json.decoder.JSONDecodeError", None, (2, 1)),
        ("class E(Exception): pass\nraise E('mine')", "E", "mine", (2, 1)),
        ("if True:\nx = 1", "IndentationError", None, (2, 1)),
        ("x = (1,\n", "SyntaxError", "'(' was never closed", (1, 5)),
        ("a = 1\nb = = 2", "SyntaxError", "invalid syntax", (2, 5)),
        ("'ää' = 1", "SyntaxError", None, (1, 1)),
        ("async def f():\n    1 / 0\nawait f()", "ZeroDivisionError", None, (2, 5)),
        ("import nowhere_at_all", "ModuleNotFoundError", None, (1, 1)),
        ("def f(): f()\nf()", "RecursionError", None, (1, 10)),
        ("x = 'a\0b'", "SyntaxError", None, (None, None)),
    ],
)
def test_errors_have_type_message_line_and_column_of_the_block(
    python: KernelProcess,
    code: str,
    kind: str,
    message: str | None,
    place: tuple[int | None, int | None],
) -> None:
    told = python.run(code)
    assert (told.exit_code, told.error_type) == (1, kind)
    if message is not None:
        assert told.error_message == message
    assert told.error_place[0] == place[0]
    assert told.error_place[1] in (place[1], None)


def test_the_line_is_that_of_the_block_also_when_an_earlier_block_fails_for_it(
    python: KernelProcess,
) -> None:
    python.run("\n\n\ndef earlier(n):\n    return 1 / n", label="same")
    told = python.run("x = 1\nearlier(0)", label="same")
    assert told.error_place[0] == 2
    assert 'File "same", line 2, in <module>\n    earlier(0)' in told.traceback
    assert "line 5, in earlier\n    return 1 / n" in told.traceback


def test_frames_of_libraries_are_left_out_but_for_the_last(python: KernelProcess) -> None:
    traceback = python.run("import json\njson.loads('{')").traceback
    assert traceback.count("File ") == 2
    assert "... through" in traceback
    assert "json/decoder.py" in traceback


def test_modules_of_the_folder_are_shown_with_their_lines(
    python: KernelProcess, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("def f():\n    raise OSError('full')  # here\n")
    told = python.run("import mine\nmine.f()")
    assert told.error_place[0] == 2
    assert f'{tmp_path}/mine.py", line 2, in f\n    raise OSError' in told.traceback


def test_a_long_stack_is_cut_in_its_middle(python: KernelProcess) -> None:
    traceback = python.run("def f(n):\n    return f(n + 1)\nf(0)").traceback
    assert traceback.count("File ") <= 12
    assert " more\n" in traceback
    assert len(traceback) < 2000


def test_causes_are_told_first_and_short(python: KernelProcess) -> None:
    code = "try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('bad') from e"
    told = python.run(code)
    assert told.error_place[0] == 4
    before, _, after = told.traceback.partition("The above exception was the direct cause")
    assert "KeyError: 'a'" in before
    assert "ValueError: bad" in after


def test_a_suppressed_context_is_not_told(python: KernelProcess) -> None:
    told = python.run("try:\n    1 / 0\nexcept Exception:\n    raise OSError('x') from None")
    assert "ZeroDivisionError" not in told.traceback


def test_a_circle_of_causes_ends(python: KernelProcess) -> None:
    told = python.run("a, b = OSError('a'), OSError('b')\na.__cause__, b.__cause__ = b, a\nraise a")
    assert told.traceback.count("OSError: a") == 1


def test_every_member_of_a_group_is_told(python: KernelProcess) -> None:
    code = dedent("""\
        import asyncio

        async def fail(text):
            raise OSError(text)

        async with asyncio.TaskGroup() as group:
            group.create_task(fail("first"))
            group.create_task(fail("second"))
    """)
    told = python.run(code)
    assert told.error_type == "ExceptionGroup"
    assert told.error_place[0] == 6
    assert "[1 of 2]" in told.traceback
    assert "OSError: second" in told.traceback


def test_notes_are_told(python: KernelProcess) -> None:
    told = python.run("e = OSError('x')\ne.add_note('look there')\nraise e")
    assert told.traceback.endswith("OSError: x\nlook there\n")


@pytest.mark.parametrize(
    "code",
    [
        "class E(Exception):\n    def __str__(self): raise OSError\nraise E",
        "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E",
        "class E(Exception):\n    __module__ = None\nraise E",
        "class V:\n    def __repr__(self): 1 / 0\nV()",
        "class V:\n    def __repr__(self): return 5\nV()",
        "raise BaseException('bare')",
        "raise GeneratorExit",
        "x = 'y' * 10**6\nraise ValueError(x)",
        "exec(compile('1 / 0', 'elsewhere', 'exec'))",
        "eval('(' * 1000)",
        "import sys; sys.stdout = None; sys.stderr = None; 1 / 0",
        "del __builtins__.open; 1 / 0",
    ],
)
def test_whatever_a_program_raises_is_told_and_the_session_lives(
    python: KernelProcess, code: str
) -> None:
    told = python.run(code)
    assert told.exit_code == 1
    assert len(told.errors) == 1
    assert len(told.error_message) < 25_000
    assert python.run("6 * 7").value == "42"


def test_a_programs_own_tracebacks_and_warnings_show_its_lines(python: KernelProcess) -> None:
    code = dedent("""\
        import traceback, inspect, warnings
        try:
            1 / 0  # here
        except ZeroDivisionError:
            traceback.print_exc()
        warnings.warn("careful")  # there
        def f(): return "the source"
        inspect.getsource(f)
    """)
    told = python.run(code)
    assert "1 / 0  # here" in told.stderr
    assert "# there" in told.stderr
    assert told.value is not None
    assert "the source" in told.value


@pytest.mark.parametrize(
    ("code", "last", "place"),
    [
        ("f()\n1", False, "block:1:"),
        ("f()\n2;", False, "block:1:"),
        ("f()", False, "next:2:"),
        ("x = f()", False, "next:1:"),
        ("x = f()", True, "sys:1:"),
        ("f()", True, "sys:1:"),
    ],
)
def test_a_coroutine_that_was_never_awaited_is_told_of_at_no_line_of_the_kernels(
    python: KernelProcess, code: str, last: bool, place: str
) -> None:
    python.run("async def f(): pass", label="first")
    told = python.run(code, last=last).stderr
    if not last:
        told += python.run("x = 0\n'other value'", label="next").stderr
    assert told.count("RuntimeWarning: coroutine 'f' was never awaited") == 1
    assert "kernels/" not in told
    assert told.startswith(place)


def test_the_same_warning_is_shown_in_each_block(python: KernelProcess) -> None:
    code = "import warnings; warnings.warn('again')"
    assert "again" in python.run(code).stderr
    assert "again" in python.run(code).stderr
