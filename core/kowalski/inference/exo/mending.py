"""Keeping a cluster's models asked for: what is broken or was lost is placed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kowalski.errors import InvalidRequest, KowalskiError, ServerUnavailable
from kowalski.inference.exo.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.lookout import Lookout
    from kowalski.inference.exo.repairs import Repairs
    from kowalski.inference.exo.view import View


class Mending:
    """Looks at a cluster, and mends on the way what it sees is wanting.

    `wanted` tells whether anything is to be mended now; if not, it merely looks.
    """

    def __init__(
        self, lookout: Lookout, repairs: Repairs, limits: ExoLimits, wanted: Callable[[], bool]
    ) -> None:
        self._lookout = lookout
        self._repairs = repairs
        self._limits = limits
        self._wanted = wanted
        self._ledger = Ledger()
        self._problems: dict[str, str] = {}
        self._placed: dict[str, Instance] = {}
        self._resets = 0

    def problem(self, model: str) -> str | None:
        """Why `model` was not placed again, for a person; None if nothing kept it from that."""
        return self._problems.get(model)

    def forget(self, name: str) -> None:
        """Let the instances of the model `name`, and the one with that id, go unmended."""
        self._repairs.forget(name)
        self._ledger.strike(name)
        self._problems.pop(name, None)
        self._placed = {k: one for k, one in self._placed.items() if name not in (k, one.model)}

    async def look(self, *, max_age_s: float = 0.0) -> View:
        """The cluster as it is, or was at most `max_age_s` ago; what it lost is placed again.

        Raises:
            ServerUnavailable: no node answers.
        """
        view = await self._lookout.look(max_age_s=max_age_s)
        if not self._wanted():
            # Whatever goes in the meantime is not this one's to bring back.
            self._ledger, self._placed = Ledger(), {}
            return view
        self._note(view)
        if self._ledger.lost:
            await self._repair(list(self._ledger.lost.values()))
            view = await self._lookout.look()
            self._note(view)
        return view

    async def mend(self, view: View, model: str) -> None:
        """Place again what is broken of `model`."""
        await self._repair([s.instance for s in view.of_model(model) if s.broken])

    async def mend_after(self, model: str) -> None:
        """See whether what failed is broken, so that it is not asked again."""
        with anyio.move_on_after(self._limits.mending_s):
            try:
                await self.mend(await self.look(), model)
            except ServerUnavailable:
                # The failure that the caller is told of says more.
                return

    def _note(self, view: View) -> None:
        self._ledger.note(view)
        anew, self._resets = view.resets != self._resets, view.resets
        absent = {k: one for k, one in self._placed.items() if k not in view.standings}
        if anew:
            # What a master was told that had gone, or was about to, the next one never hears of.
            self._ledger.lost.update(absent)
        self._placed = {
            key: one
            for key, one in self._placed.items()
            if (key in view.standings and not view.standings[key].usable)
            or (key in absent and not anew and self._repairs.expects(one.model))
        }

    async def _repair(self, instances: Sequence[Instance]) -> None:
        if not self._wanted():
            return
        with anyio.move_on_after(self._limits.mending_s):
            for instance in instances:
                try:
                    placed = await self._repairs.repair(instance)
                except KowalskiError as error:
                    self._problems[instance.model] = error.user_message
                    self._ledger.strike(instance.id)
                    if not isinstance(error, InvalidRequest):
                        # That may change: the next look tries it again, if it is not there.
                        self._ledger.lost[instance.id] = instance
                else:
                    self._problems.pop(instance.model, None)
                    self._ledger.strike(instance.id)
                    if placed is not None:
                        self._placed[placed.id] = placed
