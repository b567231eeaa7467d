"""What varies a server's speech: its version, its dialect and which raw events it broadcasts."""

from __future__ import annotations

from enum import StrEnum

from cbsim.errors import CatalogError

__all__ = ["BROADCAST_TYPES", "Dialect", "ServerVersion", "parse_broadcast"]


class Dialect(StrEnum):
    """Whose word counts where the specification's tables and real traffic disagree."""

    DOCUMENTED = "documented"
    """The specification's tables to the letter."""
    OBSERVED = "observed"
    """The shapes of the specification's examples and of captured traffic."""

    @classmethod
    def parse(cls, text: str) -> Dialect:
        """The dialect of that name; raises CatalogError."""
        try:
            return cls(text)
        except ValueError:
            known = " or ".join(cls)
            raise CatalogError(f"unknown dialect {text!r}: expected {known}") from None


class ServerVersion(StrEnum):
    """The generations of servers whose messages differ."""

    V4_2 = "4.2"
    V5_2 = "5.2"
    V6 = "6.x"
    V7 = "7.x"

    @classmethod
    def parse(cls, text: str) -> ServerVersion:
        """The generation that a version such as `5.2`, `6.x` or `7.5.1` belongs to.

        Raises CatalogError for anything else.
        """
        head, _, tail = text.strip().partition(".")
        minor = tail.partition(".")[0]
        if tail and head in ("6", "7") and (minor == "x" or minor.isdigit()):
            return cls(f"{head}.x")
        if f"{head}.{minor}" in (cls.V4_2, cls.V5_2):
            return cls(f"{head}.{minor}")
        known = ", ".join(cls)
        raise CatalogError(f"unknown server version {text!r}: expected one of {known}")

    @property
    def rank(self) -> int:
        """0 for the oldest generation."""
        return _RANKS[self]

    def includes(self, since: ServerVersion, until: ServerVersion | None = None) -> bool:
        """Whether something said from `since` on, and before `until`, is said by this version."""
        return since.rank <= self.rank and (until is None or self.rank < until.rank)

    @property
    def cb_version(self) -> str:
        """A full build number, as `cb_version` carries it."""
        return {
            ServerVersion.V4_2: "4.2.1.140808.1059",
            ServerVersion.V5_2: "5.2.0.161004.1206",
            ServerVersion.V6: "6.2.2.180723.1351",
            ServerVersion.V7: "7.5.1.210813.1410",
        }[self]

    @property
    def document_version(self) -> int:
        """The short number that binary documents carry as `cb_version`, such as 520."""
        major, minor, patch = self.cb_version.split(".")[:3]
        return int(major) * 100 + int(minor) * 10 + int(patch)

    @property
    def segment_digits(self) -> int:
        """Hex digits of the segment in a `unique_id`: 8, from 6.x on 12 (wire: Identities)."""
        return 12 if self.includes(ServerVersion.V6) else 8

    @property
    def feed_id_in_key(self) -> bool:
        """Whether feeds' hits are routed with the feed's id, as in `feed.24.ingress.hit.process`.

        Watchlists' ids are in no key, on any version (wire: Routing keys).
        """
        return self.includes(ServerVersion.V5_2)

    @property
    def segment_times(self) -> bool:
        """Whether a segment's id is its time in ms since 1970, and not a number from 1 on."""
        return self.includes(ServerVersion.V6)

    @property
    def bundles(self) -> bool:
        """Whether it can publish bundles (spec: EnableRawSensorDataBroadcast, from 5.2 on)."""
        return self.includes(ServerVersion.V5_2)

    @property
    def remote_threads_as_opens(self) -> bool:
        """Whether a remote thread may come under `crossprocopen` (wire: from 7.1 on)."""
        return self.includes(ServerVersion.V7)

    @property
    def network_v2(self) -> bool:
        """Whether connections are sent as `networkv2` (our choice: from 6.x on)."""
        return self.includes(ServerVersion.V6)

    @property
    def sha256(self) -> bool:
        """Whether raw events carry SHA-256 hashes (our choice: from 6.x on)."""
        return self.includes(ServerVersion.V6)


_RANKS = {version: rank for rank, version in enumerate(ServerVersion)}

BROADCAST_TYPES = ("moduleload", "netconn", "filemod", "regmod", "process", "moduleinfo")
"""The types that DatastoreBroadcastEventTypes takes, besides `*` (spec: Configuring)."""


def parse_broadcast(text: str) -> frozenset[str]:
    """The types in a DatastoreBroadcastEventTypes value: `*`, or a comma-separated list.

    Empty means none. Raises CatalogError for a type the server does not have, or for spaces,
    which the server does not take.
    """
    if text == "":
        return frozenset()
    known = ("*", *BROADCAST_TYPES)
    for part in text.split(","):
        if part not in known:
            hint = " (no spaces)" if part.strip() in known else ""
            raise CatalogError(
                f"DatastoreBroadcastEventTypes: unknown type {part!r}{hint}: "
                f"expected {', '.join(known)}, separated by commas"
            )
    return frozenset(text.split(","))
