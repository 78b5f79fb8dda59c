"""The pool: many servers as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from fake_model_server import (
    FakeModelServer,
    answers,
    events_of,
    fails,
    hangs,
    loaded,
    prompt,
)
from kowalski.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelUnavailable,
    NoServerAvailable,
    RequestRefused,
    ServerUnavailable,
)
from kowalski.inference.pool.breaker import FAILURES, REMEMBERED_S, REST_S
from kowalski.inference.pool.call import FIRST_TOKEN_S
from kowalski.inference.pool.pool import Pool
from kowalski.inference.pool.retry_budget import ATTEMPTS
from kowalski.model.chat import ChatEvent, Done, Restarted, ServedModel, Text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kowalski.model.chat import ChatRequest


async def test_an_answer_streams_through_and_ends_with_done() -> None:
    async with Pool([FakeModelServer("a", otherwise=answers("x", "y"))]) as pool:
        events = await events_of(pool)
    assert [event.text for event in events if isinstance(event, Text)] == ["x", "y"]
    assert events[-1] == Done(finish_reason="stop", served_by="a")


async def test_a_whole_answer_tells_its_text_tokens_times_and_server() -> None:
    async with Pool([FakeModelServer("a", otherwise=answers("x", "y", after_s=0.25))]) as pool:
        result = await pool.complete(prompt())
    assert (result.text, result.served_by, result.finish_reason) == ("xy", "a", "stop")
    assert (result.first_token_ms, result.latency_ms) == (250, 500)
    assert result.usage is not None
    assert (result.usage.prompt_tokens, result.restarted) == (10, 0)


class TestTheModel:
    async def test_the_only_loaded_one_serves_prompts_that_name_none(self) -> None:
        downloaded = ServedModel(name="other", state="downloaded")
        server = FakeModelServer("a", models=[*loaded("only"), downloaded])
        async with Pool([server, FakeModelServer("b", models=loaded("only"))]) as pool:
            await pool.complete(prompt(model=None))
        assert server.asked[0].model == "only"

    async def test_the_default_comes_first(self) -> None:
        server = FakeModelServer("a", models=loaded("x", "y"))
        async with Pool([server], default_model="y") as pool:
            await pool.complete(prompt(model=None))
        assert server.asked[0].model == "y"

    async def test_without_a_default_several_are_listed_by_server(self) -> None:
        servers = [
            FakeModelServer("a", models=loaded("x")),
            FakeModelServer("b", models=[*loaded("y"), ServedModel(name="z", state="downloaded")]),
        ]
        async with Pool(servers) as pool:
            with pytest.raises(ModelUnavailable) as raised:
                await pool.complete(prompt(model=None))
        assert "a: loaded x." in raised.value.user_message
        assert "b: loaded y; downloaded z." in raised.value.user_message

    async def test_a_prompt_goes_only_where_its_model_is(self) -> None:
        other, right = FakeModelServer("a", models=loaded("x")), FakeModelServer("b")
        async with Pool([other, right]) as pool:
            await pool.complete(prompt(model="m"))
        assert (len(other.asked), len(right.asked)) == (0, 1)

    async def test_one_that_was_loaded_a_moment_ago_is_found(self) -> None:
        server = FakeModelServer("a", models=())
        async with Pool([server]) as pool:
            await pool.models()
            server.served = loaded("m")
            assert (await pool.complete(prompt())).served_by == "a"

    async def test_one_that_is_only_downloaded_is_not_asked_but_named(self) -> None:
        server = FakeModelServer("a", models=[ServedModel(name="m", state="downloaded")])
        async with Pool([server]) as pool:
            with pytest.raises(ModelUnavailable, match="It is downloaded: load it"):
                await pool.complete(prompt())
        assert not server.asked

    async def test_one_that_its_server_loads_on_demand_is_asked_where_it_is_not_loaded(
        self,
    ) -> None:
        cold = ServedModel(name="m", state="downloaded", on_demand=True)
        server = FakeModelServer("a", models=[cold])
        warm = FakeModelServer("b", slots=1, otherwise=answers("x", after_s=1))
        async with Pool([server, warm]) as pool, anyio.create_task_group() as tasks:
            for _ in range(2):
                await pool.complete(prompt())
            assert (len(server.asked), len(warm.asked)) == (0, 2)
            for _ in range(2):
                tasks.start_soon(events_of, pool)
        assert (len(server.asked), len(warm.asked)) == (1, 3)

    async def test_the_only_one_that_can_be_loaded_on_demand_serves_prompts_that_name_none(
        self,
    ) -> None:
        cold = ServedModel(name="only", state="downloaded", on_demand=True)
        server = FakeModelServer("a", models=[cold])
        async with Pool([server]) as pool:
            await pool.complete(prompt(model=None))
        assert server.asked[0].model == "only"

    async def test_a_name_without_its_tag_means_the_latest_and_no_other(self) -> None:
        server = FakeModelServer("a", models=loaded("m:latest", "n:7b"))
        async with Pool([server]) as pool:
            await pool.complete(prompt(model="m"))
            with pytest.raises(ModelUnavailable):
                await pool.complete(prompt(model="n"))
        assert [request.model for request in server.asked] == ["m:latest"]

    async def test_a_server_that_lists_it_without_having_it_is_passed_over(self) -> None:
        liar = FakeModelServer("a", otherwise=fails(ModelUnavailable("I do not have it.")))
        other = FakeModelServer("b", slots=1)
        async with Pool([liar, other]) as pool:
            for _ in range(4):
                assert (await pool.complete(prompt())).served_by == "b"
        assert len(liar.asked) == 1

    async def test_a_server_that_keeps_listing_it_is_asked_once_a_call(self) -> None:
        gone = ModelUnavailable("I do not have it.")
        liar = FakeModelServer("a", otherwise=fails(gone, after_s=11))
        async with Pool([liar]) as pool:
            with pytest.raises(ModelUnavailable):
                await pool.complete(prompt())
        assert len(liar.asked) == 1

    async def test_an_empty_pool_says_what_to_do(self) -> None:
        async with Pool() as pool:
            with pytest.raises(NoServerAvailable, match="kowalski servers add"):
                await pool.complete(prompt())


class TestFailures:
    async def test_before_any_text_are_silent_and_go_elsewhere_at_once(self) -> None:
        bad = FakeModelServer("a", script=[fails()])
        async with Pool([bad, FakeModelServer("b")]) as pool:
            begun = anyio.current_time()
            events = await events_of(pool)
            assert anyio.current_time() == begun
        assert len(bad.asked) == 1
        assert not [event for event in events if isinstance(event, Restarted)]

    async def test_after_text_mark_that_the_answer_begins_anew(self) -> None:
        bad = FakeModelServer("a", script=[fails(None, "half")])
        async with Pool([bad, FakeModelServer("b", otherwise=answers("whole"))]) as pool:
            events = await events_of(pool)
        assert events[0] == Text(text="half")
        assert isinstance(events[1], Restarted)
        assert events[1].server == "b"
        assert "It hung up" in events[1].reason
        assert events[2] == Text(text="whole")

    async def test_after_text_leave_nothing_of_it_in_a_whole_answer(self) -> None:
        bad = FakeModelServer("a", script=[fails(None, "half")])
        async with Pool([bad, FakeModelServer("b", otherwise=answers("whole"))]) as pool:
            result = await pool.complete(prompt())
        assert (result.text, result.restarted, result.served_by) == ("whole", 1, "b")

    async def test_a_stream_that_just_ends_is_one(self) -> None:
        async def ends(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
            yield Text(text="half")

        bad = FakeModelServer("a", script=[ends])
        async with Pool([bad, FakeModelServer("b", otherwise=answers("whole"))]) as pool:
            assert (await pool.complete(prompt())).text == "whole"

    async def test_the_only_server_is_asked_again_after_a_pause(self) -> None:
        server = FakeModelServer("a", script=[fails(), fails()])
        async with Pool([server]) as pool:
            assert (await pool.complete(prompt())).served_by == "a"
        assert len(server.asked) == 3

    async def test_end_after_three_attempts_with_what_each_server_said(self) -> None:
        servers = [
            FakeModelServer(name, otherwise=fails(ServerUnavailable(f"{name} is down.")))
            for name in "abcd"
        ]
        async with Pool(servers) as pool:
            with pytest.raises(ServerUnavailable) as raised:
                await pool.complete(prompt())
        assert sum(len(server.asked) for server in servers) == 3
        assert "a: a is down. b: b is down. c: c is down." in raised.value.user_message

    async def test_a_server_is_left_alone_for_as_long_as_it_asks(self) -> None:
        server = FakeModelServer("a", script=[fails(ServerUnavailable("Full.", retry_after_s=7))])
        async with Pool([server]) as pool:
            begun = anyio.current_time()
            await pool.complete(prompt())
            assert 7 <= anyio.current_time() - begun < 7.6

    async def test_a_call_without_the_time_for_that_pause_is_told_at_once(self) -> None:
        server = FakeModelServer("a", script=[fails(ServerUnavailable("Full.", retry_after_s=70))])
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:
            tasks.start_soon(events_of, pool)
            await anyio.sleep(1)
            begun = anyio.current_time()
            with pytest.raises(NoServerAvailable, match=r"it asked for a pause.* 59 s more"):
                await pool.complete(prompt(timeout_s=30))
            assert anyio.current_time() == begun
            tasks.cancel_scope.cancel()

    async def test_after_the_last_event_change_nothing(self) -> None:
        async def breaks_late(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
            async for event in answers("whole")(request):
                yield event
            raise ServerUnavailable("It hung up.")

        server = FakeModelServer("a", script=[breaks_late])
        async with Pool([server]) as pool:
            assert (await pool.complete(prompt())).text == "whole"
        assert len(server.asked) == 1

    async def test_others_wait_for_a_server_that_asked_for_a_pause(self) -> None:
        server = FakeModelServer("a", script=[fails(ServerUnavailable("Full.", retry_after_s=7))])
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:
            tasks.start_soon(events_of, pool)
            await anyio.sleep(1)
            assert "pause" in pool.problems()["a"]
            assert (await pool.complete(prompt())).latency_ms == 6000
            tasks.cancel_scope.cancel()

    async def test_a_pause_beyond_the_deadline_is_not_waited_for(self) -> None:
        server = FakeModelServer("a", script=[fails(ServerUnavailable("Full.", retry_after_s=70))])
        async with Pool([server]) as pool:
            begun = anyio.current_time()
            with pytest.raises(ServerUnavailable) as raised:
                await pool.complete(prompt(timeout_s=60))
            assert anyio.current_time() == begun
        assert raised.value.retry_after_s == 70

    async def test_of_most_prompts_exhaust_the_budget_for_retries(self) -> None:
        servers = [FakeModelServer(str(n), otherwise=fails(), slots=1) for n in range(40)]
        async with Pool(servers) as pool:
            for _ in range(50):
                with pytest.raises((ServerUnavailable, NoServerAvailable)):
                    await pool.complete(prompt())
        assert sum(len(server.asked) for server in servers) <= 50 + 10 + 50 * 0.2


# All but the last of the prompts that shut a server out have all their attempts.
SENT = (FAILURES - 1) * ATTEMPTS + 1


class TestAFailingServer:
    async def test_is_asked_again_at_once_where_many_prompts_failed_together(self) -> None:
        server = FakeModelServer("a", script=[fails(None, "cut", after_s=1)] * FAILURES)
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:
            for _ in range(FAILURES):
                tasks.start_soon(pool.complete, prompt())
        assert len(server.asked) == 2 * FAILURES

    async def test_is_left_alone_and_said_to_be_once_five_prompts_failed(self) -> None:
        server = FakeModelServer("a", otherwise=fails())
        async with Pool([server]) as pool:
            for _ in range(FAILURES):
                with pytest.raises(ServerUnavailable):
                    await pool.complete(prompt())
            asked = len(server.asked)
            with pytest.raises(NoServerAvailable, match="a: it failed several times in a row"):
                await pool.complete(prompt())
        assert len(server.asked) == asked == SENT

    async def test_is_still_asked_for_its_models_that_answer(self) -> None:
        async def breaks_at_m(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
            if request.model == "m":
                raise ServerUnavailable("The runner has died.")
            async for event in answers("whole")(request):
                yield event

        server = FakeModelServer("a", models=loaded("m", "n"), otherwise=breaks_at_m)
        async with Pool([server]) as pool:
            for _ in range(FAILURES):
                with pytest.raises(ServerUnavailable):
                    await pool.complete(prompt())
            with pytest.raises(NoServerAvailable, match="a: it failed several times in a row"):
                await pool.complete(prompt())
            assert (await pool.complete(prompt(model="n"))).text == "whole"
            assert "asked for m, it failed several times" in pool.problems()["a"]

    async def test_can_be_asked_while_one_of_its_models_answers(self) -> None:
        server = FakeModelServer("a", models=loaded("m", "n"), otherwise=fails())
        async with Pool([server]) as pool:
            for model in ("m", "n"):
                assert [score.eligible for score in pool.explain()] == [True]
                for _ in range(FAILURES):
                    with pytest.raises(ServerUnavailable):
                        await pool.complete(prompt(model=model))
            assert [score.eligible for score in pool.explain()] == [False]

    @pytest.mark.parametrize("listing_problem", [None, "It is being started."])
    async def test_is_no_longer_said_to_be_one_once_nobody_has_asked_it_for_a_while(
        self, listing_problem: str | None
    ) -> None:
        server = FakeModelServer("a", otherwise=fails())
        async with Pool([server]) as pool:
            for _ in range(FAILURES):
                with pytest.raises(ServerUnavailable):
                    await pool.complete(prompt())
            server.listing_problem = listing_problem
            await anyio.sleep(REST_S)
            await pool.models()
            assert "will be tried with the next prompt" in pool.problems()["a"]
            await anyio.sleep(REMEMBERED_S)
            await pool.models()
            assert pool.problems() == ({"a": listing_problem} if listing_problem else {})

    async def test_serves_again_after_one_prompt_has_proven_it_well(self) -> None:
        server = FakeModelServer("a", script=[fails()] * SENT)
        async with Pool([server]) as pool:
            for _ in range(FAILURES):
                with pytest.raises(ServerUnavailable):
                    await pool.complete(prompt())
            await anyio.sleep(10)
            server.script.append(answers("x", after_s=1))
            results: list[str] = []

            async def ask() -> None:
                results.append((await pool.complete(prompt())).served_by)

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(ask)
                await anyio.sleep(0.5)
                assert server.active == 1
        assert results == ["a"] * 3
        assert pool.problems() == {}

    async def test_can_be_tried_by_another_when_whoever_tried_it_left(self) -> None:
        server = FakeModelServer("a", script=[fails()] * SENT + [hangs()])
        async with Pool([server]) as pool:
            for _ in range(FAILURES):
                with pytest.raises(ServerUnavailable):
                    await pool.complete(prompt())
            await anyio.sleep(10)
            with anyio.move_on_after(1):
                await pool.complete(prompt())
            assert (await pool.complete(prompt())).served_by == "a"

    async def test_that_refuses_prompts_is_well(self) -> None:
        server = FakeModelServer("a", otherwise=fails(RequestRefused("No.")))
        async with Pool([server]) as pool:
            for _ in range(20):
                with pytest.raises(RequestRefused):
                    await pool.complete(prompt())
        assert len(server.asked) == 20

    async def test_that_does_not_list_its_models_is_asked_only_if_no_other_can_be(self) -> None:
        silent, other = FakeModelServer("a"), FakeModelServer("b")
        async with Pool([silent, other]) as pool:
            await pool.models()
            silent.listing_problem = "It is away."
            await pool.models()
            for _ in range(4):
                await pool.complete(prompt())
            assert len(silent.asked) == 0
            pool.remove("b")
            assert (await pool.complete(prompt())).served_by == "a"


class TestTime:
    async def test_the_whole_call_ends_at_its_deadline_and_says_who_was_at_it(self) -> None:
        server = FakeModelServer("a", otherwise=hangs("half"))
        async with Pool([server]) as pool:
            begun = anyio.current_time()
            with pytest.raises(DeadlineExceeded, match=r"within 5 s\. a was at it"):
                await pool.complete(prompt(timeout_s=5))
            assert anyio.current_time() - begun == 5
            assert (pool.busy, server.active) == (0, 0)

    async def test_the_first_token_may_take_all_of_it_only_where_nobody_else_can_be_asked(
        self,
    ) -> None:
        first = FakeModelServer("a")
        async with Pool([first]) as pool:
            await pool.complete(prompt(timeout_s=3600))
            pool.add(FakeModelServer("b", otherwise=hangs()))
            await pool.models()
            await pool.complete(prompt(timeout_s=3600))
            await pool.complete(prompt(timeout_s=60))
        assert [request.timeout_s for request in first.asked] == [3600, FIRST_TOKEN_S, 60]

    async def test_waiting_for_a_slot_counts(self) -> None:
        server = FakeModelServer("a", slots=1, otherwise=hangs())
        async with Pool([server]) as pool, anyio.create_task_group() as tasks:
            tasks.start_soon(events_of, pool)
            await anyio.sleep(1)
            with pytest.raises(DeadlineExceeded, match="No server was free"):
                await pool.complete(prompt(timeout_s=5))
            assert pool.waiting == 0
            tasks.cancel_scope.cancel()

    async def test_a_request_without_any_is_refused(self) -> None:
        async with Pool([FakeModelServer("a")]) as pool:
            with pytest.raises(InvalidRequest, match="timeout_s"):
                await pool.complete(prompt(timeout_s=0))
