"""How a sandbox is proved, and what is done where none can be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from enclosed import ORDINARY, box, ordinary_python, spec_for
from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox.mechanisms.landlock import Landlock
from kowalski.execution.sandbox.probe import prove, report, strongest

if TYPE_CHECKING:
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.mechanisms.none import Unenclosed
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec


class Pretending:
    """A mechanism that claims a level which another one does not give."""

    name = "pretending"
    level: Level = "L2"

    def __init__(self, other: Unenclosed) -> None:
        self._other = other

    async def open(self, spec: SandboxSpec) -> Sandbox:
        """The other's sandbox."""
        return await self._other.open(spec)

    async def close(self) -> None:
        """The other is closed by whoever made it."""


async def test_the_attempts_succeed_where_nothing_encloses(unenclosed: Unenclosed) -> None:
    with pytest.raises(SandboxUnavailable, match="Ways out are open") as raised:
        await prove(Pretending(unenclosed))
    expected = {
        "read_file", "write_file", "host_loopback", "unix_by_path", "unix_abstract", "netlink",
        "memfd_create", "io_uring_setup", "shmget",
    }  # fmt: skip
    open_ways = set(raised.value.user_message.partition(": ")[2].rstrip(".").split(", "))
    assert expected <= open_ways


async def test_level_2_holds_against_every_attempt(isolating: Mechanism) -> None:
    await prove(isolating)


async def test_landlock_holds_against_every_attempt(landlock: Landlock) -> None:
    if os.getuid() == 0 and str(Path(sys.executable).resolve()).startswith("/root/"):
        pytest.skip("an identity that was dropped cannot reach the tests' interpreter")
    await prove(landlock)


async def test_the_strongest_that_works_is_used() -> None:
    mechanism = await strongest()
    try:
        assert (mechanism.name, mechanism.level) == ("bubblewrap", "L2")
    finally:
        await mechanism.close()


async def test_a_level_that_no_enclosure_has_is_refused_with_those_that_work() -> None:
    with pytest.raises(SandboxUnavailable, match="No sandbox of level L3") as refused:
        await strongest("L3")

    told = refused.value.user_message
    assert "L2 (bubblewrap)" in told
    assert "The setting `minimum` under [sandbox] asks for L3" in told
    assert all(told.split("\n"))


async def test_the_report_names_every_enclosure() -> None:
    results = {result.mechanism: result for result in await report()}
    assert set(results) == {"namespaces", "bubblewrap", "landlock"}
    for name in ("namespaces", "bubblewrap"):
        assert results[name].works
        assert results[name].problem == results[name].remedy == ""
    for result in results.values():
        assert result.works or (result.problem and result.remedy)


NO_NAMESPACES = """
import sys
import anyio
from kowalski.execution.sandbox.probe import report, strongest

async def main():
    for result in await report():
        print(result)
    mechanism = await strongest()
    print("used", mechanism.name)
    await mechanism.close()

anyio.run(main)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can forbid namespaces to others")
async def test_where_namespaces_are_forbidden_the_next_level_is_used() -> None:
    """As on a system that denies user namespaces to unknown programs."""
    python, setpriv = ordinary_python(), shutil.which("setpriv")
    if python is None or setpriv is None or shutil.which("unshare") is None:
        pytest.skip("an interpreter for every user, setpriv and unshare are needed")
    packages = [path for path in sys.path if path.endswith(("site-packages", "core"))]
    # Within a user namespace of its own whose limit of further ones is none.
    command = (
        "echo 0 > /proc/sys/user/max_user_namespaces; exec "
        f"{setpriv} --bounding-set=-all --inh-caps=-all {python} -c '{NO_NAMESPACES}'"
    )
    ran = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", "unshare",
             "--user", f"--map-user={ORDINARY}", "--keep-caps", "/bin/sh", "-c", command],
            capture_output=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(packages)},
            check=False,
        )
    )  # fmt: skip
    assert "used landlock" in ran.stdout.decode(), ran.stderr.decode()


@pytest.mark.parametrize("version", [3, 4, 5, 6])
async def test_older_landlocks_keep_signals_in_by_the_filter(
    landlock: Landlock, version: int
) -> None:
    if landlock.version < version:
        pytest.skip("the kernel's Landlock is older")
    older = Landlock(version)
    try:
        async with box(older, spec_for(older)) as inside:
            with subprocess.Popen(["/bin/sleep", "1000"]) as other:
                ran = await inside.bash(f"kill -9 {other.pid}")
                assert ran.status.exit_code != 0
                number = 234 if os.uname().machine == "x86_64" else 131
                ran = await inside.python(
                    "import ctypes; "
                    f"print(ctypes.CDLL(None).syscall({number}, {other.pid}, {other.pid}, 9))"
                )
                assert ran.out == "-1\n"
                assert other.poll() is None
                other.kill()
            # What leads a group can still end its group, and the agent can end all of it.
            group = await inside.bash("sleep 1000 & kill 0; echo not reached")
            assert (group.out, group.status.signal) == ("", 15)
            process = await inside.start("/bin/sleep", "1000")
            await inside.sandbox.signal(process, 9)
            assert (await process.wait()).signal == 9
            process.close()
    finally:
        await older.close()


FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, int(sys.argv[1])))
import anyio
from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox.open_files import allow_enough
from kowalski.execution.sandbox.probe import report, strongest

async def main():
    for result in await report():
        print(result.remedy)
    try:
        await strongest()
    except SandboxUnavailable as error:
        print(error.user_message)

allow_enough()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
if resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 40:
    anyio.run(main)
"""


def test_too_few_open_files_are_told_as_that_and_blamed_on_nothing_else() -> None:
    argv = [sys.executable, "-c", FEW_FILES, "40"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    number, *told = done.stdout.splitlines()
    assert number == "40"
    assert len(told) == 4
    for line in told:
        assert "Only 40 files may be open" in line
        assert "ulimit -n 1024" in line


def test_what_may_be_taken_of_open_files_is_taken() -> None:
    argv = [sys.executable, "-c", FEW_FILES, "600"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "600\n"
