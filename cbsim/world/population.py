"""The processes of the estate: those that run, and those about to be told of."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from random import Random

from cbsim.wire.clock import TICKS
from cbsim.world.estate import Estate, Sensor
from cbsim.world.process import Process
from cbsim.world.software import Binary

__all__ = ["ACTIVE", "Population"]

ACTIVE = 16
"""How many processes do something in a turn; a power of two."""
_LIVE_PER_SENSOR = 6
_LIVE = 4000
_WAITING = 1000
_SHELLS = {"windows": "explorer.exe", "linux": "bash", "osx": "launchd"}
"""Who starts what somebody put on an endpoint."""


class Population:
    """Starts, remembers and ends processes. What it holds does not grow with the run."""

    def __init__(self, estate: Estate, rng: Random, *, sha256: bool) -> None:
        self._estate, self._rng, self._sha256 = estate, rng, sha256
        self._limit = min(_LIVE, _LIVE_PER_SENSOR * len(estate.sensors))
        self.live: list[Process] = []
        """Those that were told of, the oldest first."""
        self.windows: list[Process] = []
        """Those of `live` that run on Windows."""
        self.active: list[Process] = []
        """Those of `live` that do something in this turn; empty when none runs."""
        self.active_windows: list[Process] = []
        """Those of `windows` that do."""
        self.starting: deque[Process] = deque(maxlen=_WAITING)
        """Their parents' events told of them; their own start comes next."""
        self.reaping: deque[Process] = deque(maxlen=_WAITING)
        """They ended, and their parents have not heard of it yet."""
        self._salted = blake2b(b"%d:" % estate.seed, digest_size=24)
        self.root = lru_cache(maxsize=4096)(self._root)
        """A process that has been there since the endpoint started, by sensor and file name."""

    def turn(self) -> None:
        """Let others do something: a few are at it at a time, and then each does several things."""
        choices = self._rng.choices
        self.active[:] = choices(self.live, k=ACTIVE) if self.live else ()
        self.active_windows[:] = choices(self.windows, k=ACTIVE) if self.windows else ()

    def anywhere(self) -> Sensor:
        """Some sensor."""
        sensors = self._estate.sensors
        return sensors[int(self._rng.random() * len(sensors))]

    def spawn(
        self, sensor: Sensor, binary: Binary, now: int, stamp: bytes,
        parent: Process | None = None,
    ) -> Process:  # fmt: skip
        """A new process, not told of yet; without a parent, it gets the one its program names.

        `stamp` is the varint of `now`.
        """
        if parent is None:
            names = (binary.program and binary.program.parents) or (_SHELLS[sensor.os],)
            parent = self.root(sensor, names[int(self._rng.random() * len(names))])
        sensor.pid = pid = sensor.pid % 60000 + (4 if sensor.os == "windows" else 1)
        bits = self._rng.getrandbits(144)
        return Process(sensor, binary, parent, now, pid, bits, sha256=self._sha256, started=stamp)

    def begin(self, process: Process) -> None:
        """It was told of, and runs."""
        self.live.append(process)
        if process.sensor.os == "windows":
            self.windows.append(process)
        # Who was active when the turn began stays so: some of what they do is told of later in it.
        if not self.active:
            self.active[:] = [process] * ACTIVE
        if self.windows and not self.active_windows:
            self.active_windows[:] = [process] * ACTIVE
        if len(self.live) > self._limit:
            self._forget(self._limit // 8 or 1)

    def oldest(self) -> Process | None:
        """Take away the process that has run the longest and is not active; None if all are."""
        active, active_windows = self.active, self.active_windows
        for at, process in enumerate(self.live):
            if process not in active and process not in active_windows:
                del self.live[at]
                if process.sensor.os == "windows":
                    self.windows.remove(process)
                return process
        return None

    def _forget(self, count: int) -> None:
        """Past the estate's size the oldest processes run on, but are not heard of again."""
        active = {*self.active, *self.active_windows}
        past = set(islice((process for process in self.live if process not in active), count))
        self.live = [process for process in self.live if process not in past]
        self.windows = [process for process in self.windows if process not in past]

    def recent(self) -> Process:
        """Some process that runs, as the server knows it: a forked child goes by its parent."""
        process = self.live[int(self._rng.random() * len(self.live))]
        return process.forked_by or process

    def of(self, sensor: Sensor) -> Process | None:
        """The process of that sensor's that started last."""
        return next((it for it in reversed(self.live) if it.sensor is sensor), None)

    def young(self, sensor: Sensor) -> Process | None:
        """A process of that sensor's among those that started just now."""
        return next((it for it in reversed(self.live[-50:]) if it.sensor is sensor), None)

    def _root(self, sensor: Sensor, name: str) -> Process:
        # Forgotten and made again, it is the same.
        salted = self._salted.copy()
        salted.update(b"%d:%b" % (sensor.id, name.encode()))
        bits = int.from_bytes(salted.digest(), "little")
        booted = sensor.booted + (bits >> 144) % 600 * TICKS
        binary = self._estate.software.named(sensor.os, name)
        pid = 4 + (bits >> 160) % 280 * 4
        return Process(sensor, binary, None, booted, pid, bits, sha256=self._sha256)
