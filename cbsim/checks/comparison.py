"""Compares a ledger with what a consumer put out: what was lost, doubled, damaged or made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import orjson

from cbsim.checks.columns import read_entries, read_items
from cbsim.checks.course import Stretch, course_of
from cbsim.checks.detail import Details
from cbsim.checks.forwarded import Forwarded
from cbsim.checks.jump import Jump, jumps
from cbsim.checks.layout import Layout, Mismatch, Pair, shown_time
from cbsim.checks.ledger import Ledger
from cbsim.checks.mapped import Mapped
from cbsim.checks.matching import Matching
from cbsim.checks.moment import NEVER
from cbsim.checks.order import disordered
from cbsim.checks.outage import Outage, at_risk, outages
from cbsim.checks.pairing import Missing, Stray, pairs_of
from cbsim.checks.record import Record
from cbsim.checks.source import Source, held
from cbsim.checks.visible import Visible
from cbsim.checks.whole import Bodies, Contents
from cbsim.errors import InputError
from cbsim.printable import printable
from cbsim.wire.binding import ALL, Bindings

__all__ = ["PRESETS", "Comparison", "Counts", "Difference", "Match", "compare", "match"]

PRESETS = ("forwarder",)
"""The names of the presets."""
_PAIRED = 100_000
"""How many missing messages and stray items are looked at one by one; more are only counted."""
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
_ALIKE = 10
_ASTRAY = 1.0
"""Seconds that the clocks of two machines may differ without a word."""


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


@dataclass(frozen=True, slots=True)
class Match:
    """A ledger and an output, matched."""

    ledger: Ledger
    sources: Sequence[Source]
    layout: Layout
    matching: Matching


def compare(
    ledger: Ledger,
    output: Iterable[Record] | Sequence[Source],
    *,
    preset: str | None = None,
    places: Mapping[str, str] | None = None,
    one_per: str | None = None,
    bound: str | Iterable[str] | Bindings = ALL,
    limit: int = 1000,
    advance: Callable[[int], object] = lambda _: None,
) -> Comparison:
    """Compare a ledger with the records of an output; raises CbsimError.

    `preset` and `places` say how to read a foreign format, and `one_per` what a row of it stands
    for (see `cbsim.checks.mapped`); without them messages are expected as they were: envelopes,
    bodies, or JSON with the same content. `bound` says what the consumer bound, as `Bindings` reads
    it: of other messages none is expected. `limit` is how many differences of a kind are kept; all
    are counted. `advance` is told how many bytes of the output were read.
    """
    found = match(ledger, output, preset=preset, places=places, one_per=one_per, bound=bound,
                  advance=advance)  # fmt: skip
    return outcome(found, limit)


def match(
    ledger: Ledger,
    output: Iterable[Record] | Sequence[Source],
    *,
    preset: str | None = None,
    places: Mapping[str, str] | None = None,
    one_per: str | None = None,
    bound: str | Iterable[str] | Bindings = ALL,
    advance: Callable[[int], object] = lambda _: None,
) -> Match:
    """The first half of `compare`."""
    bindings = bound if isinstance(bound, Bindings) else Bindings(bound)
    sources = _sources(output)
    first = [*islice((record for source in sources for record in source.records()), 2000)]
    layout = _layout(first, preset, places or {}, one_per)
    layout = layout.fitted(first, islice((message for batch in ledger.batches()
                                          for message in batch.messages), 20_000))  # fmt: skip
    entries = read_entries(ledger, layout, bindings)
    items = read_items(sources, layout, advance)
    layout.finish(items.tally)
    return Match(ledger, sources, layout, Matching(ledger, layout, entries, items))


def outcome(found: Match, limit: int) -> Comparison:
    """The second half of `compare`: what came of a match."""
    matching = found.matching
    result = _Settling(limit)
    everything = np.arange(len(matching.entries.keys))
    for kind, places in (("sent", everything), ("received", np.flatnonzero(matching.came)),
                         ("unmatchable", matching.unmatchable)):  # fmt: skip
        for name, count in matching.counts(places):
            setattr(result.of(name), kind, count)
    result.settle(found)
    comparison = result.comparison
    comparison.outages = outages(found.ledger)
    comparison.jumps = jumps(found.ledger)
    comparison.disordered = disordered(found.ledger, matching)
    published, seconds = matching.latencies()
    comparison.hasty = int((seconds < -_ASTRAY).sum())
    if len(seconds):
        shares = np.quantile(seconds, [*_SHARES.values()], method="higher")
        comparison.latency = dict(zip(_SHARES, shares.tolist(), strict=True))
    comparison.precision = {kind: str(clock) for kind, clock in matching.clocks.items()}
    comparison.uncompared = {name: [*it] for name, it in found.layout.uncompared().items()}
    comparison.course = course_of(matching, published, seconds)
    return comparison


def _sources(output: Iterable[Record] | Sequence[Source]) -> Sequence[Source]:
    if isinstance(output, list) and output and not isinstance(output[0], Record):
        return output
    return held(output)  # type: ignore[arg-type]


def _layout(
    first: Sequence[Record], preset: str | None, places: Mapping[str, str], one_per: str | None
) -> Layout:
    """The layout of an output that begins with these records; raises InputError."""
    if places:
        return Mapped(places, one_per or "event")
    if one_per is not None:
        raise InputError("--one-per: says what a row stands for in a format of your own, by --map")
    if preset is not None:
        if preset not in PRESETS:
            raise InputError(f"unknown preset {preset!r}: expected {', '.join(PRESETS)}")
        return Forwarded()
    mere = all(record.message is None for record in first)
    return Contents() if first and mere else Bodies()


class _Settling:
    """Tells what is corrupted from what is lost and unexpected, and counts it all."""

    def __init__(self, limit: int) -> None:
        self.comparison = Comparison()
        self._limit = limit

    def of(self, name: str) -> Counts:
        return self.comparison.names.setdefault(name, Counts())

    def settle(self, found: Match) -> None:
        matching, details = found.matching, Details(found.ledger, found.sources, found.layout,
                                                    found.matching)  # fmt: skip
        strays = matching.strays
        again = matching.like[strays] >= 0
        odd, doubled = strays[~again], strays[again]
        looked = matching.missing[: _PAIRED if len(odd) else self._limit]
        missing, stray = details.missing(looked), details.strays(odd[:_PAIRED])
        pairs = pairs_of(missing, stray, int(matching.came.sum()), details.clock)
        self._lose(matching, missing, {it.place for it in pairs.values()})
        for name, count in matching.counts(matching.like[doubled]):
            self.of(name).duplicated = count
        for one in details.strays(doubled[: self._limit]):
            self._double(matching, one)
        for one in stray:
            self._stray(found.layout, one, pairs.get(one.place))
        if len(odd) > _PAIRED:
            self.of("").unexpected += len(odd) - _PAIRED

    def _lose(self, matching: Matching, missing: Sequence[Missing], taken: set[int]) -> None:
        places = matching.missing
        lost = places[~np.isin(places, np.array([*taken], np.int64))]
        done = matching.confirmed(lost)
        self.comparison.unconfirmed = int((~done).sum())
        perished = done & at_risk(matching, lost)
        self.comparison.perished = int(perished.sum())
        done &= ~perished
        for name, count in matching.counts(lost[done]):
            self.of(name).lost = count
        named = {*lost[done][: self._limit].tolist()}
        alike = matching.alike(np.array([*named], np.int64))
        self.comparison.differences += [
            Difference("lost", it.name, it.sequence, it.part, None, _identity(it.visible),
                       alike=tuple(alike.get(it.place, ())))
            for it in missing if it.place in named
        ]  # fmt: skip

    def _double(self, matching: Matching, stray: Stray) -> None:
        twin = int(matching.like[stray.place])
        sequence = int(matching.entries.sequences[twin])
        name = matching.entries.known[int(matching.entries.names[twin])]
        alike = matching.alike(np.array([twin])).get(twin, ())
        self.comparison.differences.append(Difference(
            "duplicated", name, sequence, None, stray.record.where, _identity(stray.visible),
            alike=tuple(alike) if len({*alike}) > 1 else (),
        ))  # fmt: skip

    def _stray(self, layout: Layout, stray: Stray, match: Missing | None) -> None:
        where, fault = stray.record.where, stray.fault
        if match is None:
            name = stray.visible.name
            difference = Difference("unexpected", name, None, None, where,
                                    _identity(stray.visible), fault)  # fmt: skip
        else:
            name = match.name
            mismatches = layout.mismatches(
                Pair(stray.record, stray.visible, match.message, match.visible)
            )
            difference = Difference(
                "corrupted", name, match.sequence, match.part, where, _identity(match.visible),
                fault, () if fault else tuple(mismatches),
            )  # fmt: skip
        counts = self.of(name)
        setattr(counts, difference.kind, getattr(counts, difference.kind) + 1)
        if self.comparison.total(difference.kind) <= self._limit:
            self.comparison.differences.append(difference)


def _identity(visible: Visible) -> dict[str, object]:
    shown: dict[str, object] = {name: value for name, value in visible.values.items() if value}
    return shown if visible.ticks == NEVER else shown | {"timestamp": shown_time(visible.ticks)}
