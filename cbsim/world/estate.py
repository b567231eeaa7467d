"""The simulated estate, built once from a seed: sensors, users, binaries, feeds, watchlists."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import quote
from zlib import crc32

from cbsim.errors import ScenarioError
from cbsim.wire.event import text_field
from cbsim.world.connection import Connection
from cbsim.world.setting import EstateSize
from cbsim.world.software import Binary, Software
from cbsim.world.vocabulary import Connection as Kind
from cbsim.world.vocabulary import Feed as FeedRow
from cbsim.world.vocabulary import Program, feeds, watchlists
from cbsim.world.vocabulary import Report as ReportRow

if TYPE_CHECKING:
    from faker import Faker

__all__ = ["Estate", "Feed", "Report", "Sensor", "User", "Watchlist"]

_FIRST_FEED = 14
"""The id of the first feed; those before it are the server's own."""
_LAN, _NEAR = 256, 4
"""How many endpoints others call, and how many of them call one program. It calls one itself."""
_GROUPS = ("Default Group", "Workstations", "Servers", "Finance", "Engineering", "Build Farm",
           "Executives", "Laboratory", "Branch Office", "Contractors")  # fmt: skip


@dataclass(frozen=True)
class User:
    """An account and its security identifier."""

    name: str
    account: str
    """As events name it: `DOMAIN\\user`, or `user` on POSIX."""
    sid: str

    @cached_property
    def fields(self) -> bytes:
        """`process.uid` and `username`."""
        return text_field(14, self.sid) + text_field(15, self.account)


