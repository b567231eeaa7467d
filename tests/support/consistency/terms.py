"""What a stream is held to: findings, and what decides which rules there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cbsim.catalog import ServerVersion
from cbsim.scenario.model import Scenario
from cbsim.wire.clock import TICKS
from cbsim.world.vocabulary import watchlists

__all__ = ["CAUSES", "Finding", "Terms"]

CAUSES: Mapping[str, str] = {
    "Autoruns": r"regmod:currentversion\run",
    "Newly Arrived Executables": "executable",
    "Newly Executed Applications": "start",
    "Newly Loaded Modules": "library",
    "Non-System Filemods to system32": "filemod:system32",
    "PowerShell with a hidden window": "cmdline:hidden",
    "Unsigned binaries": "unsigned",
} | {watchlist.name: watchlist.matches for watchlist in watchlists()}
"""What a watchlist of that name looks for, in the words of `Watchlist.matches`."""


class Finding(NamedTuple):
    """Something that cannot be true of one estate."""

    index: int
    """Of the message, from 0."""
    rule: str
    sentence: str

    def __str__(self) -> str:
        return f"message {self.index}: {self.rule}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run was asked for, as far as it decides what its messages must keep."""

    version: ServerVersion = ServerVersion.V5_2
    published: frozenset[str] | None = None
    """The names that are said at all; None: those that occur."""
    both: bool = False
    """Whether each raw event comes twice, by itself and in a bundle."""
    ordered: bool = False
    """Whether the events of a sensor come in the order of their times."""
    behind: int = 60 * TICKS
    """Ticks: a document counts what the server knew so long before at least."""
    marked: tuple[int, int] = (10 * TICKS, 450 * TICKS)
    """Ticks: the age of `watchlist_<id>` at its storage hit (captured: 15 s, of processes 107 to
    413 s).
    """
    causes: Mapping[str, str] = field(default_factory=lambda: CAUSES)

    @classmethod
    def of(cls, scenario: Scenario) -> Terms:
        """What a scenario asks for."""
        server: Any = scenario.server
        return cls(
            version=server.version,
            both=server.raw == "both",
            ordered=getattr(server, "arrival", "ordered") == "ordered",
        )
