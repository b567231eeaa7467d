"""Attempts to connect again: ever more slowly, not in step with others, as long as asked."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from cbsim.bus.retry import Retry


@given(st.floats(0.5, 600), st.integers(1, 12))
def test_delays_grow_to_a_bound(patience: float, attempts: int) -> None:
    retry = Retry(time.monotonic(), patience)
    delays = [retry.delay() for _ in range(attempts)]
    assert all(0 < delay <= min(5.0, patience / 5) for delay in delays)
    # Each is at least half of what it may be, which doubles until the bound.
    for number, delay in enumerate(delays):
        most = min(0.1 * 2**number, patience / 10 * 2**number, 5.0, patience / 5)
        assert most / 2 <= delay <= most or retry.left < 5


def test_publishers_that_lost_one_broker_do_not_come_back_in_step() -> None:
    now = time.monotonic()
    assert len({Retry(now, 30.0).delay() for _ in range(20)}) > 10


def test_it_is_over_in_time() -> None:
    retry = Retry(time.monotonic() - 31, 30.0)
    assert retry.left < 0
    assert retry.delay() == 0
