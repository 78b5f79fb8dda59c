"""The circuit breaker. Its clock is a variable."""

from __future__ import annotations

import pytest

from kowalski.inference.pool.breaker import (
    FAILURES,
    REMEMBERED_S,
    REST_S,
    WINDOW_S,
    Breaker,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, times: int = FAILURES, *, fault: bool = False) -> None:
    for _ in range(times):
        breaker.failed(breaker.enter(), fault=fault)


def test_it_is_closed_until_five_calls_have_failed(breaker: Breaker) -> None:
    fail(breaker, 4)
    assert (breaker.state, breaker.admits) == ("closed", True)
    fail(breaker, 1)
    assert (breaker.state, breaker.admits) == ("open", False)


def test_failures_further_apart_than_the_window_do_not_open_it(
    breaker: Breaker, clock: Clock
) -> None:
    for _ in range(20):
        fail(breaker, 1)
        clock.now += WINDOW_S / 4
    assert breaker.state == "closed"


def test_after_its_rest_it_lets_one_probe_through(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    assert breaker.reopens_at == clock.now + REST_S
    clock.now += REST_S
    assert (breaker.state, breaker.admits) == ("half-open", True)
    assert breaker.enter().probe
    assert not breaker.admits


def test_a_probe_that_succeeds_closes_it_and_clears_what_was(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker)
    clock.now += REST_S
    breaker.succeeded(breaker.enter())
    assert breaker.failing_since is None
    fail(breaker, 4)
    assert breaker.state == "closed"


def test_a_probe_that_fails_opens_it_again_and_it_remembers_since_when(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker)
    since = clock.now
    clock.now += REST_S
    fail(breaker, 1)
    assert breaker.state == "open"
    assert breaker.failing_since == since
    assert breaker.reopens_at == clock.now + REST_S


def test_a_probe_that_is_given_up_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += REST_S
    breaker.abandoned(breaker.enter())
    assert breaker.admits


def test_calls_from_before_it_opened_neither_close_it_nor_prolong_its_rest(
    breaker: Breaker, clock: Clock
) -> None:
    early, late = breaker.enter(), breaker.enter()
    fail(breaker)
    until = breaker.reopens_at
    clock.now += 1
    breaker.succeeded(early)
    breaker.failed(late)
    assert (breaker.state, breaker.reopens_at) == ("open", until)


def test_calls_that_fail_together_are_one_failure(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES - 1):
        together = [breaker.enter() for _ in range(8)]
        for entry in together:
            breaker.failed(entry)
            clock.now += 0.1
    assert breaker.admits
    fail(breaker, 1)
    assert not breaker.admits


@pytest.mark.parametrize(("answered", "state"), [(True, "closed"), (False, "open")])
def test_calls_that_waited_in_vain_for_long_are_one_failure_each(
    breaker: Breaker, clock: Clock, answered: bool, state: str
) -> None:
    """Those that had begun to be answered were cut together."""
    together = [breaker.enter() for _ in range(FAILURES)]
    for entry in together:
        if answered:
            breaker.succeeded(entry)
    clock.now += WINDOW_S
    for entry in together:
        breaker.failed(entry)
    assert breaker.state == state


def test_the_same_call_counts_once_however_often_it_is_sent(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        breaker.failed(breaker.enter())
    for _ in range(FAILURES):
        breaker.failed(breaker.enter(), again=True)
    assert breaker.admits
    breaker.failed(breaker.enter())
    assert not breaker.admits


def test_it_is_faulty_until_a_call_is_answered_or_fails_otherwise(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, fault=True)
    assert breaker.faulty
    clock.now += REST_S
    fail(breaker, 1)
    assert not breaker.faulty
    clock.now += REST_S
    fail(breaker, 1, fault=True)
    assert breaker.faulty
    clock.now += REST_S
    breaker.succeeded(breaker.enter())
    assert not breaker.faulty


def test_faults_beside_answers_are_due_to_their_prompts(breaker: Breaker, clock: Clock) -> None:
    breaker.succeeded(breaker.enter())
    fail(breaker, fault=True)
    assert (breaker.state, breaker.faulty) == ("open", False)
    clock.now += WINDOW_S
    assert breaker.faulty


def test_it_says_for_how_long_it_rests(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += REST_S - 2.5
    assert "left alone for 3 s more" in str(breaker.trouble)


def test_it_says_that_it_is_tried_only_while_it_is(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += REST_S
    assert "will be tried with the next prompt for it" in str(breaker.trouble)
    probe = breaker.enter()
    assert "is being tried with one prompt" in str(breaker.trouble)
    breaker.succeeded(probe)
    assert breaker.trouble is None


@pytest.mark.parametrize("lockout", [False, True])
def test_it_is_outdated_once_nobody_has_tried_it_for_long_after_its_rest(
    breaker: Breaker, clock: Clock, lockout: bool
) -> None:
    if lockout:
        breaker.trip(breaker.enter(), "It wants an API key.")
    else:
        fail(breaker)
    clock.now += REST_S + REMEMBERED_S - 1
    assert not breaker.outdated
    clock.now += 1
    assert breaker.outdated


def test_it_is_not_outdated_while_somebody_tries_it_nor_just_after(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker)
    clock.now += REST_S
    probe = breaker.enter()
    clock.now += 2 * REMEMBERED_S
    assert not breaker.outdated
    breaker.abandoned(probe)
    assert (breaker.outdated, breaker.admits) == (False, True)
    clock.now += REMEMBERED_S
    assert breaker.outdated


def test_one_that_is_closed_is_never_outdated(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 1)
    clock.now += REST_S + REMEMBERED_S
    assert not breaker.outdated
