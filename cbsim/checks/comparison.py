"""Compares a ledger with what a consumer put out: what was lost, doubled, damaged or made up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import orjson

from cbsim.checks.ledger import Ledger
from cbsim.checks.matching import Matching, Missing, Stray
from cbsim.checks.outage import Outage, outages
from cbsim.checks.output import layout_of
from cbsim.checks.record import Record
from cbsim.wire.binding import ALL, Bindings

__all__ = ["Comparison", "Counts", "Difference", "compare"]

_PAIRED = 100_000
"""How many missing messages and stray items are looked at one by one; more are only counted."""
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


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
    identity: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None

    def __str__(self) -> str:
        words = [self.kind, self.name or "something"]
        if self.sequence is not None:
            words.append(f"message {self.sequence}")
        if self.part is not None:
            words.append(f"part {self.part + 1}")
        if self.where is not None:
            words.append(f"at {self.where}")
        shown = {key: it for key, it in self.identity.items() if key != "parts"}
        text = " ".join(words) + (f": {self.fault}" if self.fault else "")
        return text + (f" {orjson.dumps(shown).decode()}" if shown else "")


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
    disordered: dict[int, int] = field(default_factory=dict)
    """For a sensor, how many items came after a later message of that sensor."""
    latency: dict[str, float] = field(default_factory=dict)
    """Seconds from published to received: `p50`, `p90`, `p99`, `max`; empty without times."""

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


def compare(
    ledger: Ledger,
    output: Iterable[Record],
    *,
    preset: str | None = None,
    places: Mapping[str, str] | None = None,
    bound: str | Iterable[str] | Bindings = ALL,
    limit: int = 1000,
) -> Comparison:
    """Compare a ledger with the records of an output; raises CbsimError.

    `preset` and `places` say how to read a foreign format (see `layout_of`); `bound` says
    what the consumer bound, as `Bindings` reads it: of other messages none is expected.
    `limit` is how many differences of a kind are kept; all are counted.
    """
    bindings = bound if isinstance(bound, Bindings) else Bindings(bound)
    records = iter(output)
    first = next(records, None)
    layout = layout_of(first or Record("", 0, fields={}), preset, places or {})
    read = chain((first,), records) if first is not None else iter(())
    items = (item for record in read for item in layout.read(record))
    matching = Matching(ledger, layout, items, bindings)
    layout.end()
    result = _Settling(limit)
    for name, count in matching.sent():
        result.of(name).sent = count
    for name, count in matching.received():
        result.of(name).received = count
    for name, count in matching.unmatchable():
        result.of(name).unmatchable = count
    result.settle(matching.missing(_PAIRED), matching.strays(_PAIRED))
    result.add_more(matching)
    comparison = result.comparison
    comparison.outages = outages(ledger.database)
    comparison.disordered = matching.disordered()
    latencies = matching.latencies([*_SHARES.values()])
    comparison.latency = dict(zip(_SHARES, latencies, strict=False))
    return comparison


class _Settling:
    """Tells what is corrupted from what is lost and unexpected, and counts it all."""

    def __init__(self, limit: int) -> None:
        self.comparison = Comparison()
        self._limit = limit

    def of(self, name: str) -> Counts:
        return self.comparison.names.setdefault(name, Counts())

    def settle(self, missing: list[Missing], strays: list[Stray]) -> None:
        odd = [stray for stray in strays if stray.twin is None]
        pairs = _paired(missing, odd, self.comparison.total("received"))
        taken = {id(one) for one in pairs.values()}
        for one in missing:
            if id(one) in taken:
                continue
            if one.confirmed and one.at_risk:
                self.comparison.perished += 1
            elif one.confirmed:
                self._note("lost", one.name, one.sequence, one.part, None, one.identity)
            else:
                self.comparison.unconfirmed += 1
        for stray in strays:
            name, match = stray.name or "", pairs.get(stray.position)
            if stray.twin is not None:
                self._note("duplicated", name, stray.twin, None, stray.place, stray.identity)
            elif match is None:
                self._note("unexpected", name, None, None, stray.place, stray.identity,
                           stray.fault)  # fmt: skip
            else:
                self._note("corrupted", match.name, match.sequence, match.part, stray.place,
                           match.identity, stray.fault)  # fmt: skip

    def add_more(self, matching: Matching) -> None:
        for name, confirmed, at_risk, count in matching.more_missing(_PAIRED):
            if confirmed and at_risk:
                self.comparison.perished += count
            elif confirmed:
                self.of(name).lost += count
            else:
                self.comparison.unconfirmed += count
        for name, again, count in matching.more_strays(_PAIRED):
            kind = "duplicated" if again else "unexpected"
            setattr(self.of(name), kind, getattr(self.of(name), kind) + count)

    def _note(
        self, kind: str, name: str, sequence: int | None, part: int | None, where: str | None,
        identity: Mapping[str, Any], fault: str | None = None,
    ) -> None:  # fmt: skip
        counts = self.of(name)
        setattr(counts, kind, getattr(counts, kind) + 1)
        if self.comparison.total(kind) <= self._limit:
            difference = Difference(kind, name, sequence, part, where, identity, fault)
            self.comparison.differences.append(difference)


def _paired(missing: list[Missing], strays: list[Stray], matched: int) -> dict[int, Missing]:
    """The missing message that a stray item stands for: by its identity, or by its place.

    By place means that it comes next of what is missing between the items around it, of which
    `matched` are known.
    """
    pairs: dict[int, Missing] = {}
    by_alias: dict[bytes, list[Missing]] = {}
    for one in reversed(missing):
        if one.alias is not None:
            by_alias.setdefault(one.alias, []).append(one)
    taken: set[int] = set()
    for stray in strays:
        same = by_alias.get(stray.alias or b"")
        if same:
            pairs[stray.position] = one = same.pop()
            taken.add(id(one))
    if matched + len(pairs) < len(strays) - len(pairs):
        # Most of the output is of another run, or of none: place says nothing.
        return pairs
    free = [one for one in missing if id(one) not in taken]
    sequences = [one.sequence for one in free]
    at = 0
    for stray in strays:
        if stray.position in pairs:
            continue
        at = max(at, bisect_right(sequences, stray.before))
        if at < len(free) and (stray.after is None or stray.after < stray.before
                               or sequences[at] < stray.after):  # fmt: skip
            pairs[stray.position] = free[at]
            at += 1
    return pairs
