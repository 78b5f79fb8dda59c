"""How often, and after what pause, calls that failed are tried again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from kowalski.inference.pool.allowance import LONGEST_REST_S

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS: Final = 3
SHARE: Final = 0.2
FLOOR: Final = 10.0
FLOOR_REFILL_S: Final = 30.0

_CEILING: Final = 100.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 8.0


class RetryBudget:
    """Retries of all calls together: at most `SHARE` of the calls, plus a small floor.

    Retrying is what turns an overload into an outage, so a pool that mostly fails stops trying
    again. The floor of `FLOOR` retries, refilled within `FLOOR_REFILL_S` seconds, is for pools
    with little traffic. `clock` tells seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._credit = FLOOR
        self._refilled_at = clock()

    @property
    def credit(self) -> float:
        """How many retries are left now."""
        now = self._clock()
        if self._credit < FLOOR:
            refill = (now - self._refilled_at) * FLOOR / FLOOR_REFILL_S
            self._credit = min(FLOOR, self._credit + refill)
        self._refilled_at = now
        return self._credit

    def record_call(self) -> None:
        """A call begins: it pays for its share of a retry."""
        self._credit = min(_CEILING, self.credit + SHARE)

    def spend(self) -> bool:
        """Take one retry out of the budget; False if none is left."""
        if self.credit < 1:
            return False
        self._credit -= 1
        return True


def pause_s(attempt: int, retry_after_s: float | None = None) -> float:
    """Seconds to wait before a server that failed for the `attempt`th time (from 1) is asked again.

    Full jitter: anything between nothing and a bound that doubles, so that callers that failed
    together do not come back together. What the server asked for comes on top,
    but no more than `LONGEST_REST_S`.
    """
    bound = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (attempt - 1))
    # Jitter is no secret.
    return min(retry_after_s or 0.0, LONGEST_REST_S) + random.uniform(0.0, bound)  # noqa: S311
