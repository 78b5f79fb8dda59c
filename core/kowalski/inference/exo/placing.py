"""A wish for a model, until the model can be asked or nothing of the wish is left."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError, ServerUnavailable
from kowalski.inference.exo.node_api import NodeRefuses
from kowalski.inference.exo.offers import node_id
from kowalski.inference.exo.placement import loading_of
from kowalski.model.placement import PlacementEnd, PlacementStep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.placement import Loading, Placement
    from kowalski.inference.exo.standing import Standing
    from kowalski.inference.exo.view import View
    from kowalski.model.placement import PlacementRequest

_LOG: Final = logging.getLogger(__name__)
_REMEDY: Final = "Try again, on other devices, or a smaller model."


class Placing:
    """One wish. Holds the newest step that was not read yet; it has one reader."""

    def __init__(
        self,
        look: Callable[[], Awaitable[View]],
        placement: Placement,
        server: str,
        request: PlacementRequest,
    ) -> None:
        self._look = look
        self._placement = placement
        self._server = server
        self._request = request
        self._end = PlacementEnd(stands=False, told="Nothing was placed.")
        self._unread: PlacementStep | None = None
        self._changed = anyio.Event()
        self._over = anyio.Event()
        self._scope = anyio.CancelScope()
        self._error: KowalskiError | None = None

    async def run(self) -> None:
        """Have the model loaded, unless it is so already.

        If it fails, is closed or cancelled, what it made is taken away, which takes seconds at
        most.
        """
        try:
            with self._scope:
                await self._load()
        except KowalskiError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - one wish must not take the cluster along
            _LOG.exception("A placement failed")
            self._error = KowalskiError(f"Kowalski itself failed: {error!r}")
        finally:
            self._over.set()
            self._tell()

    async def read(self) -> PlacementStep:
        """The newest step, once it is another than was read.

        Raises:
            InvalidRequest, ModelUnavailable: nothing was placed; as `Offers.best`.
            ServerUnavailable: the cluster cannot be asked, or it did not get ready, and why.
            KowalskiError: it was withdrawn.
        """
        while self._unread is None and not self._over.is_set():
            await self._changed.wait()
        if self._unread is not None:
            step, self._unread = self._unread, None
            return step
        raise self._error or KowalskiError(f"The placement is over. {self._end.told}")

    async def withdraw(self) -> PlacementEnd:
        """End it, and wait until nothing of it is left, or until it is known what is."""
        self.close()
        await self._over.wait()
        return self._end

    def close(self) -> None:
        """End it: what it made is taken away, unless the model is ready."""
        self._scope.cancel()

    async def _load(self) -> None:
        there = _there(await self._look(), self._request)
        if there is not None:
            self._end = PlacementEnd(stands=True, told="It was there before, and stays.")
            await self._follow(there.instance, placed=False)
            return
        offer = await self._placement.offer(self._request)
        try:
            await self._placement.place(offer)
            await self._follow(offer.instance, placed=True)
        except NodeRefuses:
            raise
        except ServerUnavailable as error:
            await self._take_away(offer.instance)
            raise ServerUnavailable(f"{error.user_message} {self._end.told} {_REMEDY}") from error
        except anyio.get_cancelled_exc_class():
            await self._take_away(offer.instance)
            raise
        self._end = PlacementEnd(stands=True, told="It is ready, and stays.")

    async def _follow(self, instance: Instance, *, placed: bool) -> None:
        step = partial(
            PlacementStep,
            server=self._server,
            model=instance.model,
            instance=instance.id,
            placed=placed,
        )

        async def report(loading: Loading) -> None:
            self._hear(
                step(
                    progress=min(loading.progress, 0.99),
                    runners=loading.runners,
                    downloaded_bytes=loading.downloaded_bytes,
                    total_bytes=loading.total_bytes,
                )
            )

        standing = await self._placement.ready(instance, report)
        loaded = loading_of(standing)
        self._hear(step(ready=True, progress=loaded.progress, runners=loaded.runners))

    async def _take_away(self, instance: Instance) -> None:
        with anyio.CancelScope(shield=True):
            gone = await self._placement.withdraw(instance.id)
        if gone:
            self._end = PlacementEnd(stands=False, told="It was taken away again.")
            return
        state = "Nothing of it has appeared yet" if gone is None else "It is still there"
        self._end = PlacementEnd(
            stands=True,
            told=f"{state}. To take it away: kowalski models remove {instance.id}",
        )

    def _hear(self, step: PlacementStep) -> None:
        self._unread = step
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


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
