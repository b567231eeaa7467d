"""Who a message speaks of: an endpoint, a process, a binary, an indicator, consistent by birth.

Each is drawn when a field first asks for it, so that a message that names no process draws none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import DIGSIG_RESULTS, IOC_TYPES, ServerVersion
from cbsim.catalog import domain as domains
from cbsim.strategies import value
from cbsim.strategies.value import Draw
from cbsim.wire.identity import process_key, unique_id

__all__ = ["Binary", "Cast", "Endpoint", "Given", "Indicator", "Process"]


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller fixed, and how the rest is drawn; None: as its place asks."""

    sensor_id: SearchStrategy[int] = value.ID
    hostname: SearchStrategy[str] = value.HOST
    md5: SearchStrategy[str] | None = None
    ioc_type: SearchStrategy[str] | None = None
    watchlist_id: SearchStrategy[int] = value.ID
    feed_id: SearchStrategy[int] = value.ID
    least_docs: int = 1
    most_docs: int = 3
    docs_given: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint with a sensor."""

    sensor_id: int
    hostname: str
    group: str
    os: str
    """`windows`, `linux` or `osx`."""
    address: int
    """IPv4, big-endian."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process of an endpoint."""

    endpoint: Endpoint
    pid: int
    created: int
    """FILETIME."""
    segment: int
    md5: str
    """Lower case."""
    path: str
    guid: int
    """Signed, 64 bits, as raw events name it."""
    parent: Process | None = None

    @property
    def sha256(self) -> str:
        """Of its executable, lower case; empty of some."""
        return _sha256(self.md5)

    @property
    def key(self) -> str:
        """The 36 characters that name it."""
        return process_key(self.endpoint.sensor_id, self.pid, self.created)

    @property
    def name(self) -> str:
        """The file name of its executable."""
        return self.path.replace("\\", "/").rpartition("/")[2]

    def unique_id(self, version: ServerVersion) -> str:
        """Its key and segment, in as many digits as that version writes."""
        return unique_id(self.key, self.segment, version.segment_digits)


@dataclass(frozen=True, slots=True)
class Binary:
    """A file that can run."""

    md5: str
    """Upper case."""
    size: int
    signature: str
    """A key of DIGSIG_RESULTS."""

    @property
    def sha256(self) -> str:
        """Upper case; empty of some."""
        return _sha256(self.md5).upper()

    @property
    def signed(self) -> bool:
        """Whether there is a signature, good or bad."""
        return self.signature != "Unsigned"

    @property
    def result_code(self) -> int:
        """The Windows trust provider's code, unsigned."""
        return DIGSIG_RESULTS[self.signature]


def _sha256(md5: str) -> str:
    """What follows from the MD5: every message about a binary says the same."""
    digest = sha256(md5.lower().encode()).hexdigest()
    return digest if int(digest[0], 16) else ""


@dataclass(frozen=True, slots=True)
class Indicator:
    """What a feed's report names."""

    type: str
    value: str


_SYSTEMS = value.choice(("windows", "linux", "osx"))
_GROUPS = value.least(st.just("Default Group") | value.NAME, "Default Group")
_MD5 = str(domains.MD5_LOWER.example)
_WEEK = value.number(0, 7 * 86_400 * 10**7)
_HOUR = value.number(0, 3600 * 10**7)


_TYPES: dict[tuple[str, ...], SearchStrategy[str]] = {
    kinds: value.choice(kinds) for kinds in (("md5", "dns", "ipv4"), ("query",), IOC_TYPES)
}
_SHARED = {"endpoint", "process", "parent", "binary"}


@dataclass
class Cast:
    """The roles of one message or document, each filled when first asked for."""

    draw: Draw
    given: Given
    version: ServerVersion
    roles: dict[str, object] = field(default_factory=dict)
    """Those that somebody else filled: what `cached_property` would draw."""
    about: str = ""
    """What a hit is a hit of: `process`, `binary` or `host`."""
    kinds: tuple[str, ...] = ("md5", "dns", "ipv4")
    """The types of indicators."""
    ids: tuple[str, ...] = ()
    """What names the documents of the message."""

    def __post_init__(self) -> None:
        self.__dict__.update(self.roles)

    def share(self, other: Cast) -> None:
        """Speak of the endpoint, the process and the binary that another cast speaks of."""
        self.__dict__.update({name: getattr(other, name) for name in _SHARED & {*vars(other)}})

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where it happened."""
        draw, given = self.draw, self.given
        return Endpoint(
            draw(given.sensor_id),
            draw(given.hostname),
            draw(_GROUPS),
            draw(_SYSTEMS),
            draw(value.BITS_32),
        )

    @cached_property
    def process(self) -> Process:
        """Who did it."""
        times = self.version.segment_times
        segment = self.draw(value.SEGMENT_TIME if times else value.ID)
        return self._process(value.FIRST + self.draw(value.MOMENT), self.given.md5, segment)

    @cached_property
    def parent(self) -> Process:
        """Who started who did it, up to an hour before."""
        started = max(value.FIRST, self.process.created - self.draw(_HOUR))
        if self.process.parent is not None:
            return self.process.parent
        # From 6.x on a parent is named with its first segment, whichever it is in (wire:
        # Identities).
        segment = 1 if self.version.segment_times else self.draw(value.ID)
        return self._process(started, None, segment)

    def _process(self, created: int, md5: SearchStrategy[str] | None, segment: int) -> Process:
        draw, endpoint = self.draw, self.endpoint
        return Process(
            endpoint,
            draw(value.ID),
            created,
            segment,
            draw(md5).lower() if md5 is not None else value.hex_digest(draw, _MD5),
            value.path(draw, "windows" if endpoint.os == "windows" else "posix"),
            draw(value.INT_64),
        )

    @cached_property
    def moment(self) -> int:
        """When the server says it (FILETIME, whole milliseconds)."""
        return value.FIRST + self.draw(value.MOMENT) // 10_000 * 10_000

    @property
    def acted(self) -> int:
        """When the process did it: after its start, or now where somebody says when that is."""
        if "moment" in vars(self):
            return self.moment
        return self.process.created + self.draw(_WEEK)

    @cached_property
    def binary(self) -> Binary:
        """What was found."""
        draw, md5 = self.draw, self.given.md5
        digest = draw(md5) if md5 is not None else value.hex_digest(draw, _MD5)
        return Binary(digest.upper(), draw(value.ID), draw(value.SIGNATURE))

    @cached_property
    def indicator(self) -> Indicator:
        """What it matched: of a binary or a process by its MD5 that MD5."""
        asked = self.given.ioc_type
        kind = self.draw(_TYPES[self.kinds] if asked is None else asked)
        if kind == "md5" and self.about == "binary":
            return Indicator(kind, self.binary.md5.lower())
        if kind == "md5" and self.about == "process":
            return Indicator(kind, self.process.md5)
        return Indicator(kind, value.ioc_value(self.draw, kind))

    @cached_property
    def watchlist_id(self) -> int:
        """The watchlist that matched."""
        return self.draw(self.given.watchlist_id)

    @cached_property
    def feed_id(self) -> int:
        """The feed whose report matched."""
        return self.draw(self.given.feed_id)

    @cached_property
    def string_guid(self) -> int:
        """What names the event's file path among its strings."""
        return self.draw(value.INT_64)
