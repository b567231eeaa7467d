"""The world: decides what happens next on the estate, and what the server says of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cbsim.catalog import NOTIFICATIONS, Dialect, ServerVersion, routing_key
from cbsim.errors import ScenarioError
from cbsim.wire.clock import TICKS, iso_time
from cbsim.wire.document import Renderer
from cbsim.world import facts
from cbsim.world.binaries import Arrivals
from cbsim.world.effect import Agenda, Effect, Happening
from cbsim.world.estate import Binary, Estate, Feed, Report, Sensor, Watchlist
from cbsim.world.facts import FactValues
from cbsim.world.process import Process
from cbsim.world.raw import Connection, Parts, RawWriter

__all__ = ["Latency", "Server", "World"]

_WINDOWS_ONLY = frozenset(
    f"ingress.event.{name}" for name in ("regmod", "emetmitigation", "remotethread")
)
_LIVE_PER_SENSOR = 6


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds between what an endpoint does and what the server says of it.

    A real server takes minutes; these are shortened so that a run of seconds sees them all.
    """

    store: float = 0.5
    storage: float = 1.0
    watchlist: float = 2.0
    query: float = 3.0


@dataclass(frozen=True, slots=True)
class Server:
    """The simulated server's voice."""

    version: ServerVersion = ServerVersion.V5_2
    dialect: Dialect = Dialect.OBSERVED
    name: str = "cbserver.example.com"
    latency: Latency = Latency()


