"""Measured times of one contestant, and what they say."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The samples of one contestant, in ms. `cpu_ms` is processor time per run, None if unknown.

    `wall_ms` is the elapsed time per run where several were in flight or followed at once.
    """

    name: str
    times_ms: tuple[float, ...]
    cpu_ms: float | None = None
    wall_ms: float | None = None

    @property
    def p50(self) -> float:
        """The median, in ms."""
        return statistics.median(self.times_ms)

    @property
    def p95(self) -> float:
        """What 95 of 100 samples stay within, in ms."""
        return self.quantile(0.95)

    @property
    def spread(self) -> float:
        """How far the middle half of the samples lies apart, in ms."""
        return self.quantile(0.75) - self.quantile(0.25)

    def quantile(self, share: float) -> float:
        """The sample below which `share` of all samples lie, interpolated, in ms."""
        ordered = sorted(self.times_ms)
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
