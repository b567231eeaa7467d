"""SIGINT and SIGTERM end a run between two batches of messages, never within one.

An exception that a signal raises may come anywhere: after the kernel has taken bytes, say, and
before we know. So where something must be whole, the first signal is only noted. A second one does
not wait.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["heed", "note", "taken", "whole"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def taken(
    at_once: Callable[[], object] = lambda: None, *, twice: bool = True, noting: bool = False
) -> Iterator[None]:
    """Within, SIGINT and SIGTERM raise a KeyboardInterrupt, unless they are only to be noted.

    They are from the start when `noting`. `at_once` is called with the first signal in any case. A
    second one is raised wherever it comes, or ignored without `twice`. In a thread that is not the
    main one, which gets no signals, nothing changes; nor do the other functions then do anything
    about signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    state = _State(at_once, twice, noting)
    before = {one: signal.signal(one, state.take) for one in _SIGNALS}
    _taking.append(state)
    try:
        yield
    finally:
        _taking.remove(state)
        for one, was in before.items():
            signal.signal(one, was or signal.SIG_DFL)


def heed() -> None:
    """From here on a signal is raised at once; one that was noted before is raised now."""
    if (state := _current()) is not None:
        state.noting = False
        if state.asked:
            raise KeyboardInterrupt


def note() -> None:
    """From here on, until `heed`, a signal is only noted."""
    if (state := _current()) is not None:
        state.noting = True


def whole(do: Callable[[], object]) -> bool:
    """Do it while signals are only noted; True if one came meanwhile, which is not raised later."""
    if (state := _current()) is None:
        do()
        return False
    before, asked, state.noting = state.noting, state.asked, True
    try:
        do()
    finally:
        state.noting = before
    return state.asked and not asked


class _State:
    def __init__(self, at_once: Callable[[], object], twice: bool, noting: bool) -> None:
        self.noting, self.asked = noting, False
        self._at_once, self._twice = at_once, twice

    def take(self, *_: object) -> None:
        first, self.asked = not self.asked, True
        if first:
            self._at_once()
        if not self.noting if first else self._twice:
            raise KeyboardInterrupt


_taking: list[_State] = []
"""Signals are the process's, and so is who takes them."""


def _current() -> _State | None:
    if _taking and threading.current_thread() is threading.main_thread():
        return _taking[-1]
    return None
