"""Everything about language models in an agent, from the moment that somebody wants it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from anyio.abc import TaskGroup, TaskStatus

    from kowalski.agent.home.places import Places
    from kowalski.agent.models.servers import Servers
    from kowalski.settings.model import InferenceSettings

_LOG: Final = logging.getLogger(__name__)


class LanguageModels:
    """Opens the servers when they are first asked for; an agent that only runs code has none."""

    def __init__(self, places: Places, settings: InferenceSettings, tasks: TaskGroup) -> None:
        self._places = places
        self._settings = settings
        self._tasks = tasks
        self._opening = anyio.Lock(fast_acquire=True)
        self._servers: Servers | None = None

    async def servers(self) -> Servers:
        """The servers, with those on this host that have been found.

        Raises:
            InvalidSettings: the file of servers is unsafe or wrong.
        """
        async with self._opening:
            if self._servers is None:
                self._servers = await self._tasks.start(self._hold)
        if not self._servers.pool.slots:
            await self._servers.find()
        return self._servers

    async def _hold(self, *, task_status: TaskStatus[Servers]) -> None:
        # HTTP and what belongs to it take a tenth of a second to import.
        from kowalski.agent.models.servers import Servers

        begun = False
        try:
            async with Servers(self._places, self._settings) as servers:
                await servers.find()
                begun = True
                task_status.started(servers)
                await anyio.sleep_forever()
        except Exception:
            if not begun:
                raise
            # The next who asks opens them anew; who only runs code never hears of it.
            _LOG.exception("The servers of language models failed")
            self._servers = None
