"""A model that is being placed, as its caller follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kowalski.agent.service.model_messages import (
    OpenPlacement,
    ReadPlacement,
    WithdrawPlacement,
)
from kowalski.errors import KowalskiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Self

    from kowalski.agent.reach.link import Link
    from kowalski.model.placement import PlacementEnd, PlacementRequest, PlacementStep


class Placing:
    """One placement.

    Attributes:
        over: whether it was followed to its end: the model is ready, or it failed.
        end: what was left of it where it was withdrawn.
    """

    def __init__(self, link: Link, placement_id: int) -> None:
        self.over = False
        self.end: PlacementEnd | None = None
        self._link = link
        self._placement_id = placement_id

    @classmethod
    async def begin(cls, link: Link, request: PlacementRequest) -> Self:
        """One that was just asked for.

        Raises:
            InvalidRequest, NoServerAvailable: no such cluster.
        """
        # Begun without its number being known here, it could not be withdrawn.
        with anyio.CancelScope(shield=True):
            opened = await link.ask(OpenPlacement(request))
        return cls(link, opened.placement_id)

    async def steps(self) -> AsyncIterator[PlacementStep]:
        """How far it is, whenever that changes; the last is `ready`. For one reader, once.

        A reader that is slow gets fewer of them.

        Raises:
            KowalskiError: it came to nothing, and why; nothing of it is left, or that is said.
        """
        while not self.over:
            try:
                step = await self._link.ask(ReadPlacement(self._placement_id))
            except KowalskiError:
                self.over = True
                raise
            self.over = step.ready
            yield step

    async def withdraw(self) -> PlacementEnd:
        """Take away what it made, unless the model is ready by then. Takes seconds at most."""
        self.end = await self._link.ask(WithdrawPlacement(self._placement_id))
        self.over = True
        return self.end
