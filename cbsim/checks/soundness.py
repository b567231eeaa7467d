"""Whether a ledger's file is as a run writes it: anyone may have written, or damaged, it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import zstandard

from cbsim.errors import CbsimError
from cbsim.printable import printable

__all__ = ["checked", "is_ours", "messages_in", "told", "unpacked"]

_LARGEST = 512 << 20
"""Bytes of a batch's bodies."""
_LEAST = 5
"""Bytes that the file has at least for each message: its route and size, as `[1,2],`."""
_BOUNDS: dict[type, float] = {int: 2**32, float: 1e11}
_QUERY = "select type, name, sql from sqlite_master"


@contextmanager
def told(path: object) -> Iterator[None]:
    """Raises CbsimError for whatever cannot be read of a ledger within."""
    try:
        yield
    except (sqlite3.Error, zstandard.ZstdError, ValueError, TypeError, LookupError) as error:
        raise CbsimError(f"ledger {path}: is damaged: {printable(error)}") from None


def is_ours(database: sqlite3.Connection, schema: str) -> bool:
    """Whether it has the tables and views of a schema, and no others."""
    return {*database.execute(_QUERY)} == _written(schema)


@lru_cache(maxsize=1)
def _written(schema: str) -> frozenset[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(schema)
        return frozenset(database.execute(_QUERY).fetchall())


def messages_in(database: sqlite3.Connection, path: Path) -> int:
    """How many messages there are; raises ValueError where that cannot be."""
    query = (
        "select coalesce(sum(count), 0), coalesce(max(first + count), 0), "
        "coalesce(min(count), 1) from batch"
    )
    ((count, end, least),) = checked(database.execute(query), (int, int, int))
    beside = Path(f"{path}-wal")
    size = path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
    if count != end or not least or count * _LEAST > size:
        raise ValueError("numbers of messages that cannot be")
    return int(count)


def checked(rows: Iterable[tuple[Any, ...]], kinds: Sequence[type]) -> list[tuple[Any, ...]]:
    """The rows; raises ValueError for values of other types, and for numbers that cannot be."""
    found = [*rows]
    for row in found:
        for value, kind in zip(row, kinds, strict=True):
            if type(value) is not kind or (
                isinstance(value, int | float) and not 0 <= value < _BOUNDS[kind]
            ):
                raise ValueError(f"expected {kind.__name__}, found {printable(value, limit=40)}")
    return found


def unpacked(shape: Any, bodies: Any, routes: Collection[int]) -> tuple[list[Any], bytes]:
    """Routes and sizes of a batch, and its bodies; raises ValueError and the like."""
    pairs = orjson.loads(shape)
    numbers, sizes = zip(*pairs, strict=True)
    if not {*numbers} <= {*routes} or {*map(type, sizes)} != {int} or min(sizes) < 0:
        raise ValueError("messages that are none")
    if sum(sizes) != zstandard.frame_content_size(bodies) or sum(sizes) > _LARGEST:
        raise ValueError("bodies of another size")
    return pairs, zstandard.ZstdDecompressor().decompress(bodies)
