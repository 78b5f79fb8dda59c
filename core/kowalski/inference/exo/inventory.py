"""What a cluster has: its models and its devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.node import ExoDevice, HeldShard, read_nodes
from kowalski.model.chat import ModelInstance, ServedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kowalski.inference.exo.catalogue import ModelCard
    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View

_PARTS: Final = ("nodeIdentities", "nodeMemory", "nodeSystem")


def served_models(
    view: View, downloaded: Sequence[ModelCard], expects: Callable[[str], bool]
) -> tuple[ServedModel, ...]:
    """The models with an instance, and those on a disk; by name. `expects` tells which are about
    to have one.

    One whose instances are all broken counts as downloaded: it can be loaded again.
    """
    contexts = {card.name: card.context_tokens for card in downloaded}
    names = {standing.instance.model for standing in view.standings.values()} | set(contexts)
    return tuple(_model(n, view, contexts.get(n), expected=expects(n)) for n in sorted(names))


async def devices(api: NodeApi, view: View) -> tuple[ExoDevice, ...]:
    """The nodes, and what each holds. What a node does not tell is not known."""
    told: dict[str, Any] = {}

    async def ask(part: str) -> None:
        try:
            told[part] = await api.get(view.url, f"/state/{part}")
        except ServerUnavailable:
            # Its name and memory may be missing; that it is there is known.
            told[part] = None

    async with anyio.create_task_group() as tasks:
        for part in _PARTS:
            tasks.start_soon(ask, part)
    ids = dict.fromkeys(node for report in view.reports for node in report.topology.nodes)
    nodes = read_nodes(ids, *(told[part] for part in _PARTS))
    return tuple(
        ExoDevice(
            node=node,
            url=view.urls.get(node_id),
            problem=view.gone[node_id].reason if node_id in view.gone else None,
            shards=_held(view, node_id),
        )
        for node_id, node in nodes.items()
    )


def _held(view: View, node: str) -> tuple[HeldShard, ...]:
    return tuple(
        HeldShard(
            instance=standing.instance.id,
            model=standing.instance.model,
            shard=shard,
            ready=standing.usable,
            progress=loaded,
        )
        for standing in view.standings.values()
        for shard, loaded in zip(standing.instance.shards, standing.loaded, strict=True)
        if shard.node == node
    )


def _model(name: str, view: View, context_tokens: int | None, *, expected: bool) -> ServedModel:
    standings = view.of_model(name)
    stated = [s.instance.context_tokens for s in standings if s.instance.context_tokens]
    if any(standing.usable for standing in standings):
        return ServedModel(
            name=name,
            state="loaded",
            context_tokens=min(stated, default=context_tokens),
            instances=tuple(map(_instance, standings)),
        )
    loading = expected or any(standing.problem is None for standing in standings)
    return ServedModel(
        name=name,
        state="loading" if loading else "downloaded",
        context_tokens=min(stated, default=context_tokens),
        instances=tuple(map(_instance, standings)),
    )


def _instance(standing: Standing) -> ModelInstance:
    return ModelInstance(
        id=standing.instance.id,
        nodes=standing.names,
        sharding=standing.instance.sharding,
        ready=standing.usable,
        progress=standing.progress,
        problem=standing.problem,
    )
