"""Programs inside a sandbox: how they start, what they are given, how they end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from enclosed import box, read_line, spec_for
from kowalski.errors import LanguageUnavailable
from kowalski.execution.sandbox.layout import KERNELS
from kowalski.execution.sandbox.process import ExitStatus

if TYPE_CHECKING:
    from kowalski.execution.sandbox.mechanism import Mechanism

VERSIONS = sorted(
    str(path.resolve())
    for path in Path("~/.pyenv/versions").expanduser().glob("*/bin/python3")
    if [int(part) for part in path.parent.parent.name.split(".")[:2]] >= [3, 8]
)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("exit 0", ExitStatus(0, None)),
        ("exit 1", ExitStatus(1, None)),
        ("exit 137", ExitStatus(137, None)),
        ("kill -9 $$", ExitStatus(None, 9)),
        ("kill -SEGV $$", ExitStatus(None, 11)),
    ],
)
async def test_exit_codes_and_signals_are_told_apart(
    isolating: Mechanism, command: str, status: ExitStatus
) -> None:
    async with box(isolating) as inside:
        assert (await inside.bash(command)).status == status


async def test_output_before_the_end_is_there_after_the_end(enclosing: Mechanism) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        process = await inside.start("/bin/bash", "-c", "echo out; echo err >&2; exit 3")
        assert (await process.wait()).exit_code == 3
        assert os.read(process.stdout_fd, 100) == b"out\n"
        assert os.read(process.stderr_fd, 100) == b"err\n"
        process.close()


async def test_standard_input_is_a_file_that_can_be_filled_again(enclosing: Mechanism) -> None:
    code = "import sys, os\nfor _ in range(2):\n print(sys.stdin.read(), flush=True); os.read(3, 1)"
    async with box(enclosing, spec_for(enclosing)) as inside:
        python = inside.sandbox.spec.python
        process = await inside.start(python, "-I", "-c", f"import os\nos.read(3, 1)\n{code}")
        for text in ("first", "second longer"):
            os.ftruncate(process.stdin_file, 0)
            os.pwrite(process.stdin_file, text.encode(), 0)
            os.lseek(process.stdin_file, 0, os.SEEK_SET)
            os.write(process.control_in, b".")
            assert await read_line(process.stdout_fd) == text
        process.close()


async def test_control_pipes_lead_both_ways(enclosing: Mechanism) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        process = await inside.start("/bin/bash", "-c", "read -r x <&3; echo got $x >&4")
        os.write(process.control_in, b"word\n")
        assert await read_line(process.control_out) == "got word"
        process.close()


async def test_environment_and_folder_are_as_asked(enclosing: Mechanism) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        process = await inside.start(
            "/bin/bash", "-c", 'echo "$GREETING $(pwd)"', env={"GREETING": "grüße"}, cwd="/usr"
        )
        assert await read_line(process.stdout_fd) == "grüße /usr"
        process.close()


async def test_a_signal_reaches_the_program_and_its_group(enclosing: Mechanism) -> None:
    code = 'trap "echo caught; exit 5" INT; echo up; (sleep 1000; true) & wait'
    async with box(enclosing, spec_for(enclosing)) as inside:
        process = await inside.start("/bin/bash", "-c", code)
        assert await read_line(process.stdout_fd) == "up"
        await inside.sandbox.signal(process, signal.SIGINT)
        assert await process.wait() == ExitStatus(5, None)
        process.close()


async def test_each_program_leads_a_session_of_its_own(enclosing: Mechanism) -> None:
    code = "import os; print(os.getpid() == os.getsid(0) == os.getpgid(0))"
    async with box(enclosing, spec_for(enclosing)) as inside:
        assert (await inside.python(code)).out == "True\n"


async def test_signals_are_at_their_defaults(enclosing: Mechanism) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        ran = await inside.bash("grep -E 'Sig(Ign|Blk)' /proc/self/status")
    # Numbers 32 and 33 are the C library's own.
    masks = [int(line.split()[1], 16) & ~(0b11 << 31) for line in ran.out.splitlines()]
    assert masks == [0, 0]


@pytest.mark.parametrize(
    ("argv", "cwd"), [("/usr/bin/missing", ""), ("/etc/hosts", ""), ("/bin/true", "/missing")]
)
async def test_a_program_that_cannot_start_says_why(
    isolating: Mechanism, argv: str, cwd: str
) -> None:
    async with box(isolating) as inside:
        with pytest.raises(LanguageUnavailable, match=f"(No such file|denied).*{cwd or argv}"):
            await inside.start(argv, cwd=cwd)
        assert (await inside.bash("echo fine")).out == "fine\n"


async def test_many_programs_run_side_by_side(enclosing: Mechanism) -> None:
    done: list[str] = []

    async with box(enclosing, spec_for(enclosing)) as inside:

        async def one(number: int) -> None:
            done.append((await inside.bash(f"echo {number}")).out.strip())

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(one, number)
    assert sorted(map(int, done)) == list(range(20))


async def test_many_sandboxes_can_be_opened_at_once(isolating: Mechanism) -> None:
    names: set[str] = set()

    async def one(number: int) -> None:
        async with box(isolating) as inside:
            names.add((await inside.bash(f"echo {number}")).out.strip())

    async with anyio.create_task_group() as tasks:
        for number in range(60):
            tasks.start_soon(one, number)
    assert len(names) == 60


async def test_a_preloaded_kernel_is_forked_with_its_environment(enclosing: Mechanism) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        for _ in range(2):
            # The sandbox's own Python.
            process = await inside.start(
                "", "-I", "-S", f"{KERNELS}/python_kernel.py", preloaded=True,
                env={"GREETING": "hello"},
            )  # fmt: skip
            assert (await read_line(process.control_out)).startswith("hello ")
            os.read(process.control_out, 100)
            os.ftruncate(process.stdin_file, 0)
            code = b"import os; print(os.environ['GREETING'], os.getcwd(), os.getppid())"
            os.write(process.control_in, b"run %d 5 0\n%sblock" % (len(code), code))
            said = await read_line(process.stdout_fd)
            assert said.startswith(f"hello {inside.sandbox.places.cwd} ")
            process.close()


@pytest.mark.parametrize("python", VERSIONS)
async def test_any_interpreter_from_3_8_on_starts_a_sandbox(
    isolating: Mechanism, python: str
) -> None:
    prefix = str(Path(python).parent.parent)
    wanted = spec_for(isolating, python=python, toolchains=(prefix,))
    async with box(isolating, wanted) as inside:
        kernel = f"{KERNELS}/python_kernel.py"
        process = await inside.start(python, "-I", "-S", kernel, preloaded=True)
        assert (await read_line(process.control_out)).startswith("hello ")
        await inside.sandbox.sweep([process])
        assert process.status is None
        process.close()
