"""Level L1 on Linux: Landlock and a system call filter, where namespaces cannot be had."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox import syscalls
from kowalski.execution.sandbox.launcher.launcher import Launcher
from kowalski.execution.sandbox.launcher.seccomp import Openings, filter_program
from kowalski.execution.sandbox.mechanisms import landlock_rules
from kowalski.execution.sandbox.mechanisms.guarded_opening import open_guarded
from kowalski.execution.sandbox.workspace import scratch

if TYPE_CHECKING:
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.plan import GuardedPlan
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec


class Landlock:
    """Opens sandboxes of level L1. `version` is that of the kernel's Landlock, or less.

    They have no process namespace and no memory of their own: code inside sees the names of other
    processes, and its files are on the disk. A guardian outside ends everything.
    """

    name: Final = "landlock"
    level: Final[Level] = "L1"

    def __init__(self, version: int) -> None:
        self.version = version
        scratch.remove_abandoned()
        self._launcher = Launcher()

    @classmethod
    def find(cls) -> Landlock:
        """With the kernel's version of Landlock.

        Raises:
            SandboxUnavailable: the kernel has none, or one that leaves files open.
        """
        version = syscalls.landlock_version()
        if version < landlock_rules.OLDEST_VERSION:
            raise SandboxUnavailable(
                f"The kernel's Landlock is version {version}; version "
                f"{landlock_rules.OLDEST_VERSION} (Linux 6.2) is needed."
            )
        return cls(version)

    async def open(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox that is restricted, and guarded.

        Raises:
            SandboxUnavailable: it does not start, or the workspace is too large for a copy.
            RightsDenied: the specification asks for a folder that no sandbox may show.
        """
        return await open_guarded(self, self._launcher, spec, self._restrict, drop=os.getuid() == 0)

    async def close(self) -> None:
        """End the launcher. Every sandbox ends with it."""
        await self._launcher.close()

    def _restrict(self, spec: SandboxSpec, plan: GuardedPlan) -> None:
        network = spec.rights.network
        plan["handled"] = landlock_rules.handled(self.version, network=network)
        plan["rules"] = landlock_rules.rules(spec, plan["scratch"], version=self.version)
        plan["filter"] = filter_program(
            Openings(
                internet=network,
                unix=False,
                signals=self.version >= landlock_rules.SIGNALS_VERSION,
                # Landlock does not know a file's mode, owner and times; another user's identity
                # keeps them as well.
                attributes=plan["drop"],
            )
        )
