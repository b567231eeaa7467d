"""Binaries that are new to the estate, and the endpoints that each of them comes to in turn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import log1p
from random import Random
from typing import NamedTuple

from cbsim.world.estate import Estate, Sensor
from cbsim.world.software import Binary

__all__ = ["Arrival", "Arrivals", "Past"]

# Minted binaries are numbered; these lie above those of the estate's own libraries.
_NEW = 10_000_000
_SPREADING = 256
_SCORED = 0.05
"""The share of new binaries that a feed knows already."""


class Past:
    """What happened to a binary that spreads."""

    __slots__ = ("found", "hostnames")

    def __init__(self) -> None:
        self.hostnames: list[str] = []
        """The endpoints that it came to, in order."""
        self.found = 0
        """When the server said that a watchlist found it (FILETIME); 0: not yet."""


class Arrival(NamedTuple):
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
    past: Past | None = None
    """Of one that spreads."""


class _Spread:
    """A binary on its way over the estate."""

    __slots__ = ("binary", "groups", "hosts", "past", "ready", "scored", "sensors")

    def __init__(
        self, binary: Binary, sensors: list[Sensor], ready: list[_Spread], *, scored: bool
    ) -> None:
        self.binary, self.sensors, self.ready, self.scored = binary, sensors, ready, scored
        self.groups: set[str] | None = None
        self.hosts, self.past = 0, Past()

    def told(self) -> None:
        if self.sensors and len(self.ready) < _SPREADING:
            self.ready.append(self)


class Arrivals:
    """Deals out new binaries. Only those that still spread are remembered."""

    def __init__(self, estate: Estate, rng: Random) -> None:
        self._estate, self._rng = estate, rng
        # Two parts of an estate never have the same new binary.
        self._numbers = count(_NEW + 1 + estate.number, estate.of)
        self._wide = 1 - 1 / estate.size.spread
        """The share of new binaries that come to more than one endpoint."""
        self._narrow = log1p(1 / max(estate.size.spread - 1, 1e-9))
        self._alike = {
            os: [sensor for sensor in estate.sensors if sensor.os == os] for os in estate.systems
        }
        self._ready: list[_Spread] = []

    def introduce(self, sensors: int) -> None:
        """Begin with a new binary that will come to that many endpoints."""
        self._ready.append(self._new(sensors))

    def next(self) -> Arrival:
        """The next arrival of some binary on some endpoint."""
        rng, ready = self._rng, self._ready
        if ready:
            at = int(rng.random() * len(ready))
            spread, ready[at] = ready[at], ready[-1]
            ready.pop()
        elif rng.random() < self._wide:
            spread = self._new(2 + int(rng.expovariate(self._narrow)))
        else:
            # Most come to one endpoint: nothing of them need be kept.
            binary, sensor = self._minted()
            return Arrival(binary, sensor, True, True, 1, rng.random() < _SCORED, _nothing)
        sensor = spread.sensors.pop()
        spread.hosts += 1
        spread.past.hostnames.append(sensor.hostname)
        first = new_group = spread.hosts == 1
        if first:
            if spread.sensors:
                spread.groups = {sensor.group}
        else:
            assert spread.groups is not None
            new_group = sensor.group not in spread.groups
            spread.groups.add(sensor.group)
            # The server said before that it was observed: no arrival waits for another.
            spread.told()
        return Arrival(
            spread.binary, sensor, first, new_group, spread.hosts, spread.scored, spread.told,
            spread.past,
        )  # fmt: skip

    def malware(self, sensor: Sensor) -> Arrival:
        """A new program that nobody knows, which came to that endpoint to run there."""
        binary = self._estate.software.malware(sensor.os, next(self._numbers))
        return Arrival(binary, sensor, True, True, 1, False, _nothing)

    def _new(self, sensors: int) -> _Spread:
        rng, (binary, first) = self._rng, self._minted()
        others = self._alike[first.os]
        chosen = rng.sample(others, min(sensors, len(others)))
        return _Spread(binary, chosen, self._ready, scored=rng.random() < _SCORED)

    def _minted(self) -> tuple[Binary, Sensor]:
        """A new binary, and some endpoint that it could come to."""
        every = self._estate.sensors
        sensor = every[int(self._rng.random() * len(every))]
        return self._estate.software.arriving(sensor.os, next(self._numbers)), sensor


def _nothing() -> None:
    """What follows for a binary that spreads no further."""
