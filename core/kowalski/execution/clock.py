"""The execution clock of a run: it stands still while the run waits for its host."""

from __future__ import annotations

import time


class Clock:
    """Measures seconds of execution. Starts paused."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._since: float | None = None

    def resume(self) -> None:
        """Go on."""
        if self._since is None:
            self._since = time.monotonic()

    def pause(self) -> None:
        """Stand still."""
        if self._since is not None:
            self._elapsed += time.monotonic() - self._since
            self._since = None

    @property
    def running(self) -> bool:
        """Whether time passes."""
        return self._since is not None

    def elapsed(self) -> float:
        """Seconds of execution so far."""
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self._elapsed + running
