"""What one node says of its cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.fields import members, moment, number
from kowalski.inference.exo.instance import read_instances
from kowalski.inference.exo.runner import read_runners
from kowalski.inference.exo.topology import read_topology

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.runner import Runner
    from kowalski.inference.exo.topology import Topology

PARTS: Final = ("topology", "lastSeen", "instances", "runners", "lastEventAppliedIdx")
"""The parts of `/state` that say what can be used; the rest is large, or does not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The state of a cluster in the eyes of `node`, which was asked at `url`.

    `events` counts the events that it has applied; a new master begins anew.
    """

    node: str
    url: str
    topology: Topology
    last_seen: Mapping[str, datetime]
    instances: Mapping[str, Instance]
    runners: Mapping[str, Runner]
    events: int


async def ask_report(api: NodeApi, url: str, node: str) -> Report:
    """Ask a node for its view.

    Raises:
        ServerUnavailable: it does not answer, or not as exo does.
    """
    state: dict[str, Any] = {}
    failures: list[ServerUnavailable] = []

    async def ask(part: str) -> None:
        try:
            state[part] = await api.get(url, f"/state/{part}")
        except ServerUnavailable as error:
            # The others must not be cancelled with a group of errors; one is enough to say.
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for part in PARTS:
            tasks.start_soon(ask, part)
    if failures:
        raise failures[0]
    return read_report(state, url, node)


def read_report(state: Any, url: str, node: str) -> Report:
    """The report in the JSON of `/state`, or of the parts of it that count.

    Raises:
        ServerUnavailable: it is not exo's state.
    """
    events = number(members(state).get("lastEventAppliedIdx"))
    if events is None and members(state).get("lastEventAppliedIdx") == -1:
        # A node that has just begun has applied none.
        events = 0
    topology = read_topology(members(state).get("topology"))
    if events is None or not topology.nodes:
        raise ServerUnavailable(
            f"What answers at {url} tells no state of an exo cluster, or it is about to choose a "
            "new master. Try again in a few seconds, and check the URL if it stays so."
        )
    seen = {
        node_id: moment(when) for node_id, when in members(members(state).get("lastSeen")).items()
    }
    return Report(
        node=node,
        url=url,
        topology=topology,
        last_seen={node_id: when for node_id, when in seen.items() if when is not None},
        instances=read_instances(members(state).get("instances")),
        runners=read_runners(members(state).get("runners")),
        events=events,
    )
