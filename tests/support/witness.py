"""A witness of a publisher that remembers what it was told."""

from __future__ import annotations

import threading

__all__ = ["Told"]


class Told:
    """What a publisher told: ranges as they came, and by which threads."""

    def __init__(self) -> None:
        self.confirmed: list[tuple[int, int]] = []
        self.republished: list[tuple[int, int]] = []
        self.outages: list[tuple[float, float, str]] = []
        self.threads: set[str] = set()

    def confirm(self, first: int, last: int) -> None:
        self.confirmed.append((first, last))
        self.threads.add(threading.current_thread().name)

    def republish(self, first: int, last: int) -> None:
        self.republished.append((first, last))

    def outage(self, since: float, until: float, why: str) -> None:
        self.outages.append((since, until, why))

    @property
    def numbers(self) -> list[int]:
        """Each message that was confirmed, as it was told."""
        return [one for first, last in self.confirmed for one in range(first, last + 1)]
