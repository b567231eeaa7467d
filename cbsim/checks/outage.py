"""What a ledger knows of outages: when the broker was away, what was sent again, what it may cost.

A broker that restarts forgets transient messages, confirmed or not, and nobody hears of it: that a
connection was lost is all that is known. So of what did not come, what was confirmed before an
outage, and was not persistent, is nobody's fault for certain.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

__all__ = ["SCHEMA", "Outage", "assess", "outages"]

SCHEMA = """
create table outage (since real not null, until real not null, why text not null);
create table again (first integer not null, last integer not null, at real not null);
"""
"""When the broker was last heard from and heard again; which messages were sent once more, when."""

_PREFETCHED = 1000
"""Queues deliver in order, to consumers that hold so many unacknowledged, say: when so many later
messages of a name came before the outage, a missing one had been delivered."""
_RISK = """
drop table if exists temp.risk;
create temp table risk (name text, since real, delivered int);
"""
_ASSESS = """
insert into risk select n.name, :since, coalesce(d.sequence, -1)
from (select distinct name from expected) as n
left join (
    select name, sequence from (
        select e.name as name, m.sequence as sequence,
            row_number() over (partition by e.name order by m.sequence desc) as back
        from matched as m join expected as e on e.sequence = m.sequence and e.part is m.part
        where e.published <= :since)
    where back = :prefetched) as d
on d.name = n.name
"""


@dataclass(frozen=True, slots=True)
class Outage:
    """The broker was away, as far as a publisher could tell. Seconds since 1970."""

    since: float
    """When it was last heard from."""
    until: float
    """When it was there again, or given up."""
    why: str


def outages(database: sqlite3.Connection) -> tuple[Outage, ...]:
    """Those that a ledger knows of, in order; what several workers saw at once is one."""
    found: list[Outage] = []
    for since, until, why in database.execute("select since, until, why from outage order by 1"):
        if found and since <= found[-1].until:
            found[-1] = Outage(found[-1].since, max(until, found[-1].until), found[-1].why)
        else:
            found.append(Outage(since, until, why))
    return tuple(found)


def assess(database: sqlite3.Connection) -> None:
    """Make the table `risk`, once messages are matched: a message of that name which was published
    by `since`, with a sequence above `delivered`, may have been lost with the broker.
    """
    database.executescript(_RISK)
    row = database.execute("select value from about where name = 'persistent'").fetchone()
    if row is not None:
        return
    # Of those that overlap, any may have been the end of the broker.
    for (since,) in database.execute("select distinct since from outage").fetchall():
        database.execute(_ASSESS, {"since": since, "prefetched": _PREFETCHED})
