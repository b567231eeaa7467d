"""The ledger: what a run sent, written down before it is sent, in an SQLite database.

A row a message: sequence, route, digest of the body, identity, and when it was published. Confirms
are rows of their own, a range each, so that nothing is ever changed. Every batch is committed
before its messages are handed over: after a crash the ledger knows all that can be on the bus.

    sqlite3 run.ledger "select sequence, routing_key, identity from message limit 5"
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import cast

import orjson

from cbsim.bus.sink import Sink
from cbsim.checks.identity import identity_of
from cbsim.errors import CbsimError
from cbsim.wire.message import JSON_TYPE, RAW_EXCHANGE, Message

__all__ = ["Ledger", "LedgerSink", "content_digest", "digest"]

_VERSION = 1
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
create view message as
    select sequence, exchange, routing_key, hex(digest) as digest, sensor, identity,
        strftime('%Y-%m-%d %H:%M:%f', published, 'unixepoch') as published,
        (select strftime('%Y-%m-%d %H:%M:%f', at, 'unixepoch') from confirm
            where first <= sequence and sequence <= last) as confirmed,
        broken
    from entry join route on route.id = entry.route;
pragma user_version = {_VERSION};
"""


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
        if path is not None and Path(path).exists():
            raise CbsimError(f"ledger {path}: is there already; a ledger holds one run")
        target = ":memory:" if path is None else str(Path(path).absolute())
        try:
            with _connected(target) as self._database:
                self._database.executescript(_SCHEMA)
                self._database.executemany("insert into about values (?, ?)", (about or {}).items())
                self._database.commit()
        except sqlite3.Error as error:
            raise CbsimError(f"ledger {path}: cannot be written: {error}") from None
        self._written = True
        self._routes: dict[tuple[str, str], int] = {}
        self._next = 0
        self._confirmed: deque[tuple[int, int, float]] = deque()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """A ledger that was written before, for reading; raises CbsimError."""
        self = cls.__new__(cls)
        self._path = path
        if not Path(path).is_file():
            raise CbsimError(f"there is no ledger {path}")
        try:
            with _connected(f"{Path(path).absolute().as_uri()}?mode=ro") as self._database:
                (version,) = self._database.execute("pragma user_version").fetchone()
                (self._next,) = self._database.execute("select count(*) from entry").fetchone()
                if version != _VERSION:
                    raise CbsimError(f"ledger {path}: is of version {version}, expected {_VERSION}")
        except sqlite3.Error:
            raise CbsimError(f"{path}: is no ledger of `cbsim run --ledger`") from None
        self._written = False
        self._routes, self._confirmed, self._lock = {}, deque(), threading.Lock()
        return self

    @property
    def database(self) -> sqlite3.Connection:
        """The database, for a query of one's own; what was confirmed so far is in it."""
        with self._lock:
            self._settle()
            self._database.commit()
        return self._database

    def __len__(self) -> int:
        """How many messages are in it."""
        return self._next

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, messages: Sequence[Message], broken: Sequence[str | None] = ()) -> None:
        """Write messages down, in the order in which they will be published; raises CbsimError.

        `broken` says of each how it is broken on purpose, None for the others.
        """
        now = time.time()
        rows = []
        for number, message in enumerate(messages):
            fields = _parsed(message)
            content = None if fields is None else content_digest(fields)
            how = broken[number] if broken else None
            # A bundle that is broken on purpose may be a bomb: nobody unpacks it here.
            bomb = how is not None and message.exchange == RAW_EXCHANGE
            identity = {} if bomb else identity_of(message, fields)
            route = self._routes.get((message.exchange, message.routing_key))
            if route is None:
                route = self._route(message)
            rows.append(
                (self._next + number, route, digest(message.body), content, identity.get("sensor"),
                 orjson.dumps(identity).decode(), now, how)
            )  # fmt: skip
        with self._lock:
            try:
                self._settle()
                self._database.executemany("insert into entry values (?,?,?,?,?,?,?,?)", rows)
                self._database.commit()
            except sqlite3.Error as error:
                raise CbsimError(f"ledger {self._path}: cannot be written: {error}") from None
        self._next += len(rows)

    def confirm(self, first: int, last: int) -> None:
        """Note that the broker confirmed the messages from one sequence to another, both included.

        May be called from any thread; it is written with the next batch.
        """
        self._confirmed.append((first, last, time.time()))

    def close(self) -> None:
        """Write what is left, and close the file, which is one then and can be read anywhere."""
        with self._lock:
            self._settle()
            self._database.commit()
            if self._written:
                with suppress(sqlite3.OperationalError):  # someone else reads it at the moment
                    self._database.execute("pragma journal_mode = delete")
            self._database.close()

    def _route(self, message: Message) -> int:
        key = message.exchange, message.routing_key
        self._routes[key] = number = len(self._routes) + 1
        self._database.execute("insert into route values (?, ?, ?)", (number, *key))
        return number

    def _settle(self) -> None:
        while self._confirmed:
            self._database.execute(
                "insert into confirm values (?, ?, ?)", self._confirmed.popleft()
            )


@contextmanager
def _connected(target: str) -> Iterator[sqlite3.Connection]:
    """A connection to a path or `file:` URI that stays open, unless its first use fails."""
    database = sqlite3.connect(target, uri=target.startswith("file:"), check_same_thread=False)
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


class LedgerSink:
    """A sink that writes messages down before another sink gets them, and which are broken.

    A publisher tells the ledger itself what was confirmed (`on_confirmed=ledger.confirm`); of
    other sinks, which confirm in order, `counted` takes note.
    """

    def __init__(self, sink: Sink, ledger: Ledger, *, counted: bool) -> None:
        self._sink, self._ledger, self._counted = sink, ledger, counted
        self._noted = 0

    @property
    def confirmed(self) -> int:
        """As the sink says."""
        return self._sink.confirmed

    def publish(self, message: Message) -> None:
        """Write it down, then publish it."""
        self.publish_many((message,))

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Write them down, then publish them."""
        broken: Sequence[str | None] = ()
        if {*map(type, messages)} != {Message}:
            broken = [getattr(one, "fault", None) for one in messages]
        self._ledger.record(messages, broken)
        self._sink.publish_many(messages)
        self._note()

    def flush(self) -> None:
        """As the sink does."""
        self._sink.flush()
        self._note()

    def close(self) -> None:
        """Close both."""
        self._sink.close()
        self._ledger.close()

    def _note(self) -> None:
        if self._counted and self._sink.confirmed > self._noted:
            self._ledger.confirm(self._noted, self._sink.confirmed - 1)
            self._noted = self._sink.confirmed
