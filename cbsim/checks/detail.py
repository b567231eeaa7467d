"""What is looked at one by one: messages and items that have no match, read once more."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cbsim.checks.layout import Item, Layout
from cbsim.checks.ledger import Ledger
from cbsim.checks.matching import KINDS, Matching, Places
from cbsim.checks.pairing import Missing, Stray, pairs_of
from cbsim.checks.record import Record
from cbsim.checks.source import Source
from cbsim.checks.visible import Visible
from cbsim.wire.message import Message

__all__ = ["Details", "Unmatched"]

_PAIRED = 100_000
"""How many missing messages and stray items are looked at one by one; more are only counted."""


class Unmatched(NamedTuple):
    """What is left over on both sides."""

    missing: list[Missing]
    strays: list[Stray]
    """Items that are like no message, and not another of one that came."""
    pairs: dict[int, Missing]
    """For the place of an item, the message that it stands for."""
    uncounted: int
    """Items that are too many to be looked at."""


class Details:
    """Reads messages of the ledger, and items of the output, by their places."""

    def __init__(
        self, ledger: Ledger, sources: Sequence[Source], layout: Layout, matching: Matching
    ) -> None:
        self._ledger, self._sources = ledger, sources
        self.layout, self.matching = layout, matching

    def unmatched(self, limit: int) -> Unmatched:
        """What is left over on both sides; where nothing came that is of no message, only `limit`
        messages.
        """
        strays = self.matching.odd
        missing = self.missing(self.matching.missing[: _PAIRED if len(strays) else limit])
        looked = self.strays(strays[:_PAIRED])
        pairs = pairs_of(missing, looked, int(self.matching.came.sum()), self.clock)
        return Unmatched(missing, looked, pairs, max(0, len(strays) - _PAIRED))

    def missing(self, places: Places) -> list[Missing]:
        """Entries with what can be seen of them."""
        entries = self.matching.entries
        sequences = entries.sequences[places]
        begins = np.searchsorted(entries.sequences, sequences, "left")
        parts = np.searchsorted(entries.sequences, sequences, "right") - begins
        wanted = [*zip(places.tolist(), sequences.tolist(), (places - begins).tolist(),
                       parts.tolist(), strict=True)]  # fmt: skip
        messages = self.messages([sequence for _, sequence, _, _ in wanted])
        found = []
        for place, sequence, part, of in wanted:
            message = messages[sequence]
            visible = [*self.layout.shown(message)][part]
            name = entries.known[int(entries.names[place])]
            several = part if of > 1 else None
            found.append(Missing(place, sequence, several, name, message, visible))
        return found

    def messages(self, sequences: Sequence[int]) -> dict[int, Message]:
        """Messages by their sequence numbers."""
        chosen = {*sequences}
        if not chosen:
            return {}
        return {
            sequence: message
            for batch in self._ledger.batches(min(chosen), max(chosen))
            for sequence, message in enumerate(batch.messages, batch.first)
            if sequence in chosen
        }

    def strays(self, places: Places) -> list[Stray]:
        """Items with what can be seen of them, and what the items around them stand for."""
        matching = self.matching
        matched = np.flatnonzero(matching.match >= 0)
        told = matching.entries.sequences[matching.match[matched]]
        found = []
        for place, record, item, visible in self._items(places.tolist()):
            at = int(np.searchsorted(matched, place))
            before = int(told[at - 1]) if at else -1
            after = int(told[at]) if at < len(told) else None
            found.append(Stray(place, record, visible, item.fault, before, after))
        return found

    def clock(self, visible: Visible, kind: int) -> int:
        """How a clock of the output shows a time, as `pairs_of` asks for it."""
        clocks = self.matching.clocks
        own = int(visible.raw) if kind < 0 else kind
        clock = clocks.get(KINDS[own]) or next(iter(clocks.values()), None)
        if clock is None:
            return visible.ticks
        ticks = np.array([visible.ticks])
        return int((clock.of_message(ticks) if kind < 0 else clock.of_item(ticks))[0])

    def _items(self, places: Sequence[int]) -> Iterator[tuple[int, Record, Item, Visible]]:
        """The items at some places, which are in order."""
        ends, at = self.matching.items.ends, 0
        while at < len(places):
            number = bisect_right(ends, places[at])
            place, end = (ends[number - 1] if number else 0), ends[number]
            for record in self._sources[number].records():
                pairs = zip(self.layout.items(record), self.layout.seen(record), strict=True)
                for item, visible in pairs:
                    if at < len(places) and places[at] == place:
                        yield place, record, item, visible
                        at += 1
                    place += 1
                if at == len(places) or places[at] >= end:
                    break
