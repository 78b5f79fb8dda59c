"""Following a batch of prompts, from the call that began it or from a later one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from kowalski.errors import UnknownRun
from kowalski.model.server import BATCH_LANGUAGE
from kowalski_mcp.inference import inference_result
from kowalski_mcp.progress import follow
from kowalski_mcp.tally import Tally

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context
    from mcp.types import CallToolResult

    from kowalski.agent.service.messages import RunState
    from kowalski.engine import Engine
    from kowalski_mcp.progress import CallClock

_PIECE_BYTES: Final = 1024 * 1024


async def is_batch(engine: Engine, run_id: str) -> bool:
    """Whether a run is a batch of prompts, not of code."""
    # What is known of a run that is in no journal, its waiting or cancelling will tell.
    with suppress(UnknownRun):
        return (await engine.record(run_id)).language == BATCH_LANGUAGE
    return False


class FollowedBatch:
    """A batch whose outcomes are read as they come. `count` is how many prompts it has, if known.

    They are read from what the agent keeps, so that a batch can be followed again from anywhere.
    """

    def __init__(self, engine: Engine, run_id: str, count: int | None = None) -> None:
        self._engine = engine
        self._run_id = run_id
        self._of = "" if count is None else f" of {count}"
        self._tally = Tally()
        self._offset = 0

    async def follow(self, ctx: Context[Any, Any], clock: CallClock) -> CallToolResult:
        """Its result, or how it stands when the call must be answered; notes progress until then.

        Raises:
            UnknownRun: no such run is kept.
        """
        state = await follow(self._engine, self._run_id, ctx, clock, tell=self._tell)
        return await self.standing(state)

    async def standing(self, state: RunState) -> CallToolResult:
        """The result of the batch in `state`, with the outcomes that have come."""
        await self._read()
        return inference_result(state, self._tally)

    async def _tell(self, _: RunState) -> str:
        await self._read()
        return f"{self._tally.answered}{self._of} answered, {self._tally.failed} failed"

    async def _read(self) -> None:
        more = True
        while more:
            piece = await self._engine.read_output(self._run_id, self._offset, _PIECE_BYTES)
            self._tally.read(piece.text)
            self._offset += len(piece.text.encode())
            more = piece.next_offset is not None
