"""How often something may happen."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski_mcp.http.pace import Pace

PAUSES = st.lists(st.floats(0, 10), max_size=100)
PER_S = st.floats(0.01, 100)
BURST = st.integers(1, 20)


@given(PAUSES, PER_S, BURST)
def test_never_more_than_the_burst_and_the_rate(
    pauses: list[float], per_s: float, burst: int
) -> None:
    pace = Pace(per_s, burst)
    times = list(accumulate(pauses))

    taken = [now for now in times if pace.take(now) == 0]

    for first, start in enumerate(taken):
        for last, end in enumerate(taken[first:], first):
            assert last - first + 1 <= burst + (end - start) * per_s + 1e-6


@given(PAUSES, PER_S, BURST)
def test_who_waits_as_long_as_was_said_is_let_in(
    pauses: list[float], per_s: float, burst: int
) -> None:
    pace = Pace(per_s, burst)
    now = 0.0
    for pause in pauses:
        now += pause
        if wait_s := pace.take(now):
            now += wait_s + 1e-6
            assert pace.take(now) == 0


def test_the_burst_is_there_at_once() -> None:
    pace = Pace(1, 3)

    assert [pace.take(0) for _ in range(4)] == [0, 0, 0, pytest.approx(1)]
