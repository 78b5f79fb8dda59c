"""100 MB of output while its reader stalls: nobody may grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.flood_face import FLOOD_BYTES
from benchmarks.outcome import Goal, Outcome, Row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

    from benchmarks.bench import Bench

REPOSITORY = Path(__file__).resolve().parent.parent
LIMIT_MB = 16.0
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Memory:
    """How far the resident memory of a process rose above where it was, in MB."""

    pid: int
    before: int = field(init=False)
    peak: int = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.peak = resident(self.pid)

    def look(self) -> None:
        """Take a sample."""
        self.peak = max(self.peak, resident(self.pid))

    @property
    def growth_mb(self) -> float:
        """The highest sample less the first."""
        return (self.peak - self.before) / 1e6


async def measure(bench: Bench) -> Outcome:
    """The face is a process of its own, so that this one's memory is not taken for its."""
    rows: list[Row] = []
    for turn in range(1 if bench.quick else 3):
        async with flooded_face() as (process, lines):
            await lines.receive_until(b"\n", 1000)
            memories = (Memory(bench.agent_pid), Memory(process.pid))
            async with anyio.create_task_group() as group:
                group.start_soon(watch, memories)
                assert process.stdin is not None
                await process.stdin.send(b"go\n")
                told = json.loads(await lines.receive_until(b"\n", 10_000))
                group.cancel_scope.cancel()
        agent, face = memories
        rows.append(
            Row(
                f"kowalski: 100 MB, reader stalled 3 s, round {turn + 1}",
                goals=(
                    Goal(
                        "all of it counted",
                        told["status"] == "ok" and told["printed"] == FLOOD_BYTES,
                        f"{told['printed']:,} bytes, {told['status']}",
                    ),
                    stays(agent, "the agent"),
                    stays(face, "the face"),
                ),
                figures={
                    "agent_growth_MB": agent.growth_mb,
                    "face_growth_MB": face.growth_mb,
                    "kept_MB": told["kept"] / 1e6,
                    "read_MB": told["read"] / 1e6,
                    "duration_ms": told["duration_ms"],
                },
            )
        )
    return Outcome("output_flood", "100 MB of output, reader stalled 3 s", tuple(rows))


@asynccontextmanager
async def flooded_face() -> AsyncIterator[tuple[Process, BufferedByteReceiveStream]]:
    """The face's process and what it says."""
    command = [sys.executable, "-m", "benchmarks.flood_face"]
    async with await anyio.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, cwd=REPOSITORY
    ) as process:
        assert process.stdout is not None
        yield process, BufferedByteReceiveStream(process.stdout)


async def watch(memories: tuple[Memory, ...]) -> None:
    """Sample until cancelled."""
    while True:
        for memory in memories:
            memory.look()
        await anyio.sleep(0.01)


def resident(pid: int) -> int:
    """Resident memory of a process, in bytes."""
    if sys.platform == "linux":
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True)
    return int(told.stdout) * 1024


def stays(memory: Memory, who: str) -> Goal:
    """It grows by less than the limit."""
    grown = memory.growth_mb
    return Goal(f"{who} grows under {LIMIT_MB:g} MB", grown < LIMIT_MB, f"{grown:.1f} MB")
