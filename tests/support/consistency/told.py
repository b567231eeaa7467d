"""What a consumer knows after the messages so far: processes, endpoints, binaries, hits."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import NamedTuple

from cbsim.wire.identity import process_key

__all__ = ["COUNTERS", "Call", "Life", "Start", "Told"]

COUNTERS = ("modload", "filemod", "regmod", "netconn", "childproc", "crossproc", "emet",
            "processblock")  # fmt: skip
"""What documents count of a process, each as `<name>_count`."""


class Call(NamedTuple):
    """A connection; ports in host order."""

    remote: str
    port: int
    local_port: int
    name: str
    outbound: bool


class Start(NamedTuple):
    """A start or an end, as a parent's childproc tells of it."""

    index: int
    timestamp: int
    md5: bytes
    path: str
    guid: int


class Life:
    """One process, as it was told of."""

    __slots__ = (
        "account", "arrivals", "base", "blamed", "calls", "children", "command", "commands_known",
        "create_time", "ended", "files", "forks", "guid", "keys", "last", "loads", "md5",
        "observed", "own", "parent", "path", "pid", "sensor", "started", "suppressed", "times",
        "told",
    )  # fmt: skip

    def __init__(self, sensor: int, pid: int, create_time: int) -> None:
        self.sensor, self.pid, self.create_time = sensor, pid, create_time
        self.guid = 0
        self.told = self.observed = self.suppressed = self.blamed = self.commands_known = False
        self.started: int | None = None
        """When its `process` message says that it started."""
        self.ended: int | None = None
        self.last: tuple[int, int] = (0, 0)
        """The latest time of its events, and which message had it."""
        self.own: tuple[int, bool, int, str] | None = None
        """Of its earliest moduleload: when, whether of its own image, the message, and the path."""
        self.path, self.md5 = "", b""
        self.command = self.account = ""
        self.parent: tuple[int, int] | None = None
        """The pid and create time of its parent."""
        self.arrivals: dict[str, list[int]] = defaultdict(list)
        """For each counter, the moments at which its events came."""
        self.times: list[tuple[int, int, str]] = []
        """Of each event: its time, the moment it came, and its counter (or "")."""
        self.base: dict[str, tuple[int, int]] = {}
        """For each counter: how many events there were before the run, at least and at most."""
        self.forks: set[int] = set()
        self.files: list[str] = []
        self.keys: list[str] = []
        self.loads: set[bytes] = set()
        self.children: list[str] = []
        self.calls: list[Call] = []

    @property
    def key(self) -> str:
        """Its process key."""
        return process_key(self.sensor, self.pid & 0xFFFFFFFF, self.create_time)

    def __str__(self) -> str:
        return f"{self.key} ({self.path or 'no path'})"

    def counted(self, counter: str, moment: int) -> int:
        """How many of its events of that kind had come by that moment."""
        return bisect_right(self.arrivals.get(counter, ()), moment)


class Told:
    """All that was told so far."""

    def __init__(self) -> None:
        self.lives: dict[tuple[int, int, int], Life] = {}
        self.guids: dict[int, Life] = {}
        self.running: dict[tuple[int, int], Life] = {}
        """Who has a pid of a sensor."""
        self.births: dict[tuple[int, int, int], Start] = {}
        """Of childproc messages, by the child's sensor, pid and create time."""
        self.deaths: dict[tuple[int, int, int], Start] = {}
        self.latest: dict[int, tuple[int, int]] = {}
        """For each sensor, the time of its last event, and which message had it."""
        self.facts: dict[tuple[int, str], str] = {}
        """What is said of a sensor: its hostname, its group."""
        self.met: set[str] = set()
        """The MD5s (upper-case hex) that any raw event or binaryinfo named."""
        self.modules: dict[str, set[int]] = defaultdict(set)
        """For each MD5, the sensors whose module events named it."""
        self.binaries: dict[str, Binary] = {}
        self.hits: set[tuple[object, ...]] = set()
        """The names of hits so far, each with what it is about."""
        self.reports: dict[str, set[str]] = defaultdict(set)
        """For each feed, the reports of its hits so far."""

    def life(self, sensor: int, pid: int, create_time: int) -> Life:
        """The process, which may not have been told of."""
        key = (sensor, pid, create_time)
        found = self.lives.get(key)
        if found is None:
            found = self.lives[key] = Life(*key)
        return found

    def binary(self, md5: str) -> Binary:
        """What was said of the binary of that MD5 (upper-case hex)."""
        found = self.binaries.get(md5)
        if found is None:
            found = self.binaries[md5] = Binary()
        return found


class Binary:
    """What `binaryinfo` and `binarystore` said of an MD5, in ticks."""

    __slots__ = ("groups", "hosts", "observed", "seen", "stored")

    def __init__(self) -> None:
        self.observed: tuple[int, int] | None = None
        """When, and which message."""
        self.seen: int | None = None
        """The message that first named it."""
        self.hosts: dict[int, tuple[int, int]] = {}
        self.groups: dict[str, tuple[int, int]] = {}
        self.stored: int | None = None
