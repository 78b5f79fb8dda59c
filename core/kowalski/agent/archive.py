"""What is kept of runs: their rows, their output and what they made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from kowalski.agent.conduct.live_run import MEMORY_BYTES
from kowalski.agent.store import run_table
from kowalski.errors import InvalidRequest

if TYPE_CHECKING:
    from kowalski.agent.conduct.unwritten_endings import UnwrittenEndings
    from kowalski.agent.store.blobs import Blobs
    from kowalski.agent.store.journal import Journal
    from kowalski.model.event import Artifact
    from kowalski.model.record import OutputSlice, RunRecord


class Archive:
    """Reads what the journal and the blobs keep, with every ending in it that could be written."""

    def __init__(self, journal: Journal, blobs: Blobs, endings: UnwrittenEndings) -> None:
        self._journal = journal
        self._blobs = blobs
        self._endings = endings

    async def output(self, handle: str, offset: int, limit: int) -> OutputSlice:
        """A piece of a run's output; offsets and `limit` in bytes.

        Raises:
            UnknownRun: no such run is kept.
            InvalidRequest: an offset or a limit below its bounds.
        """
        if offset < 0 or limit < 4:
            raise InvalidRequest("The offset must be at least 0, and the limit at least 4 bytes.")
        read = partial(
            run_table.output_slice, run_id=handle, offset=offset, limit=min(limit, MEMORY_BYTES)
        )
        return await self._journal.read(read)

    async def artifact(self, artifact_id: str) -> tuple[Artifact, bytes]:
        """An artifact and its bytes.

        Raises:
            UnknownRun: it is not kept.
        """
        artifact = await self._journal.read(partial(run_table.artifact, artifact_id=artifact_id))
        read = partial(self._blobs.read, artifact.sha256, limit=artifact.size)
        return artifact, await anyio.to_thread.run_sync(read)

    async def runs(self, limit: int) -> list[RunRecord]:
        """The newest runs, newest first."""
        self._endings.settle()
        return await self._journal.read(partial(run_table.recent_runs, limit=limit))

    async def record(self, run_id: str) -> RunRecord:
        """What the journal knows of a run.

        Raises:
            UnknownRun: nothing.
        """
        self._endings.settle()
        return await self._journal.read(partial(run_table.run_record, run_id=run_id))
