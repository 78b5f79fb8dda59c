"""One placement of a model, on its way to the face that follows it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError
from kowalski.model.placement import PlacementEnd

if TYPE_CHECKING:
    from kowalski.agent.models.servers import Servers
    from kowalski.inference.exo.placing import Placing
    from kowalski.model.placement import PlacementRequest, PlacementStep

_LOG: Final = logging.getLogger(__name__)


class LivePlacement:
    """Holds the newest step that was not read yet. It has one reader."""

    def __init__(self, request: PlacementRequest) -> None:
        self._request = request
        self._unread: PlacementStep | None = None
        self._changed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._over = anyio.Event()
        self._error: KowalskiError | None = None
        self._placing: Placing | None = None

    async def follow(self, servers: Servers) -> None:
        """Take it to its end; after `close`, to where nothing of it is left."""
        try:
            with self._scope:
                self._placing = servers.cluster(self._request.server).placing(self._request)
                await self._placing.run(self._take)
        except KowalskiError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - one placement must not take the agent along
            _LOG.exception("A placement failed")
            self._error = KowalskiError(f"Kowalski itself failed: {error!r}")
        finally:
            self._over.set()
            self._tell()

    async def read(self) -> PlacementStep:
        """The newest step, once it is another than was read.

        Raises:
            KowalskiError: why it came to nothing; or it was withdrawn.
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

    @property
    def _end(self) -> PlacementEnd:
        nothing = PlacementEnd(stands=False, told="Nothing was placed.")
        return nothing if self._placing is None else self._placing.end

    def _take(self, step: PlacementStep) -> None:
        self._unread = step
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
