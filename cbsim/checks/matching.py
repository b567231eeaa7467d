"""Matches what was sent with what came, by their keys, as columns of numbers.

The n-th item with a key is matched with the n-th message that has it, a sound one before one that
is broken on purpose. Times are part of the key at the precision that the output turns out to have:
that at which most of it matches.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cbsim.checks.columns import Entries, Items, Keys, Kinds, Ticks, other_keys
from cbsim.checks.layout import UNKNOWN, Layout
from cbsim.checks.ledger import Ledger
from cbsim.checks.moment import CLOCKS, NEVER, Clock
from cbsim.wire.fault import EXPECTED

__all__ = ["KINDS", "Matching", "Places"]

Places = NDArray[np.int64]
"""Indexes into entries or items; -1 for none."""

KINDS = ("notifications", "raw events")
"""What times are the times of, by number."""
_SAMPLE = 50_000
_PARTITION = 2_000_000
"""So many keys are sorted at once, which bounds the memory that it takes."""
_FEW = 3
"""Messages of one name have a precision of their own when at least so many match by it, and more
than by that of all."""


class Matching:
    """The match of a ledger's entries with the items of an output."""

    def __init__(self, ledger: Ledger, layout: Layout, entries: Entries, items: Items) -> None:
        self.entries, self.items = entries, items
        self.ledger, self._layout = ledger, layout
        query = "select sequence from broken where fault not like ?"
        rows = ledger.rows(query, (int,), f"{EXPECTED}%")
        sequences = [sequence for (sequence,) in rows]
        self.broken = np.isin(entries.sequences, np.array(sequences, np.uint32))
        self._telling = entries.keys != UNKNOWN
        self.clocks: dict[str, Clock] = {}
        """How exactly times are in the output, by what they are the times of."""
        ours, theirs = entries.keys, items.keys
        if layout.timed:
            ours, theirs = self._timed()
        self.keys = ours
        """The keys of entries, with their times."""
        order = np.argsort(self.broken, kind="stable") if self.broken.any() else None
        self.match, self.like = paired(ours, theirs, order)
        """For each item, the entry that it stands for, and the first one with its key."""
        self.came = np.zeros(len(ours), np.bool_)
        """For each entry, whether an item stands for it."""
        self.came[self.match[self.match >= 0]] = True
        self._pair_otherwise(theirs)

    @property
    def missing(self) -> Places:
        """Entries without an item; what was broken on purpose needs none."""
        found: Places = np.flatnonzero(~self.came & ~self.broken & self._telling)
        return found

    @property
    def strays(self) -> Places:
        """Items without an entry."""
        found: Places = np.flatnonzero(self.match < 0)
        return found

    @property
    def doubled(self) -> Places:
        """Items of messages that came already."""
        strays = self.strays
        return strays[self.like[strays] >= 0]

    @property
    def odd(self) -> Places:
        """Items that are like no message."""
        strays = self.strays
        return strays[self.like[strays] < 0]

    def counts(self, places: Places) -> Iterator[tuple[str, int]]:
        """How many of some entries there are of each name."""
        numbers = np.bincount(self.entries.names[places], minlength=len(self.entries.known))
        yield from ((name, int(count)) for name, count in zip(self.entries.known, numbers,
                                                              strict=True) if count)  # fmt: skip

    @property
    def unmatchable(self) -> Places:
        """Entries that have nothing that the layout knows messages by."""
        found: Places = np.flatnonzero(~self._telling & ~self.broken & ~self.came)
        return found

    def confirmed(self, places: Places) -> NDArray[np.bool_]:
        """Whether the broker confirmed the messages of some entries."""
        rows = self.ledger.rows("select first, last from confirm order by first", (int, int))
        ranges = np.array(rows, np.int64).reshape(-1, 2)
        if not len(ranges):
            return np.zeros(len(places), np.bool_)
        sequences = self.entries.sequences[places].astype(np.int64)
        at = np.searchsorted(ranges[:, 0], sequences, "right") - 1
        found: NDArray[np.bool_] = (at >= 0) & (ranges[at, 1] >= sequences)
        return found

    def alike(self, places: Places) -> dict[int, list[int]]:
        """For some entries, the messages that look the same in this output, where there are any."""
        keys = self.keys[places]
        among = np.flatnonzero(np.isin(self.keys, keys[keys != UNKNOWN]))
        groups: dict[int, list[int]] = {}
        for key, sequence in zip(self.keys[among].tolist(), self.entries.sequences[among].tolist(),
                                 strict=True):  # fmt: skip
            groups.setdefault(key, []).append(sequence)
        return {place: groups[key] for place, key in zip(places.tolist(), keys.tolist(),
                                                        strict=True)
                if len(groups.get(key, ())) > 1}  # fmt: skip

    def latencies(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """When matched messages were published, and how many seconds later each was received."""
        if not len(self.items.received):
            return np.zeros(0), np.zeros(0)
        told = np.flatnonzero((self.match >= 0) & (self.items.received > 0))
        published = self.published(self.match[told])
        return published, self.items.received[told] - published

    def published(self, places: Places) -> NDArray[np.float64]:
        """When the messages of some entries were published."""
        query = "select first, published from batch order by first"
        table = np.array(self.ledger.rows(query, (int, float)), np.float64).reshape(-1, 2)
        at = np.searchsorted(table[:, 0], self.entries.sequences[places], "right") - 1
        found: NDArray[np.float64] = table[at, 1]
        return found

    def _timed(self) -> tuple[Keys, Keys]:
        """The keys of both sides with their times in them."""
        entries, items = self.entries, self.items
        for kind, words in enumerate(KINDS):
            mine, its = np.flatnonzero(entries.kinds == kind), np.flatnonzero(items.kinds == kind)
            if len(mine) and len(its):
                self.clocks[words] = _clock_of(entries.keys[mine], entries.ticks[mine],
                                               items.keys[its], items.ticks[its])  # fmt: skip
        return (self._at_clocks(entries.keys, entries.ticks, entries.kinds, down=False),
                self._at_clocks(items.keys, items.ticks, items.kinds, down=False,
                                shown=True))  # fmt: skip

    def _pair_otherwise(self, theirs: Keys) -> None:
        """Match what is left in other ways: times at a clock's border, and other keys."""
        left, over = np.flatnonzero(~self.came & self._telling), self.strays
        if not len(left) or not len(over):
            return
        if self._layout.timed:
            self._pair_at_borders(left, over)
            self._pair_by_own_clocks()
            left, over = np.flatnonzero(~self.came & self._telling), self.strays
        sequences = np.unique(self.entries.sequences[left])
        keys, ticks = other_keys(self.ledger, self._layout, sequences)
        # All parts of these messages, of which only some are left.
        among = np.flatnonzero(np.isin(self.entries.sequences, sequences))
        if len(keys) != len(among):
            return
        chosen = np.flatnonzero((keys != UNKNOWN) & ~self.came[among])
        mine = among[chosen]
        if not self._layout.timed:
            self._take(keys[chosen], mine, theirs[over], over)
            return
        items = self.items
        for down in (False, True):
            left, over = np.flatnonzero(~self.came[mine]), self.strays
            at = mine[left]
            self._take(
                self._at_clocks(keys[chosen[left]], ticks[chosen[left]], self.entries.kinds[at],
                                down=down),
                at, self._at_clocks(items.keys[over], items.ticks[over], items.kinds[over],
                                    down=down, shown=True), over,
            )  # fmt: skip

    def _pair_at_borders(self, left: Places, over: Places) -> None:
        entries, items = self.entries, self.items
        self._take(
            self._at_clocks(entries.keys[left], entries.ticks[left], entries.kinds[left],
                            down=True), left,
            self._at_clocks(items.keys[over], items.ticks[over], items.kinds[over],
                            down=True, shown=True), over,
        )  # fmt: skip

    def _pair_by_own_clocks(self) -> None:
        """Match messages of names most of which did not come, at a precision of their own."""
        entries, items = self.entries, self.items
        for number in range(len(entries.known)):
            own = np.flatnonzero((entries.names == number) & self._telling & ~self.broken)
            mine, its = own[~self.came[own]], self.strays
            if len(mine) < max(_FEW, len(own) / 2) or len(its) < _FEW:
                continue
            ours = entries.keys[mine], entries.ticks[mine]
            theirs = items.keys[its], items.ticks[its]
            clock = _clock_of(*ours, *theirs)
            keys = (_with_time(ours[0], clock.of_message(ours[1]), ours[1]),
                    _with_time(theirs[0], clock.of_item(theirs[1]), theirs[1]))  # fmt: skip
            if (paired(*keys, None)[0] >= 0).sum() >= max(_FEW, self.came[own].sum()):
                self.clocks[entries.known[number]] = clock
                self._take(keys[0], mine, keys[1], its)

    def _at_clocks(
        self, keys: Keys, ticks: Ticks, kinds: Kinds, *, down: bool, shown: bool = False
    ) -> Keys:
        """Keys with times as the clock of each kind shows them; `shown` for those of an output."""
        found = keys.copy()
        for kind, words in enumerate(KINDS):
            if (clock := self.clocks.get(words)) is not None:
                chosen = np.flatnonzero(kinds == kind)
                at = ticks[chosen]
                stand = clock.of_item if shown else clock.of_message
                stands = stand(at, down=down and clock.rounded)
                found[chosen] = _with_time(keys[chosen], stands, at)
        return found

    def _take(self, ours: Keys, mine: Places, theirs: Keys, its: Places) -> None:
        """Match some entries with some items, by these keys."""
        match, first = paired(ours, theirs, None)
        known = np.flatnonzero((first >= 0) & (self.like[its] < 0))
        self.like[its[known]] = mine[first[known]]
        taken = np.flatnonzero(match >= 0)
        self.match[its[taken]] = mine[match[taken]]
        self.came[mine[match[taken]]] = True


def _with_time(keys: Keys, stands: Ticks, ticks: Ticks) -> Keys:
    """Keys mixed with times; what a clock cannot show has a key that nothing else has."""
    mixed: Keys = keys + stands.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = np.where(ticks == NEVER, keys, mixed)
    mixed[keys == UNKNOWN] = UNKNOWN
    mixed[(stands < 0) & (ticks != NEVER)] = UNKNOWN
    return mixed


def _clock_of(ours: Keys, our_ticks: Ticks, theirs: Keys, their_ticks: Ticks) -> Clock:
    """The clock by which most match, in a sample; the finest of those by which as many do."""
    share = max(1, len(ours) // _SAMPLE)
    mine = np.flatnonzero((ours % np.uint64(share) == 0) & (our_ticks != NEVER))
    its = np.flatnonzero((theirs % np.uint64(share) == 0) & (their_ticks != NEVER))
    ours, our_ticks, theirs, their_ticks = (
        ours[mine], our_ticks[mine], theirs[its], their_ticks[its],
    )  # fmt: skip
    best, most = CLOCKS[0], -1
    for clock in CLOCKS:
        count = 0
        left, over = np.arange(len(ours)), np.arange(len(theirs))
        for down in (False, True) if clock.rounded else (False,):
            mine, its = our_ticks[left], their_ticks[over]
            match, _ = paired(
                _with_time(ours[left], clock.of_message(mine, down=down), mine),
                _with_time(theirs[over], clock.of_item(its, down=down), its), None,
            )  # fmt: skip
            found = match >= 0
            count += int(found.sum())
            left, over = np.delete(left, match[found]), over[~found]
        if count > most:
            best, most = clock, count
        if count == len(theirs):
            break
    return best


def paired(ours: Keys, theirs: Keys, order: Places | None) -> tuple[Places, Places]:
    """For each of `theirs` which of `ours` it is matched with, and the first that has its key.

    `order` says in which order ours are taken.
    """
    match = np.full(len(theirs), -1, np.int64)
    first = np.full(len(theirs), -1, np.int64)
    count = 1 + max(len(ours), len(theirs)) // _PARTITION
    for number in range(count):
        if count == 1:
            mine, its = np.arange(len(ours)), np.arange(len(theirs))
        else:
            mine = np.flatnonzero(ours % np.uint64(count) == number)
            its = np.flatnonzero(theirs % np.uint64(count) == number)
        if order is not None:
            mine = order[np.isin(order, mine)]
        its = its[theirs[its] != UNKNOWN]
        mine = mine[ours[mine] != UNKNOWN]
        mine = mine[np.argsort(ours[mine], kind="stable")]
        its = its[np.argsort(theirs[its], kind="stable")]
        keys, wanted = ours[mine], theirs[its]
        begins = np.searchsorted(keys, wanted, "left")
        known = begins < len(keys)
        known[known] = keys[begins[known]] == wanted[known]
        first[its[known]] = mine[begins[known]]
        at = begins + _ranks(wanted)
        found = known & (at < len(keys))
        found[found] = keys[at[found]] == wanted[found]
        match[its[found]] = mine[at[found]]
    return match, first


def _ranks(keys: Keys) -> Places:
    """How many equal keys stand before each, in sorted keys."""
    places = np.arange(len(keys))
    begins = np.ones(len(keys), np.bool_)
    begins[1:] = keys[1:] != keys[:-1]
    found: Places = places - np.maximum.accumulate(np.where(begins, places, 0))
    return found
