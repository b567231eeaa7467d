"""What endpoints do, one raw event at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from random import Random

from cbsim.catalog import ServerVersion
from cbsim.world.drawing import BLOCK, drawn, picks
from cbsim.world.estate import Estate, Sensor
from cbsim.world.happening import Happening
from cbsim.world.path import FilePath, KeyPath, Paths
from cbsim.world.population import Population
from cbsim.world.process import Process
from cbsim.world.raw import Connection, Pieces, RawWriter

__all__ = ["WINDOWS_ONLY", "Endpoints"]

WINDOWS_ONLY = frozenset(
    f"ingress.event.{name}" for name in ("regmod", "emetmitigation", "remotethread")
)

_CHILDPROC, _FILEMOD = "ingress.event.childproc", "ingress.event.filemod"
_MODULELOAD, _REGMOD = "ingress.event.moduleload", "ingress.event.regmod"
_FILEMODS = {1: 35, 2: 35, 4: 20, 8: 10}
_REGMODS = {1: 15, 2: 70, 4: 5, 8: 10}
_THIRD_PARTY = 5
"""One load in that many is of what did not come with the system."""
_LOADS = 2048

_Load = tuple[int, bytes, bytes]
"""What a load says: for `Process.wide`, the path's guid, and what follows the header."""
_Deed = tuple[bytes, bytes]
"""What stands before and behind the guid of a file in its event."""


