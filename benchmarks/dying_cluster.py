"""Clusters that lose a node under a call: `python -m benchmarks.dying_cluster CASE...`.

Prints, as JSON, after how many seconds each call had the whole answer of another instance. The
tests' folder must be on the path.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Final

import anyio

from doubles.exo.cluster import MODEL, ExoDouble, exo_cluster
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ChatMessage, ChatRequest, Done, Restarted

PROMPT = ChatRequest(messages=(ChatMessage("user", "Count to five."),), model=MODEL)
DYING = 2
MASTER = 0
ELECTION_S = 10.0
"""How long exo has no master, as measured: nothing that is commanded meanwhile happens."""


@dataclass(frozen=True)
class Case:
    """How a node goes: `refused`, `silent`, `unheard`, or as the `master`; and whether there is
    another instance, or the model must be placed again."""

    death: str
    spare: bool


CASES: Final = {
    f"{death}-{'spare' if spare else 'alone'}": Case(death, spare)
    for death in ("refused", "silent", "unheard", "master")
    for spare in ((False,) if death == "master" else (True, False))
}


async def main(names: list[str]) -> None:
    """Let each of these cases happen, all at the same time."""
    took_s: dict[str, float] = {}
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(run, name, took_s)
    print(json.dumps(took_s))


async def run(name: str, took_s: dict[str, float]) -> None:
    """Ask a model on two nodes, of which one dies once the answer has begun."""
    case = CASES[name]
    async with (
        exo_cluster(3) as double,
        anyio.create_task_group() as tasks,
        ExoCluster(double.urls[:2]) as cluster,
        Pool([cluster]) as pool,
    ):
        double.mode = "held"
        double.add([0, DYING])
        if case.spare:
            double.add([1])
        async with pool.chat(PROMPT) as events:
            await anext(events)
            # Only what was begun before is held.
            double.mode = "whole"
            died_at = time.monotonic()
            tasks.start_soon(die, double, case.death)
            told = [event async for event in events]
        if not (any(isinstance(one, Restarted) for one in told) and isinstance(told[-1], Done)):
            raise RuntimeError(f"{name}: no other answer came, but {told}")
        took_s[name] = time.monotonic() - died_at


async def die(double: ExoDouble, death: str) -> None:
    """One of the ways in which a node goes."""
    if death == "refused":
        await double.kill(DYING)
    elif death == "silent":
        double.hang(DYING)
    elif death == "unheard":
        double.last_heard[DYING] = time.time()
    else:
        double.placing = False
        await double.kill(MASTER)
        await anyio.sleep(ELECTION_S)
        await double.lose_master(MASTER)
        double.placing = True


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:] or list(CASES))
