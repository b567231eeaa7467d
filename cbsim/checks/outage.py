"""What a ledger knows of outages: when the broker was away, what was sent again, what it may cost.

A broker that restarts forgets transient messages, confirmed or not, and nobody hears of it: that a
connection was lost is all that is known. So of what did not come, what was confirmed before an
outage, and was not persistent, is nobody's fault for certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbsim.checks.ledger import Ledger
    from cbsim.checks.matching import Matching, Places

__all__ = ["SCHEMA", "Outage", "at_risk", "outages"]

SCHEMA = """
create table outage (since real not null, until real not null, why text not null);
create table again (first integer not null, last integer not null, at real not null);
"""
"""When the broker was last heard from and heard again; which messages were sent once more, when."""

_PREFETCHED = 1000
"""Queues deliver in order, to consumers that hold so many unacknowledged, say: when so many later
messages of a name came before the outage, a missing one had been delivered."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The broker was away, as far as a publisher could tell. Seconds since 1970."""

    since: float
    """When it was last heard from."""
    until: float
    """When it was there again, or given up."""
    why: str


def outages(ledger: Ledger) -> tuple[Outage, ...]:
    """Those that a ledger knows of, in order; what several workers saw at once is one."""
    found: list[Outage] = []
    query = "select since, until, why from outage order by 1"
    for since, until, why in ledger.rows(query, (float, float, str)):
        if found and since <= found[-1].until:
            found[-1] = Outage(found[-1].since, max(until, found[-1].until), found[-1].why)
        else:
            found.append(Outage(since, until, why))
    return tuple(found)


def at_risk(matching: Matching, places: Places) -> NDArray[np.bool_]:
    """Which of some entries without an item may have been lost with the broker.

    They were published before it was away, and no great number of later ones of their name came.
    """
    found = np.zeros(len(places), np.bool_)
    ledger, entries = matching.ledger, matching.entries
    kept = ledger.rows("select 1 from about where name = 'persistent'", (int,))
    # Of those that overlap, any may have been the end of the broker.
    moments = [row[0] for row in ledger.rows("select distinct since from outage", (float,))]
    if kept or not moments or not len(places):
        return found
    came = np.flatnonzero(matching.came)
    then, theirs = matching.published(came), matching.published(places)
    for since in moments:
        for name in np.unique(entries.names[places]):
            before = came[(then <= since) & (entries.names[came] == name)]
            delivered = np.sort(entries.sequences[before])[-_PREFETCHED:]
            latest = int(delivered[0]) if len(delivered) == _PREFETCHED else -1
            own = entries.names[places] == name
            found |= own & (theirs <= since) & (entries.sequences[places] > latest)
    return found
