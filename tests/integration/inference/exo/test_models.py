"""What a cluster has, as the pool and people see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from doubles.exo.cluster import HANG_S, MODEL
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ChatMessage, ChatRequest, ModelInstance, ServedModel

if TYPE_CHECKING:
    from doubles.exo.cluster import ExoDouble
    from kowalski.inference.exo.cluster import ExoCluster


async def test_a_downloaded_model_can_be_loaded(double: ExoDouble, cluster: ExoCluster) -> None:
    assert await cluster.models() == (
        ServedModel(name=MODEL, state="downloaded", context_tokens=4096),
    )


async def test_the_catalogue_is_not_what_it_has(double: ExoDouble, cluster: ExoCluster) -> None:
    assert "lab/huge-8bit" in double.catalogue
    assert [model.name for model in await cluster.models()] == [MODEL]


async def test_a_loaded_model_names_its_instances_and_their_nodes(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = double.add([0, 2])
    assert await cluster.models() == (
        ServedModel(
            name=MODEL,
            state="loaded",
            context_tokens=4096,
            instances=(
                ModelInstance(
                    id=instance, nodes=("studio-0", "studio-2"), sharding="Pipeline", ready=True
                ),
            ),
        ),
    )


async def test_a_model_on_its_way_says_how_far_it_is(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.loading_steps = 1000
    instance = double.add([0], ready=False)
    runner = double.instances[instance].runners[double.nodes[0].id]
    double.told["/state/runners"] = {
        runner: {"RunnerLoading": {"layersLoaded": 1, "totalLayers": 4}}
    }
    (model,) = await cluster.models()
    assert model.state == "loading"
    assert model.instances[0].progress == 0.25
    assert not model.instances[0].ready


async def test_a_model_whose_runner_failed_tells_why(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = double.add([0])
    double.fail(instance, "out of memory")
    (model,) = await cluster.models()
    assert model.state == "downloaded"
    assert "studio-0 has failed: out of memory" in (model.instances[0].problem or "")


async def test_there_are_eight_slots_for_each_usable_instance(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    assert cluster.slots == 8
    double.add([0])
    double.add([1])
    double.fail(double.add([2]))
    await cluster.models()
    assert cluster.slots == 16


async def test_the_instance_of_one_model_is_not_given_the_slots_of_anothers(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([0])
    double.add([1], "lab/other")
    double.mode = "held"
    prompt = ChatRequest(messages=(ChatMessage("user", "Hello?"),), model=MODEL)
    async with Pool([cluster]) as pool, anyio.create_task_group() as tasks:
        assert len(await pool.models()) == 1
        for _ in range(40):
            tasks.start_soon(pool.complete, prompt)
        with anyio.fail_after(HANG_S):
            await double.until_chats(8)
            await cluster.models()
        assert (pool.busy, pool.waiting, pool.slots, double.chats) == (8, 32, 16, 8)
        tasks.cancel_scope.cancel()


async def test_devices_say_what_they_are_and_which_layers_they_hold(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([1, 2])
    first, second, third = await cluster.devices()
    assert (first.node.name, first.node.chip) == ("studio-0", "Apple M3 Ultra")
    assert (first.node.memory_bytes, first.node.gpu_load) == (64 * 2**30, 0.25)
    assert first.shards == ()
    assert [(h.shard.first_layer, h.shard.end_layer, h.shard.layers) for h in second.shards] == [
        (0, 2, 4)
    ]
    assert third.shards[0].model == MODEL
    assert third.shards[0].shard.first_layer == 2
    assert (third.url, third.problem) == (double.nodes[2].url, None)


async def test_a_device_that_is_not_alive_says_why(double: ExoDouble, cluster: ExoCluster) -> None:
    await cluster.devices()
    await double.kill(2)
    dead = (await cluster.devices())[2]
    assert dead.url is None
    assert "cannot be reached" in (dead.problem or "")
