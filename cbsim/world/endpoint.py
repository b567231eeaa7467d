"""What endpoints do, one raw event at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random

from cbsim.catalog import ServerVersion
from cbsim.world.drawing import BLOCK, drawn, one_of, picks
from cbsim.world.estate import Estate, Sensor
from cbsim.world.happening import Happening
from cbsim.world.lives import Lives, Maker
from cbsim.world.path import Paths
from cbsim.world.population import ACTIVE, Population
from cbsim.world.process import Deed, Process
from cbsim.world.raw import Call, Connection, RawWriter
from cbsim.world.software import Binary
from cbsim.world.vocabulary import Program

__all__ = ["WINDOWS_ONLY", "Endpoints", "Many", "ManyMaker", "each"]

WINDOWS_ONLY = frozenset(
    f"ingress.event.{name}"
    for name in (
        "regmod", "emetmitigation", "crossprocopen", "remotethread", "filelessscriptload"
    )
)  # fmt: skip
"""What only sensors of Windows tell of: captured traffic has none of it from elsewhere."""

_FILEMOD, _REGMOD = "ingress.event.filemod", "ingress.event.regmod"
_MODULELOAD = "ingress.event.moduleload"
_AMONG_ACTIVE = bytes(number % ACTIVE for number in range(256))
_TIMES = 2
"""How often a process goes through what it does to a file or key."""
_ANY_KEY = (r"\registry\user\{sid}\software\microsoft\windows\currentversion\explorer\{hex}",)
_ANY_FILE = {
    "windows": (r"c:\users\{user}\appdata\local\temp\{hex}.tmp",),
    "linux": ("/tmp/tmp.{hex}",),
    "osx": ("/private/var/folders/zz/{hex}/t/{hex}",),
}
"""What those write of whom the vocabulary says nothing."""
_CALLS = 32
"""How many connections a program makes."""
_THIRD_PARTY = 5
"""One load in that many is of what did not come with the system."""
_LOADS = 2048
_USED = 16
"""Of 256 new binaries, so many are used where they came to."""
_WAITING = 1000
_ACQUAINTED = 8
"""How many turns pass before it is looked up anew which processes run beside each other."""

_Load = tuple[int, bytes, bytes]
"""What a load says: for `Process.wide`, the path's guid, and what follows the header."""
_FileDeed = tuple[bytes, bytes]
"""What stands before and behind the guid of a file in its event."""
_FileLife = tuple[_FileDeed, ...]
_KEY_LIVES = [
    # What is done to keys, the last first: three in five are created, nearly three values written,
    # two values in five and one key in five deleted.
    (b"\x10\x04",) * (number // 5 % 5 > 3)
    + (b"\x10\x08",) * (number % 5 > 2)
    + (b"\x10\x02",) * (3 if number // 25 % 5 else 2)
    + (b"\x10\x01",) * (number // 2 % 5 < 3)
    for number in range(256)
]


Many = tuple[Iterable[bytes], Iterable[Sensor]]
"""The bodies of events of one name, and whose they are."""
ManyMaker = Callable[[Sequence[int], Sequence[int], Sequence[bytes]], Many]
"""Makes the events for some places in moments (FILETIME) and their varints."""


def each(make: Maker) -> ManyMaker:
    """Makes many one by one: still, code that runs again at once runs faster."""

    def makes(places: Sequence[int], moments: Sequence[int], stamps: Sequence[bytes]) -> Many:
        made = [it for at in places if (it := make(moments[at], stamps[at])) is not None]
        return [it[2] for it in made], [it[3] for it in made if it[3] is not None]

    return makes


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
        self.raw = RawWriter(version, rng)
        self.lives = Lives(estate, population, self.raw, version, published, rng)
        self._active, self._active_windows = population.active, population.active_windows
        self._one = one_of(rng, range(ACTIVE))
        self._paths = Paths(rng)
        self._own_load = lru_cache(maxsize=256)(
            lambda binary, user: self.raw.load(binary, scanned=True, own=True, user=user)
        )
        self._calls = lru_cache(maxsize=1024)(self._calls_of)
        self._loads = {os: drawn(self._loads_of(os)) for os in estate.libraries}
        self._file_lives = {
            os: (drawn(self._file_lives_of(os, 9)), drawn(self._file_lives_of(os, 10)))
            for os in estate.libraries
        }
        self._key_lives = drawn(lambda: picks(rng, _KEY_LIVES))
        makers: dict[str, Maker] = {
            "tamper": self._tamper, "filemod": self._filemod, "regmod": self._regmod,
            "moduleload": self._moduleload, "netconn": self._netconn,
            "crossprocopen": self._crossprocopen, "remotethread": self._remotethread,
            "processblock": self._processblock, "emetmitigation": self._emetmitigation,
            "filelessscriptload": self._filelessscriptload,
        }  # fmt: skip
        self._libraries: dict[Sensor, Binary] = {}
        """Libraries that came to a sensor and will be loaded there."""
        self._turns = 0
        self._neighbours: dict[Sensor, Process] = {}
        """For a sensor, a process that ran there some turns ago."""
        self._many = self._many_makers()
        self.makers = self.lives.makers | {
            f"ingress.event.{name}": maker for name, maker in makers.items()
        }

    # What most events are: made ahead for a file, a key or a binary, but for the moment.

    def many(self) -> Mapping[str, ManyMaker]:
        """The makers for many at a time of what can happen in this turn, by name."""
        self._turns += 1
        if not self._turns % _ACQUAINTED:
            # By now all of them were told of.
            self._neighbours = {it.sensor: it for it in self._population.windows}
        return self._many[bool(self._active) + bool(self._active_windows)]

    def _many_makers(self) -> tuple[dict[str, ManyMaker], ...]:
        """Those when no process is active, when some are, and when some on Windows are."""
        anywhere: dict[str, ManyMaker] = {
            _FILEMOD: self._filemods,
            _MODULELOAD: self._moduleloads,
        }
        windows: dict[str, ManyMaker] = {
            _REGMOD: self._regmods,
            "ingress.event.crossprocopen": each(self._crossprocopen),
            "ingress.event.remotethread": each(self._remotethread),
        }
        return {}, anywhere, anywhere | windows

    def _filemods(
        self, places: Sequence[int], moments: Sequence[int], stamps: Sequence[bytes]
    ) -> Many:
        active, numbers = self._active, self._numbers(len(places))
        for process, count, _ in _counted(active, numbers, moments[places[-1]]):
            process.filemod_count += count
            while len(process.filemods) < count:
                process.filemods[:0] = self._file(process) * _TIMES
        return _told([process.filemods.pop for process in active], numbers, places, stamps)

    def _regmods(
        self, places: Sequence[int], moments: Sequence[int], stamps: Sequence[bytes]
    ) -> Many:
        active, numbers = self._active_windows, self._numbers(len(places))
        for process, count, _ in _counted(active, numbers, moments[places[-1]]):
            process.regmod_count += count
            while len(process.regmods) < count:
                process.regmods[:0] = self._key(process) * _TIMES
        return _told([process.regmods.pop for process in active], numbers, places, stamps)

    def _moduleloads(
        self, places: Sequence[int], moments: Sequence[int], stamps: Sequence[bytes]
    ) -> Many:
        active, numbers, join = self._active, self._numbers(len(places)), b"".join
        loaders = [(it.wide, it.named, it.rest, it.env, self._loads[it.sensor.os]) for it in active]
        bodies = [
            join((wide[which], stamps[at], named, guid, rest, loaded, env))
            for at, (wide, named, rest, env, load) in zip(
                places, map(loaders.__getitem__, numbers), strict=True
            )
            for which, guid, loaded in (load(),)
        ]
        for process, count, first in _counted(active, numbers, moments[places[-1]]):
            if not process.modload_count:
                # The first is of its own image.
                which, guid, loaded = self._own_load(process.binary, process.sensor.user.name)
                bodies[first] = join((
                    process.wide[which], stamps[places[first]], process.named, guid, process.rest,
                    loaded, process.env,
                ))  # fmt: skip
            elif (libraries := self._libraries) and process.sensor in libraries:
                new = libraries.pop(process.sensor)
                which, guid, loaded = self.raw.load(
                    new, scanned=True, user=process.sensor.user.name
                )
                bodies[first] = join((
                    process.wide[which], stamps[places[first]], process.named, guid, process.rest,
                    loaded, process.env,
                ))  # fmt: skip
            process.modload_count += count
        return bodies, map([process.sensor for process in active].__getitem__, numbers)

    def _numbers(self, count: int) -> bytes:
        """Who of those that are active does it, for so many events."""
        return self._rng.randbytes(count).translate(_AMONG_ACTIVE)

    def _filemod(self, now: int, stamp: bytes) -> Happening | None:
        if not self._active and (cause := self.lives.first(now, stamp)):
            return cause
        return self.filemod(self._active[self._one()], now, stamp)

    def _regmod(self, now: int, stamp: bytes) -> Happening | None:
        if not self._active_windows and (cause := self.lives.first(now, stamp, windows=True)):
            return cause
        return self.regmod(self._active_windows[self._one()], now, stamp)

    def _moduleload(self, now: int, stamp: bytes) -> Happening | None:
        if not self._active and (cause := self.lives.first(now, stamp)):
            return cause
        (body,), (sensor,) = self._moduleloads((0,), (now,), (stamp,))
        return _MODULELOAD, _MODULELOAD, body, sensor

    def filemod(self, process: Process, now: int, stamp: bytes) -> Happening:
        """A process did something to a file that it did nothing to before."""
        process.filemod_count += 1
        process.last_update = now
        lead, tail, sensor = self._file(process)[-1]
        return _FILEMOD, _FILEMOD, lead + stamp + tail, sensor

    def regmod(self, process: Process, now: int, stamp: bytes) -> Happening:
        """A process changed the registry."""
        process.regmod_count += 1
        process.last_update = now
        lead, tail, sensor = self._key(process)[-1]
        return _REGMOD, _REGMOD, lead + stamp + tail, sensor

    def _file(self, process: Process) -> list[Deed]:
        """What a process will do to a file, the last first."""
        program = process.binary.program
        user = process.sensor.user
        templates = (program and program.files) or _ANY_FILE[process.sensor.os]
        files = self._paths.files(templates, user.name, user.sid)
        wide, draw, guid, deed_guid, entry, start, middle, end = files[
            int(self._random() * len(files))
        ]
        first, second, words = draw()
        guid = words + guid
        path = b"".join((process.named, guid, process.rest, entry, guid, start, first, middle,
                         second, end))  # fmt: skip
        lead, deed_guid, env, sensor = (
            process.wide[wide], words + deed_guid, process.env, process.sensor
        )  # fmt: skip
        return [
            (lead, path + before + deed_guid + behind + env, sensor)
            for before, behind in self._file_lives[sensor.os][wide]()
        ]

    def _key(self, process: Process) -> list[Deed]:
        """What a process will do to a registry key, the last first."""
        program, user = process.binary.program, process.sensor.user
        sid = user.sid.lower().encode()
        keys = self._paths.keys((program and program.keys) or _ANY_KEY, user.name, len(sid))
        draw, lead, guid, start, personal, after, middle, end = keys[
            int(self._random() * len(keys))
        ]
        first, second, words = draw()
        head = b"".join((process.plain, lead, words, guid))
        path = b"".join((start, sid if personal else b"", after, first, middle, second, end,
                         process.env))  # fmt: skip
        bare, sensor = process.bare, process.sensor
        return [(bare, head + deed + path, sensor) for deed in self._key_lives()]

    def _file_lives_of(self, os: str, guid: int) -> Callable[[], list[_FileLife]]:
        """What is done to files, the last first, for a guid of that many bytes.

        Each is created and written, four in seven are deleted, two in seven written to the end.
        """
        rng = self._rng

        def deed(action: int, more: bytes) -> _FileDeed:
            body = bytes((0x10, action)) + more
            return bytes((0x2A, 1 + guid + len(body), 0x08)), body

        lives: list[_FileLife] = []
        for number in range(256):
            actions = (4,) * (number % 7 < 4) + (8,) * (number // 7 % 7 < 2) + (2, 1)
            # Most say that it is no tampering.
            tails = [b"\x30\x00" if (number + one) % 25 > 3 else b"" for one in actions]
            lives.append(tuple(map(deed, actions, tails)))
        kind = b"\x28\x01" if os == "windows" else b"\x28\x02"

        def block() -> list[_FileLife]:
            drawn = picks(rng, lives)
            # Three deeds in a thousand: the sensor says what was written to the end.
            for at in range(0, BLOCK - 100, 115):
                more = b"\x22\x10" + rng.randbytes(16) + kind + b"\x30\x00"
                if self._sha256:
                    more += b"\x42\x20" + rng.randbytes(32)
                drawn[at + int(rng.random() * 100)] = (deed(8, more), *lives[6])
            return drawn

        return block

    def _loads_of(self, os: str) -> Callable[[], list[_Load]]:
        rng, load, software = self._rng, self.raw.load, self._estate.software
        known = self._estate.libraries[os]
        total = max(self._estate.size.binaries, len(known))
        common = [
            # Four in five were scanned.
            load(known[number * len(known) // 256], scanned=number % 5 > 0)
            for number in range(256)
        ]

        def minted(number: int) -> _Load:
            return load(software.minted(os, number), scanned=number % 100 < 81)

        third_party = lru_cache(maxsize=_LOADS)(minted)

        def block() -> list[_Load]:
            drawn, random = picks(rng, common), rng.random
            for at in range(0, BLOCK, _THIRD_PARTY):
                # Few are seen everywhere, and each of the many seldom (Zipf).
                number = int(total ** random())
                if number >= len(known):
                    drawn[at + int(random() * _THIRD_PARTY)] = third_party(number)
            return drawn

        return block

    def met(self, sensor: Sensor, binary: Binary) -> None:
        """A new binary came to an endpoint: some are loaded or run there afterwards."""
        if binary.sha256[0] < _USED:
            executable = binary.product.executable
            waiting = self.lives.programs if executable else self._libraries
            if len(waiting) < _WAITING:
                waiting[sensor] = binary

    # The rest, which is rare.

    def _netconn(self, now: int, stamp: bytes) -> Happening | None:
        def connect(process: Process) -> bytes:
            process.netconn_count += 1
            call = self._calls(process.binary.program)()
            local = 49152 + int(self._random() * 16000)
            return self.raw.netconn(process, call, local, stamp)

        return self._by_process("netconn", now, stamp, connect)

    def netconn(
        self, process: Process, connection: Connection, local_port: int, now: int, stamp: bytes
    ) -> Happening:
        """A process makes that connection."""
        process.netconn_count += 1
        process.last_update = now
        name, call = "ingress.event.netconn", self.raw.call(connection)
        return name, name, self.raw.netconn(process, call, local_port, stamp), process.sensor

    def _crossprocopen(self, now: int, stamp: bytes) -> Happening | None:
        def open_other(process: Process) -> bytes:
            process.crossproc_count += 1
            return self.raw.crossprocopen(process, self._neighbour(process), stamp)

        return self._by_process("crossprocopen", now, stamp, open_other, windows=True)

    def _remotethread(self, now: int, stamp: bytes) -> Happening | None:
        def thread(process: Process) -> bytes:
            process.crossproc_count += 1
            return self.raw.remotethread(process, self._neighbour(process), stamp)

        return self._by_process("remotethread", now, stamp, thread, windows=True)

    def _neighbour(self, process: Process) -> Process:
        """Another process that runs on the same endpoint; the parent where none is known."""
        other = self._neighbours.get(process.sensor)
        if other is None or other is process or other.ended:
            return process.parent or process
        return other

    def _processblock(self, now: int, stamp: bytes) -> Happening | None:
        def block(process: Process) -> bytes:
            process.processblock_count += 1
            banned = self._estate.library(process.sensor.os, self._rng.randrange(10**6))
            return self.raw.processblock(process, banned, stamp)

        return self._by_process("processblock", now, stamp, block)

    def _emetmitigation(self, now: int, stamp: bytes) -> Happening | None:
        def mitigate(process: Process) -> bytes:
            process.emet_count += 1
            return self.raw.emetmitigation(process, now, stamp)

        return self._by_process("emetmitigation", now, stamp, mitigate, windows=True)

    def _filelessscriptload(self, now: int, stamp: bytes) -> Happening | None:
        return self._by_process(
            "filelessscriptload", now, stamp,
            lambda process: self.raw.filelessscriptload(process, stamp), windows=True,
        )  # fmt: skip

    def _tamper(self, now: int, stamp: bytes) -> Happening:
        del now
        sensor, name = self._population.anywhere(), "ingress.event.tamper"
        return name, name, self.raw.tamper(sensor, stamp), sensor

    def _by_process(
        self, name: str, now: int, stamp: bytes, write: Callable[[Process], bytes], *,
        windows: bool = False,
    ) -> Happening | None:  # fmt: skip
        active = self._active_windows if windows else self._active
        if not active and (cause := self.lives.first(now, stamp, windows=windows)):
            return cause
        process = active[self._one()]
        if name == "netconn":
            process = next((it for it in active if it.image.calls), process)
        process.last_update = now
        key = f"ingress.event.{name}"
        return key, key, write(process), process.sensor

    def _calls_of(self, program: Program | None) -> Callable[[], Call]:
        """What a program's processes connect to."""
        rng, calls = self._rng, self._estate.calls(program) if program else ()
        return one_of(rng, [self.raw.call(self._connection(calls)) for _ in range(_CALLS)])

    def _connection(self, calls: Sequence[Connection]) -> Connection:
        rng, estate = self._rng, self._estate
        if not calls:
            return Connection("", rng.choice(estate.addresses), 443)
        call = rng.choice(calls)
        if self._network_v2 and rng.random() < 0.1:
            return Connection("", rng.choice(estate.addresses_v6), 443)
        return call._replace(proxied=call.outbound and call.host != "" and rng.random() < 0.04)


def _told(
    takes: Sequence[Callable[[], Deed]],
    numbers: bytes,
    places: Sequence[int],
    stamps: Sequence[bytes],
) -> Many:
    """What those with these numbers did, each at the moment of its place."""
    leads, tails, sensors = zip(*[takes[number]() for number in numbers], strict=True)
    return map(b"".join, zip(leads, map(stamps.__getitem__, places), tails, strict=True)), sensors


def _counted(
    active: Sequence[Process], numbers: bytes, last: int
) -> Iterator[tuple[Process, int, int]]:
    """Who did something, how often, and its first place; `last` is the moment that is noted.

    Where few processes run, one may be active under several numbers.
    """
    counts: dict[Process, tuple[int, int]] = {}
    for number, process in enumerate(active):
        if count := numbers.count(number):
            place = numbers.index(number)
            before, first = counts.get(process, (0, place))
            counts[process] = before + count, min(first, place)
    for process, (count, first) in counts.items():
        process.last_update = last
        yield process, count, first
