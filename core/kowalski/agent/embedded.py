"""An agent inside the process of its only face."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from kowalski.agent.agent import Agent
from kowalski.agent.home.places import Places
from kowalski.agent.lock import sole_owner
from kowalski.agent.service.desk import Desk
from kowalski.settings.loading import load

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class Embedded:
    """An agent with everything in the folder `home`. Use as an async context manager.

    Raises:
        AgentUnavailable: on entering, where another process owns the folder.
        SandboxUnavailable: on entering, where no sandbox of the demanded level works.
    """

    def __init__(self, home: Path, principal: str) -> None:
        self._home = home
        self._principal = principal
        self._stack = AsyncExitStack()
        self.desk: Desk

    async def __aenter__(self) -> Self:
        places = Places.within(self._home.absolute())
        places.create()
        async with AsyncExitStack() as stack:
            stack.enter_context(sole_owner(places))
            settings = load(path=places.settings_file)
            agent = await stack.enter_async_context(Agent(places, settings))
            self.desk = Desk(agent, self._principal)
            stack.push_async_callback(self.desk.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)
