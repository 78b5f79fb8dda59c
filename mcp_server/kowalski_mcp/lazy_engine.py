"""An engine that is opened when it is first wanted, and anew once its agent has gone."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from anyio.abc import TaskGroup, TaskStatus

    from kowalski.engine import Engine

_LOG: Final = logging.getLogger(__name__)


class LazyEngine:
    """Opens an engine at its first use, so that starting a face costs nothing.

    `open_engine` makes one. What runs through it ends when `serving` is left.
    """

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._open_engine = open_engine
        self._held: _Held | None = None
        self._opening = anyio.Lock(fast_acquire=True)
        self._tasks: TaskGroup | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Within the block the engine can be had."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = self._held = None
                tasks.cancel_scope.cancel()

    @property
    def opened(self) -> Engine | None:
        """The engine, if there is one and its agent has not gone."""
        held = self._held
        return held.engine if held is not None and held.engine.connected else None

    async def get(self) -> Engine:
        """The engine, opened if need be.

        Raises:
            AgentUnavailable, SandboxUnavailable: it cannot be opened.
        """
        if (opened := self.opened) is not None:
            return opened
        async with self._opening:
            if self._held is not None and not self._held.engine.connected:
                self._held.retired.set()
                self._held = None
            if self._held is None:
                if self._tasks is None:
                    raise RuntimeError("the engine is wanted outside of serving()")
                self._held = await self._tasks.start(self._hold)
            return self._held.engine

    async def _hold(self, *, task_status: TaskStatus[_Held]) -> None:
        # One task enters and leaves an engine, whoever may have asked for it first.
        begun = False
        try:
            async with self._open_engine() as engine:
                held = _Held(engine)
                begun = True
                task_status.started(held)
                await held.retired.wait()
        except* KowalskiError as group:
            if not begun:
                raise group.exceptions[0] from None
            # Whoever was asking it has heard; the next one to ask gets a new engine.
            _LOG.warning("The link to the agent broke: %s", group.exceptions[0])


class _Held:
    """An open engine; it is closed once `retired` is set."""

    __slots__ = ("engine", "retired")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.retired = anyio.Event()
