"""A circuit breaker: a server that keeps failing is left alone for a while."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

BreakerState = Literal["closed", "open", "half-open"]

FAILURES: Final = 5
WINDOW_S: Final = 30.0
REST_S: Final = 10.0


class Breaker:
    """Closed until `FAILURES` calls failed within `WINDOW_S` seconds, then open.

    After `REST_S` seconds it is half-open: one call is let through as a probe. If that succeeds
    the breaker closes; if it fails, it is open again. `clock` tells seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._rests_until: float | None = None
        self._probing = False
        self.failing_since: float | None = None
        """When it opened, on the clock, however many probes have failed since."""

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._rests_until is None:
            return "closed"
        return "half-open" if self._clock() >= self._rests_until else "open"

    @property
    def admits(self) -> bool:
        """Whether a call may begin now."""
        state = self.state
        return state == "closed" or (state == "half-open" and not self._probing)

    @property
    def reopens_at(self) -> float | None:
        """When, on the clock, a probe may begin; None where waiting for a time is no use."""
        return self._rests_until if self.state == "open" else None

    def enter(self) -> bool:
        """Begin a call that `admits` allows. True: it is the probe, and must say how it ended."""
        self._probing = self._rests_until is not None
        return self._probing

    def succeeded(self, *, probe: bool) -> None:
        """A call was answered, be it with a refusal."""
        if probe:
            self._probing = False
            self._rests_until = self.failing_since = None
            self._failures.clear()

    def failed(self, *, probe: bool) -> None:
        """The server did not answer a call, or not to the end."""
        now = self._clock()
        if probe:
            self._probing = False
            self._rests_until = now + REST_S
        elif self._rests_until is None:
            self._failures.append(now)
            if len(self._failures) == FAILURES and self._failures[0] > now - WINDOW_S:
                self._rests_until = now + REST_S
                self.failing_since = now

    def trip(self, *, probe: bool) -> None:
        """The server would turn away any call: it opens at once."""
        if probe:
            self._probing = False
        self._rests_until = self._clock() + REST_S
        if self.failing_since is None:
            self.failing_since = self._clock()

    def abandoned(self, *, probe: bool) -> None:
        """A call was given up before it told anything about the server."""
        if probe:
            self._probing = False
