"""Matches a ledger's messages with the items of an output, in temporary tables of SQLite.

Both sides become rows of keys, so that a match takes little memory however long the run was. The
n-th item with a key is matched with the n-th message that has it, a sound one before one that is
broken on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cbsim.checks import outage
from cbsim.checks.ledger import Ledger
from cbsim.checks.output import EVENT_KEY, Item, Layout, key_of, known_name
from cbsim.wire.binding import Bindings
from cbsim.wire.fault import EXPECTED
from cbsim.wire.message import RAW_EXCHANGE

__all__ = ["Matching", "Missing", "Stray"]

_BATCH = 5000
_SUBJECT = ("name", "subject", "timestamp")
_TABLES = """
pragma temp_store = file;
drop table if exists temp.expected;
drop table if exists temp.got;
drop table if exists temp.matched;
create temp table expected
    (key blob, sequence int, part int, name text, sensor int, published real, broken int);
create temp table got (position integer primary key, key blob, alias blob, name text, place text,
    identity text, received real, fault text);
create temp table matched (position integer primary key, sequence int, part int);
"""
_PAIR = """
insert into matched select g.position, e.sequence, e.part from
    (select key, sequence, part,
        row_number() over (partition by key order by broken, sequence, part) as n
        from expected) as e
    join
    (select position, key,
        row_number() over (partition by key order by position) as n
        from got where key is not null) as g
    on e.key = g.key and e.n = g.n;
