"""Servers that refuse a prompt, fail at it, or let nobody in."""

from __future__ import annotations

import anyio
import pytest

from fake_model_server import (
    FakeModelServer,
    fails,
    prompt,
)
from kowalski.errors import (
    NoServerAvailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.model_server import AccessRefused, ServerFault
from kowalski.inference.pool.batch import run_batch
from kowalski.inference.pool.breaker import REMEMBERED_S, REST_S
from kowalski.inference.pool.pool import Pool


class TestAPromptThatAServerRefuses:
    async def test_is_asked_of_another(self) -> None:
        picky = FakeModelServer("a", otherwise=fails(RequestRefused("No such setting.")))
        async with Pool([picky, FakeModelServer("b", slots=1)]) as pool:
            assert (await pool.complete(prompt())).served_by == "b"
        assert len(picky.asked) == 1

    async def test_is_asked_of_one_other_alone_and_told_as_it_is(self) -> None:
        servers = [FakeModelServer(n, otherwise=fails(RequestRefused(f"{n}: no."))) for n in "abc"]
        async with Pool(servers) as pool:
            with pytest.raises(RequestRefused) as raised:
                await pool.complete(prompt())
        assert raised.value.user_message == "a: no."
        assert sum(len(server.asked) for server in servers) == 2

    async def test_is_not_tried_again_where_it_failed_before(self) -> None:
        bad = FakeModelServer("a", otherwise=fails())
        picky = FakeModelServer("b", otherwise=fails(RequestRefused("No.")))
        async with Pool([bad, picky]) as pool:
            with pytest.raises(RequestRefused, match="No"):
                await pool.complete(prompt())
        assert (len(bad.asked), len(picky.asked)) == (1, 1)


class TestAPromptAtWhichAServerFails:
    async def test_is_asked_of_another_and_not_again_of_the_same(self) -> None:
        failing = FakeModelServer("a", otherwise=fails(ServerFault("500")))
        async with Pool([failing, FakeModelServer("b", slots=1)]) as pool:
            assert (await pool.complete(prompt())).served_by == "b"
        assert len(failing.asked) == 1

    async def test_is_asked_of_one_other_alone_and_what_both_said_is_told(self) -> None:
        servers = [FakeModelServer(n, otherwise=fails(ServerFault(f"{n}: 500."))) for n in "abc"]
        async with Pool(servers) as pool:
            with pytest.raises(ServerUnavailable, match=r"a: 500\. b: b: 500"):
                await pool.complete(prompt())
        assert sum(len(server.asked) for server in servers) == 2

    async def test_is_told_at_once_where_there_is_no_other(self) -> None:
        failing = FakeModelServer("a", otherwise=fails(ServerFault("It failed (500).")))
        async with Pool([failing]) as pool:
            begun = anyio.current_time()
            with pytest.raises(ServerUnavailable, match="It failed"):
                await pool.complete(prompt())
            assert anyio.current_time() == begun
        assert len(failing.asked) == 1


class TestAServerThatLetsNobodyIn:
    async def test_is_left_alone_and_says_why(self) -> None:
        locked = FakeModelServer("a", otherwise=fails(AccessRefused("It wants an API key.")))
        async with Pool([locked, FakeModelServer("b", slots=1)]) as pool:
            for _ in range(5):
                assert (await pool.complete(prompt())).served_by == "b"
            assert pool.problems() == {"a": "It wants an API key."}
        assert len(locked.asked) == 1

    async def test_is_told_at_once_where_there_is_no_other_however_patient_the_caller(self) -> None:
        locked = FakeModelServer("a", otherwise=fails(AccessRefused("It wants an API key.")))
        async with Pool([locked]) as pool:
            begun = anyio.current_time()
            async with run_batch(pool, [prompt()] * 20) as batch:
                failures = [outcome.failure async for outcome in batch]
            assert anyio.current_time() == begun
        assert all(failure and "wants an API key" in failure.message for failure in failures)
        assert len(locked.asked) <= locked.slots

    async def test_serves_again_once_a_prompt_was_let_in(self) -> None:
        locked = FakeModelServer("a", script=[fails(AccessRefused("It wants an API key."))])
        async with Pool([locked]) as pool:
            with pytest.raises(RequestRefused):
                await pool.complete(prompt())
            with pytest.raises(NoServerAvailable, match="a: It wants an API key"):
                await pool.complete(prompt())
            await anyio.sleep(REST_S)
            assert (await pool.complete(prompt())).served_by == "a"
            assert pool.problems() == {}

    async def test_says_so_until_nobody_has_asked_it_for_a_while(self) -> None:
        locked = FakeModelServer("a", otherwise=fails(AccessRefused("It wants an API key.")))
        async with Pool([locked]) as pool:
            with pytest.raises(RequestRefused):
                await pool.complete(prompt())
            await anyio.sleep(REST_S + REMEMBERED_S - 1)
            await pool.models()
            assert pool.problems() == {"a": "It wants an API key."}
            await anyio.sleep(1)
            await pool.models()
            assert pool.problems() == {}

    async def test_is_found_out_by_its_probe_as_well(self) -> None:
        locked = FakeModelServer("a", otherwise=fails(AccessRefused("It wants an API key.")))
        async with Pool([locked, FakeModelServer("b", slots=1)]) as pool:
            assert (await pool.complete(prompt("word " * 3000))).served_by == "b"
        assert len(locked.asked) == 1


async def test_an_answer_that_cannot_be_read_ends_one_attempt_and_nothing_else() -> None:
    unreadable = FakeModelServer("a", otherwise=fails(RecursionError("too deep")))
    async with Pool([unreadable]) as pool:
        with pytest.raises(ServerUnavailable, match="failed to read"):
            await pool.complete(prompt())
    assert len(unreadable.asked) == 1
    async with Pool([unreadable, FakeModelServer("b")]) as pool:
        assert (await pool.complete(prompt())).served_by == "b"
