"""Scores of places, and the latency that they are made from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.inference.pool import placement
from kowalski.inference.pool.latency import UNMEASURED_MS, FirstTokenLatency

latencies = st.floats(0, 1e6)
loads = st.integers(0, 1000)


def test_the_scores_are_those_of_the_plan() -> None:
    assert placement.inference(10) == 0.5
    assert placement.context_compression(5) == 0.5
    assert placement.code_execution(0.5, 50) == pytest.approx(0.5)
    assert placement.model_loading(0.25) == 0.25


@given(latencies, latencies)
def test_lower_latency_never_scores_worse(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert placement.inference(low) >= placement.inference(high)


@given(latencies, loads, loads, st.integers(1, 100))
def test_load_never_makes_a_server_look_faster(ms: float, busy: int, waiting: int, n: int) -> None:
    assert placement.expected_ms(ms, busy, waiting, n) >= ms


def test_a_server_that_was_never_asked_is_expected_to_be_fast() -> None:
    latency = FirstTokenLatency(lambda: 0.0)
    assert latency.measured_ms is None
    assert latency.expected_ms == UNMEASURED_MS


def test_a_measurement_counts_half_after_a_minute() -> None:
    now = 0.0
    latency = FirstTokenLatency(lambda: now)
    latency.observe(UNMEASURED_MS + 1000)
    now = 60.0
    assert latency.expected_ms == pytest.approx(UNMEASURED_MS + 500)


def test_a_call_given_up_tells_only_that_it_was_not_faster() -> None:
    latency = FirstTokenLatency(lambda: 0.0)
    latency.observe(500)
    latency.observe_at_least(100)
    assert latency.measured_ms == 500
    latency.observe_at_least(1500)
    assert latency.measured_ms == 800
