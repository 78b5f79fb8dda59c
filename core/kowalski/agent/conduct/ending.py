"""How a run ended, judged from what its kernel said and whether it had to be ended."""

from __future__ import annotations

import signal as signals
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kowalski.model.event import ProgramError, Status

if TYPE_CHECKING:
    from kowalski.execution.kernel import Outcome
    from kowalski.execution.warden import Verdict


@dataclass(frozen=True, slots=True)
class Ending:
    """The part of `Finished` that tells the program's fate; fields as there."""

    status: Status
    reason: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    error: ProgramError | None = None


def end_of(outcome: Outcome, verdict: Verdict | None) -> Ending:
    """The ending of a run. An order to end it outweighs what the kernel said last."""
    exited = outcome.exit_status
    number = exited.signal if exited else outcome.signal
    signal = _signal_name(number) if number else None
    if verdict is not None:
        return Ending(
            verdict.status,
            verdict.reason,
            exit_code=exited.exit_code if exited else None,
            signal=signal,
            error=_error_of(verdict, outcome.error),
        )
    if signal is not None and exited is None:
        status: Status = "killed" if signal == "SIGKILL" else "failed"
        reason = f"The program was ended by {signal}."
        return Ending(status, reason, signal=signal, error=outcome.error)
    if signal is not None:
        reason = f"The interpreter was ended by {signal}; nothing that it held is left."
        error = outcome.error or ProgramError(type=signal, message=reason)
        status = "killed" if signal == "SIGKILL" else "failed"
        return Ending(status, reason, signal=signal, error=error)
    code = exited.exit_code if exited else outcome.exit_code
    failed = bool(code) or outcome.error is not None
    return Ending("failed" if failed else "ok", exit_code=code, error=outcome.error)


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _error_of(verdict: Verdict, told: ProgramError | None) -> ProgramError | None:
    kind = {"timeout": "Timeout", "killed": "Killed"}.get(verdict.status)
    if kind is None:
        return told
    if told is None:
        return ProgramError(type=kind, message=verdict.reason)
    # The kernel's KeyboardInterrupt tells where the program was when its time was up.
    return replace(told, type=kind, message=verdict.reason)
