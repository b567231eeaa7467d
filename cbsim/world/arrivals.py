"""Binaries that are new to the estate, and the endpoints that each of them comes to in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from cbsim.world.estate import Estate, Sensor
from cbsim.world.software import Binary

__all__ = ["Arrival", "Arrivals"]

# Minted binaries are numbered; these lie above those of the estate's own libraries.
_NEW = 10_000_000
_SPREADING = 256


@dataclass(frozen=True, slots=True)
class Arrival:
    """A binary is seen on an endpoint for the first time."""

    binary: Binary
    sensor: Sensor
    first: bool
    """No endpoint had it before."""
    first_in_group: bool
    hosts: int
    """How many endpoints have it now."""
    scored: bool
    """A feed knew it already."""
    told: Callable[[], None]
    """To be called once the server said that it was observed; it spreads no further before."""


@dataclass(slots=True)
class _Spread:
    binary: Binary
    scored: bool
    sensors: list[Sensor]
    groups: set[str] = field(default_factory=set)
    hosts: int = 0
    known: bool = False

    def tell(self) -> None:
        self.known = True


class Arrivals:
    """Deals out new binaries. Only those that still spread are remembered."""

    def __init__(self, estate: Estate, rng: Random) -> None:
        self._estate, self._rng = estate, rng
        self._number = _NEW
        self._spreading: list[_Spread] = []

    def introduce(self, sensors: int) -> None:
        """Begin with a new binary that will come to that many endpoints."""
        first = self._rng.choice(self._estate.sensors)
        others = [sensor for sensor in self._estate.sensors if sensor.os == first.os]
        chosen = self._rng.sample(others, min(sensors, len(others)))
        self._number += 1
        binary = self._estate.software.minted(first.os, self._number)
        # Those that the server is never asked to speak of are forgotten.
        del self._spreading[:-_SPREADING]
        self._spreading.append(_Spread(binary, self._rng.random() < 0.05, chosen))

    def next(self) -> Arrival:
        """The next arrival of some binary on some endpoint."""
        able = [spread for spread in self._spreading if spread.known or not spread.hosts]
        if not able:
            reach = self._estate.size.spread
            self.introduce(1 + int(self._rng.expovariate(1 / max(reach - 1, 1e-9))))
            able = self._spreading[-1:]
        spread = able[int(self._rng.random() * len(able))]
        sensor = spread.sensors.pop()
        new_group = sensor.group not in spread.groups
        spread.groups.add(sensor.group)
        spread.hosts += 1
        if not spread.sensors:
            self._spreading.remove(spread)
        first = spread.hosts == 1
        return Arrival(
            spread.binary, sensor, first, new_group, spread.hosts, spread.scored, spread.tell
        )

    def malware(self) -> Binary:
        """A new Windows binary that nobody knows."""
        self._number += 1
        return self._estate.software.minted("windows", self._number)
