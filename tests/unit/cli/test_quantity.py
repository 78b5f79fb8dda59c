"""Sizes and times as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski_cli.screen.quantity import ago, count, duration, seconds, size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9999, "10 kB"),
        (999_499, "999 kB"),
        (999_999, "1.0 MB"),
        (12_345_678, "12 MB"),
        (10**18, "1000 PB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9999, "1.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.9, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(number: float, text: str) -> None:
    assert duration(number) == text


@pytest.mark.parametrize(
    ("past", "text"),
    [(0, "now"), (-5, "now"), (59, "59 s ago"), (119, "1 min ago"), (90_000, "1 d ago")],
)
def test_moments_in_the_past(past: float, text: str) -> None:
    assert ago(1000.0, 1000.0 + past) == text


def test_counts() -> None:
    assert (count(1, "block"), count(0, "block")) == ("1 block", "0 blocks")


@pytest.mark.parametrize(
    ("text", "number"), [("30", 30), ("1.5s", 1.5), ("500ms", 0.5), ("2m", 120), ("1h", 3600)]
)
def test_what_a_person_means_by_a_time(text: str, number: float) -> None:
    assert seconds(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "0", "-1", "1e308", "nan", "inf", "5 s", "1d", "999999999h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        seconds(text)


@given(st.floats(0, 10**7))
def test_a_longer_time_is_never_shown_as_nothing(number: float) -> None:
    assert duration(number)[0].isdigit()
