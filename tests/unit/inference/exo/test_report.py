"""What a node says of its cluster, as it is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.exo import shapes
from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.download import read_downloads
from kowalski.inference.exo.instance import Shard, read_instance, read_instances
from kowalski.inference.exo.node import read_names, read_nodes
from kowalski.inference.exo.report import read_report
from kowalski.inference.exo.runner import read_runners
from kowalski.inference.exo.task import Task, read_tasks

URL = "http://10.0.0.1:52415"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def state(**parts: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "topology": shapes.topology({"n1": 1, "n2": 2}),
        "lastSeen": {"n1": "2026-11-20T23:41:02Z"},
        "instances": {},
        "runners": {},
        "lastEventAppliedIdx": 7,
    }
    return whole | parts


def test_a_report_has_what_counts() -> None:
    value = shapes.instance("i1", "lab/m", {"n1": "r1", "n2": "r2"})
    runners = {"r1": shapes.loading(7), "r2": shapes.loading(4)}
    report = read_report(state(instances={"i1": value}, runners=runners), URL, "n1")
    assert report.topology.nodes == ("n1", "n2")
    assert report.topology.addresses == {
        "n1": ("http://127.0.0.1:1",),
        "n2": ("http://127.0.0.1:2",),
    }
    assert report.instances["i1"].shards == (
        Shard(node="n1", runner="r1", first_layer=0, end_layer=2, layers=4),
        Shard(node="n2", runner="r2", first_layer=2, end_layer=4, layers=4),
    )
    assert report.runners["r1"].serves
    assert report.runners["r2"].loaded == 0.5
    assert report.events == 7


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "exo",
        {"error": "?"},
        state(topology={"nodes": []}),
        state(lastEventAppliedIdx="many"),
        state(topology=5),
    ],
)
def test_what_is_no_state_is_said_to_be_none(value: Any) -> None:
    with pytest.raises(ServerUnavailable, match="no state of an exo cluster"):
        read_report(value, URL, "n1")


@given(st.dictionaries(st.sampled_from([*state(), "other"]), ANYTHING))
def test_nothing_but_that_is_raised_for_garbage(garbage: dict[str, Any]) -> None:
    try:
        read_report(state() | garbage, URL, "n1")
    except ServerUnavailable:
        return


@given(ANYTHING)
def test_no_reader_fails_for_garbage(value: Any) -> None:
    held = {"shardAssignments": value, "instanceId": "i1"}
    for wrapped in (value, {"k": value}, {"k": {"Tag": value}}, {"k": {"Tag": held}}):
        read_instances(wrapped)
        read_runners(wrapped)
        read_tasks(wrapped)
        read_downloads(wrapped)
        read_downloads({"n1": [wrapped]})
        read_names(wrapped)
        read_nodes(["k"], wrapped, wrapped, wrapped)


def test_an_instance_is_read_in_snake_case_and_with_an_unknown_tag() -> None:
    held = {
        "instance_id": "i1",
        "shard_assignments": {
            "model_id": "lab/m",
            "runner_to_shard": {"r1": {"WovenShardMetadata": {"start_layer": 0, "end_layer": 8}}},
            "node_to_runner": {"n1": "r1"},
        },
    }
    instance = read_instance({"CarrierPigeonInstance": held})
    assert instance is not None
    assert (instance.means, instance.sharding) == ("CarrierPigeon", "Woven")
    assert instance.shards[0].layers == 8


def test_an_instance_without_nodes_is_none() -> None:
    value = shapes.instance("i1", "lab/m", {"n1": "r1"})
    assert read_instance(value) is not None
    value["MlxRingInstance"]["shardAssignments"]["nodeToRunner"] = {}
    assert read_instance(value) is None


def test_a_runner_in_an_unknown_state_does_not_serve() -> None:
    runner = read_runners({"r1": {"RunnerDreaming": {"of": "sheep"}}})["r1"]
    assert (runner.state, runner.serves, runner.failed) == ("Dreaming", False, False)


def test_a_task_has_ids_and_no_prompt() -> None:
    value = {"t1": shapes.task("t1", "Running", "i1", "c1", "my secret plan")}
    assert read_tasks(value) == (Task(id="t1", status="Running", instance="i1", command="c1"),)
    assert "secret" not in repr(read_tasks(value))


def test_tasks_that_answer_nobody_are_passed_over() -> None:
    assert read_tasks({"t1": {"CreateRunner": {"taskId": "t1", "taskStatus": "Complete"}}}) == ()


def test_a_chip_that_exo_does_not_know_is_none() -> None:
    unknown = {"n1": {"friendlyName": "vm", "chipId": "Unknown Chip"}}
    node = read_nodes(["n1"], unknown, {"n1": shapes.memory()}, {})["n1"]
    assert (node.name, node.chip, node.gpu_load) == ("vm", None, None)
    assert node.memory_bytes == 64 * 2**30


def test_a_download_says_how_far_it_is() -> None:
    (download,) = read_downloads({"n1": [shapes.download("n1", "lab/m", "Completed")]})
    assert (download.model, download.state, download.downloaded_bytes) == (
        "lab/m",
        "Completed",
        854272,
    )
