"""Reading JSON that nobody vouches for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.exo import fields

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_a_member_is_found_in_either_casing() -> None:
    assert fields.member({"instanceId": 1}, "instanceId") == 1
    assert fields.member({"instance_id": 1}, "instanceId") == 1
    assert fields.member({"n_layers": 1}, "nLayers") == 1


@pytest.mark.parametrize("written", ["2026-11-20T23:41:02.5Z", "2026-11-21T00:41:02.500+01:00"])
def test_a_time_is_read_with_z_and_with_an_offset(written: str) -> None:
    assert fields.moment(written) == datetime(2026, 11, 20, 23, 41, 2, 500_000, UTC)


@pytest.mark.parametrize("written", ["", "yesterday", "0001-01-01T00:00:00+23:59", "9" * 100, 5])
def test_what_is_no_time_is_none(written: Any) -> None:
    assert fields.moment(written) is None


def test_an_object_with_two_keys_has_no_tag() -> None:
    assert fields.tagged({"RunnerReady": {}}) == ("RunnerReady", {})
    assert fields.tagged({"RunnerReady": {}, "RunnerIdle": {}}) is None


def test_text_is_one_short_printable_line() -> None:
    assert fields.text("a\x1b[31m\n  b") == "a [31m b"
    assert len(fields.text("x" * 10_000_000)) == 300


def test_a_truth_value_is_no_number() -> None:
    assert fields.number(True) is None
    assert fields.measure(True) is None


@given(JSON)
def test_nothing_makes_a_reader_fail(value: Any) -> None:
    fields.member(value, "instanceId")
    fields.members(value)
    fields.tagged(value)
    fields.moment(value)
    fields.size(value)
    fields.measure(value)
    assert isinstance(fields.identifier(value), str)
    assert isinstance(fields.text(value), str)
