"""One answer of a cluster: whole, refused, left early, and every way in which it breaks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import fail_after

from doubles.exo.cluster import HANG_S, MODEL
from kowalski.errors import ModelUnavailable, ServerUnavailable
from kowalski.inference.completions.deadlines import Deadlines
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.model.chat import ChatMessage, ChatRequest, Done, Reasoning, Text, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from doubles.exo.cluster import ExoDouble
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.model.chat import ChatEvent

SECRET = "the plans of the bunker"
PROMPT = ChatRequest(messages=(ChatMessage("user", SECRET),), model=MODEL)


async def answer(cluster: ExoCluster, request: ChatRequest = PROMPT) -> list[ChatEvent]:
    async with cluster.chat(request) as events:
        return [event async for event in events]


async def test_an_answer_is_streamed_to_its_end(double: ExoDouble, cluster: ExoCluster) -> None:
    double.add([0, 1])
    assert await answer(cluster) == [
        Text(text="Hel"),
        Text(text="lo "),
        Text(text="wörld"),
        Usage(prompt_tokens=4, completion_tokens=3),
        Done(finish_reason="stop"),
    ]
    assert double.cancelled == []


async def test_a_model_that_began_inside_a_thought_is_expected_to_do_so_again(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([0])
    said = {"message": {"content": "why</think>yes"}, "finish_reason": "stop"}
    double.told["/v1/chat/completions"] = {"choices": [said]}
    done = Done(finish_reason="stop")
    assert await answer(cluster) == [Text(text="why"), Text(text="yes"), done]
    assert await answer(cluster) == [Reasoning(text="why"), Text(text="yes"), done]


async def test_it_is_asked_through_a_node_that_holds_the_model(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([1])
    await answer(cluster)
    (asked,) = [question for question in double.asked if "completions" in question.path]
    assert asked.node == 1


async def test_a_model_that_is_not_placed_is_unavailable_and_those_that_are_are_named(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([0])
    with pytest.raises(ModelUnavailable, match=f"no instance of 'lab/other'.*{MODEL}"):
        await answer(cluster, ChatRequest(messages=PROMPT.messages, model="lab/other"))


async def test_a_model_that_is_loading_is_unavailable_and_says_how_far_it_is(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.loading_steps = 1000
    double.add([0], ready=False)
    with pytest.raises(ModelUnavailable, match="loading on studio-0, 0% done"):
        await answer(cluster)


async def test_a_model_whose_instance_went_since_it_was_seen_is_unavailable(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.add([0])
    async with ExoCluster(double.urls, mends=False, limits=limits(poll_s=600.0)) as cluster:
        await cluster.view()
        double.instances.clear()
        with pytest.raises(ModelUnavailable, match="has no instance"):
            await answer(cluster)


async def test_leaving_early_cancels_the_answer_on_the_cluster(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "held"
    double.add([0])
    async with cluster.chat(PROMPT) as events:
        assert await anext(events) == Text(text="Hel")
    await double.until_cancelled(1)
    (task,) = double.tasks.values()
    assert double.cancelled == [task["TextGeneration"]["commandId"]]


async def test_a_caller_that_is_cancelled_cancels_the_answer_too(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "held"
    double.add([0])
    begun = anyio.Event()

    async def ask() -> None:
        async with cluster.chat(PROMPT) as events:
            async for _ in events:
                begun.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await begun.wait()
        tasks.cancel_scope.cancel()
    await double.until_cancelled(1)


async def test_a_cancel_goes_through_another_node_when_the_first_is_gone(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "held"
    double.add([0])
    async with cluster.chat(PROMPT) as events:
        await anext(events)
        await double.kill(0)
        with pytest.raises(ServerUnavailable):
            await anext(events)
    await double.until_cancelled(1)
    assert [q.node for q in double.asked if "cancel" in q.path] == [1]


async def test_a_slow_answer_of_a_healthy_cluster_is_waited_for(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "keep-alive only"
    double.add([0])
    double.asked.clear()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer, cluster)
        await double.until_chats(1)
        # The watch has looked several times, and found nothing.
        with fail_after(HANG_S):
            while sum(q.path == "/state/topology" for q in double.asked) < 20:
                await anyio.sleep(0.005)
        assert not tasks.cancel_scope.cancel_called
        tasks.cancel_scope.cancel()


async def test_a_runner_that_dies_breaks_its_answer(double: ExoDouble, cluster: ExoCluster) -> None:
    double.mode = "runner died"
    double.add([0])
    with pytest.raises(ServerUnavailable, match="Runner shutdown before completing"):
        await answer(cluster)


async def test_an_empty_answer_is_none(double: ExoDouble, cluster: ExoCluster) -> None:
    double.mode = "empty"
    double.add([0])
    with pytest.raises(ServerUnavailable, match="empty answer"):
        await answer(cluster)


async def test_a_node_that_dies_during_prefill_ends_the_wait(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    """The node that was asked is not the one that dies, so the stream goes on, empty."""
    double.mode = "keep-alive only"
    double.add([0, 2])
    await _ends_when(double, cluster, lambda: double.kill(2), "studio-2 is not alive")


async def test_a_node_that_dies_in_the_middle_ends_the_answer(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "held"
    double.add([0, 2])
    async with cluster.chat(PROMPT) as events:
        assert await anext(events) == Text(text="Hel")
        await double.kill(2)
        with pytest.raises(ServerUnavailable, match="studio-2 is not alive"), fail_after(HANG_S):
            await anext(events)
    assert len(double.cancelled) == 1


async def test_a_node_whose_computer_sleeps_ends_the_wait(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.mode = "keep-alive only"
    double.add([0, 2])
    short = limits(request_s=0.3, silence_s=0.1)
    async with ExoCluster(double.urls[:2], mends=False, limits=short) as cluster:

        async def hang() -> None:
            double.hang(2)

        await _ends_when(double, cluster, hang, "studio-2 is not alive")


async def test_a_node_that_the_cluster_hears_no_more_ends_the_wait(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.mode = "keep-alive only"
    double.add([0, 2])
    async with ExoCluster(double.urls[:2], mends=False, limits=limits(stale_s=1.0)) as cluster:

        async def silence() -> None:
            double.last_heard[2] = time.time()

        await _ends_when(double, cluster, silence, "the cluster heard of it")


async def test_a_node_that_took_the_request_and_sleeps_ends_the_wait(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.mode = "silent"
    double.add([0])
    short = limits(request_s=0.3, silence_s=0.1)
    async with ExoCluster(double.urls, mends=False, limits=short) as cluster:

        async def hang() -> None:
            double.hang(0)

        await _ends_when(double, cluster, hang, "is not alive")


async def test_a_node_that_only_passes_the_answer_on_and_sleeps_ends_the_wait(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.mode = "keep-alive only"
    double.add([2])
    short = limits(request_s=0.3, silence_s=0.1)
    async with ExoCluster(double.urls[:1], mends=False, limits=short) as cluster:

        async def hang() -> None:
            double.hang(0)

        await _ends_when(double, cluster, hang, "the node that was asked is not alive")


async def test_a_runner_that_fails_without_a_word_ends_the_wait(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "keep-alive only"
    instance = double.add([0])

    async def fail() -> None:
        double.fail(instance)

    await _ends_when(double, cluster, fail, "has failed: Terminated")


async def test_an_instance_that_somebody_deletes_ends_the_wait(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "keep-alive only"
    double.add([0])

    async def delete() -> None:
        double.instances.clear()

    await _ends_when(double, cluster, delete, "does not have the model's instance any more")


async def test_a_change_of_the_master_ends_the_wait(double: ExoDouble, cluster: ExoCluster) -> None:
    double.mode = "keep-alive only"
    double.add([1])
    await _ends_when(double, cluster, lambda: double.lose_master(0), "any more")


async def test_a_cluster_that_vanishes_ends_the_wait(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "keep-alive only"
    double.add([0])

    async def vanish() -> None:
        double.told["/node_id"] = b""

    await _ends_when(double, cluster, vanish, "No node of the exo cluster")


async def test_of_two_instances_only_the_answers_of_the_dead_one_end(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.mode = "held"
    first, second = double.add([0]), double.add([2])
    async with cluster.chat(PROMPT) as lucky, cluster.chat(PROMPT) as doomed:
        await anext(lucky)
        await anext(doomed)
        served = [task["TextGeneration"]["instanceId"] for task in double.tasks.values()]
        assert served == [first, second]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anext, lucky)
            await double.kill(2)
            with pytest.raises(ServerUnavailable, match="studio-2"), fail_after(HANG_S):
                await anext(doomed)
            # Had the other one ended too, the group would be cancelled.
            assert not tasks.cancel_scope.cancel_called
            tasks.cancel_scope.cancel()


async def test_a_reader_that_is_slow_loses_no_answer_to_a_death(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([0, 2])
    async with cluster.chat(PROMPT) as events:
        assert await anext(events) == Text(text="Hel")
        await double.kill(2)
        # Other readers see that the node is gone while this one does something else.
        assert double.nodes[2].id in (await cluster.view()).gone
        rest = [event async for event in events]
    assert rest[-1] == Done(finish_reason="stop")


async def test_silence_without_a_reason_ends_by_the_calls_own_deadline(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.mode = "keep-alive only"
    double.add([0])
    short = limits(calls=Deadlines(first_token_s=0.2))
    async with ExoCluster(double.urls, mends=False, limits=short) as cluster:
        with pytest.raises(ServerUnavailable, match="made no progress"):
            await answer(cluster)


async def test_no_error_repeats_a_prompt(double: ExoDouble, cluster: ExoCluster) -> None:
    """The state of the cluster holds prompts, and is read to find out who serves an answer."""
    double.mode = "held"
    double.add([0])
    double.add([2])
    async with cluster.chat(PROMPT) as events, cluster.chat(PROMPT) as others:
        await anext(events)
        await anext(others)
        await double.kill(2)
        with pytest.raises(ServerUnavailable) as told, fail_after(HANG_S):
            await anext(others)
    assert "/state/tasks" in {question.path for question in double.asked}
    assert SECRET not in str(told.value)
    assert SECRET not in repr(await cluster.view())


async def _ends_when(
    double: ExoDouble,
    cluster: ExoCluster,
    happens: Callable[[], Awaitable[None]],
    reason: str,
) -> None:
    """An answer that has not begun ends, with `reason`, after something `happens`."""
    told: list[str] = []

    async def ask() -> None:
        with pytest.raises(ServerUnavailable) as error:
            await answer(cluster)
        told.append(error.value.user_message)

    with fail_after(HANG_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await double.until_chats(1)
            await happens()
    assert reason in told[0]


async def test_a_thought_that_ends_unopened_shows_no_tag_and_is_told_apart_from_then_on(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([0])
    double.pieces = ("Hm, a greeting.\n", "</th", "ink>\n\n", "Hello!")
    first, second = [await answer(cluster) for _ in range(2)]
    assert first[:-2] == [Text(text="Hm, a greeting.\n"), Text(text="Hello!")]
    assert second[:-2] == [Reasoning(text="Hm, a greeting.\n"), Text(text="Hello!")]


async def test_a_model_that_is_named_a_thinker_shows_no_tag_from_its_first_answer_on(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    thinker = "lab/Deep-R1-4bit"
    double.add([0], thinker)
    double.pieces = ("Hm, a greeting.\n", "</think>", "Hello!")
    events = await answer(cluster, ChatRequest(messages=PROMPT.messages, model=thinker))
    assert events[:-2] == [Reasoning(text="Hm, a greeting.\n"), Text(text="Hello!")]
