"""The world: decides what happens next on the estate, and what the server says of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from random import Random

from cbsim.catalog import NOTIFICATIONS
from cbsim.wire.clock import TICKS
from cbsim.wire.event import varint
from cbsim.world.agenda import Agenda
from cbsim.world.arrival import BinaryArrival
from cbsim.world.arrivals import Arrivals
from cbsim.world.endpoint import WINDOWS_ONLY, Endpoints, ManyMaker, each
from cbsim.world.estate import Estate, Feed, Report, Sensor, Watchlist
from cbsim.world.found import Found
from cbsim.world.happening import Happening
from cbsim.world.hits import HostHit, ProcessHit, Search, Synchronization, Teller
from cbsim.world.lives import Maker
from cbsim.world.population import Population
from cbsim.world.process import Process
from cbsim.world.raw import Connection, environment
from cbsim.world.server import Voice
from cbsim.world.setting import Server
from cbsim.world.upkeep import FailedTask, Partition

__all__ = ["World"]

_BY_SEARCH = ("feed.query", "watchlist.", "alert.watchlist.hit.query")


class World:
    """Says what happens next, one message at a time, for the names in `published`.

    What is not published happens all the same, in silence: a feed hit needs a process, whether or
    not the server exports process events.
    """

    def __init__(
        self, estate: Estate, server: Server, published: frozenset[str], seed: str, start: int
    ) -> None:
        self.estate, self._published = estate, published
        rng = self._rng = Random(f"{seed}:world")
        for sensor in estate.sensors:
            sensor.booted = start - rng.randrange(3600, 86400 * 20) * TICKS
            sensor.env = environment(sensor)
        self._population = Population(estate, rng, sha256=server.version.sha256)
        self._endpoints = Endpoints(estate, self._population, server.version, published, rng)
        self._arrivals = Arrivals(estate, rng)
        self._teller = Teller(estate, server, Voice(server, rng), self._endpoints, rng,
                              Found(rng))  # fmt: skip
        wait = server.latency
        self._process_hit, self._arrival = ProcessHit.steps(wait), BinaryArrival.steps(wait)
        self._announcement = BinaryArrival.announcement(wait)
        self._host_hit, self._synchronization = HostHit.steps(), Synchronization.steps()
        self._searches = Search.steps(wait)
        self._partition, self._failed_task = Partition.steps(), FailedTask.steps()
        self._agenda = Agenda(
            published,
            (self._process_hit, self._arrival, self._host_hit, self._synchronization,
             self._partition, self._failed_task, *self._searches),
        )  # fmt: skip
        self.urgent = self._agenda.urgent
        """What comes next, before anything else; each is called as a maker is."""
        self._wanted = self._agenda.wanted
        self.makers: dict[str, Maker] = {
            **self._endpoints.makers,
            "ingress.event.netconn": self._netconn,
            "ingress.event.module": self._module,
            **{name: partial(self._tell, name) for name in NOTIFICATIONS},
        }
        """By name, what makes a message at that moment (FILETIME, and as a varint), or the cause
        that must come first; None when it has to wait for something already on its way.
        """
        self._many: dict[str, ManyMaker] = {
            "ingress.event.netconn": each(self._netconn),
            "ingress.event.module": each(self._module),
        }
        self._systems = estate.systems

    @property
    def longest_turn(self) -> int:
        """How many messages a turn takes at most: the fewer run, the sooner others are active."""
        return 32 + 2 * len(self._population.live)

    def turn(self, now: int, count: int) -> Mapping[str, ManyMaker]:
        """Begin a turn of so many messages, in which a few processes are active and do not end.

        Gives the makers of events that, for moments of this turn, may be made all together after
        all others: by name; none while something else must come first.
        """
        self._endpoints.lives.silence(now, count)
        self._population.turn()
        many = self._endpoints.many()
        if self.urgent or not many:
            return {}
        return {
            name: make for name, make in {**many, **self._many}.items() if name in self._published
        }

    def can(self, name: str) -> bool:
        """Whether the estate has an endpoint on which such a thing happens."""
        return name not in WINDOWS_ONLY or "windows" in self._systems

    def emit(self, name: str, now: int, stamp: bytes, *, force: bool = False) -> Happening | None:
        """What comes first of all, or what the name's maker makes.

        `force`: rather than wait, send at once what is on its way to that name.
        """
        if self.urgent:
            return self.urgent.popleft()(now, stamp)
        happening = self.makers[name](now, stamp)
        if happening is None and force and (first := self._agenda.toward(name, now, due=False)):
            return self._agenda.take(first, now)
        return happening

    def due(self, name: str, now: int) -> bool:
        """Whether a message of that name can be sent now, with nothing before it."""
        if self._agenda.due(name, now):
            return True
        living = self._population.windows if name in WINDOWS_ONLY else self._population.live
        return bool(living) and name in self._endpoints.makers

    def hit(self, sensor: Sensor, feed: Feed, report: Report, now: int) -> None:
        """Let a sensor be hit by a report, at once."""
        process = self._population.of(sensor)
        if process is None:
            software, os = self.estate.software, sensor.os
            (program,) = self._rng.choices(software.programs[os], software.weights[os])
            process = self._population.spawn(sensor, program, now, varint(now))
            self._start(process)
        story = self._hit_by(process.forked_by or process, feed, report)
        self._agenda.interrupt(self._process_hit, story, now)

    def infect(self, sensor: Sensor, files: int, now: int) -> None:
        """Let ransomware run on one endpoint: it starts, encrypts files, connects, stays."""
        endpoints, urgent = self._endpoints, self.urgent
        arrived = self._arrivals.malware(sensor)
        # The sensor meets the file before it runs.
        self._agenda.interrupt(self._announcement, BinaryArrival(self._teller, arrived, now), now)
        process = self._population.spawn(sensor, arrived.binary, now, varint(now))
        self._start(process)
        if "ingress.event.filemod" in self._published:
            urgent.extend([partial(endpoints.filemod, process)] * files)
        if sensor.os == "windows" and "ingress.event.regmod" in self._published:
            urgent.append(partial(endpoints.regmod, process))
        feed, report = self.estate.report("tor")
        call = Connection("", report.ioc_value, self._rng.choice(feed.ports))
        story = ProcessHit(self._teller, process, feed, report, call, 50000 + sensor.id % 9999)
        self._agenda.interrupt(self._process_hit, story, now)

    def spread(self, sensors: int) -> None:
        """Let one new binary begin to spread over that many endpoints."""
        self._arrivals.introduce(min(sensors, len(self.estate.sensors)))

    def _start(self, process: Process) -> None:
        """Let a process start next, before anything else."""
        lives = self._endpoints.lives
        if "ingress.event.childproc" in self._published:
            self.urgent.append(partial(lives.child, process, created=True))
        if lives.started in self._published:
            self.urgent.append(partial(lives.begun, process))
        else:
            self._population.begin(process)

    def _netconn(self, now: int, stamp: bytes) -> Happening | None:
        name = "ingress.event.netconn"
        return self._agenda.taken(name, now) or self._endpoints.makers[name](now, stamp)

    def _module(self, now: int, stamp: bytes) -> Happening:
        name, agenda = "ingress.event.module", self._agenda
        if known := agenda.taken(name, now):
            return known
        arrived = self._arrivals.next()
        agenda.told(self._arrival, BinaryArrival(self._teller, arrived, now), now)
        self._endpoints.met(arrived.sensor, arrived.binary)
        body = self._endpoints.raw.module(arrived.sensor, arrived.binary, stamp)
        return name, name, body, arrived.sensor

    def _tell(self, name: str, now: int, stamp: bytes) -> Happening | None:
        """A message that follows from a story: of one that got there, or of a new one."""
        agenda = self._agenda
        if told := agenda.taken(name, now):
            return told
        if agenda.on_the_way(name) <= self._wanted[name]:
            self._cause(name, now, stamp)
            if self.urgent:
                # What the story is of must be told of first.
                self._wanted[name] += 1
                return self.urgent.popleft()(now, stamp)
            if told := agenda.taken(name, now):
                return told
        self._wanted[name] += 1
        first = agenda.toward(name, now)
        return None if first is None else agenda.take(first, now)

    def _cause(self, name: str, now: int, stamp: bytes) -> None:
        """Begin a story in which a message of that name comes."""
        rng, teller, begin = self._rng, self._teller, self._agenda.begin
        if name.endswith(".process"):
            if not self._ready(now, stamp):
                return
            process = self._population.recent()
            if name.startswith(_BY_SEARCH):
                watchlists = [it for it in self.estate.watchlists
                              if it.index == "process" and _finds(it, process)]  # fmt: skip
                search = Search(teller, process, teller.feed("query"), rng.choice(watchlists))
                for step in self._searches:
                    begin(step, search, now)
            else:
                odds = rng.random()
                # The hit of a program's MD5 follows its start at once: it is another hit where that
                # is yet to be told.
                kind = "ipv4" if odds < 0.55 else "dns" if odds < 0.9 or self.urgent else "md5"
                feed = teller.feed(kind)
                report = rng.choice(feed.reports)
                if feed.ioc_type == "md5":
                    md5 = process.image.md5
                    report = feed.about(md5)
                story = self._hit_by(process, feed, report)
                begin(self._process_hit, story, now)
        elif name in ("feed.synchronized", "cmd.feed.synchronize"):
            feed = rng.choice(self.estate.feeds)
            begin(self._synchronization, Synchronization(teller, feed), now)
        elif name.startswith("events.partition."):
            begin(self._partition, Partition(teller, now), now)
        elif name == "task.error.logged":
            begin(self._failed_task, FailedTask(teller), now)
        elif name.endswith(".host"):
            feed, sensor = teller.feed("dns"), self._population.anywhere()
            begin(self._host_hit, HostHit(teller, sensor, feed, rng.choice(feed.reports)), now)
        else:
            arrived = self._arrivals.next()
            begin(self._arrival, BinaryArrival(teller, arrived, now), now)
            if "ingress.event.module" not in self._published:
                self._endpoints.met(arrived.sensor, arrived.binary)

    def _ready(self, now: int, stamp: bytes) -> bool:
        """Whether some process was told of; if not, one starts, told of or in silence."""
        population, lives = self._population, self._endpoints.lives
        if not population.live and (cause := lives.first(now, stamp)):
            self.urgent.append(lambda _now, _stamp: cause)
            if population.starting:
                process = population.starting.popleft()
                self.urgent.append(partial(lives.begun, process))
        return bool(population.live)

    def _hit_by(self, process: Process, feed: Feed, report: Report) -> ProcessHit:
        local = 49152 + int(self._rng.random() * 16000)
        port = self._rng.choice(feed.ports or (443,))
        if report.ioc_type == "ipv4":
            call = Connection("", report.ioc_value, port)
        else:
            host = report.ioc_value if report.ioc_type == "dns" else ""
            call = Connection(host, self.estate.address(host), port)
        return ProcessHit(self._teller, process, feed, report, call, local)


def _finds(watchlist: Watchlist, process: Process) -> bool:
    """Whether a watchlist's query finds a process."""
    kind, _, part = watchlist.matches.partition(":")
    if kind == "cmdline":
        return part in process.cmdline.lower()
    if kind == "path":
        return part in process.path.lower()
    return kind == "start"
