"""The nodes of exo clusters, as devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError
from kowalski.model.device import Device, HeldLayers

if TYPE_CHECKING:
    from kowalski.agent.models.language_models import LanguageModels
    from kowalski.inference.exo.cluster import ExoCluster
    from kowalski.inference.exo.node import ExoDevice

_TELL_WITHIN_S: Final = 2.5
"""Less than an assistant waits for what models there are."""


async def nodes(models: LanguageModels) -> tuple[Device, ...]:
    """The nodes of all clusters that tell them in time. Why others do not, the servers tell."""
    found: dict[str, tuple[Device, ...]] = {}

    async def ask(name: str, cluster: ExoCluster) -> None:
        try:
            found[name] = tuple(_device(name, one) for one in await cluster.devices())
        except KowalskiError:
            return

    with anyio.move_on_after(_TELL_WITHIN_S):
        try:
            clusters = (await models.servers()).clusters
        except KowalskiError:
            # A file of servers that is wrong keeps no one from the other devices.
            return ()
        async with anyio.create_task_group() as tasks:
            for name, cluster in clusters.items():
                tasks.start_soon(ask, name, cluster)
    return tuple(device for name in sorted(found) for device in found[name])


def _device(server: str, told: ExoDevice) -> Device:
    node = told.node
    return Device(
        id=node.id,
        name=node.name,
        system=node.system,
        can=("run models",),
        memory_total_bytes=node.memory_bytes,
        memory_available_bytes=node.free_memory_bytes,
        server=server,
        chip=node.chip,
        gpu_load=node.gpu_load,
        problem=told.problem,
        holds=tuple(
            HeldLayers(
                model=held.model,
                instance=held.instance,
                first=held.shard.first_layer,
                last=max(held.shard.first_layer, held.shard.end_layer - 1),
                layers=held.shard.layers,
                progress=held.progress,
                ready=held.ready,
            )
            for held in told.shards
        ),
    )
