"""Columns of what was sent and of what a consumer put out, read by several processes at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from cbsim.checks.crew import mapped
from cbsim.checks.layout import Expected, Layout
from cbsim.checks.ledger import Ledger
from cbsim.checks.line import tapped
from cbsim.checks.record import of_lines
from cbsim.checks.source import Piece, Source
from cbsim.checks.visible import known_name
from cbsim.checks.whole import Bodies, bare_key, body_key, route_seed
from cbsim.wire.binding import Bindings

__all__ = ["Entries", "Items", "other_keys", "read_entries", "read_items"]

_SPAN = 50_000
"""Messages of a ledger that a process reads at once."""

_hash = xxhash.xxh3_64_intdigest
Keys = NDArray[np.uint64]
Ticks = NDArray[np.int64]
Kinds = NDArray[np.uint8]
Routes = frozenset[tuple[str, str]]
"""Exchanges and routing keys that are bound."""


@dataclass(slots=True)
class Entries:
    """What should have come, in the order of the run."""

    keys: Keys
    sequences: NDArray[np.uint32]
    """The message of each; those of one message are its parts, in order."""
    names: NDArray[np.uint16]
    """Each is a number in `known`."""
    ticks: Ticks
    """Empty in a layout without times."""
    kinds: Kinds
    known: list[str]


@dataclass(slots=True)
class Items:
    """What came, in the order of the output."""

    keys: Keys
    received: NDArray[np.float64]
    """Seconds since 1970, 0 for not known; empty when no item says."""
    ticks: Ticks
    kinds: Kinds
    ends: list[int]
    """For each source, how many items there are in all up to its end."""
    tally: Counter[str] = field(default_factory=Counter)


def read_entries(ledger: Ledger, layout: Layout, bound: Bindings) -> Entries:
    """What a ledger's messages should have become, of those that are bound; raises CbsimError."""
    spans = [(first, first + _SPAN - 1) for first in range(0, max(len(ledger), 1), _SPAN)]
    query = "select distinct exchange, routing_key from route"
    routes = frozenset(it for it in ledger.rows(query, (str, str)) if bound.takes(*it))
    here = partial(_entries_of, ledger, layout, routes)
    work = partial(_entries, str(ledger.path), layout, routes)
    parts = mapped(work, spans, len(ledger), here, ledger.path is not None)
    known: dict[str, int] = {}
    found: list[Entries] = []
    for part in parts:
        numbers = np.array([known.setdefault(name, len(known)) for name in part.known] or [0],
                           np.uint16)  # fmt: skip
        part.names = numbers[part.names]
        found.append(part)
    joined = {name: _joined([getattr(part, name) for part in found])
              for name in ("keys", "sequences", "names", "ticks", "kinds")}  # fmt: skip
    return Entries(**joined, known=[*known])


