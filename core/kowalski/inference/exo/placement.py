"""Placing models on the nodes of a cluster, and taking them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import anyio

from kowalski.errors import InvalidRequest, ModelUnavailable, ServerUnavailable
from kowalski.inference.exo.catalogue import downloaded_models
from kowalski.inference.exo.download import read_downloads
from kowalski.inference.exo.fields import identifier, member, text
from kowalski.inference.exo.instance import read_instance
from kowalski.inference.exo.node_api import MAX_LONG_BYTES, NodeLacks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.lookout import Lookout
    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View

PIPELINE: Final = "Pipeline"
TENSOR: Final = "Tensor"
RING: Final = "MlxRing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How far an instance is: `progress` from 0 to 1, `steps` the state of each runner."""

    instance: str
    progress: float
    steps: tuple[str, ...]


class Placement:
    """Gives the cluster its commands. It answers each with 200 at once, whatever comes of it, so
    what became of them is seen in its state alone."""

    def __init__(self, api: NodeApi, lookout: Lookout, limits: ExoLimits) -> None:
        self._api = api
        self._lookout = lookout
        self._limits = limits

    async def place(
        self,
        model: str,
        *,
        sharding: str = PIPELINE,
        means: str = RING,
        min_nodes: int = 1,
        allow_download: bool = False,
    ) -> Instance:
        """Place `model` wherever exo chooses. The instance exists then, and is loading.

        Raises:
            ModelUnavailable: it would have to be downloaded, which is not allowed.
            ServerUnavailable: the cluster cannot be asked, or nothing came of it in time.
        """
        view = await self._lookout.look()
        if not allow_download:
            await self._need_download(view, model)
        before = frozenset(view.standings)
        await self.command(view, model, sharding=sharding, means=means, min_nodes=min_nodes)

        def new(view: View) -> Instance | None:
            """One that was not there before."""
            found = (s.instance for s in view.of_model(model) if s.instance.id not in before)
            return next(found, None)

        return await self._materialised(model, new)

    async def place_on(
        self, model: str, node: str, *, sharding: str = PIPELINE, allow_download: bool = False
    ) -> Instance:
        """Place `model` on one node, named by its id or its friendly name, and on no other.

        Raises:
            InvalidRequest: no node, or more than one, has that name.
            ModelUnavailable: it would have to be downloaded, which is not allowed.
            ServerUnavailable: it does not fit there, or nothing came of it in time.
        """
        view = await self._lookout.look()
        node_id = _node(view, node)
        if not allow_download:
            await self._need_download(view, model, node_id)
        candidate = await self._candidate(view, model, node_id, sharding)
        instance = read_instance(candidate)
        await self._api.post(view.url, "/instance", {"instance": candidate})

        def same(view: View) -> Instance | None:
            """The one that was sent."""
            standing = view.standings.get(instance.id if instance else "")
            return standing.instance if standing else None

        return await self._materialised(model, same)

    async def command(
        self, view: View, model: str, *, sharding: str, means: str, min_nodes: int
    ) -> None:
        """Ask the cluster to place `model`, and do not wait.

        Raises:
            ModelUnavailable: the cluster knows no model of that name.
            ServerUnavailable: it cannot be asked.
        """
        wish = {"sharding": sharding, "instance_meta": means, "min_nodes": min_nodes}
        try:
            await self._api.post(view.url, "/place_instance", {"model_id": model, **wish})
        except NodeLacks as error:
            raise ModelUnavailable(
                f"The exo cluster knows no model {model!r}. Take a name that its own page lists."
            ) from error

    async def ready(
        self,
        instance: Instance,
        report: Callable[[Loading], Awaitable[None]] | None = None,
    ) -> Standing:
        """Wait until `instance` can be asked. `report` is told whenever there was progress.

        Raises:
            ServerUnavailable: it failed, with its runner's message; it was removed; or it made no
                progress for too long.
        """
        known: tuple[object, ...] | None = None
        moved_at = anyio.current_time()
        missed = 0
        while True:
            standing, downloaded = await self._loading(instance)
            missed = 0 if standing else missed + 1
            if standing is not None:
                if standing.problem is not None:
                    raise ServerUnavailable(_failed(instance, standing.problem))
                step = (standing.steps, standing.progress, downloaded)
                if step != known:
                    known, moved_at = step, anyio.current_time()
                    if report is not None:
                        await report(_told(standing))
                if standing.usable:
                    return standing
            elif missed > 1 and self._lookout.last is not None:
                raise ServerUnavailable(_failed(instance, "the cluster does not have it any more"))
            if anyio.current_time() - moved_at > self._limits.stall_s:
                raise ServerUnavailable(
                    _failed(instance, f"no progress for {self._limits.stall_s:g} s")
                )
            await anyio.sleep(self._limits.poll_s)

    async def remove(self, instance_id: str) -> None:
        """Take an instance away, and wait until it has gone. One that is not there is gone.

        Raises:
            InvalidRequest: that is no id of an instance.
            ServerUnavailable: the cluster cannot be asked, or did not do it in time.
        """
        view = await self._lookout.look()
        await self.discard(view, instance_id)
        with anyio.move_on_after(self._limits.materialise_s):
            while True:
                if instance_id not in (await self._lookout.look()).standings:
                    return
                await anyio.sleep(self._limits.poll_s)
        raise ServerUnavailable(
            f"The exo cluster took the command to remove the instance {instance_id[:8]}, and still "
            "has it. Try again, or restart exo on the computer that holds it."
        )

    async def discard(self, view: View, instance_id: str) -> None:
        """Tell the cluster to take an instance away, and do not wait.

        Raises:
            InvalidRequest: that is no id of an instance.
            ServerUnavailable: the cluster cannot be asked.
        """
        if not identifier(instance_id):
            raise InvalidRequest(f"{text(instance_id, 80)!r} is no id of an instance.")
        try:
            await self._api.delete(view.url, f"/instance/{quote(instance_id, safe='')}")
        except NodeLacks:
            # It is gone already.
            return

    async def _need_download(self, view: View, model: str, node: str | None = None) -> None:
        """Refuse if `model` is on no disk, or not on that of `node` where its state tells."""
        cards = await downloaded_models(self._api, view.url)
        where = "on any node"
        missing = all(card.name != model for card in cards)
        if not missing and node is not None:
            told = await self._api.get(view.url, "/state/downloads", limit_bytes=MAX_LONG_BYTES)
            states = {d.state for d in read_downloads(told) if (d.node, d.model) == (node, model)}
            missing = bool(states) and "Completed" not in states
            where = f"on {view.names.get(node, node[:8])}"
        if missing:
            raise ModelUnavailable(
                f"{model!r} is not downloaded {where}. Allow the download, or download it in exo "
                f"first. Downloaded are: {', '.join(card.name for card in cards[:20]) or 'none'}."
            )

    async def _candidate(self, view: View, model: str, node: str, sharding: str) -> Any:
        """The instance that exo would make of `node` alone."""
        query = urlencode({"model_id": model, "node_ids": node})
        try:
            told = await self._api.get(view.url, f"/instance/previews?{query}")
        except NodeLacks as error:
            raise ModelUnavailable(
                f"The exo cluster knows no model {model!r}. Take a name that its own page lists."
            ) from error
        previews = member(told, "previews")
        reasons: list[str] = []
        for preview in previews if isinstance(previews, list) else []:
            instance = read_instance(member(preview, "instance"))
            if text(member(preview, "sharding")) != sharding:
                continue
            if instance is not None and instance.nodes == (node,):
                return member(preview, "instance")
            reasons.append(text(member(preview, "error")))
        why = next((reason for reason in reasons if reason), "exo offers no such placement.")
        raise ServerUnavailable(
            f"{model!r} cannot be placed on {view.names.get(node, node[:8])} alone: {why} Choose "
            "another node, or let exo choose."
        )

    async def _materialised(self, model: str, find: Callable[[View], Instance | None]) -> Instance:
        with anyio.move_on_after(self._limits.materialise_s):
            while True:
                found = find(await self._lookout.look())
                if found is not None:
                    return found
                await anyio.sleep(self._limits.poll_s)
        raise ServerUnavailable(
            f"The exo cluster took the command to place {model!r}, and within "
            f"{self._limits.materialise_s:g} s nothing came of it. It may lack the memory: remove "
            "another model, or take a smaller one."
        )

    async def _loading(self, instance: Instance) -> tuple[Standing | None, int]:
        """How it stands now, and the bytes of its model that are on disks, while it loads."""
        try:
            view = await self._lookout.look()
            standing = view.standings.get(instance.id)
            if standing is None or standing.usable or standing.progress > 0:
                return standing, 0
            told = await self._api.get(view.url, "/state/downloads", limit_bytes=MAX_LONG_BYTES)
        except ServerUnavailable:
            # A cluster that is out of sight for a moment makes no progress, and may come back.
            return None, 0
        downloads = [d for d in read_downloads(told) if d.model == instance.model]
        return standing, sum(d.downloaded_bytes for d in downloads)


def _told(standing: Standing) -> Loading:
    return Loading(instance=standing.instance.id, progress=standing.progress, steps=standing.steps)


def _failed(instance: Instance, reason: str) -> str:
    return f"{instance.model!r} was placed, and did not get ready: {reason}. Place it again."


def _node(view: View, wanted: str) -> str:
    """The id of the node that `wanted` names."""
    nodes = dict.fromkeys(node for report in view.reports for node in report.topology.nodes)
    found = [node_id for node_id in nodes if wanted == node_id]
    found = found or [node_id for node_id in nodes if view.names.get(node_id) == wanted]
    if len(found) == 1:
        return found[0]
    known: Collection[str] = [f"{view.names.get(node_id, '')} ({node_id})" for node_id in nodes]
    problem = "more than one node is" if found else "no node of the exo cluster is"
    raise InvalidRequest(f"{problem} called {wanted!r}. There are: {', '.join(known)}.")
