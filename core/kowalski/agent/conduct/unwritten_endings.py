"""Runs that are over, and whose ending is not in the journal's file yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kowalski.agent.conduct.live_run import LiveRun

_MOST: Final = 20


class UnwrittenEndings:
    """Holds such runs for whoever asks for them: for milliseconds, or while the disk is full.

    Of more than 20 the oldest are let go. Where not even the redo log had room for their endings,
    the next agent tells of them that they were interrupted.
    """

    def __init__(self) -> None:
        self._runs: dict[str, LiveRun] = {}

    def take(self, run: LiveRun) -> None:
        """Hold a run that is over, unless its ending is in the file."""
        if not run.settle():
            self._runs[run.run_id] = run
            if len(self._runs) > _MOST:
                del self._runs[next(iter(self._runs))]

    def get(self, run_id: str) -> LiveRun | None:
        """The run of this id, if it is held."""
        return self._runs.get(run_id)

    def settle(self) -> None:
        """Write what can be written by now."""
        for run_id, run in list(self._runs.items()):
            if not run.settle():
                return
            del self._runs[run_id]
