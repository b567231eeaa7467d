"""The ledger: what a run sent, written down before it is sent, in an SQLite database.

A row a message: sequence, route, digest of the body, identity, and when it was published. Confirms
are rows of their own, a range each, and so is what was sent again, so that nothing is ever changed.
When the broker was away is noted, too. Every batch is committed
before its messages are handed over: after a crash the ledger knows all that can be on the bus.
Several processes may write in one; a batch gets its sequence numbers as it is committed.

    sqlite3 run.ledger "select sequence, routing_key, identity from message limit 5"
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

from cbsim.bus.sink import Relay, Sink
from cbsim.checks import outage
from cbsim.checks.identity import identity_of
from cbsim.errors import CbsimError, InputError
from cbsim.wire.message import JSON_TYPE, RAW_EXCHANGE, Message

__all__ = ["Ledger", "LedgerSink", "content_digest", "digest"]

_VERSION = 2
_SCHEMA = f"""
pragma journal_mode = wal;
pragma synchronous = normal;
create table about (name text primary key, value text) without rowid;
create table route (id integer primary key, exchange text not null, routing_key text not null);
create table entry (
    sequence integer primary key, route integer not null, digest blob not null, content blob,
    sensor integer, identity text not null, published real not null, broken text
);
create table confirm (first integer not null, last integer not null, at real not null);
{outage.SCHEMA}
create view message as
    select sequence, exchange, routing_key, hex(digest) as digest, sensor, identity,
        strftime('%Y-%m-%d %H:%M:%f', published, 'unixepoch') as published,
        (select strftime('%Y-%m-%d %H:%M:%f', at, 'unixepoch') from confirm
            where first <= sequence and sequence <= last) as confirmed,
        (select count(*) from again where first <= sequence and sequence <= last) as again,
        broken
    from entry join route on route.id = entry.route;
pragma user_version = {_VERSION};
"""


_PATIENCE = 60.0
"""Seconds to wait for other processes that write in the same ledger."""


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


def digest(body: bytes) -> bytes:
    """16 bytes that stand for a body."""
    return blake2b(body, digest_size=16).digest()


def content_digest(fields: object) -> bytes:
    """16 bytes that stand for a JSON value, whatever its white space and the order of its keys."""
    return digest(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))


class Ledger:
    """A new ledger in a file, or in memory for the path None. Raises CbsimError."""

    def __init__(self, path: str | Path | None, about: Mapping[str, str] | None = None) -> None:
        self._path = path
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
        self._routes: dict[tuple[str, str], int] = {}
        self._next = 0
        self._noted: deque[_Range] = deque()
        self._outages: deque[tuple[float, float, str]] = deque()
        self._spans: deque[_Span] = deque()
        self._lock = threading.Lock()

    @classmethod
    def join(cls, path: str | Path) -> Ledger:
        """A ledger that another process began, to write in it too; raises CbsimError.

        Its messages are counted from 0 for `confirm`, whatever the others write.
        """
        self = cls.__new__(cls)
        self._path = path
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
        self._path = path
        if not Path(path).is_file():
            raise InputError(f"there is no ledger {path}")
        try:
            with _connected(f"{Path(path).absolute().as_uri()}?mode=ro") as self._database:
                (version,) = self._database.execute("pragma user_version").fetchone()
                self._begin(written=False)
                (self._next,) = self._database.execute("select count(*) from entry").fetchone()
                if version != _VERSION:
                    raise InputError(f"ledger {path}: is of version {version}, expected {_VERSION}")
        except sqlite3.Error:
            raise InputError(f"{path}: is no ledger of `cbsim run --ledger`") from None
        return self

    @property
    def database(self) -> sqlite3.Connection:
        """The database, for a query of one's own; what was confirmed so far is in it."""
        with self._lock:
            self._settle()
            self._database.commit()
        return self._database

    def __len__(self) -> int:
        """How many messages are in it, or were written by a process that joined it."""
        return self._next

    @property
    def empty(self) -> bool:
        """Whether nobody has written a message in it."""
        return self._read("select 1 from entry limit 1") is None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, messages: Sequence[Message]) -> None:
        """Write messages down, in the order in which they will be published; raises CbsimError."""
        now, routes = time.time(), self._routes
        rows: list[list[Any]] = []
        for message in messages:
            fields = _parsed(message)
            content = None if fields is None else content_digest(fields)
            # A bundle that is broken on purpose may be a bomb: nobody unpacks it here.
            bomb = message.broken is not None and message.exchange == RAW_EXCHANGE
            identity = {} if bomb else identity_of(message, fields)
            route = message.exchange, message.routing_key
            rows.append(
                [0, route, digest(message.body), content, identity.get("sensor"),
                 orjson.dumps(identity).decode(), now, message.broken]
            )  # fmt: skip
        with self._writing():
            first = self._read("select coalesce(max(sequence) + 1, 0) from entry")
            for sequence, row in enumerate(rows, first):
                row[:2] = sequence, routes.get(row[1]) or self._route(row[1])
            self._database.executemany("insert into entry values (?,?,?,?,?,?,?,?)", rows)
            self._number(first, len(rows))

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
                raise CbsimError(f"ledger {self._path}: cannot be written: {error}") from None
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
                raise CbsimError(f"ledger {self._path}: cannot be written: {error}") from None

    def _read(self, query: str, *values: object) -> Any:
        """The one value that a query gives; None for none."""
        row = self._database.execute(query, values).fetchone()
        return row and row[0]

    def _route(self, key: tuple[str, str]) -> int:
        query = "select id from route where exchange = ? and routing_key = ?"
        number = self._read(query, *key)
        if number is None:
            self._database.execute("insert into route values (null, ?, ?)", key)
            number = self._read(query, *key)
        self._routes[key] = number
        return cast(int, number)

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


def _parsed(message: Message) -> object:
    if message.content_type != JSON_TYPE:
        return None
    try:
        return cast(object, orjson.loads(message.body))
    except orjson.JSONDecodeError:
        return None


class LedgerSink(Relay):
    """A sink that writes messages down before another sink gets them, and which are broken.

    A publisher tells the ledger itself what was confirmed (`witness=ledger`); of other sinks, which
    confirm in order, `counted` takes note.
    """

    def __init__(self, sink: Sink, ledger: Ledger, *, counted: bool) -> None:
        super().__init__(sink)
        self._ledger, self._counted = ledger, counted
        self._noted = 0

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Write them down, then publish them."""
        self._ledger.record(messages)
        super().publish_many(messages)
        self._note()

    def flush(self) -> None:
        """As the sink does."""
        super().flush()
        self._note()

    def close(self) -> None:
        """Close both."""
        super().close()
        self._ledger.close()

    def _note(self) -> None:
        if self._counted and self._sink.confirmed > self._noted:
            self._ledger.confirm(self._noted, self._sink.confirmed - 1)
            self._noted = self._sink.confirmed
