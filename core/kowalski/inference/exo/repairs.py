"""Placing again what was lost or is broken, not without end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.offers import PIPELINE

if TYPE_CHECKING:
    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.lookout import Lookout
    from kowalski.inference.exo.placement import Placement

_TENSOR: Final = "Tensor"
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

    async def repair(self, instance: Instance) -> bool:
        """Take `instance` away and place its model again, on as many nodes as it had, or are left.

        Whoever asks for one that another has repaired already gets False.

        Raises:
            ModelUnavailable: the cluster does not know its model any more.
            ServerUnavailable: the cluster cannot be asked, or there were too many repairs.
        """
        async with self._repairing:
            if instance.id in self._done:
                return False
            now = anyio.current_time()
            while self._at and now - self._at[0] > self._limits.repairs_within_s:
                self._at.popleft()
            if len(self._at) >= self._limits.repairs:
                raise ServerUnavailable(
                    f"{instance.model!r} is not placed again: exo's instances broke "
                    f"{len(self._at)} times in {self._limits.repairs_within_s / 60:.0f} minutes. "
                    "Look at exo's log on its nodes."
                )
            self._at.append(now)
            view = await self._lookout.look()
            await self._placement.discard(view, instance.id)
            # Deleted, it must not be taken away and placed a second time.
            self._done.append(instance.id)
            self._begun[instance.model] = anyio.current_time()
            alive = {n for report in view.reports for n in report.topology.nodes} - set(view.gone)
            await self._placement.command(
                view,
                instance.model,
                # exo splits some models in ways of its own, which cannot be asked for.
                sharding=_TENSOR if instance.sharding == _TENSOR else PIPELINE,
                means=instance.means,
                min_nodes=max(1, min(len(instance.nodes), len(alive))),
            )
            return True
