"""A wish for a model, until the model can be asked or nothing of the wish is left."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.exo.node_api import NodeRefuses
from kowalski.inference.exo.offers import node_id
from kowalski.model.placement import PlacementEnd, PlacementStep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.placement import Loading, Placement
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View
    from kowalski.model.placement import PlacementRequest

    Hear = Callable[[PlacementStep], None]


class Placing:
    """One wish. `end` tells at any time what is left of it."""

    def __init__(
        self,
        look: Callable[[], Awaitable[View]],
        placement: Placement,
        server: str,
        request: PlacementRequest,
    ) -> None:
        self.end = PlacementEnd(stands=False, told="Nothing was placed.")
        self._look = look
        self._placement = placement
        self._server = server
        self._request = request

    async def run(self, hear: Hear) -> None:
        """Have the model loaded, unless it is so already. `hear` is told of each step.

        If it fails or is cancelled, what it made is taken away, which takes seconds at most.

        Raises:
            InvalidRequest, ModelUnavailable: nothing was placed; as `Offers.best`.
            ServerUnavailable: the cluster cannot be asked, or it did not get ready, and why.
        """
        there = _there(await self._look(), self._request)
        if there is not None:
            self.end = PlacementEnd(stands=True, told="It was there before, and stays.")
            await self._follow(there.instance, hear, placed=False)
            return
        offer = await self._placement.offer(self._request)
        try:
            await self._placement.place(offer)
            await self._follow(offer.instance, hear, placed=True)
        except NodeRefuses:
            raise
        except ServerUnavailable as error:
            await self._withdraw(offer.instance)
            raise ServerUnavailable(f"{error.user_message} {self.end.told}") from error
        except anyio.get_cancelled_exc_class():
            await self._withdraw(offer.instance)
            raise
        self.end = PlacementEnd(stands=True, told="It is ready, and stays.")

    async def _follow(self, instance: Instance, hear: Hear, *, placed: bool) -> None:
        step = partial(
            PlacementStep,
            server=self._server,
            model=instance.model,
            instance=instance.id,
            placed=placed,
        )

        async def report(loading: Loading) -> None:
            hear(
                step(
                    progress=min(loading.progress, 0.99),
                    runners=loading.runners,
                    downloaded_bytes=loading.downloaded_bytes,
                    total_bytes=loading.total_bytes,
                )
            )

        standing = await self._placement.ready(instance, report)
        hear(step(ready=True, progress=standing.progress))

    async def _withdraw(self, instance: Instance) -> None:
        with anyio.CancelScope(shield=True):
            gone = await self._placement.withdraw(instance.id)
        if gone:
            self.end = PlacementEnd(stands=False, told="It was taken away again.")
            return
        state = "Nothing of it has appeared yet" if gone is None else "It is still there"
        self.end = PlacementEnd(
            stands=True,
            told=f"{state}. To take it away: kowalski models remove {instance.id}",
        )


def _there(view: View, request: PlacementRequest) -> Standing | None:
    """An instance that is as it is wished, and can be asked, or will be; the readiest."""
    wanted = {node_id(view, name) for name in request.devices}
    fitting = [
        standing
        for standing in view.of_model(request.model)
        if standing.problem is None
        and (not wanted or wanted == set(standing.instance.nodes))
        and (request.count is None or request.count == len(standing.instance.nodes))
    ]
    return max(fitting, key=lambda standing: (standing.ready, standing.progress), default=None)
