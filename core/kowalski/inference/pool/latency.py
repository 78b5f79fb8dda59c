"""How long a server takes to its first token, as measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

UNMEASURED_MS: Final = 50.0
"""Assumed of a server that was never asked: little, so that it soon is."""

_WEIGHT: Final = 0.3
_HALF_LIFE_S: Final = 60.0


class FirstTokenLatency:
    """An exponentially weighted mean of times to the first token.

    A measurement counts half as much with every minute that passes: otherwise a server that was
    slow once would never be asked again. `clock` tells seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._mean_ms: float | None = None
        self._measured_at = 0.0

    @property
    def measured_ms(self) -> float | None:
        """The mean as it was measured; None before the first time."""
        return self._mean_ms

    @property
    def expected_ms(self) -> float:
        """What to expect now."""
        if self._mean_ms is None:
            return UNMEASURED_MS
        age_s = self._clock() - self._measured_at
        belief: float = 0.5 ** (age_s / _HALF_LIFE_S)
        return UNMEASURED_MS + (self._mean_ms - UNMEASURED_MS) * belief

    def observe(self, milliseconds: float) -> None:
        """A first token took so long."""
        if self._mean_ms is None:
            self._mean_ms = milliseconds
        else:
            self._mean_ms += _WEIGHT * (milliseconds - self._mean_ms)
        self._measured_at = self._clock()

    def observe_at_least(self, milliseconds: float) -> None:
        """A call was given up after so long without a token."""
        if milliseconds > self.expected_ms:
            self.observe(milliseconds)
