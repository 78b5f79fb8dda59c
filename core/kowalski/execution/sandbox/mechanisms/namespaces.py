"""Level L2: namespaces by the launcher itself, whose interpreter is forked into each sandbox."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox.launcher.launcher import PYTHON, Launcher
from kowalski.execution.sandbox.mechanisms.namespaced_opening import open_namespaced, prepare

if TYPE_CHECKING:
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec


class Namespaces:
    """Opens sandboxes of level L2 without starting a program.

    They have what bubblewrap's have: the mounts, namespaces, limits and filter are the same. No
    interpreter is started for the first program; where the Python kernels need another one than
    the agent's, each of them is started by itself.
    """

    name: Final = "namespaces"
    level: Final[Level] = "L2"

    def __init__(self) -> None:
        self._launcher = Launcher()

    async def open(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox of its own namespaces.

        Raises:
            SandboxUnavailable: the kernel does not allow it here.
            RightsDenied: the specification asks for a folder that no sandbox may show.
        """
        plan, places = prepare(spec)
        forks = _is_launchers(spec.python)
        return await open_namespaced(
            self, self._launcher, spec, plan, places, kind="inhabit", forks=forks
        )

    async def close(self) -> None:
        """End the launcher, and with it every sandbox."""
        await self._launcher.close()


def _is_launchers(python: str) -> bool:
    """Whether an interpreter, perhaps named by a virtual environment's link, is the launcher's."""
    return os.path.realpath(python) == PYTHON
