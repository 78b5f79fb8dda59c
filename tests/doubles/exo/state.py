"""What a node says at `/state`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from doubles.exo import shapes

if TYPE_CHECKING:
    from doubles.exo.cluster import ExoDouble


def state_of(double: ExoDouble, asked: int) -> dict[str, Any]:
    """The state in the eyes of the node with the index `asked`."""
    everyone = range(len(double.nodes))
    seen = [i for i in double.views.get(asked, everyone) if i not in double.absent]
    ids = {index: double.nodes[index].id for index in seen}
    double.events += 1
    instances = {
        key: held.value
        for key, held in double.instances.items()
        if held.looks_until_seen <= 0 and set(held.runners) <= set(ids.values())
    }
    named = {node.id: shapes.identity(node.name) for node in double.nodes}
    return {
        "instances": instances,
        "runners": double.runners | {ghost: shapes.failed("long ago") for ghost in double.ghosts},
        "downloads": double.downloads,
        "tasks": double.tasks,
        "lastSeen": {
            node: shapes.time_of(_heard(double, index), zulu=index % 2 == 0)
            for index, node in ids.items()
        },
        "topology": shapes.topology({node: double.nodes[i].port for i, node in ids.items()}),
        "lastEventAppliedIdx": double.events,
        # These two keep the dead.
        "nodeIdentities": named | {ghost: shapes.identity("ghost") for ghost in double.ghosts},
        "nodeBackends": {node: ["MlxMetal"] for node in named},
        "nodeMemory": {node: shapes.memory() for node in ids.values()},
        "nodeDisk": {},
        "nodeSystem": {node: shapes.system() for node in ids.values()},
        "nodeNetwork": {},
        "nodeThunderbolt": {},
        "nodeThunderboltBridge": {},
        "nodeRdmaCtl": {},
        "thunderboltBridgeCycles": [],
        "instanceLinks": {},
        "prefillServerPorts": {},
        "customModelCards": {},
    }


def _heard(double: ExoDouble, index: int) -> float:
    return double.last_heard.get(index, time.time()) + double.skew_s.get(index, 0.0)
