"""What conducts a run, whatever runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kowalski.agent.conduct.lease import Lease
    from kowalski.agent.conduct.live_run import LiveRun
    from kowalski.execution.warden import Verdict
    from kowalski.model.run import RunRequest


class Conducting(Protocol):
    """Takes one run to its end: of code (`Conductor`), or of prompts (`BatchConductor`)."""

    run: LiveRun
    lease: Lease

    @property
    def request(self) -> RunRequest:
        """What was asked for."""
        ...

    async def conduct(self) -> None:
        """Take the run to its end, whatever it be. Its ending is always published."""
        ...

    def stop(self, verdict: Verdict) -> None:
        """End the run; returns at once. `run.done` tells when it is over."""
        ...

    def give_up(self, reason: str) -> None:
        """Publish an ending for a run that could not be conducted."""
        ...

    async def answer(self, call_id: str, value: object, *, failed: bool = False) -> None:
        """Answer a call of the program's.

        Raises:
            InvalidRequest: no such call is outstanding.
        """
        ...
