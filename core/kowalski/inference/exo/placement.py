"""Placing models on the nodes of a cluster, and taking them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio

from kowalski.errors import InvalidRequest, ServerUnavailable
from kowalski.inference.exo.download import read_downloads
from kowalski.inference.exo.fields import identifier, text
from kowalski.inference.exo.node_api import MAX_LONG_BYTES, NodeLacks
from kowalski.inference.exo.offers import Offers
from kowalski.model.placement import RunnerStep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.lookout import Lookout
    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.offers import Offer
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View
    from kowalski.model.placement import PlacementRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How far an instance is: its layers in memory, 0 to 1, those of each node, and the bytes of
    its model that are on its nodes' disks while it is downloaded."""

    progress: float
    runners: tuple[RunnerStep, ...]
    downloaded_bytes: int = 0
    total_bytes: int = 0


class Placement:
    """Gives the cluster its commands. It answers each with 200 at once, whatever comes of it, so
    what became of them is seen in its state alone."""

    def __init__(self, api: NodeApi, lookout: Lookout, limits: ExoLimits) -> None:
        self._api = api
        self._lookout = lookout
        self._limits = limits
        self._offers = Offers(api)

    async def offer(self, request: PlacementRequest) -> Offer:
        """What would be placed.

        Raises:
            InvalidRequest, ModelUnavailable, ServerUnavailable: as `Offers.best`.
        """
        return await self._offers.best(await self._lookout.look(), request)

    async def offer_instead(self, view: View, instance: Instance) -> Offer:
        """What would be placed instead of `instance`, without a download.

        Raises:
            InvalidRequest, ModelUnavailable, ServerUnavailable: as `Offers.instead`.
        """
        return await self._offers.instead(view, instance)

    async def send(self, offer: Offer) -> None:
        """Command what was offered, and do not wait.

        Raises:
            NodeRefuses: exo will not place it.
            ServerUnavailable: the cluster cannot be asked.
        """
        await self._api.post(offer.url, "/instance", {"instance": offer.body})

    async def place(self, offer: Offer) -> None:
        """Place what was offered. The instance exists then, and is loading.

        Raises:
            NodeRefuses: exo will not place it.
            ServerUnavailable: the cluster cannot be asked, or nothing came of it in time.
        """
        await self.send(offer)
        with anyio.move_on_after(self._limits.materialise_s):
            while True:
                if offer.instance.id in (await self._lookout.look()).standings:
                    return
                await anyio.sleep(self._limits.poll_s)
        raise ServerUnavailable(
            f"The exo cluster took the command to place {offer.instance.model!r}, and within "
            f"{self._limits.materialise_s:g} s nothing came of it. It may lack the memory that "
            "another model has."
        )

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
            standing, on_disk = await self._loading(instance)
            missed = 0 if standing else missed + 1
            if standing is not None:
                if standing.problem is not None:
                    raise ServerUnavailable(_failed(instance, standing.problem))
                step = (standing.steps, standing.loaded, on_disk)
                if step != known:
                    known, moved_at = step, anyio.current_time()
                    if report is not None:
                        await report(loading_of(standing, *on_disk))
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

    async def withdraw(self, instance_id: str) -> bool | None:
        """Take away an instance that was asked for a moment ago, and may not be there yet.

        Takes `withdraw_s` at most. Returns whether it has gone; None where it never came.
        """
        seen = False
        with anyio.move_on_after(self._limits.withdraw_s):
            while True:
                try:
                    view = await self._lookout.look()
                    if instance_id in view.standings:
                        seen = True
                        await self.discard(view, instance_id)
                    elif seen:
                        return True
                except ServerUnavailable:
                    # The cluster is out of sight, and may come back while there is time.
                    pass
                await anyio.sleep(self._limits.poll_s / 4)
        return False if seen else None

    async def discard(self, view: View, instance_id: str) -> None:
        """Tell the cluster to take an instance away, and do not wait.

        Raises:
            InvalidRequest: that is no id of an instance.
            ServerUnavailable: the cluster cannot be asked.
        """
        if not identifier(instance_id):
            raise InvalidRequest(f"{text(instance_id, 80)!r} is no id of an instance.")
        having = (report.url for report in view.reports if instance_id in report.instances)
        try:
            await self._api.delete(
                next(having, view.url), f"/instance/{quote(instance_id, safe='')}"
            )
        except NodeLacks:
            # It is gone already.
            return

    async def _loading(self, instance: Instance) -> tuple[Standing | None, tuple[int, int]]:
        """How it stands now, and while it does not load yet, how many bytes of how many of its
        model are on its nodes' disks."""
        try:
            view = await self._lookout.look()
            standing = view.standings.get(instance.id)
            if standing is None or standing.usable or standing.progress > 0:
                return standing, (0, 0)
            told = await self._api.get(view.url, "/state/downloads", limit_bytes=MAX_LONG_BYTES)
        except ServerUnavailable:
            # A cluster that is out of sight for a moment makes no progress, and may come back.
            return None, (0, 0)
        downloads = [
            d
            for d in read_downloads(told)
            if d.model == instance.model and d.node in instance.nodes
        ]
        on_disk = sum(d.downloaded_bytes for d in downloads)
        return standing, (on_disk, sum(d.total_bytes for d in downloads))


def loading_of(standing: Standing, downloaded_bytes: int = 0, total_bytes: int = 0) -> Loading:
    """How far `standing` is."""
    runners = zip(standing.names, standing.steps, standing.loaded, strict=True)
    return Loading(
        progress=standing.progress,
        runners=tuple(RunnerStep(node=n, state=s, progress=p) for n, s, p in runners),
        downloaded_bytes=downloaded_bytes,
        total_bytes=total_bytes,
    )


def _failed(instance: Instance, reason: str) -> str:
    return f"{instance.model!r} was placed, and did not get ready: {reason.rstrip('.')}."
