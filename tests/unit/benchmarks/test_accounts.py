"""Processor time is counted for those who used it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from benchmarks.account import ControlGroup, Descendants, ServerAccount
from benchmarks.cold import ColdProcess

BUSY = "import time\nwhile time.process_time() < 0.2: pass"


@pytest.fixture(params=["cgroup", "/proc"])
def account(request: pytest.FixtureRequest) -> ServerAccount:
    if request.param == "/proc":
        return Descendants()
    try:
        return ControlGroup.create("test")
    except OSError as reason:
        pytest.skip(f"this user may not make a cgroup: {reason}")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and cgroups are Linux's")
class TestAccount:
    async def test_a_process_that_was_started_inside_is_counted(
        self, account: ServerAccount
    ) -> None:
        before = account.spent_ms()
        ColdProcess([sys.executable, "-c", BUSY], account).run(1, 1)
        assert account.spent_ms() - before >= 150
        await account.close()

    async def test_a_process_that_was_started_outside_is_not(self, account: ServerAccount) -> None:
        before = account.spent_ms()
        subprocess.run([sys.executable, "-c", BUSY], check=True)
        assert account.spent_ms() - before < 100
        await account.close()

    async def test_a_process_that_lives_on_is_counted_while_it_lives(
        self, account: ServerAccount
    ) -> None:
        program = f"{BUSY}\nprint(flush=True)\ninput()"
        pipe = subprocess.PIPE
        before = account.spent_ms()
        with account.inside():
            process = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            assert account.members() == {process.pid}
            assert account.spent_ms() - before >= 150
            process.communicate(b"\n")
        await account.close()


def test_a_cold_process_that_prints_something_else_is_no_sample() -> None:
    with pytest.raises(RuntimeError, match="printed"):
        ColdProcess([sys.executable, "-c", "print(2)"], Descendants(), expects=b"1\n").run(1, 1)


def test_a_cold_process_that_fails_is_no_sample() -> None:
    with pytest.raises(RuntimeError, match="ended with 3"):
        ColdProcess([sys.executable, "-c", "raise SystemExit(3)"], Descendants()).run(1, 1)
