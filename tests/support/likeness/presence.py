"""How often each field is set, by routing key: in the form of the captures' `presence.json`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

import orjson
from google.protobuf.message import Message as Proto

from cbsim.catalog import name_of
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["ENOUGH", "differences", "presence"]

ENOUGH = 60
"""Of fewer messages or documents, no share is compared."""
_OFF, _SIZE = 0.15, 1.6
"""How far a share may be off, and how many times as large or small a usual message may be."""
_FAMILY = re.compile(r"^(watchlist_)\d+$|^(alliance_[a-z]+_)\w+$")
_NAMES = {"NoneType": "null", "bool": "boolean", "int": "integer", "float": "number",
          "str": "string", "list": "array", "dict": "object"}  # fmt: skip


def presence(messages: Iterable[Message]) -> dict[str, Any]:
    """Of each routing key: how many messages, their sizes, and the share that sets each field."""
    sizes: dict[str, list[int]] = defaultdict(list)
    fields: dict[str, Counter[Any]] = defaultdict(Counter)
    docs: dict[str, Counter[Any]] = defaultdict(Counter)
    documents: Counter[str] = Counter()
    for message in messages:
        if not message.routing_key:
            continue
        name = name_of(message.routing_key)
        sizes[name].append(len(message.body))
        if message.content_type == JSON_TYPE:
            content = orjson.loads(message.body)
            fields[name].update(_typed(content))
            for document in content.get("docs") or ():
                documents[name] += 1
                docs[name].update(_typed(document))
        else:
            fields[name].update(set(_set_in(CbEventMsg.FromString(message.body))))
    made: dict[str, dict[str, Any]] = {"protobuf": {}, "json": {}}
    for name, all_sizes in sorted(sizes.items()):
        count = len(all_sizes)
        entry: dict[str, Any] = {
            "captured": count,
            "bytes": {"min": min(all_sizes), "median": median(all_sizes), "max": max(all_sizes)},
        }
        if name.startswith("ingress.event."):
            entry["set_in"] = _shares(fields[name], count)
            made["protobuf"][name] = entry
            continue
        entry["fields"] = _by_type(fields[name], count)
        if documents[name]:
            found = _by_type(docs[name], documents[name])
            entry["docs"] = {"count": documents[name], "fields": found}
        made["json"][name] = entry
    return made


def differences(captured: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """Where a generated run's presence is not like that of the captures, a sentence each."""
    found: list[str] = []
    for name, entry in captured["protobuf"].items():
        own = made["protobuf"].get(name) or made["protobuf"].get(_later(name))
        if own is None or min(entry["captured"], own["captured"]) < ENOUGH:
            continue
        found += _sized(name, entry, own)
        found += _apart(name, entry["set_in"], own["set_in"])
    for name, entry in captured["json"].items():
        own = made["json"].get(name)
        if own is None:
            continue
        if min(entry["captured"], own["captured"]) >= ENOUGH:
            found += _sized(name, entry, own)
            found += _apart(name, _any_type(entry["fields"]), _any_type(own["fields"]))
        theirs, ours = entry.get("docs", {"count": 0}), own.get("docs", {"count": 0})
        if min(theirs["count"], ours["count"]) >= ENOUGH:
            found += _apart(f"{name}, docs", _any_type(theirs["fields"]),
                            _any_type(ours["fields"]))  # fmt: skip
    return found


def _later(name: str) -> str:
    """What newer servers call it."""
    return "ingress.event.procstart" if name == "ingress.event.process" else name


def _sized(name: str, captured: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    theirs, ours = captured["bytes"]["median"], made["bytes"]["median"]
    if theirs / _SIZE <= ours <= theirs * _SIZE:
        return []
    return [f"{name}: {ours:.0f} bytes, captured {theirs}"]


def _apart(name: str, captured: Mapping[str, float], made: Mapping[str, float]) -> list[str]:
    return [
        f"{name}: {field} is set in {made.get(field, 0.0):.0%}, captured "
        f"{captured.get(field, 0.0):.0%}"
        for field in sorted({*captured, *made})
        if abs(captured.get(field, 0.0) - made.get(field, 0.0)) > _OFF
    ]


def _set_in(message: Proto, prefix: str = "") -> Iterable[str]:
    for field, value in message.ListFields():
        name = prefix + field.name
        if field.message_type is None:
            yield name
            continue
        # Proto2's repeated fields have no presence of their own: what they hold has.
        inner = value if not isinstance(value, Proto) else (value,)
        for part in inner:
            yield from _set_in(part, f"{name}.")


def _typed(fields: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(name, _NAMES[type(value).__name__]) for name, value in fields.items()}


def _shares(counted: Counter[str], count: int) -> dict[str, float]:
    return {name: round(number / count, 3) for name, number in sorted(counted.items())}


def _by_type(counted: Counter[tuple[str, str]], count: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (name, kind), number in sorted(counted.items()):
        found.setdefault(name, {})[kind] = round(number / count, 3)
    return found


def _any_type(fields: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The share that has a field, whatever its shape; of families, that has any member."""
    found: dict[str, float] = {}
    for name, shares in fields.items():
        match = _FAMILY.match(name)
        known = name if match is None else f"{match[1] or match[2]}<>"
        found[known] = min(1.0, found.get(known, 0.0) + sum(shares.values()))
    return found
