"""What the benchmark says of its samples, and what it promises about them."""

from __future__ import annotations

import statistics

from benchmarks.measure import Contestant, interleave
from benchmarks.outcome import Outcome, Row, at_most_more, faster, under, within
from benchmarks.series import Series
from benchmarks.table import render
from hypothesis import given
from hypothesis import strategies as st

TIMES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


def taking(*times_ms: float, name: str = "somebody") -> Series:
    return Series(name=name, times_ms=times_ms)


class Meter:
    """An account that somebody writes to."""

    def __init__(self) -> None:
        self.ms = 0.0

    def spent_ms(self) -> float:
        return self.ms


@given(TIMES)
def test_the_middle_of_a_series_is_its_median(times: list[float]) -> None:
    series = taking(*times)
    assert abs(series.quantile(0.5) - statistics.median(times)) <= 1e-9 * max(times)


@given(TIMES, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_of_the_samples_never_lies_lower(
    times: list[float], one: float, other: float
) -> None:
    series = taking(*times)
    low, high = sorted((one, other))
    slack = 1e-9 * max(times)
    assert min(times) - slack <= series.quantile(low) <= series.quantile(high) + slack
    assert series.quantile(1) == max(times)


def test_equal_times_are_not_faster() -> None:
    assert not faster(taking(5), taking(5)).met
    assert faster(taking(4.9), taking(5)).met


def test_five_times_faster_means_a_fifth_of_the_time() -> None:
    assert faster(taking(1), taking(5), 5).met
    assert not faster(taking(1.01), taking(5), 5).met


def test_a_bound_is_judged_by_the_median_alone() -> None:
    ours = taking(1, 1, 100)
    assert under(ours, 2).met
    assert within(ours, taking(0.5), 2).met
    assert not within(ours, taking(0.4), 2).met
    assert at_most_more(taking(200), taking(100), 100).met
    assert not at_most_more(taking(201), taking(100), 100).met


def test_the_table_says_what_missed_and_what_could_not_run() -> None:
    slow = Row("baseline", taking(1), (faster(taking(2), taking(1)),))
    absent = Row("peer", missing="no such program")
    text = render([Outcome("x", "A title", (slow, absent))])
    assert "MISSED" in text
    assert "not run here: no such program" in text
    assert "0 of 1 goals met" in text


async def test_contestants_take_turns() -> None:
    order: list[str] = []

    def contestant(name: str) -> Contestant:
        async def call() -> None:
            order.append(name)

        return Contestant(name, call)

    await interleave([contestant("a"), contestant("b")], 3, warmup=0)
    assert order == ["a", "b", "b", "a", "a", "b"]


async def test_an_account_counts_for_the_contestant_that_it_belongs_to() -> None:
    meters = Meter(), Meter()

    def contestant(number: int, cost_ms: float) -> Contestant:
        async def call() -> float:
            meters[number].ms += cost_ms
            return 1.0

        return Contestant(str(number), call, (meters[number],))

    cheap, dear = await interleave([contestant(0, 10), contestant(1, 1000)], 4, warmup=2)
    assert cheap.times_ms == (1.0,) * 4
    assert 10 <= (cheap.cpu_ms or 0) < 100
    assert 1000 <= (dear.cpu_ms or 0) < 1100


async def test_a_shared_account_is_split_by_who_called() -> None:
    meter = Meter()

    def contestant(cost_ms: float) -> Contestant:
        async def call() -> None:
            meter.ms += cost_ms

        return Contestant(str(cost_ms), call, (meter,))

    cheap, dear = await interleave([contestant(10), contestant(1000)], 4)
    assert 10 <= (cheap.cpu_ms or 0) < 100
    assert 1000 <= (dear.cpu_ms or 0) < 1100
