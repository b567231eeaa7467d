"""Processes that this one started, and those that they started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["LASTING", "Process", "descendants", "lasting"]


class Process(NamedTuple):
    """One that runs; the number alone may be another's soon."""

    pid: int
    began: int
    """Clock ticks since the machine started."""

    @property
    def command(self) -> str:
        """Its words; empty when it is gone."""
        return _read(Path(f"/proc/{self.pid}/cmdline")).replace("\0", " ").strip()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


LASTING: set[Process] = set()
"""What is there for all tests; whichever needs it first starts it."""


@contextmanager
def lasting() -> Iterator[None]:
    """What is started in here is there for all tests."""
    before = descendants()
    yield
    LASTING.update(descendants(but=before))


def descendants(*, but: frozenset[Process] = frozenset()) -> frozenset[Process]:
    """Those that run, except some and what these started; none where there is no /proc."""
    found: set[Process] = set()
    left = [os.getpid()]
    while left:
        new = {*_children(left.pop())} - but
        found |= new
        left += [process.pid for process in new]
    return frozenset(found)


def _children(parent: int) -> Iterator[Process]:
    for thread in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in _read(thread).split():
            # The name in parentheses may have any characters.
            stat = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
            if stat and stat[0] != "Z":
                yield Process(int(pid), int(stat[19]))


def _read(path: Path) -> str:
    """What it says; nothing when the process is gone."""
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""
