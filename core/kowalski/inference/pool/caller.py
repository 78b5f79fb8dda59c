"""Who asks a pool."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Caller:
    """Whoever makes one call, or many of a batch.

    Attributes:
        principal: those who wait are served one call a principal, round and round.
        patience_s: how long servers may have been failing and are still waited for.
        stalled: how many of its calls wait where no free slot would help: until then, others of
            its calls may use the slots. `stalls` is called each time that one begins to.
    """

    def __init__(
        self,
        principal: str,
        patience_s: float = 0.0,
        stalls: Callable[[], None] = lambda: None,
    ) -> None:
        self.principal = principal
        self.patience_s = patience_s
        self.stalled = 0
        self._stalls = stalls

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """For the block's duration, one call more is stalled."""
        self.stalled += 1
        self._stalls()
        try:
            yield
        finally:
            self.stalled -= 1
