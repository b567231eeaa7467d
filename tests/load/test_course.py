"""The course of a queue: its lag is the age of the oldest message that is not done with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.bus.queue_state import QueueState, Reading, Totals
from cbsim.load.course import Course

TURNS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), min_size=1, max_size=60)
"""How many messages come, and how many at most are done with, from one reading to the next."""


@given(turns=TURNS, exact=st.booleans())
def test_the_lag_is_the_age_of_the_oldest_message(
    turns: list[tuple[int, int]], exact: bool
) -> None:
    course, there, arrived, done = Course(exact), list[int](), 0, 0
    for turn, (more, fewer) in enumerate(turns):
        there += [turn] * more
        arrived += more
        done += len(there[:fewer])
        del there[:fewer]
        totals = Totals(arrived, arrived, done) if exact else None
        course.add(float(turn), Reading(QueueState(len(there), 0, 1), totals), arrived)
        assert course.lag is not None
        if there:
            # It came some time between the reading that saw it first and the one before.
            assert turn - there[0] <= course.lag + 1e-9
            assert course.lag <= turn - there[0] + 1 or turn == 0
        else:
            assert course.lag == 0.0
    assert course.deepest >= course.state.depth


def test_rates_are_taken_over_a_second() -> None:
    course = Course(exact=True)
    for tenth in range(31):
        arrived, acked = tenth * 100, tenth * 60
        state = QueueState(arrived - acked, 0, 1)
        course.add(tenth / 10, Reading(state, Totals(arrived, acked, acked)))
    assert course.rates is not None
    assert course.rates.arrived == pytest.approx(1000)
    assert course.rates.acked == pytest.approx(600)
    assert course.lag == pytest.approx(1.2, abs=0.01)


def test_what_was_there_before_is_as_old_as_the_watch_at_least() -> None:
    course = Course(exact=False)
    for second in range(4):
        course.add(float(second), Reading(QueueState(500, 0, 0)), 100 * second)
    assert course.lag == 3.0


def test_nothing_is_known_of_messages_that_nobody_counts() -> None:
    course = Course(exact=False)
    course.add(0.0, Reading(QueueState(5, 0, 0)))
    assert course.lag is None
    course.add(1.0, Reading(QueueState(0, 0, 0)))
    assert course.lag == 0.0
