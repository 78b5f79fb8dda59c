"""A block that goes on while those after it run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from kowalski_cli.document.story import BackgroundEnds, BackgroundGoesOn
from kowalski_cli.follow import check_begun, lost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.handles.run import Run
    from kowalski.model.block import CodeBlock
    from kowalski.model.event import Event, Finished
    from kowalski_cli.document.story import Told

SETTLES_S: Final = 2.0
"""How long the next block waits for one that runs and does not begin to listen."""

_TAIL_CHARACTERS: Final = 2000


class BackgroundBlock:
    """A block whose run goes on. `settle` comes first, and `end` last."""

    def __init__(self, block: CodeBlock, run: Run) -> None:
        self.block = block
        self._run = run
        self._next = 0
        self._began = False
        self._finished: Finished | None = None

    async def settle(self, hear: Callable[[Told | Event], Awaitable[None]]) -> Finished | None:
        """Tell what it does until it listens, has run for a while, or ends; then its ending.

        Raises:
            RunLost: the agent went away.
            KowalskiError: it could not be begun.
        """
        ports: tuple[int, ...] = ()
        with anyio.CancelScope() as patience:
            async for event in self._run.events():
                self._next = event.seq + 1
                if event.type == "started":
                    self._began = True
                elif event.type == "running":
                    patience.deadline = anyio.current_time() + SETTLES_S
                elif event.type == "finished":
                    check_begun(event, began=self._began)
                    self._finished = event
                await hear(event)
                if event.type == "finished":
                    return event
                if event.type == "listening":
                    ports = event.ports
                    break
            else:
                raise lost()
        await hear(BackgroundGoesOn(run_id=self._run.id, ports=ports))
        return None

    async def end(self, hear: Callable[[Told | Event], Awaitable[None]]) -> Finished:
        """End it, unless it has ended, and tell how it ended and what it printed last.

        Raises:
            RunLost: the agent went away.
        """
        await self._run.cancel()
        tail = ""
        async for event in self._run.events(self._next):
            if event.type == "output":
                tail = (tail + event.text)[-_TAIL_CHARACTERS:]
            elif event.type == "finished":
                self._finished = event
        if self._finished is None:
            raise lost()
        finished, block = self._finished, self.block
        await hear(
            BackgroundEnds(
                index=block.index,
                name=block.name,
                language=str(block.language),
                start_line=block.start_line,
                run_id=self._run.id,
                status=finished.status,
                reason=finished.reason,
                exit_code=finished.exit_code,
                tail=tail,
            )
        )
        return finished

    async def leave(self) -> None:
        """Let it go on in its session, which lives on."""
        await self._run.detach()
