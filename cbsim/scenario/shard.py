"""Shards: the parts that an estate is dealt to, each a world of its own in a process of its own.

How many there are depends on the scenario alone, so that a shard sends the same bytes however many
processes share the shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cbsim.world.endpoint import WINDOWS_ONLY
from cbsim.world.estate import Estate, Sensor

__all__ = ["SHARDS", "WHOLE", "Shard", "dealt"]

SHARDS = 8
"""How many shards there are at most."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of so many parts of a run: some sensors, and every so many-th message."""

    number: int = 0
    of: int = 1
    sensors: Sequence[Sensor] = ()

    def estate(self, whole: Estate) -> Estate:
        """The estate that its world has."""
        return whole if self.of == 1 else whole.part(self.sensors, self.number, self.of)

    def seed(self, seed: int) -> str:
        """What its random streams begin with."""
        return f"{seed}" if self.of == 1 else f"{seed}:shard {self.number}"

    def slice(self, whole: list[_T]) -> list[_T]:
        """Its turns, of values that the shards take in turn."""
        return whole[self.number :: self.of]

    def share(self, count: int) -> int:
        """How many of so many values that the shards take in turn are its own."""
        return len(range(self.number, count, self.of))


WHOLE = Shard()
"""A run that is not divided."""


def dealt(estate: Estate, names: Iterable[str]) -> list[Shard]:
    """The shards of an estate on which messages of these names happen.

    Each has sensors of every operating system, as far as they go round. Where something happens on
    Windows alone, each has a Windows endpoint, so that every shard can do what the estate can.
    """
    windows = sum(sensor.os == "windows" for sensor in estate.sensors)
    needed = windows if WINDOWS_ONLY.intersection(names) else 0
    of = min(SHARDS, len(estate.sensors), needed or SHARDS)
    ordered = sorted(estate.sensors, key=lambda sensor: (sensor.os != "windows", sensor.os))
    return [
        Shard(number, of, sorted(ordered[number::of], key=lambda sensor: sensor.id))
        for number in range(of)
    ]
