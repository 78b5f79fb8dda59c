"""What the exit code of `kowalski` means. These are promises: scripts rely on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kowalski.model.event import Finished

OK: Final = 0
"""All that was asked for was done."""

FAILED: Final = 1
"""A program, a prompt or a check failed, or `doctor` found that nothing can run."""

MISUSED: Final = 2
"""Arguments, a document, settings or a name that make no sense, be it a block's alone."""

DENIED: Final = 3
"""The owner of the device has not granted it."""

UNABLE: Final = 4
"""What it takes is missing: a language, a sandbox, a device, a server or a model."""

UNAVAILABLE: Final = 5
"""The agent or a server is busy or does not answer; the same command may succeed later."""

BROKEN: Final = 70
"""Kowalski itself failed."""

UNWRITABLE: Final = 74
"""stdout cannot be written, for instance because the disk is full, or lacks what was printed."""

TIMEOUT: Final = 124
"""A limit of time was reached."""

LOST: Final = 125
"""The device, the agent or the session went away under the program."""

CANCELLED: Final = 130
"""Ctrl-C."""

KILLED: Final = 137
"""A limit other than time was reached, or the program killed itself."""

BROKEN_PIPE: Final = 141
"""Whoever read the output went away, as in `kowalski runs | head -1`."""

_BY_ERROR: Final = {
    "rights_denied": DENIED,
    "language_unavailable": UNABLE,
    "sandbox_unavailable": UNABLE,
    "no_device_available": UNABLE,
    "no_server_available": UNABLE,
    "model_unavailable": UNABLE,
    "server_unavailable": UNAVAILABLE,
    "deadline_exceeded": TIMEOUT,
    "request_refused": FAILED,
    "answer_invalid": FAILED,
    "agent_unavailable": UNAVAILABLE,
    "storage_unavailable": UNAVAILABLE,
    "busy": UNAVAILABLE,
    "run_lost": LOST,
    "kowalski_error": BROKEN,
}
_BY_STATUS: Final = {
    "ok": OK,
    "failed": FAILED,
    "timeout": TIMEOUT,
    "cancelled": CANCELLED,
    "killed": KILLED,
    "lost": LOST,
    "interrupted": LOST,
}
_SIGNALS: Final = 128


def of_error(code: str) -> int:
    """The exit code for a `KowalskiError` with this `code`."""
    return _BY_ERROR.get(code, MISUSED)


def of_status(status: str) -> int:
    """The exit code for a run that ended so, whatever its program said."""
    return _BY_STATUS[status]


def of_program(finished: Finished) -> int:
    """The exit code of the program itself where it came to have one, as a shell would tell it.

    A success whose output is not whole is none: whoever reads it in a pipe would not know.
    """
    if finished.status not in ("ok", "failed"):
        return of_status(finished.status)
    if finished.signal is not None:
        return _SIGNALS + _number(finished.signal)
    # Systems keep the lowest byte: what is no success must not become one.
    code = (finished.exit_code or 0) & 0xFF
    return (
        code or of_status(finished.status) or (UNWRITABLE if finished.output.dropped_bytes else OK)
    )


def _number(signal: str) -> int:
    # Rarely wanted, and its enumerations take a millisecond.
    from signal import Signals

    return (
        int(Signals[signal]) if signal in Signals.__members__ else int(signal.removeprefix("SIG"))
    )
