"""Open a sandbox that has a guardian instead of namespaces."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox.layout import (
    first_program,
    refuse_forbidden,
    resource_limits,
)
from kowalski.execution.sandbox.mechanisms import furnishing
from kowalski.execution.sandbox.mechanisms.guarded import Guarded
from kowalski.execution.sandbox.mechanisms.opening import open_sandbox
from kowalski.execution.sandbox.plan import NOBODY, GuardedPlan
from kowalski.execution.sandbox.workspace import scratch

if TYPE_CHECKING:
    from collections.abc import Callable

    from kowalski.execution.sandbox.launcher.launcher import Launcher
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec


async def open_guarded(
    mechanism: Mechanism,
    launcher: Launcher,
    spec: SandboxSpec,
    restrict: Callable[[SandboxSpec, GuardedPlan], None],
    *,
    drop: bool,
) -> Sandbox:
    """A sandbox whose processes a guardian ends. `restrict` adds to the plan what is taken away.

    With `drop`, they do not run as root.

    Raises:
        SandboxUnavailable: it does not start, or the workspace is too large for a copy.
        RightsDenied: the specification asks for a folder that no sandbox may show.
    """
    refuse_forbidden(spec)
    if drop and spec.workspace and spec.workspace.access == "write":
        _need_writable(spec.workspace.root)
    folder = scratch.make()
    try:
        owner = NOBODY if drop else None
        places, copy = await anyio.to_thread.run_sync(furnishing.furnish, spec, folder, owner)
        plan = GuardedPlan(
            argv=first_program(spec, places.home, count_processes=False),
            scratch=folder,
            drop=drop,
            rlimits=resource_limits(spec.limits),
            processes=spec.limits.processes,
            filter=b"",
            handled=(0, 0, 0),
            rules=[],
        )
        restrict(spec, plan)

        async def begin(control: int) -> Guarded:
            launch = await launcher.start("guard", plan, control)
            return Guarded(launcher, launch, folder, copy)

        return await open_sandbox(mechanism, spec, places, begin)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(scratch.remove, folder)
        raise


def _need_writable(folder: str) -> None:
    status = os.stat(folder)
    if status.st_uid != NOBODY and not status.st_mode & stat.S_IWOTH:
        raise SandboxUnavailable(
            f"{folder} cannot be written from a sandbox of this level by an agent that runs as "
            "root: run it as the folder's owner."
        )
