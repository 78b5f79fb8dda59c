"""How sandboxes end: all of what is inside, at once, and without a trace."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from enclosed import box, limited, read_line, spec_for
from kowalski.errors import Busy, SandboxUnavailable
from kowalski.execution.sandbox.process import ExitStatus

if TYPE_CHECKING:
    from kowalski.execution.sandbox.mechanism import Mechanism

MARK = f"86399.{os.getpid()}"
"""An argument of `sleep` by which the tests' own processes are told from others."""

DAEMON = f"""
import os, signal, sys
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
os.write(1, b"ready\\n")
os.execv("/bin/sleep", ["sleep", "{MARK}"])
"""


def marked() -> list[int]:
    """The tests' own processes that live."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if command[0].endswith(b"sleep") and MARK.encode() in command:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def any_mechanism(request: pytest.FixtureRequest, name: str) -> Mechanism:
    mechanism: Mechanism = request.getfixturevalue(name)
    return mechanism


ALL = pytest.mark.parametrize("name", ["namespaces", "bubblewrap", "landlock", "unenclosed"])


@ALL
async def test_a_daemon_that_left_its_session_and_ignores_signals_dies_with_the_sandbox(
    any_mechanism: Mechanism,
) -> None:
    async with box(any_mechanism, spec_for(any_mechanism)) as inside:
        process = await inside.start(inside.sandbox.spec.python, "-I", "-c", DAEMON)
        assert await read_line(process.stdout_fd) == "ready"
        await process.wait()
        while not marked():
            await anyio.lowlevel.checkpoint()
        process.close()
    assert marked() == []


@ALL
async def test_a_daemon_dies_when_the_sandbox_is_swept_and_the_kept_program_lives(
    any_mechanism: Mechanism,
) -> None:
    async with box(any_mechanism, spec_for(any_mechanism)) as inside:
        kept = await inside.start("/bin/sleep", "1000")
        process = await inside.start(inside.sandbox.spec.python, "-I", "-c", DAEMON)
        assert await read_line(process.stdout_fd) == "ready"
        await process.wait()
        while not marked():
            await anyio.lowlevel.checkpoint()
        await inside.sandbox.sweep([kept])
        assert marked() == []
        assert kept.status is None
        assert (await inside.bash("echo usable")).out == "usable\n"
        kept.close()
        process.close()


@ALL
async def test_what_a_spared_group_started_lives_through_a_sweep(any_mechanism: Mechanism) -> None:
    start = "import os; os.fork() or os.execv('/bin/sleep', ['sleep', '{}'])\n"
    async with box(any_mechanism, spec_for(any_mechanism)) as inside:
        python = inside.sandbox.spec.python
        code = start.format(MARK) + "print('up', flush=True); import signal; signal.pause()"
        group = await inside.start(python, "-I", "-c", code)
        assert await read_line(group.stdout_fd) == "up"
        while not marked():
            await anyio.lowlevel.checkpoint()
        (spared,) = marked()
        other = await inside.start("/bin/sleep", MARK)
        while len(marked()) < 2:
            await anyio.lowlevel.checkpoint()
        await inside.sandbox.sweep([], [group])
        assert marked() == [spared]
        group.close()
        other.close()


async def test_a_sweep_ends_a_fork_bomb(enclosing: Mechanism) -> None:
    wanted = limited(spec_for(enclosing), processes=60)
    async with box(enclosing, wanted) as inside:
        bomb = await inside.start("/bin/bash", "-c", f":(){{ :|:& }}; :; sleep {MARK}")
        while (await inside.sandbox.usage()).processes < 20:
            await anyio.lowlevel.checkpoint()
        await inside.sandbox.sweep()
        # Only the first program is left.
        assert (await inside.sandbox.usage()).processes == 1
        bomb.close()


@ALL
async def test_a_closed_sandbox_says_so(any_mechanism: Mechanism) -> None:
    async with box(any_mechanism, spec_for(any_mechanism)) as inside:
        process = await inside.start("/bin/sleep", MARK)
        await inside.sandbox.close()
        assert await process.wait() == ExitStatus(None, signal.SIGKILL)
        assert not inside.sandbox.alive
        await inside.sandbox.wait_ended()
        with pytest.raises(SandboxUnavailable):
            await inside.bash("true")
        with pytest.raises(SandboxUnavailable):
            await inside.sandbox.usage()
        await inside.sandbox.signal(process, signal.SIGTERM)
        process.close()
    assert marked() == []


async def test_when_the_first_program_is_killed_everything_ends(isolating: Mechanism) -> None:
    async with box(isolating) as inside:
        process = await inside.start("/bin/sleep", MARK)
        first = int((await inside.bash("echo $PPID")).out)
        assert first == 1
        parent = int(Path(f"/proc/{marked()[0]}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)
        await inside.sandbox.wait_ended()
        assert await process.wait() == ExitStatus(None, signal.SIGKILL)
        process.close()
    assert marked() == []


@ALL
async def test_when_the_launcher_is_killed_everything_ends_and_the_next_sandbox_works(
    any_mechanism: Mechanism,
) -> None:
    async with box(any_mechanism, spec_for(any_mechanism)) as inside:
        process = await inside.start("/bin/sleep", MARK)
        for launcher in _launchers(os.getpid()):
            os.kill(launcher, signal.SIGKILL)
        with anyio.fail_after(5):
            await inside.sandbox.wait_ended()
        process.close()
    with anyio.fail_after(5):
        while marked():
            await anyio.lowlevel.checkpoint()
    async with box(any_mechanism, spec_for(any_mechanism)) as inside:
        assert (await inside.bash("echo again")).out == "again\n"


@ALL
async def test_many_sandboxes_leave_no_process_descriptor_or_folder(
    any_mechanism: Mechanism,
) -> None:
    wanted = spec_for(any_mechanism)
    async with box(any_mechanism, wanted) as inside:
        await inside.bash("true")
    before = descriptors(), _scratch_folders(), _mounts()
    for _ in range(10):
        async with box(any_mechanism, wanted) as inside:
            await inside.bash(f"sleep {MARK} & echo x > $HOME/file")
    assert (descriptors(), _scratch_folders(), _mounts()) == before
    assert marked() == []


@ALL
async def test_opening_can_be_cancelled_at_any_moment(any_mechanism: Mechanism) -> None:
    wanted = spec_for(any_mechanism)
    async with box(any_mechanism, wanted):
        pass
    before = descriptors()
    for checkpoints in range(1, 40, 3):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(any_mechanism.open, wanted)
            for _ in range(checkpoints):
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
        if _children_of_launchers():
            # It had opened before it was cancelled, and nobody holds it.
            await any_mechanism.close()
            before = descriptors()
            async with box(any_mechanism, wanted):
                pass
            before = descriptors()
        assert descriptors() == before


@ALL
async def test_a_launcher_without_descriptors_refuses_and_recovers(
    any_mechanism: Mechanism,
) -> None:
    wanted = spec_for(any_mechanism)
    async with box(any_mechanism, wanted) as inside:
        (launcher,) = _launchers(os.getpid())
        before = resource.prlimit(launcher, resource.RLIMIT_NOFILE)
        held = len(list(Path(f"/proc/{launcher}/fd").iterdir()))
        for room in (0, 1, 2, 4):
            resource.prlimit(launcher, resource.RLIMIT_NOFILE, (held + room, before[1]))
            with pytest.raises(SandboxUnavailable):
                await any_mechanism.open(wanted)
        resource.prlimit(launcher, resource.RLIMIT_NOFILE, before)
        assert (await inside.bash("echo alive")).out == "alive\n"
    async with box(any_mechanism, wanted) as inside:
        assert (await inside.bash("echo again")).out == "again\n"


async def test_an_agent_without_descriptors_is_busy_and_recovers(isolating: Mechanism) -> None:
    async with box(isolating) as inside:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        for room in (0, 1, 3, 5, 7):
            held = descriptors()
            resource.setrlimit(resource.RLIMIT_NOFILE, (held - 1 + room, before[1]))
            try:
                with pytest.raises(Busy):
                    await inside.start("/bin/true")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            assert descriptors() == held
        assert (await inside.bash("echo fine")).out == "fine\n"


AGENT = """
import sys
import anyio
from enclosed import box, spec_for
from kowalski.execution.sandbox.mechanisms.bubblewrap import Bubblewrap
from kowalski.execution.sandbox.mechanisms.landlock import Landlock
from kowalski.execution.sandbox.mechanisms.namespaces import Namespaces
from kowalski.execution.sandbox.mechanisms.none import Unenclosed

