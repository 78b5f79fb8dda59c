"""Which node of a cluster to ask for a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.errors import ModelUnavailable
from kowalski.inference.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.lookout import Lookout
    from kowalski.inference.exo.mending import Mending
    from kowalski.inference.exo.repairs import Repairs
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View


class Gateways:
    """Finds the node, or tells why there is none. `name` is what people call the cluster."""

    def __init__(
        self, name: str, lookout: Lookout, repairs: Repairs, mending: Mending, limits: ExoLimits
    ) -> None:
        self._name = name
        self._lookout = lookout
        self._repairs = repairs
        self._mending = mending
        self._limits = limits

    def find(self, view: View, model: str) -> str:
        """The URL of a node that has a usable instance of `model` in its view.

        Raises:
            ModelUnavailable: there is none, with the reason.
        """
        standings = view.of_model(model)
        usable = [standing for standing in standings if standing.usable]
        if usable:
            return usable[0].through[0]
        problem = self._mending.problem(model)
        unmended = f" It is not placed again by itself: {problem}" if problem else ""
        if standings:
            loads = any(standing.problem is None for standing in standings)
            # A second look may find it broken for certain, and mend it.
            hopeful = loads or not self._lookout.settled
            raise ModelUnavailable(
                f"{self._name} cannot serve {model!r} now: {_why(standings)}.{unmended}",
                retry_after_s=self._limits.poll_s if hopeful else None,
            )
        if self._repairs.expects(model):
            raise ModelUnavailable(
                f"{self._name} lost {model!r}, and is about to load it again.",
                retry_after_s=self._limits.poll_s,
            )
        loaded = {s.instance.model for s in view.standings.values() if s.usable}
        raise ModelUnavailable(
            f"{self._name} has no instance of {model!r}. To load it: kowalski models place. "
            f"Loaded: {excerpt(sorted(loaded)) or 'none'}.{unmended}"
        )


def _why(standings: Sequence[Standing]) -> str:
    standing = next((one for one in standings if one.problem is None), standings[0])
    if standing.problem is not None:
        return standing.problem
    return f"it is loading on {', '.join(standing.names)}, {standing.progress:.0%} done"
