"""What holds a sandbox's processes, seen from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from kowalski.execution.sandbox.usage import Measurement
    from kowalski.model.session import Change


class Enclosure(Protocol):
    """The outside of one sandbox.

    Attributes:
        overlay: a descriptor of the folder in which the overlay's files are found; -1 without.
    """

    overlay: int

    @property
    def quick(self) -> bool:
        """Whether `measure` and `sweep` take well under a millisecond."""
        ...

    @property
    def complaint(self) -> str:
        """What the sandbox said when it could not start."""
        ...

    async def stand(self, first: int) -> None:
        """Take hold of the sandbox; its first program is the process `first`, as seen here.

        Raises:
            OSError: it has ended already.
        """
        ...

    def measure(self) -> Measurement:
        """What is in use; pages that several processes share are counted for each."""
        ...

    def measure_exactly(self) -> Measurement:
        """The same with every page counted once."""
        ...

    def changes(self, overlay: int) -> tuple[Change, ...]:
        """What the overlay at a descriptor changes in the workspace."""
        ...

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal to the group of a process inside; False if the first program has to."""
        ...

    def sweep(self, keep: Collection[int], groups: Collection[int]) -> bool:
        """Kill all but the first program, the processes `keep` and the process groups `groups`.

        False if the first program has to.
        """
        ...

    async def end(self) -> None:
        """Kill everything inside; return when every process is dead and nothing is left behind."""
        ...
