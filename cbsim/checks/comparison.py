"""Compares a ledger with what a consumer put out: what was lost, doubled, damaged or made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from cbsim.checks.columns import read_entries, read_items
from cbsim.checks.course import course_of
from cbsim.checks.detail import Details
from cbsim.checks.forwarded import Forwarded
from cbsim.checks.jump import jumps
from cbsim.checks.layout import Layout
from cbsim.checks.ledger import Ledger
from cbsim.checks.mapped import Mapped
from cbsim.checks.matching import Matching
from cbsim.checks.order import disordered
from cbsim.checks.outage import outages
from cbsim.checks.outcome import Comparison
from cbsim.checks.record import Record
from cbsim.checks.settling import Settling
from cbsim.checks.source import Source, held
from cbsim.checks.whole import Bodies, Contents
from cbsim.errors import InputError
from cbsim.wire.binding import ALL, Bindings
from cbsim.wire.fault import EXPECTED, SPARED

__all__ = ["PRESETS", "Match", "compare", "match", "outcome"]

PRESETS = ("forwarder",)
"""The names of the presets."""
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
_ASTRAY = 1.0
"""Seconds that the clocks of two machines may differ without a word."""


@dataclass(frozen=True, slots=True)
class Match:
    """A ledger and an output, matched."""

    ledger: Ledger
    sources: Sequence[Source]
    layout: Layout
    matching: Matching

    @property
    def details(self) -> Details:
        """What is looked at one by one."""
        return Details(self.ledger, self.sources, self.layout, self.matching)


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
    result = Settling(limit)
    everything = np.arange(len(matching.entries.keys))
    for kind, places in (("sent", everything), ("received", np.flatnonzero(matching.came)),
                         ("unmatchable", matching.unmatchable)):  # fmt: skip
        for name, count in matching.counts(places):
            setattr(result.of(name), kind, count)
    result.settle(found.details)
    comparison = result.comparison
    comparison.outages = outages(found.ledger)
    comparison.purposed = _purposed(found.ledger)
    comparison.notes = tuple(
        found.ledger.rows("select at, said from note order by at", (float, str))
    )
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


def _purposed(ledger: Ledger) -> dict[str, int]:
    faults = (fault for (fault,) in ledger.rows("select fault from broken", (str,)))
    kinds = Counter(fault.removeprefix(EXPECTED).removeprefix(SPARED).partition(":")[0]
                    for fault in faults)  # fmt: skip
    return dict(sorted(kinds.items()))


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
