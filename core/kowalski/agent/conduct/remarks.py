"""What whoever asked for a run should know of it besides its ending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.agent.conduct.exhaustion import dropped_note

if TYPE_CHECKING:
    from kowalski.agent.conduct.admission import Admitted
    from kowalski.execution.kernel import Kernel
    from kowalski.execution.workbench import Workbench
    from kowalski.model.event import Status
    from kowalski.model.run import RunRequest


def remarks(
    request: RunRequest,
    admitted: Admitted,
    workbench: Workbench,
    kernel: Kernel,
    *,
    status: Status,
    alive: bool,
    dropped_bytes: int,
) -> tuple[str, ...]:
    """The notes of a run that ended so. `alive`: its session's interpreter lives on."""
    return (
        *admitted.notes,
        *_forgetting(request, admitted, kernel),
        *_going(request, status),
        *(() if alive else _losing(request, admitted, workbench)),
        *((dropped_note(dropped_bytes, admitted.limits),) if dropped_bytes else ()),
    )


def _going(request: RunRequest, status: Status) -> tuple[str, ...]:
    """For those who count on something that is to go on."""
    if not request.background or status != "ok":
        return ()
    return ("It ended by itself, so it does not go on in the background.",)


def _forgetting(request: RunRequest, admitted: Admitted, kernel: Kernel) -> tuple[str, ...]:
    """For those who count on a session's memory where there is none."""
    # A document's reader is told once, where blocks could be taken to share something.
    told = kernel.runs == 2 if request.session_ends else True
    if request.session is None or admitted.language.keeps_state or not told:
        return ()
    return (
        f"Each block of {admitted.language.name} is a program of its own: a session keeps its "
        "files, and nothing else.",
    )


def _losing(request: RunRequest, admitted: Admitted, workbench: Workbench) -> tuple[str, ...]:
    """For those whose session has just lost what it remembered."""
    kept = request.session is not None and request.kernel is not None and not request.background
    if not kept or not admitted.language.keeps_state:
        return ()
    if workbench.closed:
        return ("The session ended: what it remembered, and had in /tmp and $HOME, is gone.",)
    return (
        f"The session's {admitted.language.name} ended: what it remembered is gone. "
        "Its files stay.",
    )
