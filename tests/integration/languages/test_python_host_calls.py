"""The Python kernel: functions that the program's caller answers."""

from __future__ import annotations

import time
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from integration.languages.kernel_process import KernelProcess


def test_answers_are_texts_or_json_values(python: KernelProcess) -> None:
    functions: dict[str, Callable[..., object]] = {
        "text": lambda: '{"a": 1}',
        "value": lambda *given: {"given": given},
    }
    assert python.run("text()", functions=functions).value == repr('{"a": 1}')
    assert python.run("value(1, 'ä', [None])", functions=functions).value == (
        "{'given': [1, 'ä', [None]]}"
    )


def test_an_error_of_the_caller_is_one_of_the_program(python: KernelProcess) -> None:
    def refuse() -> None:
        raise LookupError("no such model")

    told = python.run("ask()", functions={"ask": refuse})
    assert (told.error_type, told.error_message) == ("RuntimeError", "ask: no such model")
    assert "python_host" not in told.traceback
    code = "try:\n    ask()\nexcept RuntimeError as error:\n    print(error)"
    assert python.run(code, functions={"ask": refuse}).stdout == "ask: no such model\n"


def test_an_argument_without_json_is_an_error_and_no_call(python: KernelProcess) -> None:
    calls: list[object] = []
    told = python.run("ask(object())", functions={"ask": lambda *given: calls.append(given)})
    assert (told.error_type, calls) == ("TypeError", [])


def test_many_threads_have_calls_outstanding_at_once(python: KernelProcess) -> None:
    code = dedent("""\
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(double, range(2000)))
        answers == [2 * n for n in range(2000)]
    """)
    assert python.run(code, functions={"double": lambda n: 2 * n}).value == "True"


def test_calls_may_be_answered_in_any_order(python: KernelProcess) -> None:
    """Every thread asks before the first is answered: then the last is answered first."""
    code = dedent("""\
        import threading
        answers = {}
        def work(n): answers[n] = ask(n)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        sorted(answers.items()) == [(n, [n]) for n in range(8)]
    """)
    waiting: list[tuple[str, int]] = []
    python.send("run", code, "block", "ask")
    value = None
    while (frame := python.next_frame()) and frame.kind != "done":
        if frame.kind == "value":
            value = frame.text(0)
        if frame.kind == "call":
            waiting.append((frame.text(0), int(frame.text(2).strip("[]"))))
        if len(waiting) == 8:
            for number, argument in reversed(waiting):
                python.send("answer", number, "json", f"[{argument}]")
            waiting.clear()
    assert value == "True"


def test_a_call_that_outlives_its_run_fails_and_the_next_run_works(python: KernelProcess) -> None:
    code = dedent("""\
        import threading
        failures = []
        asked = threading.Event()
        def work():
            try:
                asked.set()
                ask("never answered")
            except RuntimeError as error:
                failures.append(str(error))
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        asked.wait()
    """)
    silent = {"ask": lambda _: None}
    assert python.run(code, functions=silent).exit_code == 0
    assert python.run("1 + 1").value == "2"
    told = python.run("for thread in threads: thread.join()\nset(failures)")
    assert told.value in (
        "{'ask: the run is over'}",
        "{'ask: it can only be called while its run lasts'}",
    )
    answered = python.run("ask(2)", functions={"ask": lambda n: n + 1})
    assert answered.value == "3"


def test_functions_of_an_earlier_run_are_gone(python: KernelProcess) -> None:
    python.run("mine = ask", functions={"ask": lambda: 1})
    assert python.run("ask()").error_type == "NameError"
    assert python.run("mine()").error_type == "RuntimeError"
    assert "ask" not in python.variables()


def test_a_name_that_the_program_gave_itself_stays(python: KernelProcess) -> None:
    python.run("ask = 'own'", functions={"ask": lambda: 1})
    assert python.run("ask").value == "'own'"


def test_a_program_can_wait_for_a_call_in_another_thread_while_it_computes(
    python: KernelProcess,
) -> None:
    code = dedent("""\
        import asyncio
        async def ask_all():
            return await asyncio.gather(*[asyncio.to_thread(ask, n) for n in range(20)])
        sum(await ask_all())
    """)

    def slowly(n: int) -> int:
        time.sleep(0.001)
        return n

    assert python.run(code, functions={"ask": slowly}).value == "190"
