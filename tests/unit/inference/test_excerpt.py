"""Some of many names, in messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.excerpt import MOST, excerpt, sentences


@given(st.integers(0, 3 * MOST))
def test_ten_are_named_at_most_and_the_others_counted(count: int) -> None:
    names = [f"s{number}" for number in range(count)]
    told = excerpt(names)
    assert [name for name in names if name in told.replace(",", " ").split()] == names[:MOST]
    assert told.endswith(f" and {count - MOST} more") == (count > MOST)


def test_sentences_end_as_sentences() -> None:
    assert sentences([f"{number}." for number in range(12)], 2) == "0. 1. And so on for 10 more."
    assert sentences(["One."]) == "One."
