"""The Python kernel: what programs print and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from integration.languages.kernel_process import KernelProcess


def test_output_is_complete_when_the_run_is_over(python: KernelProcess) -> None:
    told = python.run("import sys\nprint('a', end='')\nprint('b', end='', file=sys.stderr)")
    assert (told.stdout, told.stderr) == ("a", "b")


def test_a_line_leaves_when_it_is_printed(python: KernelProcess) -> None:
    """The interrupt waits for the line, and the program for the interrupt."""
    told = python.run("print('a line')\nimport time; time.sleep(600)", interrupt_at=["a line\n"])
    assert told.error_type == "KeyboardInterrupt"


def test_the_last_line_of_a_flood_leaves_though_the_program_prints_no_more(
    python: KernelProcess,
) -> None:
    code = "for n in range(20_000): print(n)\nprint('last')\nimport time; time.sleep(600)"
    told = python.run(code, interrupt_at=["19999\nlast\n"])
    assert told.error_type == "KeyboardInterrupt"
    assert told.stdout == "".join(f"{n}\n" for n in range(20_000)) + "last\n"


def test_output_of_children_stands_where_it_was_printed(python: KernelProcess) -> None:
    code = "import os\nfor n in range(20):\n    print(n)\n    _ = os.system(f'echo {n}')"
    assert python.run(code).stdout == "".join(f"{n}\n{n}\n" for n in range(20))


def test_bytes_leave_as_they_are_and_text_always_has_bytes(python: KernelProcess) -> None:
    code = "import sys\nsys.stdout.buffer.write(b'\\xff\\0\\r\\n')\nprint('\\ud800ä\\N{SNOWMAN}');"
    told = python.run(code)
    assert told.stdout_bytes == b"\xff\0\r\n\\ud800\xc3\xa4\xe2\x98\x83\n"


def test_stdin_is_read_from_its_start_in_every_run(python: KernelProcess) -> None:
    assert python.run("input()", stdin="first\nrest\n").value == "'first'"
    assert python.run("import sys; sys.stdin.read()", stdin="all\nof it").value == "'all\\nof it'"
    assert python.run("from sys import stdin; list(stdin)", stdin="a\nb").value == "['a\\n', 'b']"
    assert python.run("list(stdin)", stdin="c").value == "['c']"
    told = python.run("input()")
    assert told.error_type == "EOFError"


def test_children_read_the_same_stdin(python: KernelProcess) -> None:
    code = "import subprocess\nsubprocess.run(['cat'], capture_output=True).stdout"
    assert python.run(code, stdin="for the child").value == "b'for the child'"


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout.close(); sys.stdin.close(); sys.stderr.close()",
        "import sys, io; sys.stdout = io.StringIO()\nsys.stdout = sys.__stdout__",
        "import sys; sys.stdin.detach()",
    ],
)
def test_streams_that_a_run_closed_are_open_in_the_next(python: KernelProcess, code: str) -> None:
    assert python.run(code).exit_code == 0
    told = python.run("print(input())", stdin="still here")
    assert told.stdout == "still here\n"


def test_no_child_inherits_the_kernels_channel(python: KernelProcess) -> None:
    code = (
        "import os, subprocess\n"
        "listing = subprocess.run(['ls', '/proc/self/fd'], close_fds=False, capture_output=True)\n"
        "sorted(map(int, listing.stdout.split()))"
    )
    # The listing itself holds one descriptor open.
    assert python.run(code).value == "[0, 1, 2, 3]"


def test_descriptors_three_and_four_are_the_programs(python: KernelProcess) -> None:
    code = "import os\nr, w = os.pipe()\nos.write(w, b'x')\n(r, w, os.read(r, 1))"
    assert python.run(code).value == "(3, 4, b'x')"
    assert python.run("os.close(r), os.close(w)").exit_code == 0
