"""A watch over queues: a thread that reads them several times a second, during a run or without."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

from cbsim.bus.gauge import Gauge
from cbsim.errors import BrokerError, InputError
from cbsim.load.course import Course

__all__ = ["INTERVAL", "Watch"]

INTERVAL = 0.1
"""Seconds between two readings, unless something else is said."""


class Watch:
    """Follows queues for as long as the context lasts.

    `published` says how many messages were published so far, where that is known: it takes the
    place of what a broker does not count. Reading begins with `__enter__`, which raises BrokerError
    when the broker does not answer, and InputError for a queue of `named` that is not there. What
    fails later is in `trouble`; it may be over by then.
    """

    def __init__(
        self,
        gauge: Gauge,
        named: tuple[str, ...] = (),
        published: Callable[[], int] | None = None,
        *,
        interval: float = INTERVAL,
    ) -> None:
        self._gauge, self._named, self._interval = gauge, named, interval
        self.published = published
        self._courses: dict[str, Course] = {}
        self.trouble: str | None = None
        """Why the last reading failed."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cbsim-watch", daemon=True)
        self._listeners: list[Callable[[float], object]] = []

    def __enter__(self) -> Self:
        try:
            self._read()
            for name in self._named:
                if name not in self._courses:
                    raise InputError(f"queue {name!r} is not there: nothing to watch")
        except BaseException:
            self._gauge.close()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._gauge.close()

    @property
    def exact(self) -> bool:
        """Whether depths are all that is not done with; else what consumers hold may be missing."""
        return self._gauge.exact

    @property
    def courses(self) -> Mapping[str, Course]:
        """The queues that were ever there, by name."""
        return dict(self._courses)

    def on_reading(self, listener: Callable[[float], object]) -> None:
        """Call it after each reading, in the thread of the watch, with its moment (monotonic)."""
        self._listeners.append(listener)

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                self._read()
                self.trouble = None
            except BrokerError as error:
                self.trouble = str(error)
        # The end is what a summary tells of.
        try:
            self._read()
        except BrokerError as error:
            self.trouble = str(error)

    def _read(self) -> None:
        published = None if self.published is None else self.published()
        readings = self._gauge.read()
        at = time.monotonic()
        for name, reading in readings.items():
            course = self._courses.get(name)
            if course is None:
                course = self._courses[name] = Course(self._gauge.exact)
            course.add(at, reading, published)
        for name in self._courses.keys() - readings.keys():
            self._courses[name].there = False
        for listener in self._listeners:
            listener(at)
