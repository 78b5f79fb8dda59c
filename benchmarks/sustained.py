"""Many fresh runs without a pause: what the warm pool is worth when it runs dry."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from benchmarks.account import Account, settle
from benchmarks.bench import Bench, printed_one, request
from benchmarks.outcome import Goal, Outcome, Row, faster
from benchmarks.series import Series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.model.run import RunRequest

RUNS = 200


@dataclass(slots=True)
class Runner:
    """Somebody who makes many runs, and what they cost so far.

    `batch(runs, at_once)` makes that many runs, so many in flight, and returns the ms of each.
    """

    name: str
    batch: Callable[[int, int], Awaitable[list[float]]]
    account: Account
    runs: int = RUNS
    times_ms: list[float] = field(default_factory=list)
    wall_ms: float = 0.0
    cpu_ms: float = 0.0

    async def measure(self, at_once: int) -> None:
        """One batch; the work that it leaves behind is waited for, and counted."""
        spent, own, began = self.account.spent_ms(), time.process_time(), time.perf_counter()
        self.times_ms += await self.batch(self.runs, at_once)
        self.wall_ms += (time.perf_counter() - began) * 1000
        self.cpu_ms += (time.process_time() - own) * 1000
        await settle(self.account)
        self.cpu_ms += self.account.spent_ms() - spent

    def series(self) -> Series:
        """What was measured, per run."""
        runs = len(self.times_ms)
        return Series(
            name=self.name,
            times_ms=tuple(self.times_ms),
            cpu_ms=self.cpu_ms / runs,
            wall_ms=self.wall_ms / runs,
        )


async def measure(bench: Bench) -> Outcome:
    """200 runs one after the other, and 200 with 8 in flight; the batches alternate."""
    cold = await bench.cold_in_sandbox("python")

    rows: list[Row] = []
    for at_once, how in ((1, "back to back"), (8, "8 at once")):
        runners = (
            Runner(f"kowalski: fresh sandbox, {how}", partial(fresh_batch, bench), bench.agent),
            Runner(f"cold in the same sandbox, {how}", cold.run, cold.account),
        )
        for turn in range(1 if bench.quick else 3):
            for runner in runners[:: -1 if turn % 2 else 1]:
                await runner.measure(at_once)
        ours, theirs = (runner.series() for runner in runners)
        rows += [
            Row(ours.name, ours, figures={"elapsed_ms_per_run": per_run(ours)}),
            Row(
                theirs.name,
                theirs,
                (faster(ours, theirs), *never_slower(ours, theirs)),
                figures={"elapsed_ms_per_run": per_run(theirs)},
            ),
        ]
    return Outcome("sustained", f"{RUNS} fresh runs without a pause, Python", tuple(rows))


async def fresh_batch(bench: Bench, runs: int, at_once: int) -> list[float]:
    """Fresh runs through the engine."""
    return await batch_of(bench, request("python"), runs, at_once)


async def batch_of(bench: Bench, wanted: RunRequest, runs: int, at_once: int) -> list[float]:
    """Runs of one program that prints a 1, through the engine."""
    times: list[float] = []
    left = runs

    async def worker() -> None:
        nonlocal left
        while left:
            left -= 1
            began = time.perf_counter_ns()
            printed_one(await bench.engine.run(wanted))
            times.append((time.perf_counter_ns() - began) / 1e6)

    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(worker)
    return times


def per_run(series: Series) -> float:
    """Elapsed ms per run of the whole batch."""
    return series.wall_ms or 0.0


def never_slower(ours: Series, theirs: Series) -> tuple[Goal, Goal]:
    """Neither the whole batch nor the processor time of a run may be more than theirs."""
    cpu, their_cpu = ours.cpu_ms or 0.0, theirs.cpu_ms or 0.0
    return (
        Goal(
            "the whole batch no slower",
            per_run(ours) <= per_run(theirs),
            f"{per_run(ours):.1f} against {per_run(theirs):.1f} ms a run",
        ),
        Goal("no more CPU per run", cpu <= their_cpu, f"{cpu:.1f} against {their_cpu:.1f} ms"),
    )
