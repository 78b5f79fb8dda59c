"""A run, as its caller follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kowalski.agent.service.messages import (
    AnswerCall,
    CancelRun,
    DetachRun,
    ReadEvents,
    WaitRun,
)
from kowalski.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kowalski.agent.reach.link import Link
    from kowalski.model.event import Event, RunResult

_BATCH_BYTES: Final = 1024 * 1024


class Run:
    """One run.

    `released` tells that nothing has to be ended when its block is left.
    """

    def __init__(self, link: Link, run_id: str) -> None:
        self.id = run_id
        self.released = False
        self._link = link

    async def events(self, from_seq: int = 0) -> AsyncIterator[Event]:
        """The run's events in order, from any point on, until its end.

        A reader may be as slow as it likes: what it has not asked for waits with the agent.
        """
        while True:
            batch = await self._link.ask(ReadEvents(self.id, from_seq, _BATCH_BYTES))
            for event in batch.events:
                from_seq = event.seq + 1
                if event.type == "finished":
                    self.released = True
                yield event
            if not batch.events or batch.events[-1].type == "finished":
                return

    async def result(self) -> RunResult:
        """Wait for the end."""
        state = await self._link.ask(WaitRun(self.id))
        if state.result is None:
            raise InvalidRequest(f"The run {self.id} has no result.")
        self.released = True
        return state.result

    async def cancel(self) -> None:
        """End the run. Returns when none of its processes is left."""
        await self._link.ask(CancelRun(self.id))
        self.released = True

    async def detach(self) -> None:
        """Let the run go on when the block or the engine is left."""
        await self._link.ask(DetachRun(self.id))
        self.released = True

    def leave(self) -> None:
        """Let the run go on when the block is left. It still ends with its engine."""
        self.released = True

    async def answer(self, call_id: str, value: Any) -> None:
        """Answer a `HostCall` with a JSON value.

        Raises:
            InvalidRequest: no such call is outstanding.
        """
        await self._link.ask(AnswerCall(self.id, call_id, value))

    async def refuse(self, call_id: str, message: str) -> None:
        """Answer a `HostCall` with an error, which the program sees as an exception.

        Raises:
            InvalidRequest: no such call is outstanding.
        """
        await self._link.ask(AnswerCall(self.id, call_id, message, failed=True))
