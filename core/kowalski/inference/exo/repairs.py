"""Placing again what was lost or is broken, not without end."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import ModelUnavailable, ServerUnavailable

if TYPE_CHECKING:
    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.lookout import Lookout
    from kowalski.inference.exo.offers import Offer
    from kowalski.inference.exo.placement import Placement
    from kowalski.inference.exo.view import View

_REMEMBERED: Final = 256


class Repairs:
    """Deletes an instance and asks for another like it, once each, and a few times in a while."""

    def __init__(self, lookout: Lookout, placement: Placement, limits: ExoLimits) -> None:
        self._lookout = lookout
        self._placement = placement
        self._limits = limits
        self._repairing = anyio.Lock()
        self._at: deque[float] = deque()
        self._done: deque[str] = deque(maxlen=_REMEMBERED)
        self._begun: dict[str, float] = {}

    def expects(self, model: str) -> bool:
        """Whether an instance of `model` was asked for a moment ago, and may be about to appear."""
        begun_at = self._begun.get(model)
        if begun_at is None:
            return False
        return anyio.current_time() - begun_at < self._limits.materialise_s

    def forget(self, model: str) -> None:
        """Expect no instance of `model` any more."""
        self._begun.pop(model, None)

    async def repair(self, instance: Instance) -> Instance | None:
        """Take `instance` away and place its model again, on as many nodes as it had, or are left,
        and have the model on their disks.

        Returns what was asked for instead; None to whoever asks for one that was repaired already.

        Raises:
            InvalidRequest: of several clusters, nothing tells which had it.
            ModelUnavailable: no node that is left has its model on its disk. It is not taken away
                then, unless another can be asked: its node may come back.
            ServerUnavailable: there is no room, the cluster cannot be asked, or there were too
                many repairs.
        """
        async with self._repairing:
            if instance.id in self._done:
                return None
            now = anyio.current_time()
            while self._at and now - self._at[0] > self._limits.repairs_within_s:
                self._at.popleft()
            if len(self._at) >= self._limits.repairs:
                raise ServerUnavailable(
                    f"{instance.model!r} is not placed again: exo's instances broke "
                    f"{len(self._at)} times in {self._limits.repairs_within_s / 60:.0f} minutes. "
                    "Look at exo's log on its nodes."
                )
            view = _beside(await self._lookout.look(), instance)
            offer = await self._offer(view, instance)
            await self._placement.discard(view, instance.id)
            self._begun[instance.model] = now
            if offer is None:
                offer = await self._placement.offer_instead(view, instance)
            self._at.append(now)
            # Commanded, it must not be placed a second time.
            self._done.append(instance.id)
            await self._placement.send(offer)
            return offer.instance

    async def _offer(self, view: View, instance: Instance) -> Offer | None:
        """What to place instead; None where there may be room once `instance` has gone."""
        try:
            return await self._placement.offer_instead(view, instance)
        except ModelUnavailable:
            if any(standing.usable for standing in view.of_model(instance.model)):
                # exo would go on to send it requests that the others can answer.
                await self._placement.discard(view, instance.id)
            raise
        except ServerUnavailable:
            return None


def _beside(view: View, instance: Instance) -> View:
    """What those see who are, or were, in the cluster of `instance`."""
    having = [report for report in view.reports if instance.id in report.instances] or [
        report
        for report in view.reports
        if not set(instance.nodes).isdisjoint(report.topology.nodes)
    ]
    if not having:
        return view
    mates = {having[0].node, *having[0].topology.nodes}
    reports = (*having, *(report for report in view.reports if report not in having))
    return replace(view, reports=tuple(report for report in reports if report.node in mates))
