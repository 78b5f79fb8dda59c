"""Placing models on an exo cluster through the engine, and taking them away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from doubles.completion_server import CHAT, MODELS, completion_server, json_reply, stream
from doubles.exo.cluster import HANG_S, MODEL, ExoDouble, exo_cluster
from kowalski.engine import Engine
from kowalski.errors import (
    Busy,
    InvalidRequest,
    ModelUnavailable,
    NoDeviceAvailable,
    NoServerAvailable,
    ServerUnavailable,
)
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.model.chat import ChatMessage, ChatRequest, Text
from kowalski.model.placement import PlacementRequest, PlacementStep, RemovalRequest
from kowalski.model.run import RunRequest
from kowalski.model.server import ServerEntry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HUGE = "lab/huge-8bit"
QUESTION = ChatRequest(messages=(ChatMessage("user", "hello"),), timeout_s=30)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    (tmp_path / "home").mkdir(mode=0o700)
    settings = tmp_path / "home" / "settings.toml"
    settings.write_text("[inference]\ndiscover = false\n")
    settings.chmod(0o600)
    async with Engine(embedded=True, home=tmp_path / "home") as engine:
        yield engine


@pytest.fixture
async def double(engine: Engine) -> AsyncIterator[ExoDouble]:
    """Three nodes that the engine knows as `home`."""
    async with exo_cluster(3) as double:
        await add(engine, "home", double)
        yield double


async def add(engine: Engine, name: str, double: ExoDouble) -> None:
    await engine.add_server(ServerEntry(name=name, kind="exo", urls=tuple(double.urls)))


async def place(engine: Engine, request: PlacementRequest) -> list[PlacementStep]:
    with anyio.fail_after(HANG_S):
        async with engine.place(request) as placing:
            return [step async for step in placing.steps()]


def ids(double: ExoDouble) -> set[str]:
    return set(double.instances)


async def test_a_model_is_placed_and_answers(engine: Engine, double: ExoDouble) -> None:
    steps = await place(engine, PlacementRequest(model=MODEL))

    assert [step.ready for step in steps] == [False] * (len(steps) - 1) + [True]
    assert {(step.server, step.model, step.placed) for step in steps} == {("home", MODEL, True)}
    assert {step.instance for step in steps} == ids(double)
    assert (await engine.complete(QUESTION)).served_by == "home"


async def test_it_goes_to_the_devices_that_are_named_and_to_no_other(
    engine: Engine, double: ExoDouble
) -> None:
    await place(engine, PlacementRequest(model=MODEL, devices=("studio-2", "studio-1")))

    (held,) = double.instances.values()
    assert set(held.runners) == {double.nodes[1].id, double.nodes[2].id}


async def test_it_goes_to_as_many_devices_as_are_wished(engine: Engine, double: ExoDouble) -> None:
    await place(engine, PlacementRequest(model=MODEL, count=2))

    (held,) = double.instances.values()
    assert len(held.runners) == 2


async def test_devices_and_their_number_exclude_each_other(
    engine: Engine, double: ExoDouble
) -> None:
    with pytest.raises(InvalidRequest, match="not both"):
        await place(engine, PlacementRequest(model=MODEL, count=2, devices=("studio-1",)))
    assert double.created == []


async def test_a_model_that_is_loaded_is_not_placed_again(
    engine: Engine, double: ExoDouble
) -> None:
    there = double.add([0])

    (*_, last) = await place(engine, PlacementRequest(model=MODEL))

    assert (last.ready, last.placed, last.instance) == (True, False, there)
    assert double.created == []


async def test_it_is_placed_again_where_other_devices_are_wished(
    engine: Engine, double: ExoDouble
) -> None:
    double.add([0])

    (*_, last) = await place(engine, PlacementRequest(model=MODEL, devices=("studio-1",)))

    assert last.placed
    assert len(double.instances) == 2


async def test_leaving_before_it_is_ready_takes_it_away_and_nothing_else(
    engine: Engine, double: ExoDouble
) -> None:
    other = double.add([0])
    double.loading_steps = 100_000
    request = PlacementRequest(model=MODEL, devices=("studio-1",))

    async with engine.place(request) as placing:
        async for step in placing.steps():
            assert step.instance in ids(double)
            break

    assert ids(double) == {other}
    assert placing.end is not None
    assert (placing.end.stands, placing.end.told) == (False, "It was taken away again.")


async def test_leaving_before_it_appeared_takes_it_away_once_it_does(
    engine: Engine, double: ExoDouble
) -> None:
    double.looks_until_seen = 4
    async with engine.place(PlacementRequest(model=MODEL)) as placing:
        await double.until_created(1)

    assert ids(double) == set()
    assert placing.end is not None
    assert not placing.end.stands


async def test_leaving_what_was_there_before_leaves_it_alone(
    engine: Engine, double: ExoDouble
) -> None:
    double.loading_steps = 100_000
    there = double.add([0], ready=False)

    async with engine.place(PlacementRequest(model=MODEL)) as placing:
        async for step in placing.steps():
            assert not step.placed
            break

    assert ids(double) == {there}
    assert placing.end is not None
    assert placing.end.stands


async def test_a_cluster_that_is_left_keeps_nothing_that_was_not_ready() -> None:
    async with exo_cluster(1) as double:
        double.loading_steps = 100_000
        async with ExoCluster(double.urls) as cluster:
            cluster.place(PlacementRequest(model=MODEL))
            await double.until_created(1)
        assert double.instances == {}


async def test_a_runner_that_fails_is_told_and_nothing_of_it_is_left(
    engine: Engine, double: ExoDouble
) -> None:
    double.load_failure = "out of memory"

    with pytest.raises(ServerUnavailable, match=r"out of memory.*taken away again"):
        await place(engine, PlacementRequest(model=MODEL))

    assert ids(double) == set()


async def test_a_placement_that_exo_refuses_is_told_at_once(
    engine: Engine, double: ExoDouble
) -> None:
    double.refusal = "Insufficient memory to create instance"

    with pytest.raises(ServerUnavailable, match="Insufficient memory"):
        await place(engine, PlacementRequest(model=MODEL))


async def test_nothing_is_downloaded_unless_it_is_allowed(
    engine: Engine, double: ExoDouble
) -> None:
    with pytest.raises(ModelUnavailable, match=r"GB\) is not downloaded on.*--download"):
        await place(engine, PlacementRequest(model=HUGE))
    assert double.created == []

    (*_, last) = await place(engine, PlacementRequest(model=HUGE, download=True))
    assert last.ready


async def test_a_name_that_is_none_brings_those_that_are_close(
    engine: Engine, double: ExoDouble
) -> None:
    with pytest.raises(ModelUnavailable, match=f"no model 'tiny-4bits'.*Close to it: {MODEL}"):
        await place(engine, PlacementRequest(model="tiny-4bits"))
    assert double.created == []


async def test_of_two_clusters_one_must_be_named_and_the_other_is_left_alone(
    engine: Engine, double: ExoDouble
) -> None:
    async with exo_cluster(1) as office:
        await add(engine, "office", office)
        with pytest.raises(InvalidRequest, match="--server: home, office"):
            await place(engine, PlacementRequest(model=MODEL))
        await place(engine, PlacementRequest(model=MODEL, server="office"))
        assert (len(double.instances), len(office.instances)) == (0, 1)
        await place(engine, PlacementRequest(model=MODEL, server=double.urls[1] + "/v1"))
        assert (len(double.instances), len(office.instances)) == (1, 1)
        await engine.remove(RemovalRequest(name=MODEL, server="office"))
        assert (len(double.instances), len(office.instances)) == (1, 0)
        assert (await engine.remove(RemovalRequest(name=MODEL))).server == "home"


async def test_a_server_of_two_clusters_places_only_where_devices_are_named(
    engine: Engine, double: ExoDouble
) -> None:
    double.views = {0: [0, 1], 1: [0, 1], 2: [2]}

    with pytest.raises(InvalidRequest, match="two clusters"):
        await place(engine, PlacementRequest(model=MODEL))
    with pytest.raises(InvalidRequest, match="different clusters"):
        await place(engine, PlacementRequest(model=MODEL, devices=("studio-0", "studio-2")))
    await place(engine, PlacementRequest(model=MODEL, devices=(double.nodes[2].id,)))

    (held,) = double.instances.values()
    assert set(held.runners) == {double.nodes[2].id}
    assert next(q.node for q in double.asked if (q.method, q.path) == ("POST", "/instance")) == 2


async def test_where_there_is_no_cluster_it_says_how_models_are_loaded_elsewhere(
    engine: Engine,
) -> None:
    with pytest.raises(NoServerAvailable, match="ollama run MODEL"):
        await place(engine, PlacementRequest(model=MODEL))
    listed = json_reply({"data": [{"id": "small"}]})
    async with completion_server({MODELS: listed, CHAT: stream()}) as server:
        await engine.add_server(ServerEntry(name="one", kind="openai", urls=(server.url,)))
        with pytest.raises(InvalidRequest, match=r"one is none.*lms load MODEL"):
            await place(engine, PlacementRequest(model="small", server="one"))
    with pytest.raises(InvalidRequest, match="no server 'nobody'"):
        await place(engine, PlacementRequest(model="small", server="nobody"))


async def test_a_model_is_removed_with_all_its_instances(engine: Engine, double: ExoDouble) -> None:
    double.add([0])
    double.add([1, 2])

    removal = await engine.remove(RemovalRequest(name=MODEL))

    assert double.instances == {}
    assert (removal.model, len(removal.instances), removal.cut) == (MODEL, 2, 0)


async def test_one_instance_is_removed_by_the_beginning_of_its_id(
    engine: Engine, double: ExoDouble
) -> None:
    kept, gone = double.add([0]), double.add([1])

    await engine.remove(RemovalRequest(name=gone[:8]))

    assert ids(double) == {kept}


async def test_what_is_at_a_request_is_removed_only_by_force(
    engine: Engine, double: ExoDouble
) -> None:
    double.add([0])
    double.mode = "held"
    async with engine.infer(QUESTION) as chat:
        async for event in chat.events():
            assert isinstance(event, Text)
            break
        with pytest.raises(Busy, match=r"at 1 request with.*--force"):
            await engine.remove(RemovalRequest(name=MODEL))
        assert len(double.instances) == 1
        removal = await engine.remove(RemovalRequest(name=MODEL, force=True))
    assert (double.instances, removal.cut) == ({}, 1)


async def test_what_is_not_loaded_cannot_be_removed(engine: Engine, double: ExoDouble) -> None:
    double.add([0])
    with pytest.raises(ModelUnavailable, match=f"no instance '{HUGE}'.*It has: {MODEL}"):
        await engine.remove(RemovalRequest(name=HUGE))
    assert len(double.instances) == 1


async def test_nodes_are_devices_that_run_models_and_no_code(
    engine: Engine, double: ExoDouble
) -> None:
    double.loading_steps = 100
    double.add([1, 2])
    loading = double.add([0], ready=False)

    here, first, second, _ = await engine.devices()

    assert (here.id, here.can, here.server) == ("local", ("run code",), None)
    assert (first.name, first.server, first.can, first.slots) == (
        "studio-0",
        "home",
        ("run models",),
        0,
    )
    assert (first.chip, first.gpu_load, first.system) == ("Apple M3 Ultra", 0.25, "macOS 26.1")
    (unready,) = first.holds
    assert (unready.instance, unready.ready, unready.progress < 1) == (loading, False, True)
    (held,) = second.holds
    assert (held.model, held.first, held.last, held.layers, held.ready) == (MODEL, 0, 1, 4, True)
    with pytest.raises(NoDeviceAvailable, match="run models only"):
        await engine.run(RunRequest(language="python", code="1", device="studio-0"))


async def test_a_cluster_that_is_silent_keeps_no_one_from_this_device(
    engine: Engine, double: ExoDouble
) -> None:
    for node in double.nodes:
        node.hanging = True

    (here,) = await engine.devices()

    assert here.id == "local"


async def test_the_choice_of_a_server_is_explained(engine: Engine, double: ExoDouble) -> None:
    double.add([0])
    listed = json_reply({"data": [{"id": "small"}]})
    async with completion_server({MODELS: listed, CHAT: stream()}) as server:
        await engine.add_server(ServerEntry(name="other", kind="openai", urls=(server.url,)))
        best, other = await engine.explain(MODEL)
    assert (best.server, best.eligible, best.slots) == ("home", True, 8)
    assert (other.server, other.eligible) == ("other", False)
    assert MODEL in other.note