class World:
    """Says what happens next, one message at a time, for the names in `published`.

    What is not published happens all the same, in silence: a feed hit needs a process, whether or
    not the server exports process events.
    """

    def __init__(
        self, estate: Estate, server: Server, published: frozenset[str], seed: int, start: int
    ) -> None:
        self.estate, self.server, self._published = estate, server, published
        self._rng = Random(f"{seed}:world")
        self._raw = RawWriter(estate, server.version, self._rng)
        self._agenda = Agenda(published)
        self._arrivals = Arrivals(estate, self._rng)
        self._wanted = dict.fromkeys(published, 0)
        self._live: list[Process] = []
        self._windows: list[Process] = []
        self._starting: deque[Process] = deque()
        self._reaping: deque[Process] = deque()
        self._roots: dict[tuple[int, str], Process] = {}
        self._renderers = {
            name: [
                Renderer(notification, server.dialect, server.version, form)
                for form in range(len(notification.forms_in(server.version)))
            ]
            for name, notification in NOTIFICATIONS.items()
        }
        for sensor in estate.sensors:
            sensor.booted = start - self._rng.randrange(3600, 86400 * 20) * TICKS
        self._systems = estate.systems
        raw: dict[str, Callable[[int], Happening | None]] = {
            "procstart": self._procstart, "process": self._procstart, "procend": self._procend,
            "childproc": self._childproc, "tamper": self._tamper, "filemod": self._filemod,
            "regmod": self._regmod, "moduleload": self._moduleload, "netconn": self._netconn,
            "crossprocopen": self._crossprocopen, "remotethread": self._remotethread,
            "processblock": self._processblock, "emetmitigation": self._emet,
            "filelessscriptload": self._script,
        }  # fmt: skip
        self._makers = {f"ingress.event.{name}": maker for name, maker in raw.items()}
        started = "procstart" if server.version.includes(ServerVersion.V5_2) else "process"
        self._started = f"ingress.event.{started}"

    def can(self, name: str) -> bool:
        """Whether the estate has an endpoint on which such a thing happens."""
        return name not in _WINDOWS_ONLY or "windows" in self._systems

    def emit(self, name: str, now: int, *, force: bool = False) -> Happening | None:
        """A message of that name at that moment (FILETIME), or the cause that must come first.

        None when it has to wait for something already on its way; `force` sends that at once.
        """
        agenda = self._agenda
        if (happening := agenda.urgent(now)) is not None:
            return happening
        if agenda.due(name, now):
            return self._served(name, now)
        maker = self._makers.get(name)
        if maker is not None:
            return maker(now)
        if agenda.promised[name] <= self._wanted[name]:
            self._cause(name, now)
            if agenda.due(name, now):
                return self._served(name, now)
        self._wanted[name] += 1
        first = agenda.toward(name, now) or (agenda.toward(name, now, due=False) if force else None)
        return None if first is None else self._served(first, now)

    def due(self, name: str, now: int) -> bool:
        """Whether a message of that name can be sent now, with nothing before it."""
        living = self._windows if name in _WINDOWS_ONLY else self._live
        return self._agenda.due(name, now) or (bool(living) and name in self._makers)

    def sensor(self, number: int) -> Sensor:
        """The sensor with that id; raises ScenarioError."""
        if not 1 <= number <= len(self.estate.sensors):
            raise ScenarioError(
                f"there is no sensor {number}: the estate has 1 to {len(self.estate.sensors)}"
            )
        return self.estate.sensors[number - 1]

    def report(self, identity: str) -> tuple[Feed, Report]:
        """A report by its id or its feed's name; raises ScenarioError."""
        for feed in self.estate.feeds:
            for report in feed.reports:
                if identity in (report.id, feed.name):
                    return feed, report
        known = ", ".join(feed.name for feed in self.estate.feeds)
        raise ScenarioError(f"there is no report {identity!r}: expected an id or a feed of {known}")

    def hit(self, sensor: Sensor, feed: Feed, report: Report, now: int) -> None:
        """Let a sensor be hit by a report, at once."""
        self._agenda.interrupt(self._flat(self._process_story(sensor, feed, report), now))

    def infect(self, sensor: Sensor, files: int, now: int) -> None:
        """Let ransomware run on one endpoint: it starts, encrypts files, connects, stays."""
        binary = self._arrivals.malware()
        process = self._spawn(sensor, binary, now)
        feed, report = self.report("tor")
        call = Connection("", report.ioc_value, 9001, 50000 + sensor.id % 9999)
        steps: list[tuple[str, Callable[[int], Parts]]] = [
            (
                "childproc",
                lambda at: self._raw.childproc(_parent(process), process, at, created=True),
            ),
            (self._started.rpartition(".")[2], lambda at: self._begun(process, at)),
        ]
        steps += [("filemod", lambda at: self._raw.filemod(process, at)) for _ in range(files)]
        if sensor.os == "windows":
            steps.append(("regmod", lambda at: self._raw.regmod(process, at)))
        steps.append(("netconn", lambda at: self._raw.netconn(process, call, at)))
        effects = [self._raw_effect(name, sensor, make) for name, make in steps]
        hit = self._hit_chain(process, feed, report, _attributes(process, call))
        self._agenda.interrupt([*effects, *self._flat(hit, now)])

    def spread(self, now: int, sensors: int) -> None:
        """Let one new binary begin to spread over that many endpoints."""
        del now
        self._arrivals.introduce(min(sensors, len(self.estate.sensors)))

    # What endpoints do, one raw event at a time.

    def _raw_happening(self, name: str, sensor: Sensor, parts: Parts) -> Happening:
        return Happening(name, name, sensor=sensor, parts=parts)

    def _raw_effect(
        self, name: str, sensor: Sensor, make: Callable[[int], Parts], *then: Effect, delay: int = 0
    ) -> Effect:
        key = f"ingress.event.{name}"
        return Effect(
            key, delay, lambda at: Happening(key, key, sensor=sensor, parts=make(at)), then
        )

    def _childproc(self, now: int) -> Happening:
        rng = self._rng
        if self._reaping and (rng.random() < 0.35 or self._starting):
            process = self._reaping.popleft()
            parts = self._raw.childproc(_parent(process), process, now, created=False)
            return self._raw_happening("ingress.event.childproc", process.sensor, parts)
        sensor, how = self._any_sensor(), "exec"
        parent = None
        odds = rng.random()
        if sensor.os != "windows" and odds < 0.3 and (parent := self._one_of(sensor)):
            how = "fork" if odds < 0.2 else "other_exec"
        elif (
            sensor.os != "linux"
            and odds > 0.96
            and self.server.version.includes(ServerVersion.V5_2)
        ):
            how = "suppressed"
        binary = parent.binary if parent else rng.choice(self.estate.programs[sensor.os])
        process = self._spawn(sensor, binary, now, parent)
        context = _parent(process)
        context.childproc_count += 1
        if how == "exec" or how == "other_exec":
            self._starting.append(process)
        if how == "fork":
            context.fork_pid = process.pid
        parts = self._raw.childproc(context, process, now, created=True, how=how)
        return self._raw_happening("ingress.event.childproc", sensor, parts)

    def _procstart(self, now: int) -> Happening:
        if not self._starting:
            if "ingress.event.childproc" in self._published:
                sensor = self._any_sensor()
                binary = self._rng.choice(self.estate.programs[sensor.os])
                process = self._spawn(sensor, binary, now)
                self._starting.append(process)
                context = _parent(process)
                context.childproc_count += 1
                parts = self._raw.childproc(context, process, now, created=True)
                return self._raw_happening("ingress.event.childproc", sensor, parts)
            self._childproc(now)
            while not self._starting:
                self._childproc(now)
        process = self._starting.popleft()
        return self._raw_happening(self._started, process.sensor, self._begun(process, now))

    def _begun(self, process: Process, now: int) -> Parts:
        self._live.append(process)
        if process.sensor.os == "windows":
            self._windows.append(process)
        # Processes past the estate's size run on, but are not heard of again.
        limit = min(4000, _LIVE_PER_SENSOR * len(self.estate.sensors))
        for living in (self._live, self._windows):
            if len(living) > limit:
                del living[: limit // 8 or 1]
        return self._raw.process(process, now)

    def _procend(self, now: int) -> Happening | None:
        if not self._live:
            return self._cause_process(now)
        process = self._live.pop(0)
        if process in self._windows:
            self._windows.remove(process)
        process.ended = True
        self._reaping.append(process)
        if len(self._reaping) > 1000:
            self._reaping.popleft()
        parts = self._raw.procend(process, now)
        return self._raw_happening("ingress.event.procend", process.sensor, parts)

    def _filemod(self, now: int) -> Happening | None:
        return self._by_process("filemod", now, lambda it: self._raw.filemod(it, now))

    def _regmod(self, now: int) -> Happening | None:
        return self._by_process("regmod", now, lambda it: self._raw.regmod(it, now), windows=True)

    def _moduleload(self, now: int) -> Happening | None:
        def load(process: Process) -> Parts:
            os = process.sensor.os
            known = len(self.estate.libraries[os])
            number = self._rng.randrange(max(known, self.estate.size.binaries))
            # Four loads in five are of what came with the system.
            number = number if self._rng.random() < 0.2 else number % known
            own = process.modload_count == 0
            binary = process.binary if own else self.estate.library(os, number)
            return self._raw.moduleload(process, binary, now)

        return self._by_process("moduleload", now, load)

    def _netconn(self, now: int) -> Happening | None:
        return self._by_process(
            "netconn", now, lambda it: self._raw.netconn(it, self._connection(it), now)
        )

    def _crossprocopen(self, now: int) -> Happening | None:
        return self._by_process(
            "crossprocopen",
            now,
            lambda it: self._raw.crossprocopen(it, self._neighbour(it), now),
        )

    def _remotethread(self, now: int) -> Happening | None:
        return self._by_process(
            "remotethread",
            now,
            lambda it: self._raw.remotethread(it, self._neighbour(it), now),
            windows=True,
        )

    def _processblock(self, now: int) -> Happening | None:
        def block(process: Process) -> Parts:
            banned = self.estate.library(process.sensor.os, self._rng.randrange(10**6))
            return self._raw.processblock(process, banned, now)

        return self._by_process("processblock", now, block)

    def _emet(self, now: int) -> Happening | None:
        return self._by_process(
            "emetmitigation", now, lambda it: self._raw.emetmitigation(it, now), windows=True
        )

    def _script(self, now: int) -> Happening | None:
        return self._by_process(
            "filelessscriptload", now, lambda it: self._raw.filelessscriptload(it, now)
        )

    def _tamper(self, now: int) -> Happening:
        sensor = self._any_sensor()
        return self._raw_happening("ingress.event.tamper", sensor, self._raw.tamper(now))

    def _by_process(
        self, name: str, now: int, make: Callable[[Process], Parts], *, windows: bool = False
    ) -> Happening | None:
        living = self._windows if windows else self._live
        if not living:
            cause = self._cause_process(now, windows=windows)
            if cause is not None:
                return cause
        process = living[int(self._rng.random() * len(living))]
        return self._raw_happening(f"ingress.event.{name}", process.sensor, make(process))

    def _cause_process(self, now: int, *, windows: bool = False) -> Happening | None:
        """Start a process; None when it started in silence and is there now."""
        while True:
            cause = self._procstart(now)
            if cause.name in self._published:
                return cause
            if self._windows if windows else self._live:
                return None

    # Who and what.

    def _any_sensor(self) -> Sensor:
        sensors = self.estate.sensors
        return sensors[int(self._rng.random() * len(sensors))]

    def _one_of(self, sensor: Sensor) -> Process | None:
        return next((it for it in reversed(self._live[-50:]) if it.sensor is sensor), None)

    def _neighbour(self, process: Process) -> Process:
        parent = process.parent
        return parent if parent is not None else process

    def _spawn(
        self, sensor: Sensor, binary: Binary, now: int, parent: Process | None = None
    ) -> Process:
        if parent is None:
            name = binary.program.parent if binary.program else "explorer.exe"
            parent = self._root(sensor, name)
        sha256 = self.server.version.sha256
        return Process(sensor, binary, parent, now, self._rng, sha256=sha256)

    def _root(self, sensor: Sensor, name: str) -> Process:
        """A process that has been there since the endpoint started."""
        known = self._roots.get((sensor.id, name))
        if known is None:
            binary = self._arrivals.system(sensor.os, name)
            booted = sensor.booted + len(self._roots) % 600 * TICKS
            known = Process(
                sensor, binary, None, booted, self._rng, sha256=self.server.version.sha256
            )
            self._roots[sensor.id, name] = known
        return known

    def _connection(self, process: Process) -> Connection:
        rng = self._rng
        program = process.binary.program
        ports = program.ports if program else (443,)
        local = 49152 + int(rng.random() * 16000)
        odds = rng.random()
        if self.server.version.network_v2 and odds < 0.1:
            return Connection("", rng.choice(self.estate.addresses_v6), 443, local)
        host = rng.choice(self.estate.hosts) if odds < 0.85 else ""
        address = rng.choice(self.estate.addresses)
        if odds > 0.97:
            return Connection(host, address, 53, local, udp=True)
        port = ports[int(rng.random() * len(ports))]
        return Connection(host, address, port, local, odds < 0.93, False, 0.4 < odds < 0.44)

    # What the server says of it.

    def _served(self, name: str, now: int) -> Happening:
        if self._wanted[name]:
            self._wanted[name] -= 1
        return self._agenda.take(name, now)

    def _notify(
        self, name: str, now: int, stated: FactValues, documents: tuple[FactValues, ...] = ()
    ) -> Happening:
        renderers = self._renderers[name]
        form = renderers[0 if len(renderers) == 1 or self._rng.random() < 0.75 else 1]
        server = self.server
        stated |= {"cb_version": server.version.cb_version, "server_name": server.name}
        if self._rng.random() < 0.0025 and isinstance(stated.get("event_timestamp"), float):
            stated["event_timestamp"] = now // TICKS - 11_644_473_600
        notification = NOTIFICATIONS[name]
        identity = stated.get(notification.database_id or "", 0)
        assert isinstance(identity, int)
        body = form.message(stated, [form.document(document) for document in documents])
        return Happening(name, routing_key(notification, server.version, identity), body)

    def _effect(
        self, name: str, delay: float, make: Callable[[int], Happening], *then: Effect
    ) -> Effect:
        return Effect(name, int(delay * TICKS), make, then)

    def _flat(self, chain: Effect, now: int) -> list[Effect]:
        """A chain whose published part comes at once; what comes later goes on the agenda."""
        later = [effect for effect in chain.then if effect.delay]
        at_once = [effect for effect in chain.then if not effect.delay]
        self._agenda.start(later, now)
        flat = [Effect(chain.name, 0, chain.make)]
        if chain.name not in self._published:
            chain.make(now)
        for effect in at_once:
            flat += self._flat(effect, now)
        return flat

    def _cause(self, name: str, now: int) -> None:
        if name.endswith(".process") and self._ready_process(now):
            if name.startswith(("feed.query", "watchlist.", "alert.watchlist.hit.query")):
                self._agenda.start(self._searched(self._recent()), now, name)
            else:
                feed = self._feed_of("ipv4" if self._rng.random() < 0.6 else "dns")
                report = self._rng.choice(feed.reports)
                self._agenda.start([self._process_story(None, feed, report)], now, name)
        elif name in ("feed.synchronized", "cmd.feed.synchronize"):
            self._agenda.start([self._synchronize()], now, name)
        elif name.endswith(".host"):
            self._agenda.start([self._host_story()], now, name)
        elif not name.endswith(".process"):
            self._agenda.start([self._binary_story(now)], now, name)

    def _ready_process(self, now: int) -> bool:
        """Whether some process was told of; if not, one starts, told of or in silence."""
        if self._live:
            return True
        cause = self._cause_process(now)
        if cause is not None:
            self._agenda.interrupt([Effect(cause.name, 0, lambda _: cause)])
            if self._starting:
                process = self._starting.popleft()
                self._agenda.interrupt(
                    [self._raw_effect(self._started.rpartition(".")[2], process.sensor,
                                      lambda at: self._begun(process, at))]
                )  # fmt: skip
        return bool(self._live)

    def _recent(self) -> Process:
        return self._live[int(self._rng.random() * len(self._live))]

    def _feed_of(self, ioc_type: str) -> Feed:
        return self._rng.choice([feed for feed in self.estate.feeds if feed.ioc_type == ioc_type])

    def _process_story(self, sensor: Sensor | None, feed: Feed, report: Report) -> Effect:
        own = [it for it in self._live if it.sensor is sensor] if sensor else []
        process = own[-1] if own else self._recent() if sensor is None else None
        if process is None:
            assert sensor is not None
            program = self._rng.choice(self.estate.programs[sensor.os])
            process = self._spawn(sensor, program, sensor.booted + 60 * TICKS)
            self._live.append(process)
        local = 49152 + int(self._rng.random() * 16000)
        host = report.ioc_value if report.ioc_type == "dns" else ""
        address = report.ioc_value
        if report.ioc_type != "ipv4":
            address = self._rng.choice(self.estate.addresses)
        call = Connection(host, address, 443 if host else 9001, local)
        it = process
        hit = self._hit_chain(it, feed, report, _attributes(it, call))
        return self._raw_effect(
            "netconn", it.sensor, lambda at: self._raw.netconn(it, call, at), hit
        )

    def _hit_chain(
        self, process: Process, feed: Feed, report: Report, attributes: FactValues
    ) -> Effect:
        server, sensor = self.server, process.sensor

        def stated(at: int) -> FactValues:
            facts_of = facts.feed_hit(feed, report, sensor, at, attributes)
            key = process.key
            return facts_of | {"process_id": key, "process_guid": key, "segment_id": 1}

        def document(at: int) -> FactValues:
            known = facts.process_document(process, server.version, self._rng)
            return known | facts.scores(feed, report, at)

        def alarm(at: int) -> Happening:
            name = "alert.watchlist.hit.ingress.process"
            said = facts.alert("watchlist.hit.ingress.process", sensor, at, report.score, self._rng)
            return self._notify(name, at, self._about(process) | said | _from_feed(feed, report)
                                | {"ioc_attr": attributes})  # fmt: skip

        ingress, storage = "feed.ingress.hit.process", "feed.storage.hit.process"
        typed = {"type": ingress}
        return self._effect(
            ingress, 0, lambda at: self._notify(ingress, at, stated(at) | typed),
            self._effect(
                storage, server.latency.storage,
                lambda at: self._notify(storage, at, stated(at), (document(at),)),
            ),
            self._effect("alert.watchlist.hit.ingress.process", 0.2, alarm),
        )  # fmt: skip

    def _about(self, process: Process) -> FactValues:
        known = facts.process_document(process, self.server.version, self._rng)
        return known | {
            "comms_ip": process.sensor.comms_ip,
            "interface_ip": process.sensor.ip,
            "md5": process.binary.md5.lower(),
            "process_id": process.key,
            "process_path": process.path,
        }

    def _searched(self, process: Process) -> list[Effect]:
        """A process that a watchlist's and a feed's query find later."""
        server, sensor, rng = self.server, process.sensor, self._rng
        watchlist = rng.choice([it for it in self.estate.watchlists if _finds(it, process)])
        feed = self._feed_of("query")
        # A query feed's report is known by what it looks for, so it reads the same every time.
        query = f"cb.urlver=1&q=process_name%3A{process.name}"
        report = Report(f"{process.name}_proc", "query", query, 75)
        marked = {"highlights": [f"PREPREPRE{process.name}POSTPOSTPOST"]}

        def document(at: int) -> FactValues:
            known = facts.process_document(process, server.version, rng)
            known["watchlist_<id>"] = {f"watchlist_{watchlist.id}": iso_time(at)}
            if rng.random() < 0.75:
                known |= facts.scores(self.estate.feeds[2], self.estate.feeds[2].reports[0], at)
            return known

        def hit(name: str) -> Callable[[int], Happening]:
            def make(at: int) -> Happening:
                said = facts.watchlist_hit(watchlist, at) | {"process_id": process.key}
                return self._notify(name, at, said, (document(at),))

            return make

        def queried(at: int) -> Happening:
            said = facts.feed_hit(feed, report, sensor, at, dict(marked))
            said |= {"process_id": process.key, "segment_id": facts.segment_of(process)}
            return self._notify("feed.query.hit.process", at, said, (document(at),))

        def alarm(at: int) -> Happening:
            said = facts.alert("watchlist.hit.query.process", sensor, at, 75, rng)
            said |= _from_watchlist(watchlist) | {"ioc_attr": marked, "ioc_type": "query"}
            return self._notify(
                "alert.watchlist.hit.query.process", at, self._about(process) | said
            )

        wait = server.latency
        return [
            self._effect(
                "watchlist.storage.hit.process", wait.storage, hit("watchlist.storage.hit.process"),
                self._effect("watchlist.hit.process", max(0.0, wait.watchlist - wait.storage),
                             hit("watchlist.hit.process")),
                self._effect("alert.watchlist.hit.query.process",
                             max(0.0, wait.watchlist - wait.storage), alarm),
            ),
            self._effect("feed.query.hit.process", wait.query, queried),
        ]  # fmt: skip

    def _host_story(self) -> Effect:
        sensor, feed = self._any_sensor(), self._feed_of("dns")
        report = self._rng.choice(feed.reports)
        attributes: FactValues = {"dns_name": report.ioc_value, "direction": "Outbound"}
        ingress, alarm = "feed.ingress.hit.host", "alert.watchlist.hit.ingress.host"

        def alarmed(at: int) -> Happening:
            said = facts.alert("watchlist.hit.ingress.host", sensor, at, report.score, self._rng)
            said |= _from_feed(feed, report) | {"ioc_attr": attributes}
            return self._notify(alarm, at, said)

        return self._effect(
            ingress,
            0,
            lambda at: self._notify(
                ingress, at, facts.feed_hit(feed, report, sensor, at, attributes)
            ),
            self._effect(alarm, 0.2, alarmed),
        )

    def _synchronize(self) -> Effect:
        feed = self._rng.choice(self.estate.feeds)

        def told(at: int) -> Happening:
            said = {"feed_id": feed.id, "full_sync": False}
            return self._notify("cmd.feed.synchronize", at, said | facts.moment(at))

        def done(at: int) -> Happening:
            began = None if self._rng.random() < 0.25 else at // TICKS - 11_644_473_600
            said = {"feed_id": feed.id, "feed_name": feed.name, "scan_start_time": began}
            said |= {"feed_update_time": iso_time(at)}
            return self._notify("feed.synchronized", at, said | facts.moment(at))

        return self._effect(
            "cmd.feed.synchronize", 0, told, self._effect("feed.synchronized", 0.5, done)
        )

    def _binary_story(self, now: int) -> Effect:
        """A binary comes to one more endpoint, and everything that is said of it."""
        arrived = self._arrivals.next()
        binary, sensor, rng, wait = arrived.binary, arrived.sensor, self._rng, self.server.latency
        feed = self._feed_of("md5")
        report = Report(binary.md5.lower(), "md5", binary.md5.lower(), 16)
        by_name = {it.name: it for it in self.estate.watchlists}
        title = "Newly Arrived Executables" if binary.executable else "Newly Loaded Modules"
        watchlist = by_name["Unsigned binaries" if binary.digsig == "Unsigned" else title]
        query = self._feed_of("query")
        wanted = f"cb.urlver=1&q=is_executable_image%3A{str(binary.executable).lower()}"
        query_report = Report(title, "query", wanted, 50)
        seen: FactValues = {f"alliance_score_{feed.name}": 16} if arrived.scored else {}
        started = now

        def observed(name: str) -> Callable[[int], Happening]:
            return lambda at: self._notify(name, at, facts.arrival(binary, sensor, at, dict(seen)))

        def first_seen(at: int) -> Happening:
            arrived.told()
            return observed("binaryinfo.observed")(at)

        def document(at: int) -> FactValues:
            known = facts.binary_document(
                binary, sensor, started, arrived.hosts, self.server.version
            )
            known["watchlist_<id>"] = {f"watchlist_{watchlist.id}": iso_time(at)}
            return known | (facts.scores(feed, report, at) if arrived.scored else {})

        def hit(name: str, of: Feed, by: Report) -> Callable[[int], Happening]:
            def make(at: int) -> Happening:
                said = facts.feed_hit(of, by, sensor, at, {}) | {"md5": binary.md5}
                documents = () if "ingress" in name else (document(at) | facts.scores(of, by, at),)
                return self._notify(name, at, said, documents)

            return make

        def found(name: str) -> Callable[[int], Happening]:
            def make(at: int) -> Happening:
                said = facts.watchlist_hit(watchlist, at) | {"md5": binary.md5}
                return self._notify(name, at, said, (document(at),))

            return make

        def alarm(kind: str, said: FactValues) -> Callable[[int], Happening]:
            def make(at: int) -> Happening:
                base = facts.alert(f"watchlist.hit.{kind}.binary", sensor, at, 75, rng) | said
                base |= {"md5": binary.md5, "digsig_result": binary.digsig, "os_type": binary.os}
                base |= {"observed_filename": [binary.path], "observed_filename_total_count": 1}
                base |= {"host_count": arrived.hosts, "other_hostnames": []}
                return self._notify(f"alert.watchlist.hit.{kind}.binary", at, base)

            return make

        by_query = _from_watchlist(watchlist) | {"ioc_type": "query"}
        after = [
            self._effect("watchlist.storage.hit.binary", wait.storage,
                         found("watchlist.storage.hit.binary"),
                         self._effect("watchlist.hit.binary", max(0, wait.watchlist - wait.storage),
                                      found("watchlist.hit.binary")),
                         self._effect("alert.watchlist.hit.query.binary",
                                      max(0, wait.watchlist - wait.storage),
                                      alarm("query", by_query))),
            self._effect("feed.query.hit.binary", wait.query,
                         hit("feed.query.hit.binary", query, query_report)),
            self._effect("feed.ingress.hit.binary", 0, hit("feed.ingress.hit.binary", feed, report),
                         self._effect("alert.watchlist.hit.ingress.binary", 0.2,
                                      alarm("ingress", _from_feed(feed, report))),
                         self._effect("feed.storage.hit.binary", wait.storage,
                                      hit("feed.storage.hit.binary", feed, report))),
        ]  # fmt: skip
        if arrived.first_in_group:
            after.insert(0, self._effect("binaryinfo.group.observed", 0,
                                         observed("binaryinfo.group.observed")))  # fmt: skip
        host = self._effect("binaryinfo.host.observed", 0, observed("binaryinfo.host.observed"),
                            *after)  # fmt: skip
        if arrived.first:
            store = self._effect("binarystore.file.added", wait.store,
                                 observed("binarystore.file.added"))  # fmt: skip
            host = self._effect("binaryinfo.observed", 0, first_seen, host,
                                store)  # fmt: skip
        return self._raw_effect("module", sensor, lambda at: self._raw.module(binary, at), host)


def _finds(watchlist: Watchlist, process: Process) -> bool:
    """Whether a watchlist's query finds a process."""
    return {
        "Newly Executed Applications": True,
        "Non-System Filemods to system32": process.filemod_count > 0
        and process.sensor.os == "windows",
        "PowerShell with a hidden window": "hidden" in process.cmdline,
        "Autoruns": process.regmod_count > 0,
    }.get(watchlist.name, False)


def _parent(process: Process) -> Process:
    assert process.parent is not None
    return process.parent


def _attributes(process: Process, call: Connection) -> FactValues:
    attributes: FactValues = {
        "direction": "Outbound",
        "protocol": "TCP",
        "port": call.port,
        "remote_port": call.port,
        "local_port": call.local_port,
        "remote_ip": call.address,
        "local_ip": process.sensor.ip,
    }
    return attributes | ({"dns_name": call.host} if call.host else {})


def _from_feed(feed: Feed, report: Report) -> FactValues:
    return {
        "feed_id": feed.id,
        "feed_name": feed.name,
        "ioc_type": report.ioc_type,
        "ioc_value": report.ioc_value,
        "report_score": report.score,
        "watchlist_id": feed.id,
        "watchlist_name": report.id,
    }


def _from_watchlist(watchlist: Watchlist) -> FactValues:
    return {
        "feed_id": -1,
        "feed_name": "My Watchlists",
        "watchlist_id": watchlist.id,
        "watchlist_name": watchlist.name,
    }
