"""What every check has at hand: what was told so far, the terms, and whom to tell what is wrong."""

from __future__ import annotations

from tests.support.consistency.terms import Finding, Terms
from tests.support.consistency.told import Told

__all__ = ["Context"]


class Context:
    """The stream up to the message that is looked at."""

    def __init__(self, terms: Terms, published: frozenset[str]) -> None:
        self.terms, self.published, self.told = terms, published, Told()
        self.findings: list[Finding] = []
        self.index, self.moment, self.began = 0, 0, 0
        """The message, its moment, and the moment of the first one (FILETIME)."""
        self.starts = bool(published & {"ingress.event.process", "ingress.event.procstart"})
        """Whether starts of processes are said."""

    def say(self, rule: str, sentence: str, index: int | None = None) -> None:
        """Something is wrong with this message, or with that of the index."""
        self.findings.append(Finding(self.index if index is None else index, rule, sentence))

    def fact(self, sensor: int, name: str, value: str) -> None:
        """An endpoint is said to be so; it must always be."""
        known = self.told.facts.setdefault((sensor, name), value)
        if known != value:
            self.say("sensor-facts", f"{name} of sensor {sensor} is {value!r}, it was {known!r}")