class Endpoints:
    """Lets some endpoint do something, and says so.

    Each maker takes the moment (FILETIME) and its varint. Makers of events that a process causes
    start one when none runs: they give the event that says so, when that is published.
    """

    def __init__(
        self,
        estate: Estate,
        population: Population,
        version: ServerVersion,
        published: frozenset[str],
        rng: Random,
    ) -> None:
        self._estate, self._population, self._published = estate, population, published
        self._rng, self._random = rng, rng.random
        self._network_v2, self._sha256 = version.network_v2, version.sha256
        self._suppresses = version.includes(ServerVersion.V5_2)
        self.raw = RawWriter(version, rng)
        self._live, self._windows = population.live, population.windows
        self._paths = Paths(rng)
        self._loads = {os: drawn(self._loads_of(os)) for os in estate.libraries}
        self._deeds = {
            os: (drawn(self._deeds_of(os, 9)), drawn(self._deeds_of(os, 10)))
            for os in estate.libraries
        }
        key_deeds = [b"\x10" + bytes((action,)) for action in _shared_out(_REGMODS)]
        self._key_deeds = drawn(lambda: picks(rng, key_deeds))
        started = "procstart" if version.includes(ServerVersion.V5_2) else "process"
        self.started = f"ingress.event.{started}"
        """What a process's own start is told as."""
        makers: dict[str, Callable[[int, bytes], Happening | None]] = {
            started: self._procstart, "procend": self._procend, "childproc": self._childproc,
            "tamper": self._tamper, "filemod": self._filemod, "regmod": self._regmod,
            "moduleload": self._moduleload, "netconn": self._netconn,
            "crossprocopen": self._crossprocopen, "remotethread": self._remotethread,
            "processblock": self._processblock, "emetmitigation": self._emetmitigation,
            "filelessscriptload": self._filelessscriptload,
        }  # fmt: skip
        self.makers = {f"ingress.event.{name}": maker for name, maker in makers.items()}

    # What most events are. A process's encoded parts, a path's or a binary's, and nothing else.

    def _filemod(self, now: int, stamp: bytes) -> Happening | None:
        live = self._live
        if not live and (cause := self.first(now, stamp)):
            return cause
        process = live[int(self._random() * len(live))]
        return self.filemod(process, now, stamp)

    def filemod(self, process: Process, now: int, stamp: bytes) -> Happening:
        """A process created, first wrote, last wrote or deleted a file."""
        files = process.files or self._files(process)
        path = files[int(self._random() * len(files))]
        wide = path.wide
        first, second, words = path.draw()
        before, behind = self._deeds[process.sensor.os][wide]()
        process.filemod_count += 1
        process.last_update = now
        guid = path.guid
        return _FILEMOD, _FILEMOD, (
            process.wide[wide], stamp, process.named, words, guid, process.rest,
            path.entry, words, guid, path.start, first, path.middle, second, path.end,
            before, words, path.deed_guid, behind, process.env,
        ), process.sensor  # fmt: skip

    def _moduleload(self, now: int, stamp: bytes) -> Happening | None:
        live = self._live
        if not live and (cause := self.first(now, stamp)):
            return cause
        process = live[int(self._random() * len(live))]
        if process.modload_count:
            wide, guid, load = self._loads[process.sensor.os]()
        else:
            # The first is of its own image.
            scanned = self._random() < 0.81
            wide, guid, load = self.raw.load(process.binary, scanned=scanned, own=True)
        process.modload_count += 1
        process.last_update = now
        return _MODULELOAD, _MODULELOAD, (
            process.wide[wide], stamp, process.named, guid, process.rest, load, process.env,
        ), process.sensor  # fmt: skip

    def _regmod(self, now: int, stamp: bytes) -> Happening | None:
        windows = self._windows
        if not windows and (cause := self.first(now, stamp, windows=True)):
            return cause
        return self.regmod(windows[int(self._random() * len(windows))], now, stamp)

    def regmod(self, process: Process, now: int, stamp: bytes) -> Happening:
        """A process changed the registry."""
        keys = process.keys or self._keys(process)
        path = keys[int(self._random() * len(keys))]
        first, second, words = path.draw()
        process.regmod_count += 1
        process.last_update = now
        return _REGMOD, _REGMOD, (
            process.bare, stamp, process.plain, path.lead, words, path.guid, self._key_deeds(),
            path.start, path.sid, path.after, first, path.middle, second, path.end, process.env,
        ), process.sensor  # fmt: skip

    def _files(self, process: Process) -> tuple[FilePath, ...]:
        program, user = process.binary.program, process.sensor.user.name
        if program is None:
            process.files = (self._paths.own_file(process.path + ".{h}"),)
        else:
            process.files = tuple(self._paths.file(one, user) for one in program.files)
        return process.files

    def _keys(self, process: Process) -> tuple[KeyPath, ...]:
        program, sid = process.binary.program, process.sensor.user.sid.lower().encode()
        keys = program.registry if program else ()
        keys = keys or (r"\registry\machine\software\vendor\{h}",)
        process.keys = tuple(self._paths.key(one, sid) for one in keys)
        return process.keys

    def _deeds_of(self, os: str, guid: int) -> Callable[[], list[_Deed]]:
        """Filemods around a guid of that many bytes: create, write, delete, last write."""
        rng = self._rng

        def deed(action: int, *, told: bool) -> _Deed:
            # Most say that it is no tampering.
            body = bytes((0x10, action)) + (b"\x30\x00" if told else b"")
            return bytes((0x2A, 1 + guid + len(body), 0x08)), body

        deeds = [
            deed(action, told=number % 25 > 3)
            for number, action in enumerate(_shared_out(_FILEMODS))
        ]
        kind = b"\x28\x01" if os == "windows" else b"\x28\x02"

        def block() -> list[_Deed]:
            drawn = picks(rng, deeds)
            # Three last writes in a thousand files: the sensor says what was written.
            for at in range(0, BLOCK - 300, 333):
                body = b"\x10\x08\x22\x10" + rng.randbytes(16) + kind + b"\x30\x00"
                if self._sha256:
                    body += b"\x42\x20" + rng.randbytes(32)
                size = 1 + guid + len(body)
                drawn[at + int(rng.random() * 300)] = bytes((0x2A, size, 0x08)), body
            return drawn

        return block

    def _loads_of(self, os: str) -> Callable[[], list[_Load]]:
        rng, load, software = self._rng, self.raw.load, self._estate.software
        known = self._estate.libraries[os]
        total = max(self._estate.size.binaries, len(known))
        common = [
            # Four in five were scanned.
            load(known[number % len(known)], scanned=number // len(known) % 5 > 0)
            for number in range(256)
        ]

        @lru_cache(maxsize=_LOADS)
        def third_party(number: int) -> _Load:
            return load(software.minted(os, number), scanned=number % 100 < 81)

        def block() -> list[_Load]:
            drawn, random = picks(rng, common), rng.random
            for at in range(0, BLOCK, _THIRD_PARTY):
                # Few are seen everywhere, and each of the many seldom (Zipf).
                number = int(total ** random())
                if number >= len(known):
                    drawn[at + int(random() * _THIRD_PARTY)] = third_party(number)
            return drawn

        return block

    # The lives of processes.

    def first(self, now: int, stamp: bytes, *, windows: bool = False) -> Happening | None:
        """Start a process where none runs; None when it started in silence and runs now."""
        while True:
            cause = self._procstart(now, stamp)
            if cause[0] in self._published:
                return cause
            if self._windows if windows else self._live:
                return None

    def begun(self, process: Process, now: int, stamp: bytes) -> Happening:
        """A process starts, by its own account."""
        self._population.begin(process)
        process.last_update = now
        return self.started, self.started, self.raw.process(process, stamp), process.sensor

    def child(
        self, process: Process, now: int, stamp: bytes, *, created: bool, how: str = "exec"
    ) -> Happening:
        """A process starts or ends, by its parent's account."""
        parent = process.parent
        assert parent is not None
        parent.last_update = now
        if created:
            parent.childproc_count += 1
        pieces = self.raw.childproc(parent, process, stamp, created=created, how=how)
        return _CHILDPROC, _CHILDPROC, pieces, process.sensor

    def _procstart(self, now: int, stamp: bytes) -> Happening:
        starting = self._population.starting
        if not starting and _CHILDPROC in self._published:
            process = self._exec(now)
            starting.append(process)
            return self.child(process, now, stamp, created=True)
        while not starting:
            self._childproc(now, stamp)
        return self.begun(starting.popleft(), now, stamp)

    def _childproc(self, now: int, stamp: bytes) -> Happening:
        rng, population = self._rng, self._population
        if population.reaping and (population.starting or rng.random() < 0.35):
            process = population.reaping.popleft()
            return self.child(process, now, stamp, created=False)
        sensor, odds = population.anywhere(), rng.random()
        if sensor.os != "windows" and odds < 0.3 and (parent := population.young(sensor)):
            parent = parent.forked_by or parent
            child = population.spawn(sensor, parent.binary, now, parent)
            if odds < 0.2:
                population.begin(parent.fork(child.pid))
                return self.child(child, now, stamp, created=True, how="fork")
            population.starting.append(child)
            return self.child(child, now, stamp, created=True, how="other_exec")
        process = self._exec(now, sensor)
        if sensor.os != "linux" and odds > 0.96 and self._suppresses:
            return self.child(process, now, stamp, created=True, how="suppressed")
        population.starting.append(process)
        return self.child(process, now, stamp, created=True)

    def _exec(self, now: int, sensor: Sensor | None = None) -> Process:
        sensor = sensor or self._population.anywhere()
        binary = self._rng.choice(self._estate.programs[sensor.os])
        return self._population.spawn(sensor, binary, now)

    def _procend(self, now: int, stamp: bytes) -> Happening | None:
        population = self._population
        while self._live:
            process = population.oldest()
            if process.forked_by is None:
                population.reaping.append(process)
                process.last_update = now
                name = "ingress.event.procend"
                return name, name, self.raw.procend(process, stamp), process.sensor
        return self.first(now, stamp)

    # The rest, which is rare.

    def _netconn(self, now: int, stamp: bytes) -> Happening | None:
        def connect(process: Process) -> Pieces:
            process.netconn_count += 1
            return self.raw.netconn(process, self._connection(process), stamp)

        return self._by_process("netconn", now, stamp, connect)

    def netconn(self, process: Process, call: Connection, now: int, stamp: bytes) -> Happening:
        """A process makes that connection."""
        process.netconn_count += 1
        process.last_update = now
        name = "ingress.event.netconn"
        return name, name, self.raw.netconn(process, call, stamp), process.sensor

    def _crossprocopen(self, now: int, stamp: bytes) -> Happening | None:
        def open_other(process: Process) -> Pieces:
            process.crossproc_count += 1
            return self.raw.crossprocopen(process, process.parent or process, stamp)

        return self._by_process("crossprocopen", now, stamp, open_other)

    def _remotethread(self, now: int, stamp: bytes) -> Happening | None:
        def thread(process: Process) -> Pieces:
            process.crossproc_count += 1
            return self.raw.remotethread(process, process.parent or process, stamp)

        return self._by_process("remotethread", now, stamp, thread, windows=True)

    def _processblock(self, now: int, stamp: bytes) -> Happening | None:
        def block(process: Process) -> Pieces:
            banned = self._estate.library(process.sensor.os, self._rng.randrange(10**6))
            return self.raw.processblock(process, banned, now, stamp)

        return self._by_process("processblock", now, stamp, block)

    def _emetmitigation(self, now: int, stamp: bytes) -> Happening | None:
        return self._by_process(
            "emetmitigation", now, stamp,
            lambda process: self.raw.emetmitigation(process, now, stamp), windows=True,
        )  # fmt: skip

    def _filelessscriptload(self, now: int, stamp: bytes) -> Happening | None:
        return self._by_process(
            "filelessscriptload", now, stamp,
            lambda process: self.raw.filelessscriptload(process, stamp),
        )  # fmt: skip

    def _tamper(self, now: int, stamp: bytes) -> Happening:
        del now
        sensor, name = self._population.anywhere(), "ingress.event.tamper"
        return name, name, self.raw.tamper(sensor, stamp), sensor

    def _by_process(
        self, name: str, now: int, stamp: bytes, write: Callable[[Process], Pieces], *,
        windows: bool = False,
    ) -> Happening | None:  # fmt: skip
        living = self._windows if windows else self._live
        if not living and (cause := self.first(now, stamp, windows=windows)):
            return cause
        process = living[int(self._random() * len(living))]
        process.last_update = now
        key = f"ingress.event.{name}"
        return key, key, write(process), process.sensor

    def _connection(self, process: Process) -> Connection:
        rng, estate = self._rng, self._estate
        program = process.binary.program
        ports = program.ports if program else (443,)
        local, odds = 49152 + int(rng.random() * 16000), rng.random()
        if self._network_v2 and odds < 0.1:
            return Connection("", rng.choice(estate.addresses_v6), 443, local)
        host = rng.choice(estate.hosts) if odds < 0.85 else ""
        address = rng.choice(estate.addresses)
        if odds > 0.97:
            return Connection(host, address, 53, local, udp=True)
        port = ports[int(rng.random() * len(ports))]
        return Connection(host, address, port, local, odds < 0.93, False, 0.4 < odds < 0.44)


def _shared_out(odds: Mapping[int, int]) -> list[int]:
    """256 actions, each as often as its odds in a hundred say."""
    actions = [action for action, many in odds.items() for _ in range(many)]
    return [actions[number * 100 // 256] for number in range(256)]
