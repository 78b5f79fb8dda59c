"""How often something may happen."""

from __future__ import annotations


class Pace:
    """`burst` times at once, and `per_s` times a second in the long run."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Let it happen at the time `now`, in seconds of a clock that only goes forward.

        Returns 0, or where it may not happen yet, after how many seconds it may.
        """
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._per_s
        self._left -= 1
        return 0
