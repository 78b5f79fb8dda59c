"""A server that no connection can be made to is that for every model, under every name."""

from __future__ import annotations

import anyio
import pytest

from fake_model_server import FakeModelServer, answers, fails, loaded, prompt
from kowalski.errors import NoServerAvailable, ServerUnavailable
from kowalski.inference.model_server import Unreachable
from kowalski.inference.pool.breaker import FAILURES, REMEMBERED_S, REST_S
from kowalski.inference.pool.pool import Pool

GONE = Unreachable("It cannot be reached.")


async def fail_at(pool: Pool, *models: str) -> None:
    """Ask in turn for each of the models until one more failure would be too many."""
    for number in range(FAILURES):
        with pytest.raises(ServerUnavailable):
            await pool.complete(prompt(model=models[number % len(models)]))


async def test_it_is_left_alone_for_models_that_it_was_not_asked_for() -> None:
    server = FakeModelServer("a", models=loaded("m", "n", "o"), otherwise=fails(GONE))
    async with Pool([server]) as pool:
        await fail_at(pool, "m", "n")
        asked = len(server.asked)
        with pytest.raises(NoServerAvailable, match="a: it failed several times in a row"):
            await pool.complete(prompt(model="o"))
        assert len(server.asked) == asked
        assert "left alone" in pool.problems()["a"]
        assert [score.eligible for score in pool.explain()] == [False]


async def test_an_answer_for_one_model_shows_that_it_can_be_reached_for_all() -> None:
    server = FakeModelServer("a", models=loaded("m", "n"), otherwise=fails(GONE))
    async with Pool([server]) as pool:
        await fail_at(pool, "m")
        server.otherwise = answers("whole")
        await anyio.sleep(REST_S)
        assert (await pool.complete(prompt(model="n"))).text == "whole"
        assert (await pool.complete(prompt(model="m"))).text == "whole"
        assert pool.problems() == {}


async def test_one_that_is_reached_and_fails_is_asked_for_its_other_models() -> None:
    server = FakeModelServer("a", models=loaded("m", "n"), otherwise=fails())
    async with Pool([server]) as pool:
        await fail_at(pool, "m")
        server.otherwise = answers("whole")
        assert (await pool.complete(prompt(model="n"))).text == "whole"


async def test_it_is_no_longer_said_to_be_gone_once_nobody_has_asked_it_for_a_while() -> None:
    server = FakeModelServer("a", otherwise=fails(GONE))
    async with Pool([server]) as pool:
        await fail_at(pool, "m")
        await anyio.sleep(REST_S + REMEMBERED_S)
        await pool.models()
        assert pool.problems() == {}


async def test_a_prompt_waits_until_it_may_be_tried_again_as_for_a_model_that_fails() -> None:
    server = FakeModelServer("a", models=loaded("m", "n"), otherwise=fails(GONE))
    async with Pool([server]) as pool, anyio.create_task_group() as tasks:
        await fail_at(pool, "m")
        server.otherwise = answers("whole", after_s=1)
        await anyio.sleep(REST_S)
        tasks.start_soon(pool.complete, prompt(model="m"))
        await anyio.sleep(0.5)
        assert "is being tried with one prompt" in pool.problems()["a"]
        assert (await pool.complete(prompt(model="n"))).text == "whole"


async def test_a_model_that_fails_does_so_with_and_without_its_tag() -> None:
    server = FakeModelServer("a", models=loaded("m:latest"), otherwise=fails())
    async with Pool([server]) as pool:
        await fail_at(pool, "m", "m:latest")
        for name in ("m", "m:latest"):
            with pytest.raises(NoServerAvailable, match="a: it failed several times in a row"):
                await pool.complete(prompt(model=name))