def read_items(
    sources: Sequence[Source], layout: Layout, advance: Callable[[int], object]
) -> Items:
    """The items of an output; `advance` is told how many bytes were read. Raises CbsimError."""
    size = sum(source.size for source in sources)
    work = partial(_items, layout)
    parts = mapped(work, sources, size // 500, work, all(isinstance(it, Piece) for it in sources))
    found: list[Items] = []
    ends, tally, total = [], Counter[str](), 0
    for source, part in zip(sources, parts, strict=True):
        total += len(part.keys)
        ends.append(total)
        tally += part.tally
        found.append(part)
        advance(source.size)
    joined = {name: _joined([getattr(part, name) for part in found])
              for name in ("keys", "ticks", "kinds")}  # fmt: skip
    timed = any(len(part.received) for part in found)
    received = [part.received if len(part.received) else np.zeros(len(part.keys)) for part in found]
    return Items(**joined, received=_joined(received) if timed else np.zeros(0), ends=ends,
                 tally=tally)  # fmt: skip


def other_keys(ledger: Ledger, layout: Layout, wanted: NDArray[np.uint32]) -> tuple[Keys, Ticks]:
    """The other keys and times of messages with some sequence numbers, part by part."""
    chosen = set(wanted.tolist())
    found: list[Expected] = []
    if len(wanted):
        for batch in ledger.batches(int(wanted[0]), int(wanted[-1])):
            for sequence, message in enumerate(batch.messages, batch.first):
                if sequence in chosen:
                    found += layout.otherwise(message)
    return (np.array([it.key for it in found], np.uint64),
            np.array([it.ticks for it in found], np.int64))  # fmt: skip


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """One array of several, which are given up one after the other."""
    if not parts:
        return np.zeros(0, np.uint64)
    whole = np.empty(sum(map(len, parts)), parts[0].dtype)
    at = 0
    for number, part in enumerate(parts):
        whole[at : at + len(part)] = part
        at += len(part)
        parts[number] = part[:0]
    return whole


def _entries(path: str, layout: Layout, routes: Routes, span: tuple[int, int]) -> Entries:
    with Ledger.open(path) as ledger:
        return _entries_of(ledger, layout, routes, span)


def _entries_of(ledger: Ledger, layout: Layout, routes: Routes, span: tuple[int, int]) -> Entries:
    if isinstance(layout, Bodies):
        return _body_entries(ledger, routes, span)
    known: dict[str, int] = {}
    keys: list[int] = []
    names: list[int] = []
    sequences: list[int] = []
    ticks: list[int] = []
    kinds: list[int] = []
    first, last = span
    for batch in ledger.batches(first, last):
        for sequence, message in enumerate(batch.messages, batch.first):
            if message[:2] not in routes or not first <= sequence <= last:
                continue
            for expected in layout.expected(message):
                keys.append(expected.key)
                names.append(known.setdefault(expected.name, len(known)))
                sequences.append(sequence)
                if layout.timed:
                    ticks.append(expected.ticks)
                    kinds.append(expected.kind)
    return Entries(np.array(keys, np.uint64), np.array(sequences, np.uint32),
                   np.array(names, np.uint16), np.array(ticks, np.int64),
                   np.array(kinds, np.uint8), [*known])  # fmt: skip


def _items(layout: Layout, source: Source) -> Items:
    if isinstance(layout, Bodies) and isinstance(source, Piece) and source.end is not None:
        return _bodies(layout, source)
    keys: list[int] = []
    received: list[float] = []
    ticks: list[int] = []
    kinds: list[int] = []
    before = layout.count()
    for record in source.records():
        for item in layout.items(record):
            keys.append(item.key)
            received.append(item.received)
            if layout.timed:
                ticks.append(item.ticks)
                kinds.append(item.kind)
    tally = Counter(layout.count())
    tally.subtract(before)
    return Items(np.array(keys, np.uint64), _times(received), np.array(ticks, np.int64),
                 np.array(kinds, np.uint8), [], tally)  # fmt: skip


def _times(received: list[float]) -> NDArray[np.float64]:
    return np.array(received) if any(received) else np.zeros(0)


def _bodies(layout: Layout, piece: Piece) -> Items:
    """The same of lines of `cbsim tap`, without a record for each."""
    keys: list[int] = []
    received: list[float] = []
    seeds: dict[tuple[str, str], int] = {}
    for line in piece.lines():
        found = tapped(line)
        if found is None:
            for record in of_lines(piece.file, [line]):
                (item,) = layout.items(record)
                keys.append(item.key)
                received.append(item.received)
            continue
        _, key, kind, body, moment = found
        if (seed := seeds.get((key, kind))) is None:
            seed = seeds[key, kind] = route_seed(key, kind)
        keys.append((_hash(body, seed) if seed else bare_key(body)) or 1)
        received.append(moment)
    nothing = np.zeros(0, np.int64)
    return Items(np.array(keys, np.uint64), _times(received), nothing, np.zeros(0, np.uint8), [])


def _body_entries(ledger: Ledger, routes: Routes, span: tuple[int, int]) -> Entries:
    """Entries of bodies as they came, without anything being read of them."""
    known: dict[str, int] = {}
    names, seeds = {}, {}
    for number, route in ledger.routes.items():
        name = known_name(route.routing_key) or route.exchange
        names[number] = known.setdefault(name, len(known)) if route[:2] in routes else _UNBOUND
        seeds[number] = route_seed(route.routing_key, route.content_type)
    first, last = span
    headers = ledger.headers(first, last)
    keys: list[NDArray[np.uint64]] = []
    numbers: list[NDArray[np.uint16]] = []
    sequences: list[NDArray[np.uint32]] = []
    for begin, _, shape, text in ledger.stretches(first, last):
        ends = [*accumulate(size for _, size in shape)]
        found = [
            _hash(text[at:end], seeds[number]) or 1
            for (number, _), at, end in zip(shape, [0, *ends], ends, strict=False)
        ]
        for sequence in range(begin, begin + len(shape)) if headers else ():
            if sequence in headers:
                place = sequence - begin
                at = ends[place] - shape[place][1]
                seed = seeds[shape[place][0]]
                told = orjson.loads(headers[sequence])
                found[place] = body_key(text[at : ends[place]], seed, told)
        own = np.arange(begin, begin + len(shape), dtype=np.uint32)
        called = np.array([names[number] for number, _ in shape], np.uint16)
        chosen = (own >= first) & (own <= last) & (called != _UNBOUND)
        keys.append(np.array(found, np.uint64)[chosen])
        numbers.append(called[chosen])
        sequences.append(own[chosen])
    nothing = np.zeros(0, np.int64)
    return Entries(_joined(keys), _joined(sequences), _joined(numbers), nothing,
                   np.zeros(0, np.uint8), [*known])  # fmt: skip


_UNBOUND = 2**16 - 1
"""In place of the number of a name: the consumer did not bind it."""
