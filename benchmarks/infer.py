"""Calls of language models: what Kowalski adds to them, and how it spreads many."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.measure import Contestant, interleave
from benchmarks.model_servers import MODEL, WORDS
from benchmarks.outcome import Goal, Outcome, Row, at_most_more
from benchmarks.output_flood import Memory, watch
from benchmarks.series import Series
from kowalski.model.chat import ChatMessage, ChatRequest
from kowalski.model.server import ServerEntry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.bench import Bench

REPOSITORY = Path(__file__).resolve().parent.parent
SERVERS, SLOTS = 4, 8
ANSWER_MS = 200
MANY = 10_000
MOST_MB = 150.0
ASKED = ChatRequest(messages=(ChatMessage("user", "Count to five."),), model=MODEL)


async def call(bench: Bench) -> Outcome:
    """One prompt through agent and pool, against a bare stream of httpx2 to the same server."""
    async with answering(bench, 1, 0) as (url,), httpx2.AsyncClient() as client:
        body = {
            "model": MODEL,
            "stream": True,
            "messages": [{"role": "user", "content": "Count to five."}],
        }

        async def bare() -> None:
            text = ""
            async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
                async for line in answer.aiter_lines():
                    text += line
            if "[DONE]" not in text:
                raise RuntimeError(f"the server answered {text[:200]!r}")

        async def ours() -> None:
            result = await bench.engine.complete(ASKED)
            if result.text != "".join(WORDS):
                raise RuntimeError(f"the answer was {result.text!r}")

        mine, theirs = await interleave(
            [
                Contestant("kowalski: engine.complete", ours, (bench.agent,)),
                Contestant("bare httpx2 stream", bare),
            ],
            bench.rounds(300),
            warmup=10,
        )
    return Outcome(
        "infer_call",
        "One prompt, streamed by a server that answers at once",
        (Row(mine.name, mine), Row(theirs.name, theirs, (at_most_more(mine, theirs, 1.5),))),
    )


async def batch(bench: Bench) -> Outcome:
    """Batches over four servers of eight slots that take 200 ms an answer."""
    rows = []
    async with answering(bench, SERVERS, ANSWER_MS):
        for count in (64, 256, 2000):
            took_s = await run(bench, count)
            ideal_s = math.ceil(count / (SERVERS * SLOTS)) * ANSWER_MS / 1000
            name = f"kowalski: {count} prompts of {ANSWER_MS} ms"
            rows.append(
                Row(
                    name,
                    Series(name=name, times_ms=(took_s * 1000,)),
                    (
                        Goal(
                            "at most 1.15 times the ideal",
                            took_s <= 1.15 * ideal_s,
                            f"{took_s / ideal_s:.2f} times {ideal_s:.1f} s",
                        ),
                    ),
                )
            )
    return Outcome("infer_batch", "Batches over four servers of eight slots", tuple(rows))


async def memory(bench: Bench) -> Outcome:
    """Ten thousand prompts: what the agent holds, and by how much its caller grows."""
    count = MANY // 10 if bench.quick else MANY
    async with answering(bench, SERVERS, 1):
        agent, own = Memory(bench.agent_pid), Memory(os.getpid())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, (agent, own))
            took_s = await run(bench, count)
            tasks.cancel_scope.cancel()
    peak_mb = agent.peak / 1e6
    return Outcome(
        "infer_memory",
        f"{count:,} prompts: memory",
        (
            Row(
                f"kowalski: {count:,} prompts",
                goals=(
                    Goal(
                        f"the agent stays under {MOST_MB:g} MB",
                        peak_mb < MOST_MB,
                        f"{peak_mb:.0f} MB",
                    ),
                ),
                figures={
                    "agent_peak_MB": peak_mb,
                    "caller_growth_MB": own.growth_mb,
                    "prompts_per_s": count / took_s,
                },
            ),
        ),
    )


async def run(bench: Bench, count: int) -> float:
    """One batch; how many seconds it took."""
    began = time.perf_counter()
    following = 0
    async with bench.engine.infer_batch(ASKED for _ in range(count)) as running:
        async for outcome in running.outcomes():
            if outcome.result is None or outcome.index != following:
                raise RuntimeError(f"prompt {following}: {outcome}")
            following += 1
    if following != count:
        raise RuntimeError(f"{following} of {count} prompts have an outcome")
    return time.perf_counter() - began


@asynccontextmanager
async def answering(bench: Bench, count: int, delay_ms: int) -> AsyncIterator[list[str]]:
    """Servers that the agent knows, for the length of the block."""
    command = [sys.executable, "-m", "benchmarks.model_servers", str(count), str(delay_ms)]
    async with await anyio.open_process(command, stderr=None, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        lines = BufferedByteReceiveStream(process.stdout)
        try:
            ports = [int(await lines.receive_until(b"\n", 100)) for _ in range(count)]
            urls = [f"http://127.0.0.1:{port}" for port in ports]
            names = [f"bench-{port}" for port in ports]
            for name, url in zip(names, urls, strict=True):
                entry = ServerEntry(name=name, kind="openai", urls=(url,))
                await bench.engine.add_server(entry)
            yield urls
            for name in names:
                await bench.engine.remove_server(name)
        finally:
            process.kill()
