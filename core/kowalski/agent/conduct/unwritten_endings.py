"""Runs that are over, and whose ending the journal could not take yet, as on a full disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kowalski.agent.conduct.live_run import LiveRun

_MOST: Final = 20


class UnwrittenEndings:
    """Holds such runs for whoever asks for them, and writes their endings when that is possible.

    Of more than 20 the oldest are let go; the next agent tells of them that they were interrupted.
    """

    def __init__(self) -> None:
        self._runs: dict[str, LiveRun] = {}

    def take(self, run: LiveRun) -> None:
        """Hold a run that is over, unless its ending is in the journal."""
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
