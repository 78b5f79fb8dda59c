"""The start of `kowalski mcp` until it is initialized, against the bare server's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.mcp_call import BARE, KOWALSKI
from benchmarks.mcp_process import connected
from benchmarks.measure import Contestant, interleave
from benchmarks.outcome import Outcome, Row, at_most_more

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bench import Bench


def starting(bench: Bench, name: str, argv: Sequence[str]) -> Contestant:
    """Starts a server anew at each call; the time until the client has its `initialize` answer."""

    account = bench.account("start")

    async def call() -> float:
        with account.inside():
            began = time.perf_counter()
            async with connected(argv, folder=bench.folder):
                return (time.perf_counter() - began) * 1000

    return Contestant(name, call, (account,))


async def measure(bench: Bench) -> Outcome:
    """The agent runs already."""
    ours, theirs = await interleave(
        [
            starting(bench, "kowalski mcp", KOWALSKI),
            starting(bench, "bare SDK server", BARE),
        ],
        bench.rounds(20),
        warmup=1,
    )
    return Outcome(
        "mcp_start",
        "MCP server, start to initialized, agent running",
        (Row(ours.name, ours), Row(theirs.name, theirs, (at_most_more(ours, theirs, 100),))),
    )
