"""After thousands of runs the agent is as it was after the first ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from kowalski.engine import Engine
from kowalski.model.run import RunRequest

if TYPE_CHECKING:
    from kowalski.model.record import AgentStatus

RUNS = 2000
WARM_UP = 200
GROWTH_BYTES = 5 * 1024 * 1024

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="counts in Linux's /proc"),
]


def requests(number: int) -> RunRequest:
    """The n-th run: every language, fresh and in sessions, fine and failing."""
    language, code = [
        ("python", "print(sum(range(100)))"),
        ("bash", "echo $((6 * 7)); false"),
        ("python", "raise ValueError('no')"),
        ("javascript", "console.log(6 * 7)"),
    ][number % 4]
    fresh = number % 10 == 0
    return RunRequest(language=language, code=code, session=None if fresh else "endurance")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def descendants(pid: int) -> int:
    """How many processes have `pid` among their ancestors."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    count = 0
    for process in parents:
        ancestor = parents.get(process, 0)
        while ancestor not in (0, pid):
            ancestor = parents.get(ancestor, 0)
        count += ancestor == pid
    return count


async def settled(engine: Engine) -> AgentStatus:
    """The agent once its pool has refilled."""
    while True:
        status = await engine.agent_status()
        if status.live_runs == 0 and status.warm_sandboxes >= 2:
            return status
        await engine.run(RunRequest(language="bash", code="true", session="endurance"))


async def test_two_thousand_runs_leave_the_agent_as_it_was(
    home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOWALSKI_HOME", home["KOWALSKI_HOME"])
    temporary = Path("/tmp")
    async with Engine() as engine:
        for number in range(WARM_UP):
            await engine.run(requests(number))
        before = await settled(engine)
        pid = before.pid
        was = descriptors(pid), descendants(pid), len(list(temporary.glob("kowalski*")))
        for number in range(WARM_UP, RUNS):
            result = await engine.run(requests(number))
            assert result.status in ("ok", "failed"), result.reason
        after = await settled(engine)
        with anyio.fail_after(10):
            # SQLite keeps one descriptor from the first time that its log was moved for the next.
            while descriptors(pid) > was[0] + 1 or descendants(pid) > was[1]:
                await settled(engine)
        assert len(list(temporary.glob("kowalski*"))) <= was[2]
        assert after.memory_bytes - before.memory_bytes <= GROWTH_BYTES