async def main():
    make = [Namespaces, Bubblewrap.find, Landlock.find, Unenclosed]
    mechanism = make[["namespaces", "bubblewrap", "landlock", "unenclosed"].index(sys.argv[1])]()
    async with box(mechanism, spec_for(mechanism)) as inside:
        await inside.start(inside.sandbox.spec.python, "-I", "-c", sys.argv[2])
        await inside.start("/bin/sleep", sys.argv[3])
        print("up", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@ALL
async def test_killing_the_agent_ends_everything_within_a_second(name: str) -> None:
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, name, DAEMON, MARK],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert agent.stdout is not None
    try:
        assert await anyio.to_thread.run_sync(agent.stdout.readline) == b"up\n"
        with anyio.fail_after(5):
            while len(marked()) < 2:
                await anyio.lowlevel.checkpoint()
    finally:
        agent.kill()
        agent.wait()
        agent.stdout.close()
    with anyio.fail_after(1):
        while marked() or _scratch_folders(agent.pid):
            await anyio.lowlevel.checkpoint()


THREAD = """
import os, sys, threading
import anyio
from enclosed import spec
from kowalski.execution.sandbox.mechanisms.bubblewrap import Bubblewrap
from kowalski.execution.sandbox.process import Program

ended = []

async def main():
    sandbox = await Bubblewrap.find().open(spec())
    process = await sandbox.spawn(Program(("/bin/sleep", sys.argv[1])))
    ended.append(process.stdout_fd)

thread = threading.Thread(target=anyio.run, args=(main,))
thread.start()
thread.join()
os.set_blocking(ended[0], True)
print("up", flush=True)
# Nothing comes from a sleeping program, and its end would end this.
os.read(ended[0], 1)
print("ended", flush=True)
"""


