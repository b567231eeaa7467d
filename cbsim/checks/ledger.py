"""The ledger: what a run sent, written down before it is sent, in an SQLite database.

A row a batch: when it was published, each message's route and size as JSON, and the bodies
themselves, compressed together. Whatever a consumer may have kept of a message is read from its
body when it is asked for, and costs a run nothing. Confirms are rows of their own, a range each,
and so is what was sent again, so that nothing is ever changed. When the broker was away, or the
clock jumped, is noted, too, and what was done to the broker on purpose. Every batch is committed
before its messages are handed over: after a
crash the ledger knows all that can be on the bus. Several processes may write in one; a batch gets
its sequence numbers as it is committed.

    sqlite3 run.ledger "select sequence, routing_key, size, confirmed from message limit 5"
    cbsim ledger run.ledger | head -5
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
import zstandard

from cbsim.checks import jump, outage, soundness
from cbsim.errors import CbsimError, InputError
from cbsim.wire.message import Message

__all__ = ["Batch", "Ledger", "Route"]

_VERSION = 5
_SCHEMA = f"""
pragma journal_mode = wal;
pragma synchronous = normal;
create table about (name text primary key, value text) without rowid;
create table route (id integer primary key, exchange text not null, routing_key text not null,
    content_type text not null);
create table batch (first integer primary key, count integer not null, published real not null,
    messages text not null, bodies blob not null);
create table headers (sequence integer primary key, headers text not null);
create table broken (sequence integer primary key, fault text not null);
create table confirm (first integer not null, last integer not null, at real not null);
{outage.SCHEMA}
{jump.SCHEMA}
create table note (at real not null, said text not null);
create view message as
    select batch.first + each.key as sequence, exchange, routing_key, content_type,
        json_extract(each.value, '$[1]') as size,
        (select headers from headers where sequence = batch.first + each.key) as headers,
        strftime('%Y-%m-%d %H:%M:%f', published, 'unixepoch') as published,
        (select strftime('%Y-%m-%d %H:%M:%f', at, 'unixepoch') from confirm
            where first <= batch.first + each.key and batch.first + each.key <= last) as confirmed,
        (select count(*) from again
            where first <= batch.first + each.key and batch.first + each.key <= last) as again,
        (select fault from broken where sequence = batch.first + each.key) as broken
    from batch, json_each(batch.messages) as each
        join route on route.id = json_extract(each.value, '$[0]');
