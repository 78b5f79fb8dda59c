"""What was recorded from exo itself, against which both the parser and the double are held.

The recordings are no part of the repository. `KOWALSKI_EXO_RECORDED` names their folder; without
it they are looked for beside the checkout.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from doubles.exo import shapes
from doubles.exo.cluster import MODEL, exo_cluster
from kowalski.errors import KowalskiError, ServerUnavailable
from kowalski.inference.completions.completion import Completion
from kowalski.inference.completions.endpoint import Endpoint
from kowalski.inference.completions.event_stream import Comment, EventStream, ServerSentEvent
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.inference.exo.download import read_downloads
from kowalski.inference.exo.instance import read_instance
from kowalski.inference.exo.node import read_names
from kowalski.inference.exo.report import read_report
from kowalski.inference.exo.runner import read_runners
from kowalski.inference.exo.task import read_tasks
from kowalski.inference.exo.topology import read_topology
from kowalski.inference.openai.listing import entries
from kowalski.model.placement import PlacementRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

BESIDE = Path(__file__).resolve().parents[5] / "shared" / "exo-recorded"
RECORDED = Path(os.environ.get("KOWALSKI_EXO_RECORDED") or BESIDE)
STATES = sorted(
    path
    for path in RECORDED.glob("*/*.json")
    if "lastEventAppliedIdx" in path.read_text()[:200_000]
)

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="exo's recordings are not here: set KOWALSKI_EXO_RECORDED"
)


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text())


def first(value: dict[str, Any]) -> Any:
    return next(iter(value.values()))


def misfits(made: Any, real: Any, place: str = "") -> Iterator[str]:
    """Where something made up has what the real thing has not, or of another type."""
    if isinstance(made, dict) and isinstance(real, dict):
        for key, value in made.items():
            if key not in real:
                yield f"{place}.{key} is not there"
            else:
                yield from misfits(value, real[key], f"{place}.{key}")
    elif isinstance(made, list) and isinstance(real, list):
        if made and real:
            yield from misfits(made[0], real[0], f"{place}[0]")
    elif made is not None and real is not None and type(made) is not type(real):
        numbers = (int, float)
        if not (isinstance(made, numbers) and isinstance(real, numbers)):
            yield f"{place} is {type(real).__name__}"


def fits(made: Any, real: Any) -> None:
    assert list(misfits(made, real)) == []


@pytest.mark.skipif(not STATES, reason="no state was recorded")
@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_every_recorded_state_is_read(path: Path) -> None:
    value = json.loads(path.read_text())
    report = read_report(value, "http://10.0.0.1:52415", "n")
    assert report.topology.nodes == tuple(value["topology"]["nodes"])
    assert set(report.last_seen) == set(value["lastSeen"])
    assert set(report.runners) == set(value["runners"])
    assert report.events == value["lastEventAppliedIdx"]
    real = {key: first(held)["shardAssignments"] for key, held in value["instances"].items()}
    assert {key: i.model for key, i in report.instances.items()} == {
        key: assigned["modelId"] for key, assigned in real.items()
    }
    assert {key: set(i.nodes) for key, i in report.instances.items()} == {
        key: set(assigned["nodeToRunner"]) for key, assigned in real.items()
    }
    assert all(i.context_tokens == 4096 for i in report.instances.values())
    generations = {k for k, held in value["tasks"].items() if "TextGeneration" in held}
    assert {task.id for task in read_tasks(value["tasks"])} == generations
    assert set(read_names(value["nodeIdentities"])) == set(value["nodeIdentities"])
    listed = sum(len(downloads) for downloads in value["downloads"].values())
    assert len(read_downloads(value["downloads"])) == listed


def test_the_two_nodes_of_a_ring_hold_its_layers_in_order() -> None:
    report = read_report(recorded("cluster/state_ring2_ready.json"), "http://10.0.0.1:1", "n")
    (instance,) = report.instances.values()
    assert [(s.first_layer, s.end_layer, s.layers) for s in instance.shards] == [
        (0, 2, 4),
        (2, 4, 4),
    ]
    assert (instance.means, instance.sharding) == ("MlxRing", "Pipeline")
    assert all(report.runners[shard.runner].serves for shard in instance.shards)


def test_tasks_in_flight_tell_which_instance_serves_which_answer() -> None:
    value = recorded("cluster/tasks_inflight.json")
    tasks = read_tasks(value)
    assert len(tasks) == 6
    assert all(task.open and task.command and task.instance for task in tasks)


def test_addresses_of_three_nodes_are_read() -> None:
    topology = read_topology(recorded("cluster/topology_3nodes.json"))
    assert sorted(url for urls in topology.addresses.values() for url in urls) == [
        f"http://10.77.0.{host}:52415" for host in (1, 2, 3)
    ]


def test_a_runner_that_failed_says_why_on_one_line() -> None:
    (runner,) = read_runners(recorded("single/runners_failed.json")).values()
    assert runner.failed
    assert "No module named 'mlx_lm.models.deepseek_v4'" in runner.message
    assert "\n" not in runner.message


def test_every_recorded_step_of_a_start_is_known() -> None:
    known = {"Failed", "Ready", "Idle", "Connected", "Loading", "WarmingUp"}
    steps = recorded("cluster/runner_status_sequence_ring2.json")
    values = [json.loads(said) for step in steps for said in step]
    runners = read_runners({f"r{number}": value for number, value in enumerate(values)})
    assert {runner.state for runner in runners.values()} == known
    assert all(0 <= runner.loaded <= 1 for runner in runners.values())


def test_an_instance_that_is_awaited_is_read_in_snake_case() -> None:
    stream = EventStream()
    items = stream.feed((RECORDED / "single/await.txt").read_bytes()) + stream.end()
    (event,) = [item for item in items if isinstance(item, ServerSentEvent)]
    instance = read_instance(json.loads(event.data)["instance"])
    assert instance is not None
    assert (instance.model, instance.context_tokens) == (
        "kowalski-research/tiny-llama-random",
        4096,
    )


async def test_previews_of_three_nodes_are_offers_for_each_number_of_nodes() -> None:
    previews = recorded("cluster/previews_3nodes.json")
    model = previews["previews"][0]["model_id"]
    async with exo_cluster(1) as double, ExoCluster(double.urls) as cluster:
        double.catalogue |= {model}
        double.downloaded |= {model}
        double.told["/instance/previews"] = previews
        for count in (1, 2, 3):
            offer = await cluster.placement.offer(PlacementRequest(model=model, count=count))
            assert len(offer.instance.nodes) == count
            assert offer.instance.size_bytes == 854272


@pytest.mark.parametrize("name", ["cluster/previews_3nodes.json", "single/previews.json"])
def test_previews_are_read(name: str) -> None:
    for preview in recorded(name)["previews"]:
        instance = read_instance(preview["instance"])
        assert (instance is None) == (preview["error"] is not None)
        if instance is not None:
            assert set(instance.nodes) == set(preview["memory_delta_by_node"])
            # One node holds all layers, however they would be split over more.
            alone = len(instance.nodes) == 1
            assert instance.sharding == ("Pipeline" if alone else preview["sharding"])
            assert instance.means == preview["instance_meta"]


def test_the_catalogue_is_read() -> None:
    listed = entries(recorded("single/v1_models_first3.json"))
    assert listed is not None
    assert len(listed) == 3


def test_a_recorded_answer_is_whole_and_a_broken_one_is_not() -> None:
    endpoint = Endpoint.at("http://10.0.0.1:52415")

    def read(name: str) -> Completion:
        completion = Completion(endpoint, "m")
        # Of some recordings only the lines with data were kept.
        raw = (RECORDED / name).read_bytes().replace(b"\ndata:", b"\n\ndata:")
        stream = EventStream()
        for item in stream.feed(raw) + stream.end():
            if isinstance(item, ServerSentEvent):
                completion.take(item)
        completion.end()
        return completion

    assert read("single/chat_stream.txt").finish_reason == "length"
    for broken in ("kill_runner_stream", "kill_runner_stream2", "kill_node_stream0"):
        with pytest.raises(ServerUnavailable):
            read(f"cluster/{broken}.txt")


def test_the_doubles_instances_runners_and_answers_have_exos_shapes() -> None:
    real = first(recorded("single/state_instances.json"))
    made = shapes.instance("i", "m", {"n": "r"})
    for value in (made, real):
        assigned = first(value)["shardAssignments"]
        assigned["runnerToShard"] = {"r": first(assigned["runnerToShard"])}
        assigned["nodeToRunner"] = {"n": "r"}
        first(value)["hostsByNode"] = {"n": first(first(value)["hostsByNode"])}
    fits(made, real)
    fits(shapes.received("m", "c"), recorded("single/place_instance.json"))
    fits(shapes.listed("m"), recorded("single/v1_models_first3.json")["data"][0])
    fits(shapes.whole("c", "m", "text"), recorded("single/chat.json"))
    fits(shapes.failed("why"), first(recorded("single/runners_failed.json")))
    fits(shapes.previews("m", [], "why"), recorded("single/previews.json"))
    real_task = recorded("cluster/tasks_inflight.json")["9d447fb1-2e21-45f4-8589-6d765d9fbafe"]
    fits(
        shapes.task("t", "Running", "i", "c", real_task["TextGeneration"]["taskParams"]["input"]),
        real_task,
    )
    steps = recorded("cluster/runner_status_sequence_ring2.json")
    seen = {json.dumps(sorted(json.loads(said))) for step in steps for said in step}
    assert seen <= {json.dumps(sorted(shapes.loading(step))) for step in range(8)} | {
        json.dumps(["RunnerFailed"])
    }


async def test_the_doubles_state_has_exos_shape() -> None:
    real = recorded("cluster/state_ring2_ready.json")
    async with exo_cluster(2) as double, httpx2.AsyncClient(trust_env=False) as client:
        double.add([0, 1])
        node = double.nodes[0].id
        double.downloads = {node: [shapes.download(node, MODEL, "Pending")]}
        made = (await client.get(f"{double.urls[0]}/state")).json()
    assert set(made) == set(real)
    for part in ("nodeIdentities", "nodeMemory", "lastSeen", "downloads", "nodeBackends"):
        fits(first(made[part]), first(real[part]))
    fits(
        first(first(made["topology"]["connections"])), first(first(real["topology"]["connections"]))
    )
    assert list(made["topology"]) == list(real["topology"])


async def test_the_doubles_stream_has_the_lines_of_exos() -> None:
    def kinds(raw: bytes) -> list[str]:
        stream = EventStream()
        found = []
        for item in stream.feed(raw) + stream.end():
            if isinstance(item, Comment):
                found.append(item.text.partition(" ")[0])
            else:
                found.append("[DONE]" if item.data == "[DONE]" else "data")
        return list(dict.fromkeys(found))

    real = (RECORDED / "single/chat_stream.txt").read_bytes()
    async with exo_cluster(1) as double, httpx2.AsyncClient(trust_env=False) as client:
        double.add([0])
        body = {"model": MODEL, "messages": [], "stream": True}
        made = (await client.post(f"{double.urls[0]}/v1/chat/completions", json=body)).content
    assert kinds(made) == kinds(real)
    chunks = [
        json.loads(line.removeprefix(b"data: "))
        for line in made.splitlines()
        if line.startswith(b"data: {")
    ]
    real_chunks = [
        json.loads(line.removeprefix(b"data: "))
        for line in real.splitlines()
        if line.startswith(b"data: {")
    ]
    fits(chunks[0], real_chunks[0])
    fits(chunks[-1], real_chunks[-1])
    assert ["usage" in chunk for chunk in chunks] == [False, False, True]


async def test_the_doubles_absent_routes_answer_as_exos_do() -> None:
    head = (RECORDED / "single/absent_POST_repl_execute.hdr").read_text().split()[1]
    async with exo_cluster(1) as double, httpx2.AsyncClient(trust_env=False) as client:
        posted = await client.post(f"{double.urls[0]}/api/repl/execute", json={})
        got = await client.get(f"{double.urls[0]}/health")
    assert (posted.status_code, got.status_code) == (int(head), 404)


def test_an_error_in_a_recorded_stream_is_told_with_its_words() -> None:
    line = (RECORDED / "cluster/kill_runner_stream2.txt").read_text().splitlines()[-2]
    completion = Completion(Endpoint.at("http://10.0.0.1:52415"), "m")
    with pytest.raises(KowalskiError, match="Runner shutdown before completing command"):
        completion.take(ServerSentEvent(line.removeprefix("data: ")))
    fits(shapes.runner_died(), json.loads(line.removeprefix("data: ")))
