"""What came of comparing a ledger with an output: counts, and differences by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from cbsim.checks.course import Stretch
from cbsim.checks.jump import Jump
from cbsim.checks.layout import Mismatch
from cbsim.checks.outage import Outage
from cbsim.printable import printable

__all__ = ["Comparison", "Counts", "Difference"]

_ALIKE = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """A message or an item that has no match."""

    kind: str
    """`lost`, `duplicated`, `corrupted` or `unexpected`."""
    name: str
    """The notification or raw event; the exchange of a bundle; empty when that is not known."""
    sequence: int | None
    """Of the message in the ledger; None when it is unexpected."""
    part: int | None
    """Which document or event of it, from 0, where these come one by one."""
    where: str | None
    """File and line in the output; None when it is lost."""
    identity: Mapping[str, object] = field(default_factory=dict)
    fault: str | None = None
    mismatches: tuple[Mismatch, ...] = ()
    """Where a corrupted item differs from its message."""
    alike: tuple[int, ...] = ()
    """Messages that look the same in this output, this one among them: which of them it is, nobody
    can tell."""

    def __str__(self) -> str:
        words = [self.kind, self.name or "something"]
        if self.alike:
            shown = ", ".join(map(str, self.alike[:_ALIKE]))
            more = ", ..." if len(self.alike) > _ALIKE else ""
            words.append(f"one of the indistinguishable messages {shown}{more}")
        elif self.sequence is not None:
            words.append(f"message {self.sequence}")
        if self.part is not None:
            words.append(f"part {self.part + 1}")
        if self.where is not None:
            words.append(f"at {self.where}")
        text = " ".join(words)
        said = [*([self.fault] if self.fault else ()), *map(str, self.mismatches)]
        text += f": {'; '.join(said)}" if said else ""
        text += f" {orjson.dumps(self.identity).decode()}" if self.identity else ""
        return printable(text, limit=2000)


@dataclass(slots=True)
class Counts:
    """How many messages (or parts of them) of one name went which way."""

    sent: int = 0
    received: int = 0
    lost: int = 0
    duplicated: int = 0
    corrupted: int = 0
    unexpected: int = 0
    unmatchable: int = 0
    """Of those sent: nothing that they have was mapped, so that nobody can tell if they came."""


@dataclass(slots=True)
class Comparison:
    """What came of a comparison."""

    names: dict[str, Counts] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    """The first of each kind, up to the limit, in the order of the run."""
    unconfirmed: int = 0
    """Messages that did not come, but that the broker never confirmed either."""
    perished: int = 0
    """Messages that did not come, but that may have been lost with the broker (`checks.outage`)."""
    outages: tuple[Outage, ...] = ()
    """When the broker was away."""
    purposed: dict[str, int] = field(default_factory=dict)
    """How many messages were broken, odd or otherwise struck on purpose, by what was done."""
    notes: tuple[tuple[float, str], ...] = ()
    """What was done to the broker on purpose, and when, in seconds since 1970."""
    jumps: tuple[Jump, ...] = ()
    """When the clock of the run was put forward or back."""
    disordered: dict[int, int] = field(default_factory=dict)
    """For a sensor, how many items came after a later message of that sensor."""
    latency: dict[str, float] = field(default_factory=dict)
    """Seconds from published to received: `p50`, `p90`, `p99`, `max`; empty without times."""
    hasty: int = 0
    """Items that were received before they were published, by the clocks of run and consumer."""
    precision: dict[str, str] = field(default_factory=dict)
    """How exactly times are in the output, by what they are the times of."""
    uncompared: dict[str, list[str]] = field(default_factory=dict)
    """For a name, what was mapped and is in its messages, but in no item: it proves nothing."""
    course: list[Stretch] = field(default_factory=list)
    """How it went from the run's beginning to its end."""

    def total(self, kind: str) -> int:
        """A count of all names together, such as `lost`."""
        return sum(getattr(counts, kind) for counts in self.names.values())

    @property
    def lost(self) -> tuple[Difference, ...]:
        """Messages that did not come."""
        return self._of("lost")

    @property
    def duplicated(self) -> tuple[Difference, ...]:
        """Items that came once more."""
        return self._of("duplicated")

    @property
    def corrupted(self) -> tuple[Difference, ...]:
        """Items that stand for a message, and differ from it."""
        return self._of("corrupted")

    @property
    def unexpected(self) -> tuple[Difference, ...]:
        """Items that stand for no message."""
        return self._of("unexpected")

    @property
    def whole(self) -> bool:
        """Whether all is known to have come, and nothing was damaged or made up."""
        kinds = ("lost", "corrupted", "unexpected", "unmatchable")
        return not self.perished and not any(map(self.total, kinds))

    @property
    def exact(self) -> bool:
        """Whether nothing came twice or out of order; what came at all is for `whole` to say."""
        return not self.total("duplicated") and not self.disordered

    @property
    def foreign(self) -> bool:
        """Whether there is an output, and nothing in it is of the ledger."""
        told = self.total("sent") > self.total("unmatchable")
        kinds = ("received", "corrupted", "duplicated")
        return told and bool(self.total("unexpected")) and not any(map(self.total, kinds))

    def _of(self, kind: str) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.kind == kind)
