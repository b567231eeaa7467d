"""Outputs in a format of one's own: what items are known by stands where `--map` says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import jsonpath

from cbsim.checks.layout import (
    UNKNOWN,
    Expected,
    Item,
    Layout,
    Mismatch,
    Pair,
    differing,
    identity_key,
    received_at,
)
from cbsim.checks.moment import NEVER, moment
from cbsim.checks.readings import Readings, readings_of
from cbsim.checks.record import Record
from cbsim.checks.visible import IDENTITIES, Visible, canonical, known_name, of_message
from cbsim.errors import InputError, WireError
from cbsim.printable import printable
from cbsim.wire.json_text import parse_json
from cbsim.wire.message import Message

__all__ = ["FIELDS", "ONE_PER", "Mapped"]

FIELDS = ("name", *IDENTITIES, "received")
"""What `--map` may say the place of: `name` is the routing key, `received` when it arrived."""
ONE_PER = ("message", "event", "document")
"""What a row stands for: a message; or an event, of which a bundle has several; or an event or a
document, of which a hit may have several."""


class Mapped(Layout):
    """Objects of any format. Raises InputError for places that are none."""

    def __init__(self, places: Mapping[str, str], one_per: str = "event") -> None:
        for name, path in places.items():
            if name not in FIELDS:
                near = get_close_matches(name, FIELDS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"expected one of {_listed(FIELDS)}"
                raise InputError(f"--map {name}={path}: {hint}")
        if not set(places) - {"received"}:
            raise InputError("--map: expected a field besides `received`, by which messages are "
                             "known")  # fmt: skip
        self._places = dict(places)
        self._one_per = one_per
        self._readings = Readings()
        self._absent: dict[str, frozenset[str]] = {}
        self._uncompared: dict[str, list[str]] = {}
        self._per = {"documents": one_per == "document", "events": one_per != "message"}
        self.timed = "timestamp" in places
        self.identities = tuple(it for it in places if it in IDENTITIES and it != "timestamp")
        self._named = "name" in places
        for path in places.values():
            _finder(path)
        self._filled = dict.fromkeys(places, 0)
        self._objects = 0

    @cached_property
    def _finders(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        return {name: _finder(path) for name, path in self._places.items()}

    def __getstate__(self) -> dict[str, Any]:
        # Paths are compiled anew in each process.
        return {name: value for name, value in self.__dict__.items() if name != "_finders"}

    def fitted(self, records: Iterable[Record], messages: Iterable[Message]) -> Mapped:
        """The same, which takes for each identity what the output has of it, and does not compare
        what no item of a name has: not every kind of message has the same fields in a format.
        """
        fitted = Mapped(self._places, self._one_per)
        told = [visible for message in messages for visible in self.shown(message)]
        items = [*records]
        fitted._readings = readings_of(
            [visible for record in items for visible in self.seen(record)], told,
            self.identities, named=self._named,
        )  # fmt: skip
        sent = _presence((self._name(it), it) for it in told)
        come = _presence((self._name(it), it) for record in items for it in fitted.seen(record))
        mapped = {*self.identities, *(["timestamp"] if self.timed else [])}
        fitted._absent = {name: frozenset(mapped - present) for name, present in come.items()}
        fitted._uncompared = {
            name: sorted(missing & sent[name])
            for name, missing in fitted._absent.items()
            if missing & sent.get(name, set())
        }
        return fitted

    def uncompared(self) -> Mapping[str, Sequence[str]]:
        """For a name, what is mapped, and what no item of that name has."""
        return self._uncompared

    def items(self, record: Record) -> Iterator[Item]:
        """The item of a record."""
        fields = _object(record)
        if fields is None:
            yield Item(UNKNOWN, fault=record.fault or "no JSON object stands there")
            return
        found = self._found(fields)
        self._objects += 1
        for name, value in found.items():
            self._filled[name] += value not in (None, "")
        visible = self._visible(found)
        key, received = self._key(visible), received_at(found.get("received"))
        fault = self._fault(found) if key == UNKNOWN else None
        yield Item(key, self._ticks(visible), self._kind(visible.name), received, fault)

    def expected(self, message: Message) -> Iterator[Expected]:
        """What a message should become, as `one_per` says."""
        for visible in self.shown(message):
            key = self._key(visible)
            yield Expected(visible.name, key, self._ticks(visible), self._kind(visible.name))

    def otherwise(self, message: Message) -> Iterator[Expected]:
        """The same under the key that the message was sent under."""
        for visible in self.shown(message):
            other = visible._replace(name=visible.also)
            key = self._key(other) if self._named and visible.also else UNKNOWN
            yield Expected(visible.name, key, self._ticks(other), self._kind(visible.name))

    def compared(self, name: str) -> Sequence[str]:
        """What is mapped, and what any item of that name has."""
        absent = self._absent.get(name if self._named else "", frozenset())
        return [place for place in self._places if place not in (*absent, "received")]

    def seen(self, record: Record) -> Iterator[Visible]:
        """What can be seen of the item."""
        fields = _object(record)
        yield Visible() if fields is None else self._visible(self._found(fields))

    def shown(self, message: Message) -> Iterator[Visible]:
        """What can be seen of a message, or of each of its parts."""
        for visible in of_message(message, **self._per):
            yield self._readings.of_message(visible)

    def mismatches(self, pair: Pair) -> list[Mismatch]:
        """The mapped fields that differ."""
        absent = self._absent.get(pair.expected.name if self._named else "", frozenset())
        return differing(
            [it for it in self.identities if it not in absent], pair.item, pair.expected,
            named=self._named, timed=self.timed and "timestamp" not in absent,
        )  # fmt: skip

    def count(self) -> dict[str, int]:
        """How many objects there were, and how many had something at each place."""
        return {"": self._objects, **self._filled}

    def finish(self, tally: Mapping[str, int]) -> None:
        """Raise InputError for a place that had nothing in any object."""
        for name, path in self._places.items():
            if tally.get("") and not tally[name]:
                raise InputError(
                    f"--map {name}={path}: nothing stands there in any item, of {tally['']:,}"
                )

    def _found(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {name: find(fields) for name, find in self._finders.items()}

    def _visible(self, found: Mapping[str, Any]) -> Visible:
        values = {name: canonical(name, found[name]) for name in self.identities}
        visible = Visible(known_name(found.get("name")), "", values,
                          moment(found.get("timestamp")))  # fmt: skip
        return self._readings.of_item(visible)

    def _name(self, visible: Visible) -> str:
        """What is compared of its name."""
        return visible.name if self._named else ""

    def _key(self, visible: Visible) -> int:
        name = self._name(visible)
        absent = self._absent.get(name, frozenset())
        fields = [it for it in self.identities if it not in absent]
        visible = visible._replace(ticks=self._ticks(visible))
        if visible.ticks == NEVER and not fields and len(self._places) > 1:
            # Nothing but a name is that of all its like.
            return UNKNOWN
        return identity_key(visible, name, fields)

    def _ticks(self, visible: Visible) -> int:
        absent = self._absent.get(self._name(visible), frozenset())
        return visible.ticks if self.timed and "timestamp" not in absent else NEVER

    def _kind(self, name: str) -> int:
        return int(self._named and name.startswith("ingress.event."))

    def _fault(self, found: Mapping[str, Any]) -> str:
        """Why an item has no key."""
        return "; ".join(
            f"{name}: nothing at {self._places[name]}" if found[name] in (None, "")
            else f"{name}: {found[name]!r} at {self._places[name]} is no {name}"
            for name in self._places
            if name != "received" and (name != "name" or len(self._places) == 1)
        )  # fmt: skip


def _presence(seen: Iterable[tuple[str, Visible]]) -> dict[str, set[str]]:
    """For a name, the identities that any of its like has."""
    found: dict[str, set[str]] = {}
    for name, visible in seen:
        present = found.setdefault(name, set())
        present.update(it for it, value in visible.values.items() if value)
        if visible.ticks != NEVER:
            present.add("timestamp")
    return found


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _finder(path: str) -> Callable[[Mapping[str, Any]], Any]:
    if re.fullmatch(r"(?:\$\.)?[\w-]+", path):
        name = path.removeprefix("$.")
        return lambda fields: fields.get(name)
    try:
        compiled = _compiled(path)
    except WireError as error:
        if path[:1] != "$" and "[" not in path:
            return lambda fields: fields.get(path)
        raise InputError(f"--map: {printable(path)!r} is no JSON path: {error}") from None

    def find(fields: Mapping[str, Any]) -> Any:
        # A CSV column may be called anything.
        return fields[path] if path in fields else next(iter(compiled.findall(fields)), None)

    return find


_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LONGEST_PATH, _MOST_STEPS = 1000, 32


def _compiled(path: str) -> jsonpath.JSONPath:
    """The path; raises WireError, for what may take for ever too."""
    if len(path) > _LONGEST_PATH:
        raise WireError(f"longer than {_LONGEST_PATH} characters")
    bare = _QUOTED.sub("", path)
    if "(" in bare or "/" in bare or "=~" in bare:
        raise WireError("functions, brackets and regular expressions are no part of it here")
    if len(re.findall(r"[.\[]+", bare)) > _MOST_STEPS or bare.count("..") > 1:
        raise WireError(f"expected at most {_MOST_STEPS} steps, and .. once")
    try:
        return jsonpath.compile(path)  # type: ignore[return-value]
    except (jsonpath.JSONPathError, ValueError, ArithmeticError, RecursionError) as error:
        raise WireError(printable(str(error).partition("\n")[0])) from None


def _object(record: Record) -> Mapping[str, Any] | None:
    if record.fields is not None:
        return record.fields
    if record.message is not None and record.envelope is not None:
        try:
            body = parse_json(record.message.body)
        except WireError:
            body = None
        return record.envelope | {"body": body}
    return None
