"""The lives of processes: how they start and end, by their own account or their parent's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from cbsim.catalog import ServerVersion
from cbsim.wire.event import varint
from cbsim.world.drawing import weighted
from cbsim.world.estate import Estate, Sensor
from cbsim.world.happening import Happening
from cbsim.world.population import ACTIVE, Population
from cbsim.world.process import Process
from cbsim.world.raw import RawWriter
from cbsim.world.software import Binary

__all__ = ["Lives", "Maker"]

_CHILDPROC, _PROCEND = "ingress.event.childproc", "ingress.event.procend"
_BIRTHS = 0.05
"""How many processes start, unless that is published, for each message."""
_DEEDS = (
    ("moduleload", "modload", 60), ("filemod", "filemod", 20), ("regmod", "regmod", 20),
    ("netconn", "netconn", 6), ("crossprocopen", "crossproc", 6),
)  # fmt: skip
"""What processes do unless it is published, their counter of it, and the most of it in a turn."""
_SHELLS = {"windows": "explorer.exe", "linux": "bash", "osx": "launchd"}
"""Who starts what somebody put on an endpoint."""

Maker = Callable[[int, bytes], Happening | None]
"""Makes an event for a moment (FILETIME) and its varint, or the one that must come first."""


class Lives:
    """Lets processes start and end, and says so where that is published."""

    def __init__(
        self,
        estate: Estate,
        population: Population,
        raw: RawWriter,
        version: ServerVersion,
        published: frozenset[str],
        rng: Random,
    ) -> None:
        self._population, self._raw = population, raw
        self._published, self._rng, self._random = published, rng, rng.random
        self._suppresses = version.includes(ServerVersion.V5_2)
        self.programs: dict[Sensor, Binary] = {}
        """Programs that came to a sensor and will be run there."""
        started = "procstart" if version.includes(ServerVersion.V5_2) else "process"
        self.started = f"ingress.event.{started}"
        """What a process's own start is told as."""
        self._silent_births = not published.intersection((self.started, _CHILDPROC))
        self._silent_deeds = [
            (f"{deed}_count", most) for name, deed, most in _DEEDS
            if f"ingress.event.{name}" not in published
        ]  # fmt: skip
        self._unborn = 0.0
        software = estate.software
        self._chosen = {
            os: weighted(rng, dict(zip(programs, software.weights[os], strict=True)))
            for os, programs in software.programs.items()
        }
        self.makers: dict[str, Maker] = {
            self.started: self._procstart, _PROCEND: self._procend, _CHILDPROC: self._childproc,
        }  # fmt: skip

    def silence(self, now: int, count: int) -> None:
        """What happens up to that moment and is not published, in a turn of so many messages.

        Processes start that nobody is told of, and do what nobody is told of, so that the data
        store knows of as many, and as much, as with all events published.
        """
        deeds, population = self._silent_deeds, self._population
        if self._silent_births:
            self._unborn = max(self._unborn + count * _BIRTHS, ACTIVE - len(population.live))
            while self._unborn >= 1:
                self._unborn -= 1
                process = self._born(now, varint(now))
                population.begin(process)
                self._did(process, now, deeds)
        if deeds:
            for process in self._population.active:
                self._did(process, now, deeds)

    def first(self, now: int, stamp: bytes, *, windows: bool = False) -> Happening | None:
        """Start a process where none runs; None when it started in silence and runs now."""
        while True:
            cause = self._procstart(now, stamp)
            if cause[0] in self._published:
                return cause
            if self._population.active_windows if windows else self._population.active:
                return None

    def begun(self, process: Process, now: int, stamp: bytes) -> Happening:
        """A process starts, by its own account."""
        self._population.begin(process)
        process.last_update = now
        return self.started, self.started, self._raw.process(process, stamp), process.sensor

    def child(
        self, process: Process, now: int, stamp: bytes, *, created: bool, how: str = "exec"
    ) -> Happening:
        """A process starts or ends, by its parent's account."""
        parent = process.parent
        assert parent is not None
        parent.last_update = now
        if created:
            parent.childproc_count += 1
        body = self._raw.childproc(parent, process, stamp, created=created, how=how)
        return _CHILDPROC, _CHILDPROC, body, process.sensor

    def _did(self, process: Process, now: int, deeds: Sequence[tuple[str, int]]) -> None:
        random, windows = self._random, process.sensor.os == "windows"
        for counter, most in deeds:
            if windows or counter not in ("regmod_count", "crossproc_count"):
                setattr(process, counter, getattr(process, counter) + int(most * random() ** 3))
        process.last_update = now

    def _procstart(self, now: int, stamp: bytes) -> Happening:
        starting = self._population.starting
        if not starting and _CHILDPROC in self._published:
            process = self._exec(now, stamp)
            self._starts(process)
            return self.child(process, now, stamp, created=True)
        if not starting:
            starting.append(self._born(now, stamp))
        return self.begun(starting.popleft(), now, stamp)

    def _childproc(self, now: int, stamp: bytes) -> Happening:
        rng, population = self._rng, self._population
        if population.reaping and (population.starting or rng.random() < 0.35):
            process = population.reaping.popleft()
            return self.child(process, now, stamp, created=False)
        sensor, odds = population.anywhere(), rng.random()
        if sensor.os != "windows" and odds < 0.3 and (parent := population.young(sensor)):
            parent = parent.forked_by or parent
            child = population.spawn(sensor, parent.binary, now, stamp, parent)
            if odds < 0.2:
                population.begin(parent.fork(child.pid))
                return self.child(child, now, stamp, created=True, how="fork")
            self._starts(child)
            return self.child(child, now, stamp, created=True, how="other_exec")
        process = self._exec(now, stamp, sensor)
        if sensor.os != "linux" and odds > 0.96 and self._suppresses:
            return self.child(process, now, stamp, created=True, how="suppressed")
        self._starts(process)
        return self.child(process, now, stamp, created=True)

    def _born(self, now: int, stamp: bytes) -> Process:
        """A process of which its parent does not tell."""
        process = self._exec(now, stamp)
        assert process.parent is not None
        process.parent.childproc_count += 1
        return process

    def _starts(self, process: Process) -> None:
        """Its parent told of it; its own start comes later, or is not published."""
        if self.started in self._published:
            self._population.starting.append(process)
        else:
            self._population.begin(process)

    def _exec(self, now: int, stamp: bytes, sensor: Sensor | None = None) -> Process:
        sensor = sensor or self._population.anywhere()
        if self.programs and (new := self.programs.pop(sensor, None)):
            parent = self._population.root(sensor, _SHELLS[sensor.os])
            return self._population.spawn(sensor, new, now, stamp, parent)
        return self._population.spawn(sensor, self._chosen[sensor.os](), now, stamp)

    def _procend(self, now: int, stamp: bytes) -> Happening | None:
        population = self._population
        while process := population.oldest():
            if process.forked_by is None:
                population.reaping.append(process)
                process.last_update, process.ended = now, True
                return _PROCEND, _PROCEND, self._raw.procend(process, stamp), process.sensor
        return self.first(now, stamp)
