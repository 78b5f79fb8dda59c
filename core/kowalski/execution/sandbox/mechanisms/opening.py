"""Open a sandbox: what every mechanism does alike."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import Busy, SandboxUnavailable
from kowalski.execution.sandbox.sandbox import Places, Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.execution.sandbox.enclosure import Enclosure
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.spec import SandboxSpec

_STARTS_WITHIN_S: Final = 20.0

ASK_DOCTOR: Final = "`kowalski doctor` says what to do."


async def open_sandbox(
    mechanism: Mechanism,
    spec: SandboxSpec,
    places: Places,
    begin: Callable[[int], Awaitable[Enclosure]],
    *,
    forks: bool = True,
) -> Sandbox:
    """A sandbox whose first program has answered.

    `begin` starts the processes; it is given the first program's end of the control socket, which
    it must not close. With `forks`, preloaded programs are forked from it, else started afresh.

    Raises:
        SandboxUnavailable: the first program did not answer.
        Busy: this process has too many open files.
    """
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        raise Busy(f"No sandbox can be opened now: {error.strerror}.") from error
    sandbox = Sandbox(mechanism.name, mechanism.level, spec, places, ours, forks=forks)
    try:
        with theirs:
            enclosure = await begin(theirs.fileno())
            sandbox.enclosed_by(enclosure)
        with anyio.fail_after(_STARTS_WITHIN_S):
            if await sandbox.answered():
                await enclosure.stand(sandbox.first)
                return sandbox
    except (TimeoutError, OSError) as error:
        await sandbox.close()
        raise SandboxUnavailable(f"{mechanism.name} could not start a sandbox: {error}.") from error
    except BaseException:
        await sandbox.close()
        raise
    await sandbox.close()
    said = enclosure.complaint.strip()
    raise SandboxUnavailable(
        f"{mechanism.name} could not start a sandbox{f': {said}' if said else ''}. {ASK_DOCTOR}"
    )
