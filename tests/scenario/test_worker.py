"""A worker ends without a word of Python's, wherever the signal comes that ends it."""

from __future__ import annotations

import signal
import sys
from itertools import count
from multiprocessing import Pipe
from types import FrameType
from typing import Any

import pytest

from cbsim.scenario import worker
from cbsim.scenario.runner import Report

OF_INTEREST = ("worker.py", "interrupt.py", "contextlib.py")


def test_a_signal_on_any_line_ends_it_with_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_leave_with_parent", lambda: None)
    monkeypatch.setattr(worker, "_outcome", lambda *_: Report(sent=9))
    asked = False

    def run_until(line: int) -> None:
        nonlocal asked
        asked, lines = False, count()

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal asked
            heard = getattr(signal.getsignal(signal.SIGTERM), "__name__", "") == "take"
            if event == "line" and heard and not asked and next(lines) == line:
                asked = True
                signal.raise_signal(signal.SIGTERM)
            return trace if frame.f_code.co_filename.endswith(OF_INTEREST) else None

        ours, theirs = Pipe()
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            worker.work(theirs, orders)
        finally:
            sys.settrace(before)
        told = ours.recv()
        assert (told.sent, told.interrupted) in {(9, False), (0, True)}

    orders: Any = None
    for line in count():
        run_until(line)
        if not asked:
            break
    assert line > 10
