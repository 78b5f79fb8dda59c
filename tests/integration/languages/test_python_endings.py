"""The Python kernel: what a program may expect of its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from integration.languages.python_process import interpreters, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integration.languages.kernel_process import KernelProcess


@pytest.fixture(params=interpreters())
def python(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[KernelProcess]:
    process = start(tmp_path, request.param)
    yield process
    process.close()


_LATE_THREAD = (
    "import sys, threading\n"
    "main_is_waiting = threading.Event()\n"
    "def work():\n"
    "    main_is_waiting.wait()\n"
    "    print('late')\n"
    "threading.Thread(target=work).start()\n"
    "import time\n"
    "threading.Timer(0.05, main_is_waiting.set).start()\n"
)


def test_the_last_run_waits_for_the_threads_that_it_started(python: KernelProcess) -> None:
    told = python.run(_LATE_THREAD, last=True)
    assert (told.stdout, told.exit_code) == ("late\n", 0)


def test_the_last_run_waits_for_threads_also_after_an_exit(
    python: KernelProcess,
) -> None:
    told = python.run(_LATE_THREAD + "sys.exit(3)", last=True)
    assert (told.stdout, told.exit_code) == ("late\n", 3)


def test_an_error_of_the_block_outlives_the_wait(python: KernelProcess) -> None:
    told = python.run(_LATE_THREAD + "1 / 0", last=True)
    assert (told.stdout, told.error_type) == ("late\n", "ZeroDivisionError")
    assert told.error_place[0] == 9


def test_the_last_run_waits_for_work_that_was_handed_to_an_executor(
    python: KernelProcess,
) -> None:
    code = (
        "import concurrent.futures, time\n"
        "executor = concurrent.futures.ThreadPoolExecutor(1)\n"
        "executor.submit(time.sleep, 0.05)\n"
        "executor.submit(print, 'late');"
    )
    told = python.run(code, last=True)
    assert (told.stdout, told.exit_code) == ("late\n", 0)


def test_the_last_run_does_not_wait_for_daemons(python: KernelProcess) -> None:
    code = (
        "import threading\n"
        "never = threading.Event()\n"
        "threading.Thread(target=never.wait, daemon=True).start()"
    )
    assert python.run(code, last=True).exit_code == 0


def test_the_last_run_ends_with_the_functions_for_the_exit(python: KernelProcess) -> None:
    code = (
        "import atexit\n"
        "atexit.register(print, 'first registered')\n"
        "atexit.register(print, 'second registered')\n"
        "print('block')\n"
        "'value'"
    )
    told = python.run(code, last=True)
    assert told.stdout == "block\nsecond registered\nfirst registered\n"
    assert (told.value, told.exit_code) == ("'value'", 0)


def test_a_function_for_the_exit_that_fails_is_told_on_stderr(python: KernelProcess) -> None:
    code = "import atexit\natexit.register(lambda: 1 / 0)\natexit.register(print, 'other')"
    told = python.run(code, last=True)
    assert "ZeroDivisionError" in told.stderr
    assert (told.stdout, told.exit_code) == ("other\n", 0)


@pytest.mark.parametrize("lines", [0, 10_000])
def test_what_the_last_run_wrote_is_in_its_files(
    python: KernelProcess, tmp_path: Path, lines: int
) -> None:
    code = (
        "file = open('left-open.txt', 'w')\nfile.write('written')\n"
        f"for n in range({lines}): print(n)"
    )
    told = python.run(code, last=True)
    assert told.exit_code == 0
    assert (tmp_path / "left-open.txt").read_text() == "written"


def test_an_interrupt_ends_the_wait_for_threads(python: KernelProcess) -> None:
    code = (
        "import threading\n"
        "never = threading.Event()\n"
        "threading.Thread(target=never.wait).start()\n"
        "print('block is over', flush=True)"
    )
    told = python.run(code, last=True, interrupt_at=("block is over",))
    assert (told.exit_code, told.error_type) == (130, "KeyboardInterrupt")


def test_other_runs_leave_threads_and_functions_for_the_exit_alone(
    python: KernelProcess,
) -> None:
    code = (
        "import atexit, threading\n"
        "atexit.register(print, 'exit')\n"
        "go = threading.Event()\n"
        "thread = threading.Thread(target=go.wait)\n"
        "thread.start()"
    )
    assert (python.run(code).stdout, python.run("thread.is_alive()").value) == ("", "True")
    told = python.run("go.set()", last=True)
    assert told.stdout == "exit\n"
