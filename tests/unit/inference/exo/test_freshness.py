"""How old a sign of life is, when clocks disagree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.exo.freshness import Freshness

START = datetime(2026, 11, 20, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_the_clocks_decide_at_the_first_look() -> None:
    freshness = Freshness()
    freshness.note({"a": at(3)}, 10)
    assert freshness.age_s("a", 10, at(10)) == 7


def test_a_node_that_was_never_seen_has_no_age() -> None:
    assert Freshness().age_s("a", 10, at(10)) is None


def test_a_node_that_is_not_listed_any_more_has_no_age() -> None:
    freshness = Freshness()
    freshness.note({"a": at(3)}, 10)
    freshness.note({}, 11)
    assert freshness.age_s("a", 11, at(11)) is None


def test_a_clock_that_is_an_hour_behind_is_no_death() -> None:
    freshness = Freshness()
    for look in (10, 12):
        freshness.note({"a": at(look - 3600)}, look)
    assert freshness.age_s("a", 12, at(12)) == 2


def test_a_clock_that_is_an_hour_ahead_hides_no_death() -> None:
    freshness = Freshness()
    for look in (10, 20, 30):
        freshness.note({"a": at(3600)}, look)
    assert freshness.age_s("a", 30, at(30)) == 20


def test_one_look_settles_nothing_and_two_do() -> None:
    freshness = Freshness()
    freshness.note({}, 1)
    assert not freshness.settled
    freshness.note({}, 2)
    assert freshness.settled
    freshness.forget()
    assert not freshness.settled


@given(
    st.lists(st.floats(0.1, 30), min_size=2, max_size=20),
    st.floats(-7200, 7200),
    st.floats(0, 200),
)
def test_whatever_the_clock_an_age_is_at_most_one_look_from_the_truth(
    gaps: list[float], skew: float, dies_at: float
) -> None:
    """A node that speaks all the time until it dies, looked at from time to time."""
    freshness = Freshness()
    looks = [sum(gaps[:count]) for count in range(1, len(gaps) + 1)]
    for look in looks:
        freshness.note({"a": at(min(look, dies_at) + skew)}, look)
    now = looks[-1]
    age = freshness.age_s("a", now, at(now))
    truth = max(0.0, now - dies_at)
    widest = max(later - earlier for earlier, later in pairwise(looks))
    assert age is not None
    if dies_at > looks[0]:
        assert age <= truth + widest + 0.001
    assert age >= truth - max(widest, looks[0]) - 0.001
