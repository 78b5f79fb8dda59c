"""Servers that take fewer calls at once than they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from fake_model_server import FakeModelServer, answers, events_of, fails, hangs, prompt
from kowalski.errors import DeadlineExceeded, ServerUnavailable
from kowalski.inference.model_server import Overloaded
from kowalski.inference.pool.allowance import LONGEST_REST_S
from kowalski.inference.pool.batch import run_batch
from kowalski.inference.pool.pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fake_model_server import Behaviour
    from kowalski.model.chat import ChatEvent, ChatRequest

FULL = Overloaded("Too many requests.")


def takes(most: int, *, each_s: float, asks_s: float | None = None) -> Behaviour:
    """Answers `most` at once, and refuses more."""
    running = 0

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        nonlocal running
        await anyio.sleep(0.01)
        if running == most:
            raise Overloaded("Too many requests.", asks_s)
        running += 1
        try:
            async for event in answers("x", after_s=each_s)(request):
                yield event
        finally:
            running -= 1

    return behave


async def took_s(server: FakeModelServer, prompts: int) -> float:
    """How long a batch takes, each prompt of which must be answered."""
    requests = (prompt(timeout_s=20) for _ in range(prompts))
    async with Pool([server]) as pool, run_batch(pool, requests) as batch:
        begun = anyio.current_time()
        outcomes = [outcome async for outcome in batch]
        took = anyio.current_time() - begun
    assert [outcome.failure for outcome in outcomes] == [None] * prompts
    return took


@pytest.mark.parametrize(("asks_s", "at_most"), [(None, 1.05), (1.0, 1.3)])
async def test_a_batch_takes_about_as_long_as_such_a_server_needs(
    asks_s: float | None, at_most: float
) -> None:
    server = FakeModelServer("a", otherwise=takes(2, each_s=0.5, asks_s=asks_s))
    assert await took_s(server, 60) < 60 / 2 * 0.51 * at_most
    assert len(server.asked) < 60 + 10


async def test_a_server_that_takes_more_again_is_given_more() -> None:
    server = FakeModelServer("a", otherwise=takes(2, each_s=1))
    async with Pool([server]) as pool:
        async with run_batch(pool, (prompt() for _ in range(20))) as batch:
            assert not any([outcome.failure async for outcome in batch])
        assert pool.slots == 2
        server.otherwise = answers("x", after_s=1)
        async with run_batch(pool, (prompt() for _ in range(200))) as batch:
            assert not any([outcome.failure async for outcome in batch])
        assert pool.slots == 8


async def test_refusals_for_load_are_no_failures_of_the_server() -> None:
    server = FakeModelServer("a", script=[fails(FULL)] * 7)
    async with Pool([server]) as pool, anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(events_of, pool)
    assert len(server.asked) == 15


async def test_a_refused_prompt_is_asked_of_another_server_at_once() -> None:
    full = FakeModelServer("a", otherwise=fails(Overloaded("Too many.", 3600)))
    async with Pool([full, FakeModelServer("b", otherwise=answers("x", after_s=1))]) as pool:
        begun = anyio.current_time()
        for _ in range(3):
            assert (await pool.complete(prompt())).served_by == "b"
        assert anyio.current_time() - begun == 3
    assert len(full.asked) == 1


async def test_who_refuses_even_a_single_call_is_given_up_after_several_rests() -> None:
    server = FakeModelServer("a", otherwise=fails(FULL))
    async with Pool([server]) as pool:
        with pytest.raises(ServerUnavailable, match="Too many requests"):
            await pool.complete(prompt())
    assert len(server.asked) < 10


async def test_a_server_that_wants_an_hour_is_asked_again_after_a_minute() -> None:
    server = FakeModelServer("a", script=[fails(Overloaded("Too many.", 3600))])
    async with Pool([server]) as pool:
        async with run_batch(pool, [prompt()]) as batch:
            begun = anyio.current_time()
            assert (await anext(batch)).failure is None
        assert anyio.current_time() - begun == LONGEST_REST_S


async def test_whoever_cannot_wait_that_long_is_told_so_at_once() -> None:
    server = FakeModelServer("a", script=[fails(Overloaded("Come in 3600 s.", 3600))])
    async with Pool([server]) as pool:
        begun = anyio.current_time()
        with pytest.raises(ServerUnavailable, match="Come in 3600 s"):
            await pool.complete(prompt(timeout_s=30))
        assert anyio.current_time() == begun
        assert "60 s more" in pool.problems()["a"]


async def test_whoever_is_refused_until_the_time_is_over_is_told_why() -> None:
    slow = FakeModelServer("a", script=[fails(FULL)], otherwise=hangs())
    async with Pool([slow]) as pool:
        with pytest.raises(DeadlineExceeded, match="Too many requests"):
            await pool.complete(prompt(timeout_s=2))
