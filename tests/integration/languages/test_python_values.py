"""The Python kernel: what a block does, shows and leaves behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.languages.python_process import interpreters, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integration.languages.kernel_process import KernelProcess


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelProcess]:
    process = start(tmp_path_factory.mktemp("lasting"))
    yield process
    process.close()


@pytest.mark.parametrize("interpreter", interpreters())
def test_every_python_from_3_8_on_runs_blocks_as_a_notebook_does(
    tmp_path: Path, interpreter: str
) -> None:
    kernel = start(tmp_path, interpreter)
    try:
        assert kernel.hello is not None
        assert kernel.hello.text(0).startswith("3.")
        told = kernel.run("import asyncio\nx = 20\nprint('hi', x)\nawait asyncio.sleep(0, x + 1)")
        assert (told.exit_code, told.stdout, told.value) == (0, "hi 20\n", "21")
        told = kernel.run("def f(n):\n    return 1 / n\n\nf(x - 20)")
        assert (told.exit_code, told.error_type, told.error_place[0]) == (1, "ZeroDivisionError", 2)
        told = kernel.run("def g(:\n    pass")
        assert (told.error_type, told.error_place[0]) == ("SyntaxError", 1)
        told = kernel.run("print('now'); import time; time.sleep(600)", interrupt_at=["now"])
        assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")
        told = kernel.run("print('now'); await asyncio.sleep(600)", interrupt_at=["now"])
        assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")
        assert kernel.run("ask(x)", functions={"ask": lambda x: {"twice": 2 * x}}).value == (
            "{'twice': 40}"
        )
        assert set(kernel.variables()) == {"f", "x"}
    finally:
        kernel.close()


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", "2"),
        ("'text'", "'text'"),
        ("x = 1", None),
        ("None", None),
        ("1;", None),
        ("1 ;  # hidden", None),
        ("(1)", "1"),
        ("(1);", None),
        ("';'", "';'"),
        ("'ä';", None),
        ("1  # ;", "1"),
        ("", None),
        ("# nothing", None),
        ("\ufeff5", "5"),
        ("5\r\n", "5"),
        ("a = 3\r\na", "3"),
        ("for i in range(2): i", None),
        ("f'{1 + 1}'", "'2'"),
        ("[\n  1,\n  2,\n]", "[1, 2]"),
        ("lambda: 1\n5", "5"),
        ("await __import__('asyncio').sleep(0, 'late')", "'late'"),
        ("async def f(): return 7\nawait f()", "7"),
        ("[x async for x in __import__('asyncio').as_completed([])] if 0 else 2", "2"),
        ("__name__", "'__main__'"),
        ("import sys; sys.argv", "['']"),
        ("'\\ud800'", "'\\ud800'"),
    ],
)
def test_the_last_expression_is_shown_as_notebooks_show_it(
    lasting: KernelProcess, code: str, value: str | None
) -> None:
    told = lasting.run(code)
    assert (told.value, told.exit_code, told.errors) == (value, 0, [])


@settings(max_examples=60)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_literal_is_shown_as_its_repr(lasting: KernelProcess, value: object) -> None:
    told = lasting.run(repr(value))
    assert told.value == (None if value is None else repr(value))


def test_state_stays_between_blocks_and_underscore_is_the_last_value(python: KernelProcess) -> None:
    python.run("import math as m\nclass A:\n    x = 1\ndef f(): return A().x + m.floor(1.5)")
    assert python.run("f()").value == "2"
    assert python.run("_ + 1").value == "3"


def test_what_was_assigned_before_an_error_is_kept(python: KernelProcess) -> None:
    python.run("a = 1\nb = 2\n1 / 0\nc = 3")
    assert python.run("[n for n in 'abc' if n in globals()]").value == "['a', 'b']"


def test_a_block_that_does_not_compile_runs_not_at_all(python: KernelProcess) -> None:
    told = python.run("print('never')\nreturn 1")
    assert (told.stdout, told.error_type, told.error_place[0]) == ("", "SyntaxError", 2)


def test_a_future_import_counts_for_the_blocks_that_follow(python: KernelProcess) -> None:
    python.run("from __future__ import annotations")
    assert python.run("def f(x: Nowhere): pass\nf.__annotations__").value == "{'x': 'Nowhere'}"


def test_classes_of_a_block_can_be_pickled_and_sent_to_forked_workers(
    python: KernelProcess,
) -> None:
    python.run("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int")
    assert python.run("import pickle; pickle.loads(pickle.dumps(P(2)))").value == "P(x=2)"
    told = python.run(
        "import multiprocessing\n"
        "def twice(p): return P(2 * p.x)\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    made = pool.map(twice, [P(1), P(2)])\n"
        "made"
    )
    assert (told.value, told.stderr) == ("[P(x=2), P(x=4)]", "")


def test_a_process_that_the_block_forks_ends_with_the_block(python: KernelProcess) -> None:
    told = python.run(
        "import os, sys\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    print('child', flush=True)\n"
        "else:\n"
        "    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
        "sys.exit(4 if pid == 0 else 0)"
    )
    assert (told.exit_code, told.stdout) == (0, "child\n")
    assert python.run("status").value == "4"


def test_a_forked_process_cannot_speak_for_the_kernel(python: KernelProcess) -> None:
    told = python.run(
        "import os\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try:\n"
        "        ask('forged')\n"
        "    except RuntimeError as error:\n"
        "        print('refused', flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "ask('mine')",
        functions={"ask": lambda text: f"you said {text}"},
    )
    assert (told.stdout, told.value) == ("refused\n", "'you said mine'")


@pytest.mark.parametrize(
    ("code", "status", "stderr"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit()", 0, ""),
        ("exit(5)", 5, ""),
        ("quit()", 0, ""),
        ("import sys; sys.exit('what went wrong')", 1, "what went wrong\n"),
        ("raise SystemExit(256 + 7)", 7, ""),
        ("async def f(): raise SystemExit(9)\nawait f()", 9, ""),
    ],
)
def test_an_exit_ends_the_block_with_its_code_and_not_the_session(
    python: KernelProcess, code: str, status: int, stderr: str
) -> None:
    python.run("kept = 'kept'")
    told = python.run(code + "\nprint('never')")
    assert (told.exit_code, told.stdout, told.stderr, told.errors) == (status, "", stderr, [])
    assert python.run("kept").value == "'kept'"


def test_a_crash_ends_the_kernel_with_all_that_was_printed(python: KernelProcess) -> None:
    told = python.run("import os\nprint('before')\nos.kill(os.getpid(), 11)")
    assert (told.exit_code, told.stdout) == (None, "before\n")
    assert python.wait() == -11


def test_the_kernel_ends_when_its_agent_goes(python: KernelProcess) -> None:
    assert python.hang_up() == 0


def test_variables_are_the_users_own_with_a_short_preview(python: KernelProcess) -> None:
    python.run(
        "import os, json as j\n"
        "from dataclasses import dataclass\n"
        "number = 12\n"
        "words = ['long'] * 100000\n"
        "text = 'x' * 10**7\n"
        "nested = {'a': [1, (2,)], 'b': {}}\n"
        "big = 10 ** 5000\n"
        "def f(): pass\n"
        "class C:\n"
        "    def __repr__(self): raise OSError\n"
        "c = C()\n"
        "_private = 1"
    )
    known = python.variables()
    assert set(known) == {"number", "words", "text", "nested", "big", "f", "C", "c"}
    assert (known["number"]["type"], known["number"]["preview"]) == ("int", "12")
    assert known["words"]["preview"].endswith("... 100000 in all]")
    assert known["nested"]["preview"] == "{'a': [1, (2,)], 'b': {}}"
    assert known["c"]["preview"] == "<C whose picture raised OSError>"
    assert all(len(one["preview"]) <= 80 for one in known.values())


def test_at_most_two_hundred_variables_are_listed(python: KernelProcess) -> None:
    python.run("for i in range(1000): globals()[f'v{i}'] = i")
    assert len(python.variables()) == 200


def test_inputs_are_text_that_only_a_block_which_names_them_decodes(
    python: KernelProcess, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    context.write_bytes(b"one\r\n\xff two")
    inputs = {"context": context}
    assert python.run("'con' + 'text' in globals()", inputs=inputs).value == "False"
    assert python.run("context", inputs=inputs).value == repr("one\r\n\ufffd two")
    assert python.run("def words(): return len(context.split())", inputs=inputs).errors == []
    assert python.run("words()").value == "3"
    assert "context" not in python.variables()


def test_an_input_that_changed_is_read_again_and_one_that_did_not_is_not(
    python: KernelProcess, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1")
    second.write_text("2")
    python.run("before = context", inputs={"context": first})
    assert python.run("context is before", inputs={"context": first}).value == "True"
    assert python.run("context", inputs={"context": second}).value == "'2'"


def test_a_frame_of_a_million_characters_arrives_whole(python: KernelProcess) -> None:
    text = "ä" * 1_000_000
    assert python.run(f"len({json.dumps(text, ensure_ascii=False)})").value == "1000000"


def test_a_value_beyond_reason_is_cut_with_a_count(python: KernelProcess) -> None:
    value = python.run("'x' * 1_000_000").value
    assert value is not None
    assert value.endswith("... 900002 characters more")
