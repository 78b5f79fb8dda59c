"""How many calls a server that refuses some is given at once, and when again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_REST_S: Final = 60.0
"""No server is left alone for longer at a time, whatever it asks for."""

_CAUTIOUS: Final = 8
_MOST_CAUTIOUS: Final = 512
_FIRST_REST_S: Final = 0.5
_LONGEST_OWN_REST_S: Final = 16.0
_RESTS: Final = 5


class Allowance:
    """Learns from refusals for load: 429, and 503 with such words.

    A refusal tells how many are too many: from then on the server gets as many at once as it was
    at besides. One more is tried after `_CAUTIOUS` answers, after twice as many each time that
    this was wrong, and after half as many each time that it was right. A server that refuses the
    only call it has, or that asks for it, is left alone for a while. `clock` tells seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.most: int | None = None
        """How many it gets at once; None while it has refused nothing."""
        self.rests_until = 0.0
        """Until when, on the clock, it is left alone."""
        self._clock = clock
        self._caution = _CAUTIOUS
        self._answered = 0
        self._trying = False
        self._rests = 0

    @property
    def rests_s(self) -> float:
        """Seconds for which it is left alone yet."""
        # Most were never given a rest, and are asked for it at each choice of a server.
        return max(0.0, self.rests_until - self._clock()) if self.rests_until else 0.0

    @property
    def promising(self) -> bool:
        """Whether it may answer soon: it has not refused again after each of several rests."""
        return self._rests <= _RESTS

    def refused(self, others: int, asked_s: float | None = None) -> None:
        """It refused a call while it was at `others`, and asked to be left alone for `asked_s`."""
        if self.most is None or self._trying or self._answered:
            # What is refused together is one refusal.
            self._caution = min(_MOST_CAUTIOUS, self._caution * 2)
            self._answered = 0
        self._trying = False
        self.most = max(1, min(others, self.most or others))
        if asked_s is not None or not others:
            self._rests += not self.rests_s
            self.rest(self._own_rest_s() if asked_s is None else asked_s)

    def rest(self, seconds: float) -> None:
        """Leave it alone for so long, or for `LONGEST_REST_S` if that is less."""
        until = self._clock() + min(seconds, LONGEST_REST_S)
        self.rests_until = max(self.rests_until, until)

    def began(self) -> None:
        """It begins to answer a call."""
        self._rests = 0

    def answered(self, at_most: int) -> None:
        """It has answered a call; it says itself that it takes `at_most`."""
        if self.most is None:
            return
        self._answered += 1
        if self._answered >= self._caution:
            self._answered = 0
            if self._trying:
                self._caution = max(_CAUTIOUS, self._caution // 2)
            self._trying = True
            self.most = None if self.most + 1 >= at_most else self.most + 1

    def _own_rest_s(self) -> float:
        longest = min(_LONGEST_OWN_REST_S, _FIRST_REST_S * 2.0 ** (self._rests - 1))
        # So that several who were refused do not come back together. Jitter is no secret.
        return longest * random.uniform(0.5, 1.0)  # noqa: S311
