"""Which nodes are alive and which instances can be used, from what the nodes say."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from doubles.exo import shapes
from doubles.exo.cluster import HANG_S, MODEL, exo_cluster
from kowalski.errors import InvalidSettings, ServerUnavailable
from kowalski.inference.exo.cluster import ExoCluster
from kowalski.model.chat import ChatMessage, ChatRequest, Done

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.exo.cluster import ExoDouble
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.view import View


def usable(view: View) -> set[str]:
    return {key for key, standing in view.standings.items() if standing.usable}


async def test_an_instance_whose_nodes_are_alive_and_whose_runners_are_ready_is_usable(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = double.add([0, 1, 2])
    view = await cluster.view()
    assert usable(view) == {instance}
    assert view.standings[instance].names == ("studio-0", "studio-1", "studio-2")
    assert view.gone == {}
    assert not view.divided


async def test_an_instance_that_loads_is_not_usable_yet(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.loading_steps = 1000
    instance = double.add([0], ready=False)
    standing = (await cluster.view()).standings[instance]
    assert not standing.usable
    assert standing.problem is None


async def test_a_node_that_refuses_connections_is_not_alive_though_the_others_name_it(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = double.add([1, 2])
    await cluster.view()
    await double.kill(2)
    view = await cluster.view()
    assert set(view.gone) == {double.nodes[2].id}
    assert view.standings[instance].broken
    assert "studio-2 is not alive" in (view.standings[instance].problem or "")


async def test_a_node_that_says_nothing_is_not_alive_after_a_while(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    short = limits(request_s=0.2, silence_s=0.0)
    async with ExoCluster(double.urls[:2], mends=False, limits=short) as cluster:
        double.hang(2)
        view = await cluster.view()
        assert set(view.gone) == {double.nodes[2].id}


async def test_a_node_that_is_slow_for_once_is_still_alive(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    instance = double.add([2])
    patient = limits(request_s=0.2, silence_s=60.0)
    async with ExoCluster(double.urls[:2], mends=False, limits=patient) as cluster:
        await cluster.view()
        double.nodes[2].hanging = True
        assert usable(await cluster.view()) == {instance}


async def test_a_silent_address_of_a_node_that_answers_elsewhere_is_not_waited_for(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    first, second, _ = double.nodes
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = shapes.topology({node.id: node.port for node in double.nodes})
        told["connections"][first.id][second.id].insert(0, shapes.link(silent.getsockname()[1]))
        double.told["/state/topology"] = told
        patient = limits(request_s=600.0, answer_s=600.0)
        async with ExoCluster([first.url], limits=patient) as cluster:
            with anyio.fail_after(HANG_S):
                for _ in range(3):
                    assert (await cluster.view()).gone == {}


async def test_a_first_look_tells_what_answered_and_who_has_not_yet(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.hang(2)
    hasty = limits(request_s=600.0, answer_s=0.1)
    async with ExoCluster(double.urls, limits=hasty) as cluster:
        with anyio.fail_after(HANG_S):
            view = await cluster.view()
    assert set(view.urls) == {node.id for node in double.nodes[:2]}
    assert "has not answered yet" in view.gone[double.nodes[2].id].reason


async def test_a_first_look_is_not_repeated_for_a_node_that_does_not_answer_itself(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.hang(2)
    double.last_heard[2] = time.time() - 60
    hasty = limits(request_s=600.0, answer_s=0.1, poll_s=600.0)
    async with ExoCluster(double.urls[:2], limits=hasty) as cluster:
        with anyio.fail_after(HANG_S):
            devices = await cluster.devices()
    assert [device.problem is None for device in devices] == [True, True, False]


async def test_where_nobody_is_quick_the_first_to_answer_is_waited_for(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    async with ExoCluster(double.urls, limits=limits(answer_s=0.0)) as cluster:
        assert (await cluster.view()).urls


async def test_an_instance_that_outlives_its_node_is_not_usable(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = double.add([2])
    left = {node.id: node.port for node in double.nodes[:2]}
    double.told["/state/topology"] = shapes.topology(left)
    standing = (await cluster.view()).standings[instance]
    assert standing.broken
    assert "has left the cluster" in (standing.problem or "")


async def test_a_node_that_is_slow_for_long_is_not(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    short = limits(request_s=0.2, silence_s=0.0)
    async with ExoCluster(double.urls[:2], mends=False, limits=short) as cluster:
        assert (await cluster.view()).gone == {}
        double.nodes[2].hanging = True
        assert "does not answer" in (await cluster.view()).gone[double.nodes[2].id].reason


async def test_a_peers_address_that_no_home_network_has_is_not_asked(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    first, _, third = double.nodes
    double.told["/state/topology"] = {
        "nodes": [node.id for node in double.nodes],
        "connections": {
            first.id: {third.id: [{"sinkMultiaddr": {"ip_address": "0.0.0.0", "port": third.port}}]}
        },
    }
    view = await cluster.view()
    assert third.id in view.reports[0].topology.addresses
    assert all(question.node != third.index for question in double.asked)


async def test_a_seed_that_is_a_name_of_this_computer_leads_to_the_nodes_on_it(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    seed = double.urls[0].replace("127.0.0.1", "localhost")
    async with ExoCluster([seed], mends=False, limits=limits()) as cluster:
        assert len((await cluster.view()).urls) == 3


async def test_a_node_that_the_cluster_has_not_heard_of_is_not_alive_though_it_answers(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = double.add([2])
    double.last_heard[2] = time.time() - 60
    view = await cluster.view()
    assert set(view.gone) == {double.nodes[2].id}
    assert usable(view) == set()
    assert view.standings[instance].broken


@pytest.mark.parametrize("skew_s", [-3600.0, 3600.0])
async def test_a_node_whose_clock_is_wrong_is_alive(
    double: ExoDouble, cluster: ExoCluster, skew_s: float
) -> None:
    instance = double.add([2])
    double.skew_s[2] = skew_s
    assert usable(await cluster.view()) == {instance}


async def test_another_node_at_the_address_of_one_is_not_taken_for_it(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([2])
    await cluster.view()
    old, double.nodes[2].id = double.nodes[2].id, "0" * 32
    members = [double.nodes[0].id, double.nodes[1].id, old]
    link = shapes.link(double.nodes[2].port)
    double.told["/state/topology"] = {
        "nodes": members,
        "connections": {members[0]: {old: [link]}},
    }
    double.told["/state/lastSeen"] = dict.fromkeys(members, "2999-01-01T00:00:00Z")
    view = await cluster.view()
    assert "another node" in view.gone[old].reason


async def test_ghosts_are_not_seen(double: ExoDouble, cluster: ExoCluster) -> None:
    double.ghosts = ["f" * 32]
    view = await cluster.view()
    assert set(view.names) == {node.id for node in double.nodes}
    assert view.standings == {}
    assert len(await cluster.devices()) == 3


async def test_a_seed_that_does_not_answer_is_passed_over(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    await double.kill(0)
    assert double.nodes[1].id in (await cluster.view()).urls


async def test_the_cluster_stays_in_sight_when_all_seeds_are_gone(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    instance = double.add([2])
    await cluster.view()
    await double.kill(0, 1)
    view = await cluster.view()
    assert view.url == double.nodes[2].url
    assert usable(view) == {instance}


async def test_a_cluster_of_which_nobody_answers_is_unavailable(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    await double.kill(0, 1, 2)
    with pytest.raises(ServerUnavailable, match="No node of the exo cluster at http://127"):
        await cluster.view()


async def test_it_is_found_again_when_a_seed_answers_again(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.told["/node_id"] = b"<html>starting</html>"
    with pytest.raises(ServerUnavailable, match="no exo node"):
        await cluster.view()
    double.told.clear()
    assert len((await cluster.view()).urls) == 3


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"[" * 100_000, b"null", b"17", b'"' + b"x" * 5000 + b'"']
)
async def test_what_is_no_exo_is_said_to_be_none(
    double: ExoDouble, cluster: ExoCluster, body: bytes
) -> None:
    double.told["/node_id"] = body
    with pytest.raises(ServerUnavailable):
        await cluster.view()


async def test_a_state_without_bounds_is_not_read(double: ExoDouble, cluster: ExoCluster) -> None:
    double.told["/state/instances"] = b'{"a": "' + b"x" * 9_000_000 + b'"}'
    with pytest.raises(ServerUnavailable, match="more than 8 MB"):
        await cluster.view()


async def test_a_new_master_is_noticed_and_the_cluster_is_learnt_anew(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    double.add([1])
    assert (await cluster.view()).resets == 0
    await double.lose_master(0)
    view = await cluster.view()
    assert view.resets == 1
    assert view.standings == {}
    assert (await cluster.view()).resets == 1


async def test_nodes_that_see_different_clusters_are_each_believed_about_their_own(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    alone, together = double.add([0]), double.add([1, 2])
    double.views = {0: [0], 1: [1, 2], 2: [1, 2]}
    async with ExoCluster(double.urls, limits=limits()) as cluster:
        view = await cluster.view()
        assert view.divided
        assert usable(view) == {alone, together}
        assert view.standings[alone].through == (double.nodes[0].url,)
        assert set(view.standings[together].through) == set(double.urls[1:])


async def test_who_asks_at_the_same_time_shares_one_look(
    double: ExoDouble, cluster: ExoCluster
) -> None:
    await cluster.view()
    double.asked.clear()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(cluster.view)
    looks = sum(q.path == "/state/topology" and q.node == 0 for q in double.asked)
    assert 1 <= looks <= 2


async def test_a_look_asks_for_small_parts_alone(double: ExoDouble, cluster: ExoCluster) -> None:
    await cluster.view()
    paths = {question.path for question in double.asked}
    assert "/state" not in paths
    assert not paths & {"/state/downloads", "/state/tasks"}


def test_a_cluster_needs_a_seed() -> None:
    with pytest.raises(InvalidSettings, match="at least one"):
        ExoCluster([])


async def test_the_error_of_a_block_is_not_put_in_a_group(
    limits: Callable[..., ExoLimits],
) -> None:
    async with exo_cluster(1) as double:
        with pytest.raises(KeyError):
            async with ExoCluster(double.urls, limits=limits()):
                raise KeyError


async def test_a_look_that_is_cancelled_is_not_taken_for_one_that_saw_nothing(
    double: ExoDouble, limits: Callable[..., ExoLimits]
) -> None:
    double.add([0])
    request = ChatRequest(messages=(ChatMessage("user", "hello"),), model=MODEL)
    async with ExoCluster(double.urls, limits=limits(poll_s=60.0)) as cluster:
        for node in double.nodes:
            node.hanging = True
        with anyio.move_on_after(0.1):
            await cluster.view()
        for node in double.nodes:
            node.hanging = False
        async with cluster.chat(request) as events:
            assert [event async for event in events][-1] == Done(finish_reason="stop")
