"""The simulated estate, built once from a seed: sensors, users, binaries, feeds, watchlists."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from cbsim.catalog import DIGSIG_RESULTS
from cbsim.world.vocabulary import FEEDS, MODULES, PROGRAMS, WATCHLISTS, Program

if TYPE_CHECKING:
    from faker import Faker

__all__ = ["Binary", "Estate", "EstateSize", "Feed", "Report", "Sensor", "Watchlist"]

_OS_NAMES = {"windows": "Windows", "linux": "Linux", "osx": "Osx"}
_GROUPS = ("Default Group", "Workstations", "Servers", "Finance", "Engineering", "Build Farm",
           "Executives", "Laboratory", "Branch Office", "Contractors")  # fmt: skip


@dataclass(frozen=True, slots=True)
class EstateSize:
    """How large the estate is and what it runs."""

    sensors: int = 50
    binaries: int = 1000
    groups: int = 4
    os_mix: Mapping[str, float] = field(
        default_factory=lambda: {"windows": 8, "linux": 1, "osx": 1}
    )
    """Relative weights of `windows`, `linux` and `osx`."""
    spread: float = 1.1
    """How many endpoints a new binary comes to, on average."""


@dataclass(frozen=True, slots=True)
class User:
    """An account and its security identifier."""

    name: str
    account: str
    """As events name it: `DOMAIN\\user`, or `user` on POSIX."""
    sid: str


@dataclass(slots=True)
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


@dataclass(frozen=True, slots=True)
class Binary:
    """A file that can be run or loaded. `md5` is upper-case hex."""

    md5: str
    sha256: bytes
    path: str
    os: str
    size: int
    executable: bool
    company: str
    product: str
    description: str
    version: str
    digsig: str
    comments: str
    private_build: str
    issuer: str
    icon: bytes
    program: Program | None = None

    @property
    def filename(self) -> str:
        """The last part of its path."""
        return self.path.replace("\\", "/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Report:
    """A threat report: its id and one IOC."""

    id: str
    ioc_type: str
    ioc_value: str
    score: int


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed and its reports."""

    id: int
    name: str
    ioc_type: str
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A saved query over processes or binaries."""

    id: int
    name: str
    index: str
    query: str


class Estate:
    """Everything that is there before anything happens. The same seed gives the same estate."""

    def __init__(self, size: EstateSize, seed: int) -> None:
        # Faker costs a third of a second to import: only runs pay for it.
        from faker import Faker

        self.size, self.seed = size, seed
        faker = Faker("en_US")
        faker.seed_instance(seed)
        rng = Random(f"{seed}:estate")
        self._names = [faker.unique.user_name() for _ in range(min(400, max(20, size.sensors)))]
        self._companies = [faker.company() for _ in range(40)]
        self._words = [faker.word() for _ in range(120)]
        self.hosts = [f"{prefix}.{faker.domain_name()}" for prefix in ("www", "cdn", "api") * 20]
        self.addresses = [faker.ipv4_public() for _ in range(100)]
        self.addresses_v6 = [faker.ipv6() for _ in range(20)]
        self.domain = faker.domain_word().upper()[:12]
        self.groups = [*_GROUPS[: size.groups]]
        self.groups += [
            f"Group {number}" for number in range(len(self.groups) + 1, size.groups + 1)
        ]
        self.sensors = self._sensors(rng)
        self.programs = {
            os: [self._program(program, os) for program in PROGRAMS[os]] for os in PROGRAMS
        }
        self.libraries = {os: [self._library(path, os) for path in MODULES[os]] for os in MODULES}
        self.feeds = [self._feed(number, faker, rng) for number in range(len(FEEDS))]
        self.watchlists = [Watchlist(i, *row) for i, row in enumerate(WATCHLISTS, 2)]
        self.minted = lru_cache(maxsize=4096)(self._minted)
        """A third-party binary for an operating system, by number."""
        self.system_file = lru_cache(maxsize=64)(lambda os, path: self._library(path, os))
        """A file of the operating system, by its path."""

    @property
    def systems(self) -> frozenset[str]:
        """The operating systems that some sensor runs."""
        return frozenset(sensor.os for sensor in self.sensors)

    def library(self, os: str, number: int) -> Binary:
        """One of the estate's libraries for an operating system; any number will do."""
        known = self.libraries[os]
        number %= max(len(known), self.size.binaries)
        return known[number] if number < len(known) else self.minted(os, number)

    def _sensors(self, rng: Random) -> list[Sensor]:
        names, weights = [*self.size.os_mix], [*self.size.os_mix.values()]
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

    def _program(self, program: Program, os: str) -> Binary:
        return self._binary(os, program.path, program.company, program.product, program=program)

    def _library(self, path: str, os: str) -> Binary:
        company = {"windows": "Microsoft Corporation", "osx": "Apple Inc."}.get(os, "")
        product = "Microsoft® Windows® Operating System" if os == "windows" else "System"
        return self._binary(os, path, company, product)

    def _minted(self, os: str, number: int) -> Binary:
        rng = Random(f"{self.seed}:{os}:{number}")
        company, word = rng.choice(self._companies), rng.choice(self._words)
        folder = company.split()[0].strip(",").lower()
        executable = rng.random() < 0.2
        path = {
            "windows": rf"c:\program files\{folder}\{word}{number}"
            + (".exe" if executable else ".dll"),
            "linux": f"/opt/{folder}/lib{word}-{number}.so",
            "osx": f"/library/{folder}/lib{word}.{number}.dylib",
        }[os]
        return self._binary(os, path, company, f"{folder.title()} {word.title()}")

    def _binary(
        self, os: str, path: str, company: str, product: str, program: Program | None = None
    ) -> Binary:
        rng = Random(f"{self.seed}:{path}")
        windows = os == "windows"
        major = rng.randrange(1, 12)
        version = f"{major}.{rng.randrange(10)}.{rng.randrange(20000)}.{rng.randrange(20000)}"
        microsoft = company == "Microsoft Corporation"
        odds = [90, 6, 1, 1, 2, 1, 1, 0.5] if company and os != "linux" else [0, 1] + [0] * 6
        name = path.replace("\\", "/").rpartition("/")[2]
        stem = name.partition(".")[0]
        return Binary(
            md5=hashlib.md5(f"{self.seed}:{path}".encode(), usedforsecurity=False)
            .hexdigest()
            .upper(),
            sha256=hashlib.sha256(f"{self.seed}:{path}".encode()).digest(),
            path=path,
            os=_OS_NAMES[os],
            size=512 * int(rng.lognormvariate(6, 1.3) + 8),
            executable=program is not None or name.endswith(".exe"),
            company=company,
            product=product,
            description=f"{product} {stem}" if not microsoft else f"{stem.title()} Module",
            version=version + (" (winblue_ltsb.150928-1002)" if microsoft and windows else ""),
            digsig=rng.choices(tuple(DIGSIG_RESULTS), odds)[0],
            comments=f"{product} component" if rng.random() < 0.12 else "",
            private_build=f"build {rng.randrange(10**4)}" if rng.random() < 0.08 else "",
            issuer="Microsoft Windows Production PCA 2011" if rng.random() < 0.42 else "",
            icon=b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randrange(800, 6000))
            if rng.random() < 0.17
            else b"",
            program=program,
        )

    def _feed(self, number: int, faker: Faker, rng: Random) -> Feed:
        threat = FEEDS[number]
        reports = []
        for index in range(12):
            ioc = _ioc(threat.ioc_type, faker, rng, self.programs["windows"])
            identity = threat.report.format(ioc=ioc, n=index + 1, word=rng.choice(self._words))
            reports.append(Report(identity, threat.ioc_type, ioc, rng.choice((25, 50, 75, 100))))
        return Feed(14 + number, threat.name, threat.ioc_type, tuple(reports))


def _ioc(ioc_type: str, faker: Faker, rng: Random, programs: list[Binary]) -> str:
    if ioc_type == "ipv4":
        return str(faker.ipv4_public())
    if ioc_type == "dns":
        return str(faker.domain_name())
    if ioc_type == "md5":
        return rng.randbytes(16).hex()
    return "cb.urlver=1&q=process_name%3A" + rng.choice(programs).filename
