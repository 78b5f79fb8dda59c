"""Level L1 on macOS: Seatbelt, by the system's own `sandbox-exec`."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox.layout import first_program, refuse_forbidden
from kowalski.execution.sandbox.mechanisms import furnishing
from kowalski.execution.sandbox.mechanisms.opening import open_sandbox
from kowalski.execution.sandbox.mechanisms.process_tree import ProcessTree
from kowalski.execution.sandbox.mechanisms.seatbelt_profile import profile
from kowalski.execution.sandbox.workspace import scratch

if TYPE_CHECKING:
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec

_PROGRAM: Final = "/usr/bin/sandbox-exec"
_CONTROL_FD: Final = 10
_OPEN_FILES: Final = 1024
_BLOCK_BYTES: Final = 512
_LIMITED: Final = 'ulimit -c 0 -n "$1" -f "$2"; shift 2; exec "$@"'


class Seatbelt:
    """Opens sandboxes of level L1 on macOS.

    There is no process namespace, no memory of the sandbox's own and no safe fork: the overlay is
    a copy that shares blocks, Python kernels are started afresh, and a process that leaves the
    tree of its sandbox is found only while it has not.
    """

    name: Final = "seatbelt"
    level: Final[Level] = "L1"

    def __init__(self) -> None:
        scratch.remove_abandoned()
        self._open: set[Sandbox] = set()

    @classmethod
    def find(cls) -> Seatbelt:
        """With the system's `sandbox-exec`.

        Raises:
            SandboxUnavailable: there is none.
        """
        if shutil.which(_PROGRAM) is None:
            raise SandboxUnavailable(f"There is no {_PROGRAM} on this system.")
        return cls()

    async def open(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox that Seatbelt confines.

        Raises:
            SandboxUnavailable: it does not start, or the workspace has too many files for a copy.
            RightsDenied: the specification asks for a folder that no sandbox may show.
        """
        refuse_forbidden(spec)
        folder = scratch.make()
        try:
            places, copy = await anyio.to_thread.run_sync(furnishing.furnish, spec, folder, None)
            first = first_program(spec, places.home, count_processes=False)
            limits = [str(_OPEN_FILES), str(spec.limits.disk_bytes // _BLOCK_BYTES)]
            argv = ["/bin/sh", "-c", _LIMITED, "sh", *limits]
            argv += [_PROGRAM, "-p", profile(spec, folder), *first]

            async def begin(control: int) -> ProcessTree:
                return ProcessTree(*_start(argv, control), folder, copy)

            sandbox = await open_sandbox(self, spec, places, begin, forks=False)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(scratch.remove, folder)
            raise
        self._open = {other for other in self._open if other.alive} | {sandbox}
        return sandbox

    async def close(self) -> None:
        """End every sandbox."""
        while self._open:
            await self._open.pop().close()


def _start(argv: list[str], control: int) -> tuple[int, int]:
    """Start the first program; its process id, and what it says when it cannot start."""
    complaints, writer = os.pipe()
    try:
        pid = os.posix_spawn(
            argv[0],
            argv,
            {},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, writer, 2),
                (os.POSIX_SPAWN_DUP2, control, _CONTROL_FD),
            ],
            setsid=True,
        )
    except BaseException:
        os.close(complaints)
        raise
    finally:
        os.close(writer)
    return pid, complaints
