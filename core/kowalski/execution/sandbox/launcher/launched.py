"""A child of the launcher, and the pipes between the two."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Launched:
    """A process that encloses or guards one sandbox.

    `lifeline` hangs up at the process when it is closed: a guardian ends its sandbox then. `told`
    gives the number of the process that comes in this one's place. Both are -1 without one.
    """

    number: int
    pid: int
    complaints: int
    lifeline: int = -1
    told: int = -1
    guards: bool = False
    doomed: bool = False

    def kill(self) -> None:
        """End the sandbox, at once or when the guardian has done it."""
        self.doomed = True
        if self.guards:
            self.close()
        else:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the lifeline."""
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1


class Pipes:
    """Pipes, each as its read end and its write end.

    The ends that a child is given are closed in the end, and all of them if there is none: the
    write end of the first, the read end of the second and the write end of the third.
    """

    _GIVEN: Final = (1, 0, 1)

    def __init__(self, count: int) -> None:
        self._count = count
        self._pipes: list[tuple[int, int]] = []

    def __enter__(self) -> list[tuple[int, int]]:
        try:
            for _ in range(self._count):
                self._pipes.append(os.pipe())
        except OSError:
            self._close(every=True)
            raise
        return self._pipes

    def __exit__(self, kind: object, *_: object) -> None:
        self._close(every=kind is not None)

    def _close(self, *, every: bool) -> None:
        for pipe, given in zip(self._pipes, self._GIVEN, strict=False):
            for place, fd in enumerate(pipe):
                if every or place == given:
                    os.close(fd)