async def test_sandboxes_do_not_end_with_the_thread_that_opened_them() -> None:
    """bwrap dies with the parent's THREAD, so the parent is a process with a single one."""
    agent = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", THREAD, MARK],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert agent.stdout is not None
    assert await anyio.to_thread.run_sync(agent.stdout.readline) == b"up\n"
    os.set_blocking(agent.stdout.fileno(), False)
    # A sandbox that is asked to die is gone in far less than this.
    with anyio.move_on_after(0.3):
        await anyio.wait_readable(agent.stdout.fileno())
    alive = marked()
    agent.kill()
    agent.wait()
    agent.stdout.close()
    assert len(alive) == 1


def _launchers(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(words[1]) == parent and b"launcher.launching" in command:
                found.append(int(entry.name))
    return found


def _children_of_launchers() -> bool:
    launchers = _launchers(os.getpid())
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[1]) in launchers:
                return True
    return False


def _scratch_folders(owner: int = os.getpid()) -> set[str]:
    return {path.name for path in Path("/tmp").glob(f"kowalski-box-{owner}-*")}


def _mounts() -> int:
    return len(Path("/proc/self/mountinfo").read_text().splitlines())


def ends(pid: int) -> None:
    """Have a process end, before anybody here can hear of it."""
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            continue


@ALL
async def test_a_signal_for_a_sandbox_that_has_just_ended_is_for_nobody(
    any_mechanism: Mechanism,
) -> None:
    async with box(any_mechanism, spec_for(any_mechanism)) as inside:
        process = await inside.start("/bin/sleep", "1000")
        ends(inside.sandbox.first)
        for _ in range(3):
            await inside.sandbox.signal(process, signal.SIGTERM)
        await inside.sandbox.wait_ended()
        process.close()
