"""What every way of enclosing code offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec


class Mechanism(Protocol):
    """One way of enclosing code on this device. An instance belongs to one event loop."""

    @property
    def name(self) -> str:
        """Its name, such as `bubblewrap`."""
        ...

    @property
    def level(self) -> Level:
        """The level that its sandboxes have."""
        ...

    async def open(self, spec: SandboxSpec) -> Sandbox:
        """A sandbox whose first program has answered.

        Raises:
            SandboxUnavailable: it cannot be started here; the message says what to do.
            RightsDenied: the specification asks for a folder that no sandbox may show.
        """
        ...

    async def close(self) -> None:
        """End what the mechanism keeps running, and with it every sandbox that it opened."""
        ...
