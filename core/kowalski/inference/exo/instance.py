"""An instance: a model spread over some nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kowalski.inference.exo.fields import (
    identifier,
    member,
    members,
    number,
    size,
    tagged,
    text,
)

_SUFFIX: Final = "Instance"
_SHARD: Final = "ShardMetadata"
_LONGEST_MODEL: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The layers from `first_layer` up to, and without, `end_layer`, of `layers`."""

    node: str
    runner: str
    first_layer: int
    end_layer: int
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A model as it is placed.

    Attributes:
        means: how its nodes speak to each other, as `POST /place_instance` names it: `MlxRing`.
        sharding: `Pipeline`, `Tensor`, or what else exo has.
        context_tokens: what the model can read and write together, where its card tells.
        size_bytes: of the whole model, where its card tells.
    """

    id: str
    model: str
    means: str
    sharding: str
    shards: tuple[Shard, ...]
    context_tokens: int | None = None
    size_bytes: int | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The ids of the nodes that it needs."""
        return tuple(shard.node for shard in self.shards)


def read_instances(value: Any) -> dict[str, Instance]:
    """The instances in the JSON of `/state/instances`, without those that make no sense."""
    instances = {}
    for instance_id, entry in members(value).items():
        if (instance := read_instance(entry)) is not None and instance.id == instance_id:
            instances[instance_id] = instance
    return instances


def read_instance(value: Any) -> Instance | None:
    """The instance in `{"MlxRingInstance": {...}}`, whatever the tag."""
    found = tagged(value)
    if found is None:
        return None
    tag, held = found
    instance_id = identifier(member(held, "instanceId"))
    assignments = member(held, "shardAssignments")
    model = text(member(assignments, "modelId"), _LONGEST_MODEL)
    runners = members(member(assignments, "runnerToShard"))
    shards, shardings, contexts, sizes = [], [], [], []
    for node, named in members(member(assignments, "nodeToRunner")).items():
        runner = identifier(named)
        shard = tagged(runners.get(runner))
        if shard is None:
            return None
        kind, metadata = shard
        shardings.append(kind.removesuffix(_SHARD))
        card = member(metadata, "modelCard")
        contexts.append(number(member(card, "contextLength")))
        sizes.append(size(member(card, "storageSize")))
        shards.append(_shard(node, runner, metadata))
    if not (instance_id and model and shards):
        return None
    return Instance(
        id=instance_id,
        model=model,
        means=tag.removesuffix(_SUFFIX),
        sharding=shardings[0],
        shards=tuple(sorted(shards, key=lambda shard: (shard.first_layer, shard.node))),
        context_tokens=next((context for context in contexts if context), None),
        size_bytes=next((whole for whole in sizes if whole), None),
    )


def _shard(node: str, runner: str, metadata: Any) -> Shard:
    first = number(member(metadata, "startLayer")) or 0
    end = number(member(metadata, "endLayer")) or first
    return Shard(
        node=node,
        runner=runner,
        first_layer=first,
        end_layer=end,
        layers=number(member(metadata, "nLayers")) or end,
    )
