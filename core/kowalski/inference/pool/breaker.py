"""A circuit breaker: a server that keeps failing at a model is not asked for it for a while."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

BreakerState = Literal["closed", "open", "half-open"]

FAILURES: Final = 5
WINDOW_S: Final = 30.0
REST_S: Final = 10.0
REMEMBERED_S: Final = 60.0
"""How long after its rest, with no call to try it, what a breaker knows is out of date."""


@dataclass(eq=False, slots=True)
class Entry:
    """A call that was let in, for telling how it ended.

    `began_at` is a time on the breaker's clock, `marks` how many failures it had counted then.
    """

    probe: bool
    began_at: float
    marks: int
    answered: bool = False


class Breaker:
    """Closed until `FAILURES` failures within `WINDOW_S` seconds, then open.

    What fails together has one cause and is one failure: a call that began before the last one was
    counted adds none, unless it waited in vain for all of the window. Nor does one that it failed
    before and that was tried again: a prompt counts once, however often it is sent.

    After `REST_S` seconds it is half-open: one call is let through as a probe. If that succeeds
    the breaker closes; if it fails, it is open again. `clock` tells seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._marks = 0
        self._rests_until: float | None = None
        self._probing = False
        self._fault = False
        self._answered_at = -math.inf
        self.failing_since: float | None = None
        """When it opened, on the clock, however many probes have failed since."""
        self.lockout: str | None = None
        """Why the server lets nobody in, until a call has proven that it does again."""

    @property
    def trouble(self) -> str | None:
        """Why no call may begin, or one alone, for a person."""
        if self.lockout is not None:
            return self.lockout
        if self.state == "open":
            rest_s = math.ceil((self._rests_until or 0.0) - self._clock())
            return f"it failed several times in a row and is left alone for {rest_s} s more"
        if self.state == "half-open":
            now = "is being" if self._probing else "will be"
            then = "one prompt" if self._probing else "the next prompt for it"
            return f"it failed several times in a row and {now} tried with {then}"
        return None

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._rests_until is None:
            return "closed"
        return "half-open" if self._clock() >= self._rests_until else "open"

    @property
    def faulty(self) -> bool:
        """Whether it is there and fails at prompts, and has answered none for `WINDOW_S`."""
        return self._fault and self._clock() - self._answered_at >= WINDOW_S

    @property
    def admits(self) -> bool:
        """Whether a call may begin now."""
        state = self.state
        return state == "closed" or (state == "half-open" and not self._probing)

    @property
    def outdated(self) -> bool:
        """Whether what it knows is too old to be told, or to hold anybody up."""
        if self._rests_until is None or self._probing:
            return False
        return self._clock() >= self._rests_until + REMEMBERED_S

    @property
    def reopens_at(self) -> float | None:
        """When, on the clock, a probe may begin; None where waiting for a time is no use."""
        return self._rests_until if self.state == "open" else None

    def enter(self) -> Entry:
        """Begin a call that `admits` allows. A probe must say how it ended."""
        self._probing = self._rests_until is not None
        return Entry(probe=self._probing, began_at=self._clock(), marks=self._marks)

    def succeeded(self, entry: Entry) -> None:
        """A call was answered, be it with a refusal, or begins to be."""
        entry.answered = True
        self._answered_at = self._clock()
        if self._settles(entry):
            self._rests_until = self.failing_since = self.lockout = None
            self._failures.clear()

    def failed(self, entry: Entry, *, again: bool = False, fault: bool = False) -> None:
        """The server did not answer a call, or not to the end; nor did it the same one `again`.

        `fault`: it is there, and failed at the prompt.
        """
        now = self._clock()
        if self._settles(entry):
            self._fault = fault
            self._rests_until = now + REST_S
        elif self._rests_until is None and not again and self._counts(entry, now):
            self._marks += 1
            self._fault = fault
            self._failures.append(now)
            if len(self._failures) == FAILURES and self._failures[0] > now - WINDOW_S:
                self._rests_until = now + REST_S
                self.failing_since = now

    def trip(self, entry: Entry, reason: str) -> None:
        """The server would turn away any call, and says why: it opens at once."""
        self._settles(entry)
        self.lockout = reason
        self._rests_until = self._clock() + REST_S
        if self.failing_since is None:
            self.failing_since = self._clock()

    def abandoned(self, entry: Entry) -> None:
        """A call was given up, or is over. It need not have told anything about the server."""
        if self._settles(entry):
            # Somebody asked until now.
            self._rests_until = max(self._rests_until or 0.0, self._clock())

    def _settles(self, entry: Entry) -> bool:
        """Whether this is the first word of the probe, which makes room for another."""
        probe, entry.probe = entry.probe, False
        if probe:
            self._probing = False
        return probe

    def _counts(self, entry: Entry, now: float) -> bool:
        in_vain = not entry.answered and now - entry.began_at >= WINDOW_S
        return entry.marks == self._marks or in_vain
