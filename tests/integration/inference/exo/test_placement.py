"""Placing models, waiting for them, and taking them away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from doubles.exo import shapes
from doubles.exo.cluster import HANG_S, MODEL
from kowalski.errors import InvalidRequest, ModelUnavailable, ServerUnavailable
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.model.placement import PlacementRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.exo.cluster import ExoDouble
    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.placement import Loading

HUGE = "lab/huge-8bit"


async def placed(cluster: ExoCluster, model: str = MODEL, **wish: Any) -> Instance:
    """The instance that came of a wish."""
    offer = await cluster.placement.offer(PlacementRequest(model=model, **wish))
    await cluster.placement.place(offer)
    return offer.instance


async def test_a_model_is_placed_and_tells_its_progress_until_it_is_ready(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.loading_steps = 30
    told: list[Loading] = []

    async def note(loading: Loading) -> None:
        told.append(loading)

    instance = await placed(cluster, count=2)
    standing = await cluster.placement.ready(instance, note)
    assert standing.usable
    assert standing.instance.nodes == (double.nodes[0].id, double.nodes[1].id)
    progress = [loading.progress for loading in told]
    assert len(progress) >= 2
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0.0, 1.0)


async def test_a_placement_that_takes_its_time_is_waited_for(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.looks_until_seen = 10
    instance = await placed(cluster)
    assert instance.id in double.instances


async def test_a_placement_that_never_comes_is_an_error(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.placing = False
    async with ExoCluster(double.urls, limits=limits(materialise_s=0.1)) as cluster:
        with pytest.raises(ServerUnavailable, match="nothing came of it"):
            await placed(cluster)
    assert len(double.created) == 1


async def test_an_instance_that_was_there_before_is_not_taken_for_the_new_one(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    old = double.add([0])
    instance = await placed(cluster)
    assert instance.id != old


async def test_a_model_is_pinned_to_the_one_node_that_is_named(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = await placed(cluster, devices=("studio-2",))
    assert instance.nodes == (double.nodes[2].id,)
    assert [next(iter(c.values()))["instanceId"] for c in double.created] == [instance.id]


async def test_a_node_may_be_named_by_its_id(double: ExoDouble, cluster: ExoCluster) -> None:
    instance = await placed(cluster, devices=(double.nodes[1].id,))
    assert instance.nodes == (double.nodes[1].id,)


async def test_an_unknown_node_is_refused_and_those_that_are_there_are_named(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    with pytest.raises(InvalidRequest, match=r"called 'studio-9'.*studio-0"):
        await placed(cluster, devices=("studio-9",))


async def test_a_name_that_two_nodes_have_is_refused(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.nodes[1].name = "studio-2"
    with pytest.raises(InvalidRequest, match="more than one"):
        await placed(cluster, devices=("studio-2",))


async def test_a_model_that_does_not_fit_on_the_node_says_so(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    with pytest.raises(ServerUnavailable, match="studio-1 alone: No cycle where"):
        await placed(cluster, HUGE, devices=("studio-1",), download=True)
    assert double.created == []


async def test_a_model_that_is_not_downloaded_is_not_placed(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    with pytest.raises(
        ModelUnavailable,
        match=r"0\.1 GB\) is not downloaded on studio-0, studio-1, studio-2.*--download",
    ):
        await placed(cluster, HUGE)
    assert double.created == []


async def test_a_model_that_is_not_on_the_named_nodes_disk_is_not_placed_there(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    node = double.nodes[2].id
    double.downloads = {node: [shapes.download(node, MODEL, "Pending")]}
    with pytest.raises(ModelUnavailable, match="not downloaded on studio-2"):
        await placed(cluster, devices=("studio-2",))
    assert double.created == []


async def test_nodes_that_have_the_model_are_preferred_to_fewer(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    ids = [node.id for node in double.nodes]
    candidates = [
        shapes.instance("one", MODEL, {ids[0]: "r0"}),
        shapes.instance("two", MODEL, {ids[1]: "r1", ids[2]: "r2"}),
    ]
    double.told["/instance/previews"] = shapes.previews(MODEL, candidates, "why")
    double.downloads = {ids[0]: [shapes.download(ids[0], MODEL, "Pending")]}

    instance = await placed(cluster)

    assert instance.nodes == (ids[1], ids[2])


async def test_a_download_may_be_allowed(double: ExoDouble, cluster: ExoCluster) -> None:
    instance = await placed(cluster, HUGE, download=True)
    assert instance.model == HUGE


async def test_a_model_that_exo_does_not_know_is_unavailable(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    with pytest.raises(ModelUnavailable, match="knows no model 'lab/none'"):
        await placed(cluster, "lab/none", download=True)


async def test_a_runner_that_fails_while_it_loads_is_an_error_with_its_message(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.load_failure = "ModuleNotFoundError: no module named 'mlx_lm'\nTraceback"
    instance = await placed(cluster)
    with pytest.raises(ServerUnavailable, match="no module named 'mlx_lm' Traceback"):
        await cluster.placement.ready(instance)


async def test_loading_that_makes_no_progress_is_an_error(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.loading_steps = 100_000
    async with ExoCluster(double.urls, limits=limits(stall_s=0.1)) as cluster:
        instance = await placed(cluster)
        stalls = pytest.raises(ServerUnavailable, match=r"no progress for 0\.1 s")
        with stalls, anyio.fail_after(HANG_S):
            await cluster.placement.ready(instance)


async def test_an_instance_that_is_removed_while_it_loads_is_an_error(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.loading_steps = 100_000
    instance = await placed(cluster)
    double.instances.clear()
    with pytest.raises(ServerUnavailable, match="does not have it any more"):
        await cluster.placement.ready(instance)


async def test_a_master_that_is_lost_while_a_model_loads_is_an_error(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.loading_steps = 100_000
    instance = await placed(cluster)
    await double.lose_master(0)
    with pytest.raises(ServerUnavailable, match="does not have it any more"):
        await cluster.placement.ready(instance)


async def test_what_may_appear_after_it_was_withdrawn_is_told_with_the_command_that_removes_it(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.placing = False
    async with ExoCluster(double.urls, limits=limits(withdraw_s=0.1)) as cluster:
        placing = cluster.place(PlacementRequest(model=MODEL))
        await double.until_created(1)
        end = await placing.withdraw()
    (sent,) = (next(iter(body.values()))["instanceId"] for body in double.created)
    assert end.stands
    assert f"kowalski models remove {sent}" in end.told


async def test_an_instance_is_removed(double: ExoDouble, cluster: ExoCluster) -> None:
    instance = double.add([0])
    await cluster.placement.remove(instance)
    assert double.deleted == [instance]
    assert double.instances == {}


async def test_an_instance_that_is_gone_already_counts_as_removed(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    await cluster.placement.remove("0" * 32)
    assert double.deleted == []


@pytest.mark.parametrize("name", ["", "../state", "a b", "x" * 1000])
async def test_what_is_no_id_is_not_sent(double: ExoDouble, cluster: ExoCluster, name: str) -> None:
    with pytest.raises(InvalidRequest, match="no id of an instance"):
        await cluster.placement.remove(name)
