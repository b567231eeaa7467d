"""The timeline of a run, and how it is shown while it goes on."""

from __future__ import annotations

import io
import itertools
import os
import pty
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from cbsim.load.timeline import SHARES, Moment, Standing, Timeline
from cbsim.report.live import line, view
from cbsim.scenario.lag import Lags
from cbsim.scenario.runner import Progress
from tests.support.command import CBSIM

NUMBERS = st.floats(0, 1e7)
STANDINGS = st.builds(
    Standing,
    st.integers(0, 10**9),
    st.integers(0, 500),
    *[st.none() | NUMBERS for _ in range(3)],
)
MOMENTS = st.builds(
    Moment,
    seconds=NUMBERS,
    phase=st.text(min_size=1, max_size=60),
    asked=st.none() | NUMBERS,
    sent=NUMBERS,
    confirmed=NUMBERS,
    total_sent=st.integers(0, 10**12),
    total_confirmed=st.integers(0, 10**12),
    behind=NUMBERS,
    confirms=st.none() | st.tuples(*[st.floats(0, 120)] * 3),
    queues=st.dictionaries(st.text(max_size=80), STANDINGS, max_size=9),
    left=st.none() | NUMBERS,
)


def progress(second: float, sent: int, confirmed: int, *, total: float | None = None) -> Progress:
    lags = Lags()
    lags.count(0.002, 50)
    return Progress("peak", sent, confirmed, 100.0, 100.0, 0.0, total, second, lags)


def test_a_moment_has_rates_and_the_time_left() -> None:
    timeline = Timeline()
    timeline.note(progress(1.0, 100, 80, total=0.25))
    moment = timeline.note(progress(3.0, 300, 280, total=0.75))
    assert moment.confirmed == 100.0
    assert moment.left == pytest.approx(1.0)
    assert moment.confirms is not None
    assert len(moment.confirms) == len(SHARES)
    assert moment.confirms[0] == pytest.approx(0.002, rel=0.25)


def test_a_long_run_is_kept_more_coarsely() -> None:
    timeline = Timeline()
    for second in range(20_000):
        timeline.note(progress(float(second + 1), 0, 0))
    assert 2000 <= len(timeline.moments) <= 4000
    seconds = [moment.seconds for moment in timeline.moments]
    assert len({after - before for before, after in itertools.pairwise(seconds)}) == 1
    assert [moment.seconds for moment in timeline.recent][-2:] == [19_999.0, 20_000.0]


@settings(max_examples=40)
@given(st.lists(MOMENTS, min_size=1, max_size=3), st.booleans())
def test_every_run_fits_in_80_columns(moments: list[Moment], ascii_only: bool) -> None:
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(view(moments, ascii_only=ascii_only))
    lines = out.getvalue().splitlines()
    assert all(cell_len(one) <= 80 for one in lines)
    assert 4 <= len(lines) <= 16
    assert line(moments[-1]).isprintable()


def test_what_a_person_sees() -> None:
    queues = {"orders": Standing(1200, 0, 2.5, 900.0, 500.0)}
    moments = [
        Moment(second, "peak", 1000.0, 990.0, 980.0, 500 * second, 500 * second, 0.0,
               (0.001, 0.002, 0.0155), queues, 20.0 - second)
        for second in range(1, 11)
    ]  # fmt: skip
    out = io.StringIO()
    Console(file=out, width=80).print(view(moments, ascii_only=True))
    shown = out.getvalue()
    for expected in ("asked", "1,000/s", "990/s", "500/s", "1/2/15.5 ms (p50/p95/p99)", "orders",
                     "1,200", "2.5 s", "0:10 left"):  # fmt: skip
        assert expected in shown
    assert line(moments[-1]) == (
        "peak: 5,000 sent, 5,000 confirmed, 990/s of 1,000/s, in 1/2/15.5 ms (p50/p95/p99), "
        "0:10 left"
    )


def test_a_terminal_shows_it_live(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["run", "quickstart", "--rate", "100/s", "--duration", "2.2s", "--broker", "embedded"]
    screen = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen([*CBSIM, *words], stderr=theirs, env=screen, cwd=tmp_path) as process:
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65536):
                shown += more
        except OSError:  # the terminal's other end is gone
            pass
        assert process.wait() == 0
    os.close(ours)
    assert b"confirmed in" in shown
    assert b"220 sent, 220 confirmed" in shown
