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

    def problem(self, model: str) -> str | None:
        """Why `model` was not placed again, for a person; None if nothing kept it from that."""
        return self._problems.get(model)

    def forget(self, name: str) -> None:
        """Let the instances of the model `name`, and the one with that id, go unmended."""
        self._repairs.forget(name)
        self._ledger.strike(name)
        self._problems.pop(name, None)

    async def look(self, *, max_age_s: float = 0.0) -> View:
        """The cluster as it is, or was at most `max_age_s` ago; what it lost is placed again.

        Raises:
            ServerUnavailable: no node answers.
        """
        view = await self._lookout.look(max_age_s=max_age_s)
        if not self._wanted():
            # Whatever goes in the meantime is not this one's to bring back.
            self._ledger = Ledger()
            return view
        self._ledger.note(view)
        if self._ledger.lost:
            await self._repair(list(self._ledger.lost.values()))
            view = await self._lookout.look()
            self._ledger.note(view)
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

    async def _repair(self, instances: Sequence[Instance]) -> None:
        if not self._wanted():
            return
        with anyio.move_on_after(self._limits.mending_s):
            for instance in instances:
                try:
                    await self._repairs.repair(instance)
                except KowalskiError as error:
                    self._problems[instance.model] = error.user_message
                    self._ledger.strike(instance.id)
                    if not isinstance(error, InvalidRequest):
                        # That may change: the next look tries it again, if it is not there.
                        self._ledger.lost[instance.id] = instance
                else:
                    self._problems.pop(instance.model, None)
                    self._ledger.strike(instance.id)
