"""Batches: many prompts, an outcome for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from fake_model_server import (
    Behaviour,
    FakeModelServer,
    answers,
    fails,
    hangs,
    loaded,
    prompt,
)
from kowalski.errors import ModelUnavailable, RequestRefused, ServerUnavailable
from kowalski.inference.model_server import ServerFault
from kowalski.inference.pool.batch import PATIENCE_S, run_batch
from kowalski.inference.pool.breaker import FAILURES
from kowalski.inference.pool.pool import QUEUE, Pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from kowalski.model.chat import ChatEvent, ChatRequest


def numbered(count: int) -> Iterator[ChatRequest]:
    return (prompt(str(n)) for n in range(count))


async def uneven(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
    """Takes one to seven seconds, by the number that the prompt is."""
    seconds = 1 + int(request.messages[-1].content) * 5 % 7
    async for event in answers(after_s=seconds)(request):
        yield event


async def test_outcomes_come_in_the_order_of_the_prompts_whatever_each_takes() -> None:
    servers = [FakeModelServer(name, slots=3, otherwise=uneven) for name in "ab"]
    async with Pool(servers) as pool, run_batch(pool, numbered(100)) as batch:
        outcomes = [outcome async for outcome in batch]
    assert [outcome.index for outcome in outcomes] == list(range(100))
    assert [o.result.text for o in outcomes if o.result] == [str(n) for n in range(100)]


async def test_every_prompt_is_asked_once() -> None:
    servers = [FakeModelServer(name, slots=3, otherwise=uneven) for name in "ab"]
    async with Pool(servers) as pool, run_batch(pool, numbered(100)) as batch:
        async for _ in batch:
            pass
    asked = [int(request.messages[-1].content) for server in servers for request in server.asked]
    assert sorted(asked) == list(range(100))


async def test_outcomes_may_be_had_as_they_come() -> None:
    server = FakeModelServer("a", slots=2, script=[hangs()], otherwise=answers(after_s=1))
    async with Pool([server]) as pool, run_batch(pool, numbered(5), in_order=False) as batch:
        outcomes = [await anext(batch) for _ in range(4)]
    assert [outcome.index for outcome in outcomes] == [1, 2, 3, 4]


async def test_two_thousand_prompts_over_four_servers_take_as_long_as_slots_allow() -> None:
    servers = [FakeModelServer(n, slots=8, otherwise=answers(after_s=1)) for n in "abcd"]
    async with Pool(servers) as pool, run_batch(pool, numbered(2000)) as batch:
        begun = anyio.current_time()
        async for _ in batch:
            pass
        took = anyio.current_time() - begun
        progress = batch.progress
    assert took == pytest.approx(2000 / 32, abs=1)
    assert (progress.done, progress.failed, progress.completion_tokens) == (2000, 0, 2000)
    assert all(abs(count - 500) <= 16 for count in progress.per_server.values())


async def test_unequal_servers_are_used_as_far_as_each_can() -> None:
    servers = [
        FakeModelServer("fast", slots=8, otherwise=answers(after_s=1)),
        FakeModelServer("slow", slots=2, otherwise=answers(after_s=4)),
    ]
    async with Pool(servers) as pool, run_batch(pool, numbered(340)) as batch:
        begun = anyio.current_time()
        async for _ in batch:
            pass
        took = anyio.current_time() - begun
    # 8 a second and 0.5 a second.
    assert took == pytest.approx(340 / 8.5, abs=4)


async def test_a_failure_is_an_outcome_with_what_had_come_and_ends_no_other() -> None:
    refusal = fails(RequestRefused("Not this one."), "half")
    server = FakeModelServer("a", slots=1, script=[answers(), refusal])
    async with Pool([server]) as pool, run_batch(pool, numbered(4)) as batch:
        outcomes = [outcome async for outcome in batch]
        progress = batch.progress
    assert [outcome.failure is None for outcome in outcomes] == [True, False, True, True]
    failure = outcomes[1].failure
    assert failure is not None
    assert (failure.code, failure.partial_text) == ("request_refused", "half")
    assert (failure.message, failure.served_by) == ("Not this one.", "a")
    assert (progress.done, progress.failed, progress.per_server) == (4, 1, {"a": 3})


async def test_a_prompt_at_which_kowalski_itself_fails_ends_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    impossible = replace(prompt(), json_schema={"const": object()})
    async with (
        Pool([FakeModelServer("a")]) as pool,
        run_batch(pool, [prompt("1"), impossible, prompt("3")]) as batch,
    ):
        first, second, third = [outcome async for outcome in batch]
    assert second.failure is not None
    assert second.failure.code == "kowalski_error"
    assert [one.result.text for one in (first, third) if one.result] == ["1", "3"]
    assert "A prompt of a batch failed" in caplog.text


async def test_each_prompt_has_a_time_of_its_own_which_begins_when_a_server_takes_it() -> None:
    server = FakeModelServer("a", slots=1, script=[hangs()], otherwise=answers(after_s=3))
    requests = (prompt(str(n), timeout_s=5) for n in range(6))
    async with Pool([server]) as pool, run_batch(pool, requests) as batch:
        outcomes = [outcome async for outcome in batch]
    assert [o.failure.code if o.failure else "ok" for o in outcomes] == [
        "deadline_exceeded",
        *["ok"] * 5,
    ]


async def test_a_failed_attempt_is_made_good_elsewhere() -> None:
    bad = FakeModelServer("a", slots=2, script=[answers(), fails(None, "half"), fails()])
    good = FakeModelServer("b", slots=2)
    async with Pool([bad, good]) as pool, run_batch(pool, numbered(50)) as batch:
        outcomes = [outcome async for outcome in batch]
    assert [o.result.text for o in outcomes if o.result] == [str(n) for n in range(50)]


async def test_prompts_are_taken_only_as_far_ahead_as_the_window() -> None:
    taken = 0

    def count() -> Iterator[ChatRequest]:
        nonlocal taken
        for request in numbered(10_000):
            taken += 1
            yield request

    server = FakeModelServer("a", slots=4, script=[hangs()], otherwise=answers(after_s=0.01))
    async with Pool([server]) as pool, run_batch(pool, count(), window=100) as batch:
        await anyio.sleep(60)
        # The first hangs, so that nothing could be given out.
        assert taken == 100
        assert batch.progress.done == 99


async def test_ten_thousand_prompts_stay_within_the_window_however_slow_the_reader() -> None:
    taken = given = ahead = 0

    async def count() -> AsyncIterator[ChatRequest]:
        nonlocal taken
        for request in numbered(10_000):
            taken += 1
            yield request

    servers = [FakeModelServer(n, slots=8) for n in "abcd"]
    async with Pool(servers) as pool, run_batch(pool, count()) as batch:
        async for _ in batch:
            ahead = max(ahead, taken - given)
            given += 1
    assert given == 10_000
    assert ahead <= 8 * 32


async def test_leaving_it_cancels_what_is_under_way() -> None:
    server = FakeModelServer("a", slots=4, otherwise=hangs())
    async with Pool([server]) as pool:
        async with run_batch(pool, numbered(100)):
            await anyio.sleep(1)
            assert server.active == 4
        assert (server.active, pool.busy, pool.waiting) == (0, 0, 0)


async def test_a_prompt_of_somebody_else_waits_for_one_slot_and_not_for_the_batch() -> None:
    server = FakeModelServer("a", slots=2, otherwise=answers(after_s=1))
    async with Pool([server]) as pool, run_batch(pool, numbered(1000)):
        await anyio.sleep(1.5)
        assert (await pool.complete(prompt())).latency_ms <= 2500


async def test_it_leaves_room_in_the_line_however_many_slots_there_are() -> None:
    server = FakeModelServer("a", slots=QUEUE, otherwise=answers(after_s=1))
    async with Pool([server]) as pool, run_batch(pool, numbered(3 * QUEUE)):
        await anyio.sleep(0.5)
        assert pool.busy == QUEUE
        assert (await pool.complete(prompt())).text == "hello"


async def test_a_server_that_comes_late_is_used() -> None:
    first = FakeModelServer("a", slots=1, otherwise=answers(after_s=1))
    late = FakeModelServer("b", slots=9, otherwise=answers(after_s=1))
    async with Pool([first]) as pool, run_batch(pool, numbered(100)) as batch:
        begun = anyio.current_time()
        for _ in range(10):
            await anext(batch)
        pool.add(late)
        async for _ in batch:
            pass
        assert anyio.current_time() - begun == pytest.approx(10 + 9, abs=2)


async def test_it_outlives_a_restart_of_its_only_server() -> None:
    server = FakeModelServer("a", slots=4, script=[answers()] * 10 + [fails()] * 6)
    async with Pool([server]) as pool, run_batch(pool, numbered(100)) as batch:
        outcomes = [outcome async for outcome in batch]
    assert sum(outcome.result is not None for outcome in outcomes) >= 95


def breaks_at_bad() -> Behaviour:
    """Hangs up on whoever asks for the model `bad`, and answers the others."""

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        if request.model == "bad":
            raise ServerUnavailable("It hung up.")
        async for event in answers(after_s=0.1)(request):
            yield event

    return behave


async def test_prompts_for_a_model_that_is_broken_do_not_hold_up_those_for_others() -> None:
    models = ["bad", "good"] * 30 + ["good"] * 240
    server = FakeModelServer("a", models=loaded("bad", "good"), otherwise=breaks_at_bad())
    requests = (prompt(model=model) for model in models)
    async with Pool([server]) as pool, run_batch(pool, requests, in_order=False) as batch:
        begun = anyio.current_time()
        async for _ in batch:
            if batch.progress.per_server.get("a") == 270:
                break
        assert anyio.current_time() - begun < PATIENCE_S / 3
        assert batch.progress.failed < 15


async def test_prompts_for_a_model_that_is_being_loaded_do_not_hold_up_those_for_others() -> None:
    loads_until = anyio.current_time() + 100

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        if request.model == "slow" and anyio.current_time() < loads_until:
            raise ModelUnavailable("It is being loaded.", retry_after_s=1)
        async for event in answers(after_s=0.1)(request):
            yield event

    requests = (prompt(model=model) for model in ["slow"] * 40 + ["quick"] * 20)
    server = FakeModelServer("a", models=loaded("slow", "quick"), otherwise=behave)
    async with Pool([server]) as pool, run_batch(pool, requests, in_order=False) as batch:
        quick = [await anext(batch) for _ in range(20)]
        assert {outcome.index for outcome in quick} == set(range(40, 60))
        assert anyio.current_time() < loads_until
        slow = [outcome async for outcome in batch]
    assert [outcome.failure for outcome in slow] == [None] * 40


async def test_prompts_for_a_model_that_is_broken_stay_within_the_window() -> None:
    taken = 0

    def count() -> Iterator[ChatRequest]:
        nonlocal taken
        for _ in range(10_000):
            taken += 1
            yield prompt(model="bad")

    server = FakeModelServer("a", models=loaded("bad", "good"), otherwise=breaks_at_bad())
    async with Pool([server]) as pool, run_batch(pool, count(), window=100) as batch:
        await anyio.sleep(PATIENCE_S / 2)
        assert pool.waiting > server.slots
        assert taken == 100
        assert (await pool.complete(prompt(model="good"))).served_by == "a"
        async for _ in batch:
            assert taken - batch.progress.done <= 100
    assert taken == 10_000


async def test_it_does_not_wait_for_long_for_servers_that_stay_away() -> None:
    server = FakeModelServer("a", slots=4, otherwise=fails())
    async with Pool([server]) as pool, run_batch(pool, numbered(1000)) as batch:
        begun = anyio.current_time()
        outcomes = [outcome async for outcome in batch]
        assert anyio.current_time() - begun < 120
    assert len(outcomes) == 1000
    assert all(outcome.failure is not None for outcome in outcomes)


async def test_it_does_not_wait_for_a_model_that_fails_at_whatever_it_is_asked() -> None:
    server = FakeModelServer("a", slots=4, otherwise=fails(ServerFault("It failed (500).")))
    async with Pool([server]) as pool, run_batch(pool, numbered(100)) as batch:
        begun = anyio.current_time()
        failures = [outcome.failure async for outcome in batch]
        assert anyio.current_time() == begun
    assert all(failures)
    assert failures[-1] is not None
    assert "left alone for 10 s more" in failures[-1].message


@pytest.mark.parametrize(("slots", "answer_s"), [(1, 0.0), (2, 5.0)])
async def test_it_waits_for_a_model_that_fails_at_some_prompts_and_answers_others(
    slots: int, answer_s: float
) -> None:
    script = [answers(after_s=answer_s), *[fails(ServerFault("It failed (500)."))] * FAILURES]
    server = FakeModelServer("a", slots=slots, script=script)
    async with Pool([server]) as pool, run_batch(pool, numbered(50)) as batch:
        outcomes = [outcome async for outcome in batch]
    assert sum(outcome.failure is not None for outcome in outcomes) == FAILURES


async def test_an_error_of_the_source_comes_after_the_outcomes_of_what_it_gave() -> None:
    def source() -> Iterator[ChatRequest]:
        yield from numbered(3)
        raise OSError("The file ended in the middle of a line.")

    outcomes = []

    async def read() -> None:
        async with Pool([FakeModelServer("a")]) as pool, run_batch(pool, source()) as batch:
            outcomes.extend([await anext(batch) for _ in range(3)])
            await anext(batch)

    with pytest.raises(OSError, match="in the middle of a line"):
        await read()
    assert [outcome.index for outcome in outcomes] == [0, 1, 2]


async def test_no_prompts_have_no_outcomes() -> None:
    async with Pool([FakeModelServer("a")]) as pool, run_batch(pool, []) as batch:
        assert [outcome async for outcome in batch] == []
