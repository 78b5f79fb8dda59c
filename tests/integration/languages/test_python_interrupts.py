"""The Python kernel: interrupts end a run where the program is, and keep the state."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from integration.languages.kernel_process import KernelProcess


@pytest.mark.parametrize(
    "code",
    [
        "print('now')\nwhile True:\n    pass",
        "import time\nprint('now')\ntime.sleep(600)",
        "print('now')\nfor _ in iter(int, 1): sum(range(1000))",
        "import asyncio\nprint('now')\nawait asyncio.sleep(600)",
        "import asyncio\nawait asyncio.sleep(0)\nprint('now')\nwhile True: pass",
        "import asyncio\nprint('now')\nasyncio.run(asyncio.sleep(600))",
        "import subprocess\nprint('now')\nsubprocess.run(['sleep', '600'])",
        "import threading\nprint('now')\nthreading.Event().wait()",
        "import os\nprint('now')\nos.read(os.pipe()[0], 1)",
        "print('now')\nask()",
    ],
)
def test_an_interrupt_ends_the_run_with_its_line_and_keeps_the_state(
    python: KernelProcess, code: str
) -> None:
    python.run("kept = 'kept'")
    told = python.run(code, interrupt_at=["now"], functions={"ask": lambda: None})
    assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")
    printed = code[: code.index("'now'")].count("\n") + 1
    line = told.error_place[0]
    assert line is not None
    # The signal may come before the program is done with printing.
    assert printed <= line <= code.count("\n") + 1
    assert python.run("kept").value == "'kept'"


def test_a_program_that_swallowed_an_interrupt_is_ended_by_the_second(
    python: KernelProcess,
) -> None:
    code = dedent("""\
        import time
        try:
            print("first")
            time.sleep(600)
        except KeyboardInterrupt:
            print("second")
        time.sleep(600)
    """)
    told = python.run(code, interrupt_at=["first", "second"])
    assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")


def test_a_coroutine_that_swallowed_an_interrupt_is_ended_by_the_second(
    python: KernelProcess,
) -> None:
    code = dedent("""\
        import asyncio
        try:
            print("first")
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            print("second")
        await asyncio.sleep(600)
    """)
    told = python.run(code, interrupt_at=["first", "second"])
    assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")


def test_cleanup_runs_when_a_coroutine_is_interrupted(python: KernelProcess) -> None:
    code = dedent("""\
        import asyncio
        async def f():
            try:
                print("now")
                await asyncio.sleep(600)
            finally:
                print("cleaned")
        await f()
    """)
    assert python.run(code, interrupt_at=["now"]).stdout == "now\ncleaned\n"


def test_a_program_that_took_the_signal_loses_it_with_its_run(python: KernelProcess) -> None:
    python.run("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
    told = python.run("print('now')\ntime.sleep(600)", interrupt_at=["now"])
    assert told.error_type == "KeyboardInterrupt"


def test_interrupts_between_runs_change_nothing(python: KernelProcess) -> None:
    python.run("kept = 1")
    for _ in range(20):
        python.interrupt()
        assert python.run("kept").exit_code in (0, 130)
    assert python.run("kept").exit_code == 0


def test_a_storm_of_interrupts_never_tears_a_frame(python: KernelProcess) -> None:
    """Every run ends with exactly one `done`, whatever it was at when it was interrupted."""
    code = dedent("""\
        print("now")
        n = 0
        while True:
            n += 1
            assert ask(n) == n
    """)
    for _ in range(50):
        told = python.run(code, interrupt_at=["now"], functions={"ask": lambda n: n})
        assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")
        assert python.run("'alive'").value == "'alive'"