pragma user_version = {_VERSION};
"""
_LEVEL = 1
"""Of Zstandard: half a microsecond a message; the next levels take more than they save."""
_PATIENCE = 60.0
"""Seconds to wait for other processes that write in the same ledger."""


class Route(NamedTuple):
    """Where messages of a kind go, and what they are."""

    exchange: str
    routing_key: str
    content_type: str


class Batch(NamedTuple):
    """Messages that were written down together."""

    first: int
    """The sequence number of the first; the others follow."""
    published: float
    """Seconds since 1970."""
    messages: list[Message]


class _Range(NamedTuple):
    """Messages of ours of which a table is to have a row."""

    table: str
    first: int
    last: int
    at: float


class _Span(NamedTuple):
    """Messages of ours that have a run of sequence numbers."""

    first: int
    last: int
    ahead: int
    """How much their sequence numbers are more than ours."""


class Ledger:
    """A new ledger in a file, or in memory for the path None. Raises CbsimError."""

    def __init__(self, path: str | Path | None, about: Mapping[str, str] | None = None) -> None:
        self.path = path
        if path is not None:
            _create(Path(path))
        target = ":memory:" if path is None else str(Path(path).absolute())
        try:
            with _connected(target) as self._database:
                self._database.executescript(_SCHEMA)
                self._database.executemany("insert into about values (?, ?)", (about or {}).items())
                self._database.commit()
        except sqlite3.Error as error:
            if path is not None:
                # It would be in the way of the next try.
                for end in ("", "-wal", "-shm", "-journal"):
                    Path(f"{path}{end}").unlink(missing_ok=True)
            raise InputError(f"ledger {path}: cannot be written: {error}") from None
        self._begin(written=True)

    def _begin(self, *, written: bool) -> None:
        self._written = written
        self._routes: dict[object, int] = {}
        self._next = 0
        self._noted: deque[_Range] = deque()
        self._outages: deque[tuple[float, float, str]] = deque()
        self._spans: deque[_Span] = deque()
        self._lock = threading.Lock()
        self._clock = jump.Clock()
        self._compress = zstandard.ZstdCompressor(_LEVEL).compress

    @classmethod
    def join(cls, path: str | Path) -> Ledger:
        """A ledger that another process began, to write in it too; raises CbsimError.

        Its messages are counted from 0 for `confirm`, whatever the others write.
        """
        self = cls.__new__(cls)
        self.path = path
        try:
            with _connected(f"{Path(path).absolute().as_uri()}?mode=rw") as self._database:
                self._database.execute("pragma synchronous = normal")
        except sqlite3.Error as error:
            raise CbsimError(f"ledger {path}: cannot be written: {error}") from None
        self._begin(written=True)
        return self

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """A ledger that was written before, for reading; raises CbsimError."""
        self = cls.__new__(cls)
        self.path = path
        if not Path(path).is_file():
            raise InputError(f"there is no ledger {path}")
        try:
            with _connected(f"{Path(path).absolute().as_uri()}?mode=ro") as self._database:
                (version,) = self._database.execute("pragma user_version").fetchone()
                if version != _VERSION:
                    raise InputError(f"ledger {path}: is of version {version}, expected {_VERSION}")
                if not soundness.is_ours(self._database, _SCHEMA):
                    raise InputError(f"ledger {path}: has other tables than those of a ledger")
                self._begin(written=False)
                self._next = soundness.messages_in(self._database, Path(path))
        except (sqlite3.Error, ValueError):
            raise InputError(f"{path}: is no ledger of `cbsim run --ledger`") from None
        return self

    @property
    def database(self) -> sqlite3.Connection:
        """The database, for a query of one's own; what was confirmed so far is in it."""
        with self._lock:
            self._settle()
            self._database.commit()
        return self._database

    @property
    def about(self) -> dict[str, str]:
        """What was run."""
        return dict(self.rows("select name, value from about", (str, str)))

    def rows(self, query: str, kinds: Sequence[type], *values: object) -> list[tuple[Any, ...]]:
        """What a query gives, in rows of these types; raises CbsimError where it is damaged."""
        with soundness.told(self.path):
            return soundness.checked(self.database.execute(query, values), kinds)

    def __len__(self) -> int:
        """How many messages are in it, or were written by a process that joined it."""
        return self._next

    @property
    def empty(self) -> bool:
        """Whether nobody has written a message in it."""
        return self._read("select 1 from batch limit 1") is None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, messages: Sequence[Message]) -> None:
        """Write messages down, in the order in which they will be published; raises CbsimError."""
        if not messages:
            return
        (now, jumped), routes = self._clock.read(), self._routes
        bodies = [message[3] for message in messages]
        keys = [message[:3] for message in messages]
        marked = [(place, message) for place, message in enumerate(messages)
                  if message[4] or message[6]]  # fmt: skip
        with self._writing():
            for key in set(keys) - routes.keys():
                routes[key] = self._route(key)
            pairs = zip(map(routes.__getitem__, keys), map(len, bodies), strict=True)
            shape = orjson.dumps([*pairs]).decode()
            first = self._read("select first + count from batch order by first desc limit 1") or 0
            row = first, len(messages), now, shape, self._compress(b"".join(bodies))
            self._database.execute("insert into batch values (?,?,?,?,?)", row)
            if jumped is not None:
                at = jumped.expected, jumped.found
                self._database.execute("insert into jump values (?, ?)", at)
            for place, message in marked:
                self._mark(first + place, message)
            self._number(first, len(messages))

    def batches(self, first: int = 0, last: int | None = None) -> Iterator[Batch]:
        """What was written from one sequence number to another, both included, batch by batch.

        A batch that only begins or ends within them comes whole. Raises CbsimError.
        """
        routes, marks = self.routes, self._marks(first, last)
        for begin, published, shape, text in self.stretches(first, last):
            at, rows = 0, []
            for number, size in shape:
                rows.append((*routes[number], text[at : at + size]))
                at += size
            with soundness.told(self.path):
                messages = _messages(begin, rows, **marks)
            yield Batch(begin, published, messages)

    def stretches(
        self, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, float, list[tuple[int, int]], bytes]]:
        """The same as it is kept: the first number, when it was published, for each message the
        number of its route and the size of its body, and the bodies one after the other.
        """
        known = self.routes.keys()
        begins, ends = self._bounds(first, last)
        query = (
            "select first, published, messages, bodies from batch "
            f"where first >= {begins} and first < {ends} order by first"
        )
        with soundness.told(self.path):
            rows = self.database.execute(query)
        while True:
            with soundness.told(self.path):
                row = rows.fetchone()
                if row is None:
                    return
                ((begin, published),) = soundness.checked([row[:2]], (int, float))
                shape, text = soundness.unpacked(row[2], row[3], known)
            yield begin, published, shape, text

    @property
    def routes(self) -> dict[int, Route]:
        """Where its messages went, by the numbers that stand for it."""
        query = "select id, exchange, routing_key, content_type from route"
        rows = self.rows(query, (int, str, str, str))
        return {number: Route(*route) for number, *route in rows}

    def headers(self, first: int = 0, last: int | None = None) -> dict[int, str]:
        """The headers of messages that have any, as JSON; from one sequence to another."""
        return self._marks(first, last)["headers"]

    def _marks(self, first: int, last: int | None) -> dict[str, dict[int, str]]:
        begins, ends = self._bounds(first, last)
        return {
            table: dict(self.rows(
                f"select * from {table} where sequence >= {begins} and sequence < {ends}",
                (int, str),
            )) for table in ("headers", "broken")
        }  # fmt: skip

    @staticmethod
    def _bounds(first: int, last: int | None) -> tuple[str, str]:
        """The first number of the batches between two, and the number after their last, as SQL."""
        end = 2**62 if last is None else last
        return (f"(select coalesce(max(first), 0) from batch where first <= {int(first)})",
                f"(select max(first + count) from batch where first <= {int(end)})")  # fmt: skip

    def confirm(self, first: int, last: int) -> None:
        """Note that the broker confirmed the messages from one sequence to another, both included.

        As a publisher's witness; any thread may call it. It is written with the next batch.
        """
        self._noted.append(_Range("confirm", first, last, time.time()))

    def republish(self, first: int, last: int) -> None:
        """Note that messages were sent once more, likewise."""
        self._noted.append(_Range("again", first, last, time.time()))

    def outage(self, since: float, until: float, why: str) -> None:
        """Note that the broker was away, likewise. Both are seconds since 1970."""
        self._outages.append((since, until, why))

    def note(self, said: str) -> None:
        """Note what was done beside the messages, to the broker on purpose, say."""
        with self._writing():
            self._database.execute("insert into note values (?, ?)", (time.time(), said))

    def close(self) -> None:
        """Write what is left, and close the file, which is one then and can be read anywhere.

        Raises CbsimError when it cannot be written.
        """
        with self._lock:
            try:
                self._settle()
                self._database.commit()
                if self._written:
                    # Unless someone else writes or reads it at the moment.
                    with suppress(sqlite3.OperationalError):
                        self._database.execute("pragma journal_mode = delete")
            except sqlite3.Error as error:
                raise CbsimError(f"ledger {self.path}: cannot be written: {error}") from None
            finally:
                self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that no other process is in, and in it the confirms so far."""
        with self._lock:
            try:
                self._database.execute("begin immediate")
                try:
                    self._settle()
                    yield
                finally:
                    # Too much in it is no harm: what an interrupt keeps back was not confirmed.
                    self._database.commit()
            except sqlite3.Error as error:
                raise CbsimError(f"ledger {self.path}: cannot be written: {error}") from None

    def _read(self, query: str, *values: object) -> Any:
        """The one value that a query gives; None for none."""
        row = self._database.execute(query, values).fetchone()
        return row and row[0]

    def _route(self, key: tuple[Any, ...]) -> int:
        query = "select id from route where exchange = ? and routing_key = ? and content_type = ?"
        number = self._read(query, *key)
        if number is None:
            self._database.execute("insert into route values (null, ?, ?, ?)", key)
            number = self._read(query, *key)
        return cast(int, number)

    def _mark(self, sequence: int, message: Message) -> None:
        if message.headers:
            text = orjson.dumps(dict(message.headers)).decode()
            self._database.execute("insert into headers values (?, ?)", (sequence, text))
        if message.broken is not None:
            self._database.execute("insert into broken values (?, ?)", (sequence, message.broken))

    def _number(self, first: int, count: int) -> None:
        """Remember that so many messages more have sequence numbers from `first` on."""
        span = _Span(self._next, self._next + count - 1, first - self._next)
        if self._spans and self._spans[-1].ahead == span.ahead:
            span = _Span(self._spans.pop().first, span.last, span.ahead)
        self._spans.append(span)
        self._next += count

    def _settle(self) -> None:
        while self._outages:
            self._database.execute("insert into outage values (?, ?, ?)", self._outages.popleft())
        while self._noted:
            table, first, last, at = self._noted.popleft()
            while table == "confirm" and self._spans[0].last < first:
                # Confirms come in order, and of what is confirmed nothing is sent again.
                self._spans.popleft()
            for span in self._spans:
                if span.first > last:
                    break
                row = max(first, span.first) + span.ahead, min(last, span.last) + span.ahead, at
                if row[0] <= row[1]:
                    self._database.execute(f"insert into {table} values (?, ?, ?)", row)


def _create(path: Path) -> None:
    """An empty file for nobody else to read; raises InputError when there is one."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise InputError(f"ledger {path}: is there already; a ledger holds one run") from None
    except OSError as error:
        raise InputError(f"ledger {path}: cannot be written: {error.strerror}") from None


_from_row = partial(tuple.__new__, Message)


def _messages(
    first: int, rows: list[tuple[Any, ...]], headers: dict[int, str], broken: dict[int, str]
) -> list[Message]:
    if not headers and not broken:
        # Most ledgers: no message has more than its route and its body.
        return [_from_row((*row, {}, 0, None)) for row in rows]
    return [
        _from_row((*row, _headers(headers.get(number)), 0, broken.get(number)))
        for number, row in enumerate(rows, first)
    ]


def _headers(text: str | None) -> dict[str, int | str]:
    """Headers as they are kept; raises ValueError for what are none."""
    found = orjson.loads(text) if text else {}
    if not isinstance(found, dict) or not all(isinstance(it, int | str) for it in found.values()):
        raise ValueError("headers that are none")
    return found


@contextmanager
def _connected(target: str) -> Iterator[sqlite3.Connection]:
    """A connection to a path or `file:` URI that stays open, unless its first use fails."""
    uri = target.startswith("file:")
    database = sqlite3.connect(target, timeout=_PATIENCE, uri=uri, check_same_thread=False)
    try:
        yield database
    except BaseException:
        database.close()
        raise
