"""Tells what is corrupted from what is lost and unexpected, and counts it all."""

from __future__ import annotations

import numpy as np

from cbsim.checks.detail import Details, Unmatched
from cbsim.checks.layout import Layout, Pair, shown_time
from cbsim.checks.matching import Matching
from cbsim.checks.moment import NEVER
from cbsim.checks.outage import at_risk
from cbsim.checks.outcome import Comparison, Counts, Difference
from cbsim.checks.pairing import Missing, Stray
from cbsim.checks.visible import Visible

__all__ = ["Settling", "identity_of"]


class Settling:
    """Makes a comparison; `limit` is how many differences of a kind are kept."""

    def __init__(self, limit: int) -> None:
        self.comparison = Comparison()
        self._limit = limit

    def of(self, name: str) -> Counts:
        """The counts of a name."""
        return self.comparison.names.setdefault(name, Counts())

    def settle(self, details: Details) -> None:
        """Take in all that has no match."""
        matching, layout = details.matching, details.layout
        left = details.unmatched(self._limit)
        self._lose(matching, left)
        doubled = matching.doubled
        for name, count in matching.counts(matching.like[doubled]):
            self.of(name).duplicated = count
        for stray in details.strays(doubled[: self._limit]):
            self._double(matching, stray)
        for stray in left.strays:
            self._stray(layout, stray, left.pairs.get(stray.place))
        if left.uncounted:
            self.of("").unexpected += left.uncounted

    def _lose(self, matching: Matching, left: Unmatched) -> None:
        places, taken = matching.missing, {missing.place for missing in left.pairs.values()}
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
            Difference("lost", missing.name, missing.sequence, missing.part, None,
                       identity_of(missing.visible), alike=tuple(alike.get(missing.place, ())))
            for missing in left.missing if missing.place in named
        ]  # fmt: skip

    def _double(self, matching: Matching, stray: Stray) -> None:
        twin = int(matching.like[stray.place])
        sequence = int(matching.entries.sequences[twin])
        name = matching.entries.known[int(matching.entries.names[twin])]
        alike = matching.alike(np.array([twin])).get(twin, ())
        self.comparison.differences.append(Difference(
            "duplicated", name, sequence, None, stray.record.where, identity_of(stray.visible),
            alike=tuple(alike) if len({*alike}) > 1 else (),
        ))  # fmt: skip

    def _stray(self, layout: Layout, stray: Stray, match: Missing | None) -> None:
        where, fault = stray.record.where, stray.fault
        if match is None:
            name = stray.visible.name
            difference = Difference("unexpected", name, None, None, where,
                                    identity_of(stray.visible), fault)  # fmt: skip
        else:
            name = match.name
            mismatches = layout.mismatches(
                Pair(stray.record, stray.visible, match.message, match.visible)
            )
            difference = Difference(
                "corrupted", name, match.sequence, match.part, where, identity_of(match.visible),
                fault, () if fault else tuple(mismatches),
            )  # fmt: skip
        counts = self.of(name)
        setattr(counts, difference.kind, getattr(counts, difference.kind) + 1)
        if self.comparison.total(difference.kind) <= self._limit:
            self.comparison.differences.append(difference)


def identity_of(visible: Visible) -> dict[str, object]:
    """What a person may find it by."""
    shown: dict[str, object] = {name: value for name, value in visible.values.items() if value}
    return shown if visible.ticks == NEVER else shown | {"timestamp": shown_time(visible.ticks)}
