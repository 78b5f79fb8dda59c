"""Servers of a pool come, go and are checked."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from fake_model_server import (
    FakeModelServer,
    answers,
    events_of,
    hangs,
    prompt,
)
from kowalski.errors import (
    InvalidRequest,
    ModelUnavailable,
    NoServerAvailable,
)
from kowalski.inference.pool.member import CHECK_LIMIT_S
from kowalski.inference.pool.pool import Pool
from kowalski.inference.pool.roster import GRACE_S
from kowalski.model.chat import Done


async def test_errors_name_ten_servers_at_most() -> None:
    servers = [FakeModelServer(f"server{number:02}") for number in range(30)]
    async with Pool(servers) as pool:
        with pytest.raises(ModelUnavailable, match=r"server09.* 20 more") as missing:
            await pool.complete(prompt(model="none"))
        with pytest.raises(InvalidRequest, match="server09 and 20 more") as unknown:
            pool.remove("x")
    assert "server10" not in f"{missing.value}{unknown.value}"


class TestServersComeAndGo:
    async def test_one_that_is_added_serves_those_who_wait(self) -> None:
        busy = FakeModelServer("a", slots=1, otherwise=hangs())
        async with Pool([busy]) as pool, anyio.create_task_group() as tasks:
            tasks.start_soon(events_of, pool)
            await anyio.sleep(1)
            results: list[str] = []

            async def ask() -> None:
                results.append((await pool.complete(prompt())).served_by)

            tasks.start_soon(ask)
            await anyio.sleep(1)
            assert pool.waiting == 1
            pool.add(FakeModelServer("b"))
            while not results:
                await checkpoint()
            assert results == ["b"]
            tasks.cancel_scope.cancel()

    async def test_one_that_is_removed_finishes_what_it_is_at(self) -> None:
        server = FakeModelServer("a", otherwise=answers("x", "y", after_s=1))
        async with Pool([server]) as pool:
            async with pool.chat(prompt()) as events:
                await anext(events)
                pool.remove("a")
                rest = [event async for event in events]
            assert rest[-1] == Done(finish_reason="stop", served_by="a")
            with pytest.raises(NoServerAvailable):
                await pool.complete(prompt())

    async def test_those_who_wait_for_one_that_is_removed_are_told(self) -> None:
        server = FakeModelServer("a", slots=1, otherwise=hangs())
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:
            tasks.start_soon(events_of, pool)
            await anyio.sleep(1)
            told: list[str] = []

            async def ask() -> None:
                with pytest.raises(NoServerAvailable) as raised:
                    await pool.complete(prompt())
                told.append(raised.value.code)

            tasks.start_soon(ask)
            await anyio.sleep(1)
            pool.remove("a")
            await anyio.sleep(1)
            assert told == ["no_server_available"]
            tasks.cancel_scope.cancel()

    async def test_names_are_unique_and_known(self) -> None:
        async with Pool([FakeModelServer("a")]) as pool:
            with pytest.raises(InvalidRequest, match="'a' already"):
                pool.add(FakeModelServer("a"))
            with pytest.raises(InvalidRequest, match="There are: a"):
                pool.remove("b")


class TestChecks:
    async def test_run_every_ten_seconds_while_somebody_is_interested_and_then_stop(self) -> None:
        server = FakeModelServer("a")
        async with Pool([server]) as pool:
            await anyio.sleep(100)
            assert server.listed == 0
            with pool.interest():
                await anyio.sleep(35)
            assert server.listed == 4
            await anyio.sleep(100)
            assert server.listed == 4

    async def test_are_shared_by_the_prompts_of_ten_seconds(self) -> None:
        server = FakeModelServer("a")
        async with Pool([server]) as pool:
            for _ in range(20):
                await pool.complete(prompt())
        assert server.listed == 1

    async def test_that_hang_hardly_delay_the_first_prompt_for_another_and_none_after_it(
        self,
    ) -> None:
        hanging = FakeModelServer("a")
        hanging.listing_s = 1e6
        async with Pool([hanging, FakeModelServer("b")]) as pool:
            begun = anyio.current_time()
            await pool.complete(prompt())
            assert anyio.current_time() - begun <= GRACE_S
            begun = anyio.current_time()
            await pool.complete(prompt())
            assert anyio.current_time() == begun

    async def test_that_hang_delay_the_news_that_a_model_is_unknown_only_once(self) -> None:
        hanging = FakeModelServer("a")
        hanging.listing_s = 1e6
        async with Pool([hanging, FakeModelServer("b")]) as pool:
            for patience_s in (CHECK_LIMIT_S, 0, 0):
                begun = anyio.current_time()
                with pytest.raises(ModelUnavailable):
                    await pool.complete(prompt(model="unknown"))
                assert anyio.current_time() - begun <= patience_s + GRACE_S

    async def test_of_others_that_tell_in_time_count_for_the_first_prompt(self) -> None:
        slow = FakeModelServer("a")
        slow.listing_s = GRACE_S / 2
        fast = FakeModelServer("b", slots=1, otherwise=hangs())
        async with Pool([slow, fast]) as pool, anyio.create_task_group() as tasks:
            tasks.start_soon(events_of, pool)
            tasks.start_soon(events_of, pool)
            await anyio.sleep(GRACE_S)
            assert (len(slow.asked), len(fast.asked)) == (1, 1)
            tasks.cancel_scope.cancel()

    async def test_that_hang_delay_no_second_prompt(self) -> None:
        hanging = FakeModelServer("a")
        hanging.listing_s = 1e6
        async with Pool([hanging, FakeModelServer("b")]) as pool:
            await pool.complete(prompt())
            await anyio.sleep(60)
            begun = anyio.current_time()
            await pool.complete(prompt())
            assert anyio.current_time() == begun
            assert "within 5 s" in pool.problems()["a"]
