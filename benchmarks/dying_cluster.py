"""Clusters whose nodes die under a call: `python -m benchmarks.dying_cluster DEATH...`.

Prints, as JSON, after how many seconds each call ended. The tests' folder must be on the path.
"""

from __future__ import annotations

import json
import sys
import time

import anyio

from doubles.exo.cluster import MODEL, ExoDouble, exo_cluster
from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.model.chat import ChatMessage, ChatRequest

PROMPT = ChatRequest(messages=(ChatMessage("user", "Count to five."),), model=MODEL)
DYING = 2


async def main(deaths: list[str]) -> None:
    """Let each of `deaths` happen, all at the same time."""
    took_s: dict[str, float] = {}
    async with anyio.create_task_group() as tasks:
        for death in deaths:
            tasks.start_soon(run, death, took_s)
    print(json.dumps(took_s))


async def run(death: str, took_s: dict[str, float]) -> None:
    """Ask a model on two nodes, of which one dies once the answer has begun."""
    async with exo_cluster(3) as double:
        double.mode = "held"
        double.add([0, DYING])
        async with ExoCluster(double.urls[:2], mends=False) as cluster:
            await cluster.models()
            async with cluster.chat(PROMPT) as events:
                await anext(events)
                await die(double, death)
                died_at = time.monotonic()
                try:
                    async for _ in events:
                        pass
                except ServerUnavailable:
                    took_s[death] = time.monotonic() - died_at


async def die(double: ExoDouble, death: str) -> None:
    """One of the ways in which a node goes."""
    if death == "refused":
        await double.kill(DYING)
    elif death == "silent":
        double.hang(DYING)
    else:
        double.last_heard[DYING] = time.time()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
