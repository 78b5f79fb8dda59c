"""Placing again what broke or was lost, not without end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from doubles.exo import shapes
from doubles.exo.cluster import HANG_S, MODEL, exo_cluster
from kowalski.errors import DeadlineExceeded, ModelUnavailable, ServerUnavailable
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.inference.exo.instance import Instance, read_instance
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ChatMessage, ChatRequest, Done, Restarted, Text
from kowalski.model.placement import RemovalRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.exo.cluster import ExoDouble
    from kowalski.inference.exo.limits import ExoLimits

PROMPT = ChatRequest(messages=(ChatMessage("user", "Hello?"),), model=MODEL)


def created(double: ExoDouble) -> list[Instance]:
    """What was placed, as Kowalski reads it."""
    return [instance for value in double.created if (instance := read_instance(value))]


async def is_answered(cluster: ExoCluster) -> bool:
    async with cluster.chat(PROMPT) as events:
        return [event async for event in events][-1] == Done(finish_reason="stop")


async def test_a_dead_instance_is_deleted_and_placed_again_before_its_failure_is_told(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.mode = "keep-alive only"
    dead = double.add([1, 2], sharding="Tensor")

    async def ask() -> None:
        with pytest.raises(ServerUnavailable):
            await is_answered(mending)
        assert double.deleted == [dead]

    with anyio.fail_after(HANG_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await double.until_chats(1)
            await double.kill(2)
    (placed,) = created(double)
    assert placed.sharding == "Tensor"
    assert set(placed.nodes) == {node.id for node in double.nodes[:2]}
    double.mode = "whole"
    assert await is_answered(mending)


async def test_a_failed_runners_instance_is_placed_again(
    double: ExoDouble, mending: ExoCluster
) -> None:
    broken = double.add([0])
    double.fail(broken)
    assert await is_answered(mending)
    assert double.deleted == [broken]


async def test_a_dead_instance_beside_a_good_one_is_deleted_before_anything_is_sent(
    double: ExoDouble, mending: ExoCluster
) -> None:
    """Else exo sends every other request there."""
    broken = double.add([0])
    double.add([1])
    double.fail(broken)
    for _ in range(4):
        assert await is_answered(mending)
    assert double.deleted == [broken]
    assert len(double.created) == 1


async def test_a_prompt_whose_instance_breaks_waits_until_the_new_one_is_loaded(
    double: ExoDouble, mending: ExoCluster
) -> None:
    broken = double.add([0, 1])
    double.mode = "held"
    double.loading_steps = 40
    async with Pool([mending]) as pool:
        with anyio.fail_after(HANG_S):
            async with pool.chat(PROMPT) as events:
                assert await anext(events) == Text(text="Hel")
                double.mode = "whole"
                double.fail(broken)
                told = [event async for event in events]
    assert [type(event) for event in told[:1]] == [Restarted]
    assert told[-1] == Done(finish_reason="stop", served_by="exo")


async def test_a_prompt_for_a_model_that_is_loading_waits_for_it(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.loading_steps = 40
    double.add([0], ready=False)
    async with Pool([mending]) as pool:
        with anyio.fail_after(HANG_S):
            assert (await pool.complete(PROMPT)).text == "Hello wörld"


async def test_a_prompt_waits_for_a_load_no_longer_than_its_own_time(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.loading_steps = 10**9
    double.add([0], ready=False)
    async with Pool([mending]) as pool:
        with pytest.raises(DeadlineExceeded, match="it is loading on studio-0"):
            await pool.complete(replace(PROMPT, timeout_s=0.5))


async def test_many_answers_that_fail_together_repair_once(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.mode = "keep-alive only"
    dead = double.add([1, 2])

    async def ask() -> None:
        with pytest.raises(ServerUnavailable):
            await is_answered(mending)

    with anyio.fail_after(HANG_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(ask)
            await double.until_chats(8)
            await double.kill(2)
    assert double.deleted == [dead]
    assert len(double.created) == 1


async def test_an_instance_is_placed_again_on_the_nodes_that_are_left(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.add([0, 1, 2])
    await mending.models()
    await double.kill(1, 2)
    # Else the call may be made in the belief of a moment ago.
    await mending.view()
    double.placing = False
    with pytest.raises(ModelUnavailable, match="about to load it again"):
        await is_answered(mending)
    assert [placed.nodes for placed in created(double)] == [(double.nodes[0].id,)]


async def test_what_was_lost_with_the_master_is_placed_again(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.add([1])
    await mending.models()
    await double.lose_master(0)
    (model,) = await mending.models()
    assert model.state == "loaded"
    assert len(double.created) == 1


async def test_what_nobody_heard_while_there_was_no_master_is_asked_of_the_next(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.add([0, 1])
    await mending.models()
    await double.kill(0)
    await mending.view()
    double.placing = False
    with pytest.raises(ModelUnavailable, match="about to load it again"):
        await is_answered(mending)
    await double.lose_master(0)
    double.placing = True
    # Else the call may be made in the belief of a moment ago.
    await mending.view()
    assert await is_answered(mending)
    assert len(double.created) == 2


async def test_what_came_before_the_master_went_is_not_placed_twice(
    double: ExoDouble, mending: ExoCluster
) -> None:
    broken = double.add([0])
    double.fail(broken)
    assert await is_answered(mending)
    (placed,) = double.instances.values()
    await double.lose_master(2)
    double.take(placed.value, loading_steps=0)
    await mending.models()
    assert len(double.created) == 1


async def test_what_was_lost_with_a_node_between_calls_is_placed_again(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.add([0, 2])
    assert await is_answered(mending)
    await double.kill(2)
    double.forget(2)
    await mending.view()
    assert await is_answered(mending)
    assert len(double.instances) == 1


async def test_what_was_seen_broken_before_the_cluster_dropped_it_is_placed_again(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.add([0, 2])
    await mending.models()
    await double.kill(2)
    await mending.models()
    double.forget(2)
    await mending.view()
    assert await is_answered(mending)


async def test_what_was_taken_away_with_kowalski_is_not_placed_again(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.add([0, 2])
    await mending.models()
    await mending.remove(RemovalRequest(name=MODEL))
    await double.kill(2)
    double.forget(2)
    assert [model.state for model in await mending.models()] == ["downloaded"]
    assert double.instances == {}


async def test_what_somebody_removed_is_not_placed_again(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.add([1])
    await mending.models()
    double.instances.clear()
    await mending.models()
    with pytest.raises(ModelUnavailable):
        await is_answered(mending)
    assert double.created == []


async def test_a_node_that_is_merely_out_of_reach_costs_no_instance(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    """It never answered here, and its cluster hears of it: others may be using it."""
    double.add([2])
    double.nodes[2].hanging = True
    short = limits(request_s=0.2)
    async with ExoCluster(double.urls[:2], limits=short) as cluster:
        with pytest.raises(ModelUnavailable, match="studio-2 is not alive"):
            await is_answered(cluster)
    assert double.deleted == []


async def test_of_two_clusters_the_one_that_had_it_gets_it_again(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    async with exo_cluster(2) as other:
        broken = other.add([0, 1])
        other.fail(broken)
        async with ExoCluster([double.urls[0], other.urls[0]], limits=limits()) as cluster:
            assert await is_answered(cluster)
        assert (double.created, other.deleted) == ([], [broken])
        assert {*created(other)[0].nodes} == {node.id for node in other.nodes}


async def test_a_model_is_placed_again_only_where_it_is_on_the_disk(
    double: ExoDouble, mending: ExoCluster
) -> None:
    on_disk = [shapes.download(double.nodes[1].id, MODEL, "Completed")]
    double.downloads = {
        double.nodes[0].id: [shapes.download(double.nodes[0].id, MODEL, "Pending")],
        double.nodes[1].id: on_disk,
        double.nodes[2].id: on_disk,
    }
    broken = double.add([2])
    double.fail(broken)
    assert await is_answered(mending)
    (placed,) = created(double)
    assert double.nodes[0].id not in placed.nodes


async def test_a_repair_never_downloads_and_says_why_there_is_none(
    double: ExoDouble, mending: ExoCluster
) -> None:
    first, second, third = (node.id for node in double.nodes)
    double.downloads = {
        first: [],
        second: [shapes.download(second, MODEL, "Pending")],
        third: [shapes.download(third, MODEL, "Completed")],
    }
    double.add([2])
    await mending.models()
    await double.kill(2)
    await mending.view()
    with pytest.raises(ModelUnavailable, match=r"again by itself: .* not on the disk"):
        await is_answered(mending)
    assert (double.created, double.placed, double.deleted) == ([], [], [])


async def test_what_breaks_again_and_again_is_left_broken_after_a_few_times(
    double: ExoDouble, mending: ExoCluster
) -> None:
    double.load_failure = "out of memory"
    instance = double.add([0])
    for _ in range(3):
        broken = (await mending.view()).standings[instance].instance
        assert await mending.repairs.repair(broken)
        (instance,) = double.instances
    last = (await mending.view()).standings[instance].instance
    with pytest.raises(ServerUnavailable, match="broke 3 times in 10 minutes"):
        await mending.repairs.repair(last)
    assert len(double.deleted) == 3


async def test_repairs_are_allowed_again_after_a_while(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.load_failure = "out of memory"
    instance = double.add([0])
    async with ExoCluster(double.urls, limits=limits(repairs_within_s=0.0)) as cluster:
        for _ in range(5):
            broken = (await cluster.view()).standings[instance].instance
            assert await cluster.repairs.repair(broken)
            (instance,) = double.instances


async def test_a_client_that_mends_nothing_deletes_nothing(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.fail(double.add([0]))
    with pytest.raises(ModelUnavailable, match="has failed"):
        await is_answered(cluster)
    assert double.deleted == []