create index temp.matched_sequence on matched (sequence, part);
create index temp.expected_key on expected (key);
"""
_MISSING = """
from expected as e join entry as n on n.sequence = e.sequence
left join matched as m on m.sequence = e.sequence and m.part is e.part
where m.position is null and not e.broken and e.key is not null order by e.sequence, e.part
"""
_STRAYS = """
from got as g left join matched as m on m.position = g.position
where m.position is null order by g.position
"""
_CONFIRMED = "exists (select 1 from confirm where first <= e.sequence and last >= e.sequence)"
_AT_RISK = """exists (select 1 from risk as r where r.name = e.name and e.published <= r.since
and e.sequence > r.delivered)"""
_TWIN = "(select min(sequence) from expected as e where e.key = g.key)"
_MATCHED = """
from matched as m join got as g on g.position = m.position
join expected as e on e.sequence = m.sequence and e.part is m.part
"""


@dataclass(frozen=True, slots=True)
class Missing:
    """A message, or a part of one, that has no item."""

    sequence: int
    part: int | None
    name: str
    confirmed: bool
    at_risk: bool
    """Whether it may have been lost with the broker."""
    identity: Mapping[str, Any]
    alias: bytes | None
    """The key of its name, subject and time."""


@dataclass(frozen=True, slots=True)
class Stray:
    """An item that has no message."""

    position: int
    name: str | None
    place: str
    alias: bytes | None
    identity: Mapping[str, Any]
    fault: str | None
    twin: int | None
    """The message that it repeats."""
    before: int
    """The message that the nearest matched item before it stands for; -1 for none."""
    after: int | None
    """The same of the nearest one after it."""


class Matching:
    """The match of a ledger with the items of an output. One at a time for a ledger."""

    def __init__(
        self, ledger: Ledger, layout: Layout, items: Iterable[Item], bound: Bindings
    ) -> None:
        self._database = ledger.database
        self._database.executescript(_TABLES)
        self._expect(layout, bound)
        self._database.executemany("insert into got values (null,?,?,?,?,?,?,?)", map(_row, items))
        self._database.executescript(_PAIR)
        outage.assess(self._database)

    def sent(self) -> Iterator[tuple[str, int]]:
        """How many messages (or parts) of each name should have come."""
        yield from self._database.execute("select name, count(*) from expected group by name")

    def received(self) -> Iterator[tuple[str, int]]:
        """How many of each name came."""
        yield from self._database.execute(f"select e.name, count(*) {_MATCHED} group by e.name")

    def unmatchable(self) -> Iterator[tuple[str, int]]:
        """How many of each name have nothing that the layout knows messages by."""
        yield from self._database.execute(
            "select name, count(*) from expected where key is null and not broken group by name"
        )

    def missing(self, limit: int) -> list[Missing]:
        """What has no item, in the order of the run; what was broken on purpose needs none."""
        rows = self._database.execute(
            f"select e.sequence, e.part, e.name, n.identity, {_CONFIRMED}, {_AT_RISK} "
            f"{_MISSING} limit ?",
            (limit,),
        )
        return [_missing(*row) for row in rows]

    def more_missing(self, after: int) -> Iterator[tuple[str, bool, bool, int]]:
        """Name, whether it was confirmed and is at risk, how many there are past the first ones."""
        yield from self._database.execute(
            f"select name, done, risk, count(*) from (select e.name as name, {_CONFIRMED} as done, "
            f"{_AT_RISK} as risk {_MISSING} limit -1 offset ?) group by name, done, risk",
            (after,),
        )  # fmt: skip

    def strays(self, limit: int) -> list[Stray]:
        """What has no message, in the order of the output."""
        rows = self._database.execute(
            f"""select g.position, g.name, g.place, g.alias, g.identity, g.fault, {_TWIN},
                (select sequence from matched where position < g.position
                    order by position desc limit 1),
                (select sequence from matched where position > g.position
                    order by position limit 1)
            {_STRAYS} limit ?""", (limit,),
        )  # fmt: skip
        return [
            Stray(position, name, place, alias, orjson.loads(identity), fault, twin,
                  -1 if before is None else before, after)
            for position, name, place, alias, identity, fault, twin, before, after in rows
        ]  # fmt: skip

    def more_strays(self, after: int) -> Iterator[tuple[str, bool, int]]:
        """Name, whether it repeats a message, and how many there are past the first ones."""
        yield from self._database.execute(
            f"select name, again, count(*) from (select coalesce(g.name, '') as name, "
            f"{_TWIN} is not null as again {_STRAYS} limit -1 offset ?) group by name, again",
            (after,),
        )

    def disordered(self) -> dict[int, int]:
        """For a sensor, how many items came after a later message of that sensor."""
        rows = self._database.execute(f"""
            select sensor, count(*) from (
                select e.sensor as sensor, m.sequence as sequence, max(m.sequence) over
                    (partition by e.sensor order by m.position
                        rows between unbounded preceding and 1 preceding) as latest
                {_MATCHED} where e.sensor is not null)
            where sequence < latest group by sensor order by sensor
        """)
        return dict(rows)

    def latencies(self, shares: Sequence[float]) -> list[float]:
        """Seconds from published to received at some shares of all items; empty without times."""
        self._database.executescript(f"""
            drop table if exists temp.latency;
            create temp table latency as select g.received - e.published as seconds
                {_MATCHED} where g.received is not null order by 1;
        """)
        (count,) = self._database.execute("select count(*) from latency").fetchone()
        query = "select seconds from latency where rowid = ?"
        rows = [min(count, int(count * share) + 1) for share in shares] if count else []
        return [self._database.execute(query, (row,)).fetchone()[0] for row in rows]

    def _expect(self, layout: Layout, bound: Bindings) -> None:
        routes = {
            number: known_name(key) or exchange
            for number, exchange, key in self._database.execute("select * from route")
            if bound.takes(exchange, key)
        }
        cursor = self._database.execute(
            "select sequence, route, digest, content, sensor, identity, published, "
            f"broken is not null and broken not like '{EXPECTED}%' from entry"
        )
        while rows := cursor.fetchmany(_BATCH):
            expected = (one for row in rows if row[1] in routes
                        for one in _expected(row, routes[row[1]], layout))  # fmt: skip
            self._database.executemany("insert into expected values (?,?,?,?,?,?,?)", expected)


def _expected(row: tuple[Any, ...], name: str, layout: Layout) -> Iterator[tuple[Any, ...]]:
    """A row for each item that a message should become."""
    sequence, _, body, content, sensor, text, published, broken = row
    known = body if layout.by == "digest" else content if layout.by == "content" else None
    if known is not None:
        yield known, sequence, None, name, sensor, published, broken
        return
    fields = EVENT_KEY if layout.by == "content" else layout.fields
    identity = orjson.loads(text)
    parts = identity.pop("parts", [])
    # Nothing but their sensor is common to the events of a bundle: they always come one by one.
    if parts and (layout.exploded or name == RAW_EXCHANGE):
        for number, part in enumerate(parts):
            inner = identity | part
            named = str(inner.get("name", name))
            yield key_of(fields, named, inner), sequence, number, named, sensor, published, broken
    else:
        yield key_of(fields, name, identity), sequence, None, name, sensor, published, broken


def _row(item: Item) -> tuple[Any, ...]:
    shown = {key: it for key, it in item.identity.items() if key != "parts" and it is not None}
    alias = key_of(_SUBJECT, item.name, item.identity)
    return (item.key, alias, item.name, item.where, orjson.dumps(shown).decode(), item.received,
            item.fault)  # fmt: skip


def _missing(
    sequence: int, part: int | None, name: str, text: str, confirmed: int, at_risk: int
) -> Missing:
    identity = orjson.loads(text)
    parts = identity.pop("parts", [])
    if part is not None:
        identity |= parts[part]
    return Missing(sequence, part, name, bool(confirmed), bool(at_risk), identity,
                   key_of(_SUBJECT, name, identity))  # fmt: skip