@dataclass(slots=True, eq=False)
class Sensor:
    """One endpoint."""

    id: int
    hostname: str
    os: str
    host_type: str
    group: str
    user: User
    ip: str
    comms_ip: str
    pid: int
    """The last pid it gave to a process."""
    booted: int = 0
    """FILETIME of its start; set when the world begins."""
    env: bytes = b""
    """The `env` field of its events, once one was written."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A threat report: its id and one IOC."""

    id: str
    ioc_type: str
    ioc_value: str
    score: int
    title: str = ""
    link: str = ""
    """Where a person reads more of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """A feed and its reports."""

    id: int
    name: str
    ioc_type: str
    reports: tuple[Report, ...]
    ports: tuple[int, ...] = ()
    """Where its addresses and domains are met."""
    provider_url: str = ""
    rows: tuple[ReportRow, ...] = ()
    """What its reports say, as the vocabulary has them."""

    def about(self, ioc: str) -> Report:
        """What this feed says of an IOC of its type: always the same."""
        row = self.rows[crc32(ioc.encode()) % len(self.rows)]
        return _report(row, self.ioc_type, ioc)


@dataclass(frozen=True, slots=True, eq=False)
class Watchlist:
    """A saved query over processes or binaries."""

    id: int
    name: str
    index: str
    query: str
    matches: str = ""
    """What must have happened, in the words of the vocabulary."""


class Estate:
    """Everything that is there before anything happens. The same seed gives the same estate."""

    def __init__(self, size: EstateSize, seed: int) -> None:
        # Faker costs a third of a second to import: only runs pay for it.
        from faker import Faker

        self.size, self.seed = size, seed
        self.number, self.of = 0, 1
        """Which part of a divided estate this is, and of how many."""
        faker = Faker("en_US")
        faker.seed_instance(seed)
        rng = Random(f"{seed}:estate")
        self._names = [faker.unique.user_name() for _ in range(min(400, max(20, size.sensors)))]
        self.addresses = [faker.ipv4_public() for _ in range(100)]
        self.addresses_v6 = [faker.ipv6() for _ in range(20)]
        self.domain = faker.domain_word().upper()[:12]
        self.groups = [*_GROUPS[: size.groups]]
        self.groups += [
            f"Group {number}" for number in range(len(self.groups) + 1, size.groups + 1)
        ]
        self.sensors = self._sensors(rng)
        self.software = Software(seed, self.systems)
        self.programs, self.libraries = self.software.programs, self.software.libraries
        self._lan = [sensor.ip for sensor in self.sensors[:_LAN]]
        self.calls = lru_cache(maxsize=1024)(self._calls)
        """The connections that a program makes or takes; none if it makes none."""
        self.feeds = [_feed(_FIRST_FEED + at, row, faker, rng) for at, row in enumerate(feeds())]
        self.feeds_of = {
            ioc_type: [feed for feed in self.feeds if feed.ioc_type == ioc_type]
            for ioc_type in {feed.ioc_type for feed in self.feeds}
        }
        self.watchlists = [
            Watchlist(number, row.name, row.index, row.query, row.matches)
            for number, row in enumerate(watchlists(), 2)
        ]
        self._by_name = {watchlist.name: watchlist for watchlist in self.watchlists}

    @property
    def systems(self) -> frozenset[str]:
        """The operating systems that some sensor runs."""
        return frozenset(sensor.os for sensor in self.sensors)

    def part(self, sensors: Sequence[Sensor], number: int, of: int) -> Estate:
        """The same estate with some of its sensors, in the order of their ids: a part of so many.

        What is new to one part is never new to another.
        """
        part = copy(self)
        part.sensors, part.number, part.of = [*sensors], number, of
        return part

    def owns(self, sensor: int) -> bool:
        """Whether the sensor with that id is of this part."""
        at = bisect_left(self.sensors, sensor, key=lambda it: it.id)
        return at < len(self.sensors) and self.sensors[at].id == sensor

    def sensor(self, number: int) -> Sensor:
        """The sensor with that id; raises ScenarioError."""
        if not self.owns(number):
            raise ScenarioError(
                f"there is no sensor {number}: the estate has 1 to {self.size.sensors}"
            )
        return self.sensors[bisect_left(self.sensors, number, key=lambda it: it.id)]

    def report(self, identity: str) -> tuple[Feed, Report]:
        """A report by its id or its feed's name; raises ScenarioError."""
        for feed in self.feeds:
            for report in feed.reports:
                if identity in (report.id, feed.name):
                    return feed, report
        known = ", ".join(feed.name for feed in self.feeds)
        raise ScenarioError(f"there is no report {identity!r}: expected an id or a feed of {known}")

    def watchlist(self, name: str) -> Watchlist:
        """The watchlist of that name."""
        return self._by_name[name]

    def library(self, os: str, number: int) -> Binary:
        """One of the estate's libraries for an operating system; any number will do."""
        known = self.libraries[os]
        number %= max(len(known), self.size.binaries)
        return known[number] if number < len(known) else self.software.minted(os, number)

    def _sensors(self, rng: Random) -> list[Sensor]:
        mix = self.size.os.model_dump()
        names, weights = [*mix], [*mix.values()]
        sites = ("NYC", "SEA", "LON", "BER", "SYD", "HQ")
        issuing = "-".join(str(rng.randrange(10**8, 2**32)) for _ in range(3))
        sensors = []
        for number in range(1, self.size.sensors + 1):
            os = rng.choices(names, weights)[0]
            name, site = rng.choice(self._names), rng.choice(sites)
            server = rng.random() < (0.8 if os == "linux" else 0.15)
            hostname = {
                "windows": f"{site}-{'SRV' if server else 'WS'}-{number:04d}",
                "linux": f"{site.lower()}-{'build' if server else 'dev'}-{number:04d}",
                "osx": f"{name.upper()}-MBP-{number:04d}",
            }[os]
            kind = "server" if server else "workstation"
            if os == "windows" and server and rng.random() < 0.1:
                kind, hostname = "domain_controller", f"{site}-DC-{number:04d}"
            account = f"{self.domain}\\{name}" if os == "windows" else name
            sid = f"S-1-5-21-{issuing}-{1000 + number}" if os == "windows" else str(500 + number)
            sensors.append(
                Sensor(
                    id=number,
                    hostname=hostname,
                    os=os,
                    host_type=kind,
                    group=self.groups[rng.randrange(len(self.groups))],
                    user=User(name, account, sid),
                    ip=f"10.{rng.randrange(8)}.{number >> 8 & 255}.{number & 255}",
                    comms_ip=f"172.22.{rng.randrange(16)}.{rng.randrange(1, 255)}",
                    pid=rng.randrange(300, 900) * 4,
                )
            )
        return sensors

    def _calls(self, program: Program) -> tuple[Connection, ...]:
        return tuple([
            Connection(host, address, call.port, not call.inbound, call.protocol == "udp")
            for call in program.connections
            for host in call.hosts
            for address in (self._near(program.path, call) if not host
                            else (self.address(host),))
        ])  # fmt: skip

    def address(self, host: str) -> str:
        """The public address of a host on the internet: the same in all of a run."""
        return _public(Random(f"{self.seed}:address {host}"))

    def _near(self, path: str, call: Kind) -> list[str]:
        """Some endpoints of the estate's own network."""
        rng = Random(f"{self.seed}:near {path} {call.port}")
        return rng.sample(self._lan, min(_NEAR if call.inbound else 1, len(self._lan)))


def _public(rng: Random) -> str:
    """An IPv4 address that somebody on the internet may have."""
    while True:
        address = ip_address(rng.getrandbits(32))
        if address.is_global and not address.is_multicast:
            return str(address)


def _feed(number: int, row: FeedRow, faker: Faker, rng: Random) -> Feed:
    reports = tuple([
        _report(one, row.ioc_type, _ioc(one.ioc, faker, rng)) for one in row.reports
    ])  # fmt: skip
    return Feed(number, row.name, row.ioc_type, reports, row.ports, row.provider_url, row.reports)


def _ioc(template: str, faker: Faker, rng: Random) -> str:
    if template == "{ipv4}":
        return _public(rng)
    if template == "{dns}":
        return str(faker.domain_name())
    if template == "{md5}":
        return rng.randbytes(16).hex()
    if template.startswith("q="):
        return "cb.urlver=1&q=" + quote(template.removeprefix("q="))
    return template


def _report(row: ReportRow, ioc_type: str, ioc: str) -> Report:
    identity, title, link = (text.replace("{ioc}", ioc) for text in (row.id, row.title, row.link))
    return Report(identity, ioc_type, ioc, row.score, title, link)
