"""Calls of language models: what Kowalski adds to them, and how it spreads many."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.measure import Contestant, interleave
from benchmarks.model_servers import MODEL, WORDS
from benchmarks.outcome import Goal, Outcome, Row, at_most_more
from benchmarks.output_flood import Memory, watch
from kowalski.model.chat import ChatMessage, ChatRequest
from kowalski.model.server import ServerEntry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

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
    """Batches over four servers of eight slots that take 200 ms an answer, and the same prompts
    over bare httpx2."""
    rows = []
    async with answering(bench, SERVERS, ANSWER_MS) as urls, AsyncExitStack() as stack:
        bare = [await stack.enter_async_context(httpx2.AsyncClient(base_url=url)) for url in urls]
        for count, rounds in ((64, 9), (256, 5), (2000, 1)):
            ideal_ms = math.ceil(count / (SERVERS * SLOTS)) * ANSWER_MS
            ours, theirs = await interleave(
                [
                    Contestant(
                        f"kowalski: {count} prompts of {ANSWER_MS} ms",
                        partial(ask_all, bench, count),
                    ),
                    Contestant(f"bare httpx2: {count} prompts", partial(bare_batch, bare, count)),
                ],
                bench.rounds(rounds) if count < 2000 else 1,
                warmup=1 if count < 2000 else 0,
            )
            times = ours.p50 / ideal_ms
            found = f"{times:.2f} times {ideal_ms / 1000:.1f} s"
            rows += [
                Row(ours.name, ours, (Goal("at most 1.15 times the ideal", times <= 1.15, found),)),
                Row(theirs.name, theirs, figures={"times_the_ideal": theirs.p50 / ideal_ms}),
            ]
    return Outcome("infer_batch", "Batches over four servers of eight slots", tuple(rows))


async def bare_batch(clients: Sequence[httpx2.AsyncClient], count: int) -> None:
    """Have so many prompts answered by httpx2 alone: in each slot one after the other."""
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Count."}]}
    left = iter(range(count))

    async def slot(client: httpx2.AsyncClient) -> None:
        for _ in left:
            async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                async for _line in answer.aiter_lines():
                    pass

    async with anyio.create_task_group() as tasks:
        for client in [*clients] * SLOTS:
            tasks.start_soon(slot, client)


async def memory(bench: Bench) -> Outcome:
    """Ten thousand prompts: what the agent holds, and by how much its caller grows."""
    count = MANY // 10 if bench.quick else MANY
    async with answering(bench, SERVERS, 1):
        agent, own = Memory(bench.agent_pid), Memory(os.getpid())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, (agent, own))
            began = time.perf_counter()
            await ask_all(bench, count)
            took_s = time.perf_counter() - began
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


async def ask_all(bench: Bench, count: int) -> None:
    """One batch.

    Raises:
        RuntimeError: not every prompt was answered, or not in order.
    """
    following = 0
    async with bench.engine.infer_batch(ASKED for _ in range(count)) as running:
        async for outcome in running.outcomes():
            if outcome.result is None or outcome.index != following:
                raise RuntimeError(f"prompt {following}: {outcome}")
            following += 1
    if following != count:
        raise RuntimeError(f"{following} of {count} prompts have an outcome")


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
