"""What a measure found: rows of series, each with the goals that it decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.series import Series


@dataclass(frozen=True, slots=True)
class Goal:
    """A promise and whether it was kept, with the number that decided it."""

    text: str
    met: bool
    found: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a contestant's series, or why it could not run here.

    A baseline's goals are what Kowalski promises against that baseline. `figures` are values that
    are no times, such as memory, by a name that ends in the unit.
    """

    name: str
    series: Series | None = None
    goals: tuple[Goal, ...] = ()
    missing: str | None = None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All rows of one measure; the first is Kowalski's. `measured` is False if it broke off."""

    measure: str
    title: str
    rows: tuple[Row, ...]
    measured: bool = True


def faster(ours: Series, theirs: Series, times: float = 1.0) -> Goal:
    """Our median is under theirs, or at least `times` times faster."""
    ratio = theirs.p50 / ours.p50
    text = "p50 under it" if times == 1.0 else f"at least {times:g} times faster"
    return Goal(text, ratio > 1 if times == 1.0 else ratio >= times, f"{ratio:.1f} times faster")


def within(ours: Series, theirs: Series, times: float) -> Goal:
    """Our median takes at most `times` times theirs."""
    ratio = ours.p50 / theirs.p50
    return Goal(f"at most {times:g} times its p50", ratio <= times, f"{ratio:.2f} times")


def at_most_more(ours: Series, theirs: Series, extra_ms: float) -> Goal:
    """Our median is at most `extra_ms` above theirs."""
    extra = ours.p50 - theirs.p50
    return Goal(f"at most {extra_ms:g} ms more", extra <= extra_ms, f"{extra:+.0f} ms")


def under(ours: Series, limit_ms: float) -> Goal:
    """Our median is under a fixed number of ms."""
    return Goal(f"p50 under {limit_ms:g} ms", ours.p50 < limit_ms, f"{ours.p50:.2f} ms")
