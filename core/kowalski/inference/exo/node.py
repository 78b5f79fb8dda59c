"""A node: a computer of the cluster's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kowalski.inference.exo.fields import measure, member, members, size, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kowalski.inference.exo.instance import Shard

_LONGEST_NAME: Final = 40
"""Whoever runs a node names it as they like, and the name goes into tables and messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a node says of its computer. Its id is a new one after each of its starts.

    Attributes:
        name: for people.
        system: its operating system; empty where exo does not know it.
        chip: None where exo does not know it, as on Linux.
        gpu_load: 0 to 1, where exo measures it, which is on Macs.
    """

    id: str
    name: str
    system: str = ""
    chip: str | None = None
    memory_bytes: int | None = None
    free_memory_bytes: int | None = None
    gpu_load: float | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a node counts as not alive. Not `certain` if it may merely be out of reach from here;
    `by_clock` if it answers, or nobody knows where to ask it, and only times tell against it."""

    reason: str
    certain: bool
    by_clock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldShard:
    """A part of a model that a node holds, of which `progress` is loaded; `ready` when the whole
    instance takes requests."""

    instance: str
    model: str
    shard: Shard
    ready: bool
    progress: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExoDevice:
    """A node, and what it holds.

    Attributes:
        url: where its API answered; None if it did not.
        problem: why it counts as not alive, for a person; None if it is alive.
    """

    node: Node
    url: str | None
    problem: str | None
    shards: tuple[HeldShard, ...]


def read_names(value: Any) -> dict[str, str]:
    """The friendly names in the JSON of `/state/nodeIdentities`, dead nodes' included."""
    names = {
        node_id: text(member(entry, "friendlyName"), _LONGEST_NAME)
        for node_id, entry in members(value).items()
    }
    return {node_id: name for node_id, name in names.items() if name}


def read_nodes(ids: Iterable[str], identities: Any, memory: Any, system: Any) -> dict[str, Node]:
    """The nodes of these ids, from the JSON of `nodeIdentities`, `nodeMemory`, `nodeSystem`."""
    return {
        node_id: _node(
            node_id, *(members(value).get(node_id) for value in (identities, memory, system))
        )
        for node_id in ids
    }


def _node(node_id: str, identity: Any, memory: Any, system: Any) -> Node:
    chip = text(member(identity, "chipId"), 100)
    system_name = text(member(identity, "osVersion"), 100)
    load = measure(member(system, "gpuUsage"))
    return Node(
        id=node_id,
        name=text(member(identity, "friendlyName"), _LONGEST_NAME) or node_id[:8],
        system="" if system_name.startswith("Unknown") else system_name,
        chip=None if not chip or chip.startswith("Unknown") else chip,
        memory_bytes=size(member(memory, "ramTotal")),
        free_memory_bytes=size(member(memory, "ramAvailable")),
        gpu_load=None if load is None else min(1.0, max(0.0, load)),
    )
