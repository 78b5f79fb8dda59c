"""The budget for retries. Its clock is a variable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.pool.allowance import LONGEST_REST_S
from kowalski.inference.pool.retry_budget import (
    FLOOR,
    FLOOR_REFILL_S,
    SHARE,
    RetryBudget,
    pause_s,
)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 20)), max_size=30))
def test_retries_are_at_most_a_share_of_the_calls_and_a_floor(
    steps: list[tuple[int, int, float]],
) -> None:
    now = calls = retries = 0.0
    budget = RetryBudget(lambda: now)
    for called, failed, seconds in steps:
        for _ in range(called):
            budget.record_call()
        retries += sum(budget.spend() for _ in range(failed))
        calls += called
        now += seconds
        assert retries <= SHARE * calls + FLOOR + now * FLOOR / FLOOR_REFILL_S + 1e-6


def test_little_traffic_has_its_floor_again_after_a_while() -> None:
    now = 0.0
    budget = RetryBudget(lambda: now)
    assert sum(budget.spend() for _ in range(100)) == FLOOR
    now = FLOOR_REFILL_S
    assert sum(budget.spend() for _ in range(100)) == FLOOR


def test_much_traffic_may_retry_a_fifth() -> None:
    budget = RetryBudget(lambda: 0.0)
    for _ in range(int(FLOOR)):
        budget.spend()
    for _ in range(100):
        budget.record_call()
    assert 19 <= sum(budget.spend() for _ in range(100)) <= 20


@given(st.integers(1, 10), st.none() | st.floats(0, 100))
def test_a_pause_is_what_the_server_asked_for_and_a_bounded_jitter(
    attempt: int, retry_after_s: float | None
) -> None:
    least = min(retry_after_s or 0.0, LONGEST_REST_S)
    assert least <= pause_s(attempt, retry_after_s) <= least + min(8.0, 0.5 * 2 ** (attempt - 1))
