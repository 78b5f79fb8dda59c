"""Level L0: no enclosure at all, only limits, and an end to everything that was started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox.launcher.launcher import Launcher
from kowalski.execution.sandbox.mechanisms.guarded_opening import open_guarded
from kowalski.execution.sandbox.workspace import scratch

if TYPE_CHECKING:
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.plan import GuardedPlan
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec


class Unenclosed:
    """Runs code as the agent's own user, with all that this user may do. Linux only.

    It is used only where the device's owner has set the level L0 on this device. The kernel does
    not limit the number of root's processes, so an agent of root's has no defence against a
    program that multiplies.
    """

    name: Final = "none"
    level: Final[Level] = "L0"

    def __init__(self) -> None:
        scratch.remove_abandoned()
        self._launcher = Launcher()

    async def open(self, spec: SandboxSpec) -> Sandbox:
        """A tree of processes that has limits and ends together.

        Raises:
            SandboxUnavailable: it does not start, or the workspace is too large for a copy.
        """
        return await open_guarded(self, self._launcher, spec, _leave_open, drop=False)

    async def close(self) -> None:
        """End the launcher, and all that it started."""
        await self._launcher.close()


def _leave_open(spec: SandboxSpec, plan: GuardedPlan) -> None:
    """Take nothing away."""
