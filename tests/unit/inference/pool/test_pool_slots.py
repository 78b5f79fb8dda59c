"""Who gets the slots of a pool's servers, and when."""

from __future__ import annotations

import anyio
import pytest

from fake_model_server import (
    FakeModelServer,
    answers,
    events_of,
    fails,
    hangs,
    prompt,
)
from kowalski.errors import (
    Busy,
)
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ServedModel, Text


class TestSlots:
    async def test_no_server_is_given_more_calls_than_it_takes(self) -> None:
        server = FakeModelServer("a", slots=3, otherwise=answers("x", after_s=1))
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(events_of, pool)
        assert server.most_active == 3
        assert len(server.asked) == 12

    async def test_no_model_of_a_server_is_given_more_calls_than_it_takes(self) -> None:
        models = [ServedModel(name=name, state="loaded") for name in ("m", "n")]
        server = FakeModelServer(
            "a", slots=5, slots_by_model={"m": 2, "n": 4}, models=models, otherwise=hangs()
        )
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:
            for model, busy in (("m", 2), ("n", 5), ("m", 5)):
                for _ in range(9):
                    tasks.start_soon(pool.complete, prompt(model=model))
                await anyio.sleep(1)
                assert (server.active, pool.busy) == (busy, busy)
            assert [request.model for request in server.asked] == ["m", "m", "n", "n", "n"]
            tasks.cancel_scope.cancel()
        assert pool.busy == 0

    async def test_calls_spread_over_servers_that_are_alike(self) -> None:
        servers = [FakeModelServer(n, otherwise=answers("x", after_s=1)) for n in "abcd"]
        async with Pool(servers) as pool, anyio.create_task_group() as tasks:
            for _ in range(16):
                tasks.start_soon(events_of, pool)
        assert [server.most_active for server in servers] == [4, 4, 4, 4]

    async def test_the_faster_server_is_preferred_while_it_has_few_calls(self) -> None:
        slow = FakeModelServer("slow", otherwise=answers("x", after_s=2))
        fast = FakeModelServer("fast", otherwise=answers("x", after_s=0.1))
        async with Pool([slow, fast]) as pool:
            served = [(await pool.complete(prompt())).served_by for _ in range(10)]
            best, other = pool.explain()
        assert served.count("fast") >= 8
        assert (best.server, other.server) == ("fast", "slow")
        assert best.score == pytest.approx(1 / (1 + best.expected_ms / 10))

    async def test_a_server_that_kept_somebody_waiting_in_vain_is_not_the_first_choice(
        self,
    ) -> None:
        hanging = FakeModelServer("a", otherwise=hangs())
        async with Pool([hanging, FakeModelServer("b")]) as pool:
            with anyio.move_on_after(5):
                await pool.complete(prompt())
            for _ in range(3):
                assert (await pool.complete(prompt())).served_by == "b"
        assert len(hanging.asked) == 1

    async def test_principals_take_turns(self) -> None:
        server = FakeModelServer("a", slots=1, otherwise=answers(after_s=1))
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:

            async def ask(principal: str) -> None:
                await pool.complete(prompt(principal), principal=principal)

            for _ in range(5):
                tasks.start_soon(ask, "hog")
            await anyio.sleep(0.5)
            tasks.start_soon(ask, "guest")
        order = [request.messages[0].content for request in server.asked]
        assert order.index("guest") <= 2

    async def test_a_full_line_refuses_as_busy(self) -> None:
        server = FakeModelServer("a", slots=1, otherwise=hangs())
        async with Pool([server], queue=1) as pool, anyio.create_task_group() as tasks:
            tasks.start_soon(events_of, pool)
            await anyio.sleep(1)
            tasks.start_soon(events_of, pool)
            await anyio.sleep(1)
            with pytest.raises(Busy, match="1 prompts are waiting"):
                await pool.complete(prompt())
            tasks.cancel_scope.cancel()

    async def test_a_caller_that_leaves_early_cancels_the_attempt(self) -> None:
        server = FakeModelServer("a", otherwise=hangs("x"))
        async with Pool([server]) as pool:
            async with pool.chat(prompt()) as events:
                assert await anext(events) == Text(text="x")
                assert (server.active, pool.busy) == (1, 1)
            assert (server.active, pool.busy) == (0, 0)

    async def test_an_error_of_the_reader_passes_as_it_is(self) -> None:
        async with Pool([FakeModelServer("a", otherwise=hangs("x"))]) as pool:

            async def read() -> None:
                async with pool.chat(prompt()) as events:
                    await anext(events)
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await read()
            assert pool.busy == 0

    async def test_a_reader_may_set_limits_of_time_around_single_events(self) -> None:
        bad = FakeModelServer("a", script=[fails(None, "half")])
        async with Pool([bad, FakeModelServer("b")]) as pool, pool.chat(prompt()) as events:
            for _ in range(3):
                with anyio.fail_after(5):
                    event = await anext(events)
        assert isinstance(event, Text)
