"""Rules that no schema can say: what the values of one message must mean together.

Real traffic breaks some of them; what such a rule finds is a warning, and the rule says how often
captured traffic does it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address
from typing import Any, NamedTuple

import orjson

from cbsim.catalog import DIGSIG_RESULTS
from cbsim.checks.validator import Problem
from cbsim.errors import WireError
from cbsim.wire.clock import TICKS, parse_iso_time
from cbsim.wire.identity import parse_process_key, parse_unique_id, store_path

__all__ = ["EARLIEST", "LATENESS", "RULES", "Rule", "broken"]


class Breach(NamedTuple):
    """Where a rule is broken."""

    pointer: str
    found: object
    expected: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One semantic rule, by name."""

    name: str
    meaning: str
    source: str
    warning: bool
    """Whether real servers break it too."""
    check: Callable[[str, Mapping[str, Any]], Iterator[Breach]]
    """Of a message's name and fields."""
    fields: frozenset[str]
    """Without one of these, in a message or its documents, it has nothing to say."""


def broken(message: object, name: str) -> Iterator[Problem]:
    """Where a message breaks the rules. What a schema refuses is passed over in silence.

    >>> event = {"type": "feed.ingress.hit.host"}
    >>> [problem.rule for problem in broken(event, "feed.ingress.hit.process")]
    ['own-name']
    """
    if not isinstance(message, dict):
        return
    docs = message.get("docs")
    there = set(message).union(*(it for it in docs if isinstance(it, dict))
                               if isinstance(docs, list) else ())  # fmt: skip
    for rule in RULES:
        if rule.fields.isdisjoint(there):
            continue
        for pointer, found, expected in rule.check(name, message):
            shown = orjson.dumps(found).decode()
            yield Problem(pointer, rule.name, shown, expected, rule.source, rule.warning)


_KEYS = ("process_id", "process_guid", "id", "unique_id", "parent_unique_id")


def _process_key(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    for at, it in _subjects(message):
        for field in _KEYS:
            text = it.get(field)
            if not isinstance(text, str):
                continue
            try:
                # An alert's unique_id is a UUID, and no process.
                unique = field.endswith("unique_id")
                key = parse_unique_id(text)[0] if unique else parse_process_key(text)
            except WireError:
                continue
            sensor = _whole(it, "sensor_id")
            if name == "feed.query.hit.process" and not at:
                sensor = sensor or None  # the specification lets it be 0
            parent = field == "parent_unique_id"
            pid = _whole(it, "parent_pid" if parent else "process_pid")
            if sensor is not None and key.sensor_id != sensor:
                yield Breach(f"{at}/{field}", text, f"sensor {sensor:08x} in its first 8 digits")
            if pid is not None and key.pid != pid:
                yield Breach(f"{at}/{field}", text, f"pid {pid} ({pid:08x}) in digits 9 to 16")
            start = None if parent else _ticks(it, "start")
            if start is not None and abs(key.create_time - start) > TICKS // 500:
                yield Breach(f"{at}/{field}", text, f"the create time {it['start']} at its end")


def _unique_id(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    own = message.get("process_id", message.get("process_guid"))
    for at, it in _subjects(message):
        if "unique_id" not in it:
            continue
        try:
            _, segment = parse_unique_id(str(it["unique_id"]))
        except WireError:
            continue
        key = it.get("id", own)
        if isinstance(key, str) and not it["unique_id"].startswith(key):
            yield Breach(f"{at}/unique_id", it["unique_id"], f"the process key {key} at its start")
        stated = _whole(it, "segment_id")
        stated = _whole(message, "segment_id") if stated is None else stated
        if stated is not None and segment != stated:
            yield Breach(f"{at}/unique_id", it["unique_id"], f"segment {stated} at its end")


_IOCS: dict[str, Callable[[str], bool]] = {
    "md5": lambda value: re.fullmatch("[0-9A-Fa-f]{32}", value) is not None,
    "ipv4": lambda value: _is_ipv4(value),
    "dns": lambda value: re.fullmatch(r"[^\s/:]+\.[^\s/:]+", value) is not None,
    "query": lambda value: "=" in value or "search_query" in value,
}
_IOC_WORDS = {
    "md5": "32 hex digits", "ipv4": "an IPv4 address", "dns": "a domain name", "query": "a query",
}  # fmt: skip


def _ioc_value(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    kind, value = str(message.get("ioc_type")), message.get("ioc_value")
    if kind in _IOCS and isinstance(value, str) and not _IOCS[kind](value):
        yield Breach("/ioc_value", value, f"{_IOC_WORDS[kind]}, since ioc_type is {kind}")


def _digsig(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    for at, it in _subjects(message):
        result = it.get("digsig_result")
        if not isinstance(result, str) or result not in DIGSIG_RESULTS:
            continue
        signed, code = it.get("signed", result), _whole(it, "digsig_result_code")
        if signed != result:
            yield Breach(f"{at}/signed", signed, f"{result!r}, the digsig_result")
        if code is not None and (code == 0) != (result == "Signed"):
            expected = "0, since the result is Signed" if code else f"no 0, since it is {result}"
            yield Breach(f"{at}/digsig_result_code", it["digsig_result_code"], expected)
        if result == "Unsigned" and it.get("digsig_publisher"):
            yield Breach(f"{at}/digsig_publisher", it["digsig_publisher"],
                         "none, since the result is Unsigned")  # fmt: skip

    module = message.get("module")
    if isinstance(module, dict):
        result, code = module.get("utf8_DigSig_Result"), module.get("utf8_DigSig_ResultCode")
        zero = re.fullmatch("0x0+", str(code)) is not None
        known = isinstance(result, str) and result in DIGSIG_RESULTS
        if known and code is not None and zero != (result == "Signed"):
            yield Breach("/module/utf8_DigSig_ResultCode", code, f"the code of {result!r}")


def _string_guid(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    # Old sensors, and those of macOS, send no strings.
    header, strings = message.get("header"), message.get("strings")
    if isinstance(header, dict) and "filepath_string_guid" in header and isinstance(strings, list):
        guid = header["filepath_string_guid"]
        known = [it.get("guid") for it in strings if isinstance(it, dict)]
        if guid not in known:
            yield Breach("/header/filepath_string_guid", guid, "the guid of an entry in `strings`")


def _store_path(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    if name == "binarystore.file.added" and isinstance(message.get("md5"), str):
        expected = store_path(message["md5"])
        if message.get("file_path", expected) != expected:
            yield Breach("/file_path", message["file_path"], expected)


def _same_md5(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    if name.endswith(".binary") and isinstance(message.get("md5"), str):
        for at, it in _subjects(message):
            if str(it.get("md5", "")).upper() not in ("", message["md5"].upper()):
                yield Breach(f"{at}/md5", it["md5"], f"{message['md5']}, the MD5 of the hit")


def _own_name(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    said, alert = message.get("type"), message.get("alert_type")
    if isinstance(said, str) and said != name:
        yield Breach("/type", said, f"{name!r}, the message's name")
    if isinstance(alert, str) and f"alert.{alert}" != name:
        yield Breach("/alert_type", alert, f"{name.removeprefix('alert.')!r}")


EARLIEST = 1_262_304_000
"""2010-01-01: the product is no older. Seconds since 1970."""
LATENESS = 86400
"""Seconds by which a clock may be ahead."""


def _plausible(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    latest = time.time() + LATENESS
    for field in ("event_timestamp", "timestamp"):
        value = message.get(field)
        if isinstance(value, int | float) and not EARLIEST <= value <= latest:
            yield Breach(f"/{field}", value, "a time from 2010 until now")
    header = message.get("header")
    if isinstance(header, dict):
        ticks = _whole(header, "timestamp")
        if ticks is not None and not EARLIEST <= ticks / TICKS - 11_644_473_600 <= latest:
            yield Breach("/header/timestamp", header["timestamp"], "a FILETIME from 2010 until now")


def _order(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    for at, it in _subjects(message):
        start, last = _ticks(it, "start"), _ticks(it, "last_update")
        if start is not None and last is not None and last < start:
            yield Breach(f"{at}/last_update", it["last_update"], f"no time before {it['start']}")
    header = message.get("header")
    if isinstance(header, dict):
        created, at_ticks = _whole(header, "process_create_time"), _whole(header, "timestamp")
        if created is not None and at_ticks is not None and at_ticks < created:
            yield Breach("/header/timestamp", header["timestamp"],
                         f"no time before the process's start, {created}")  # fmt: skip


_TOLD = ("start", "last_update", "last_seen", "server_added_timestamp")


def _hindsight(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    said = message.get("event_timestamp")
    if not isinstance(said, int | float) or not abs(said) < 1e11:
        return
    latest = int((said + 1 + 11_644_473_600) * TICKS)
    for at, it in _subjects(message):
        for field in _TOLD:
            ticks = _ticks(it, field)
            if ticks is not None and ticks > latest:
                yield Breach(f"{at}/{field}", it[field], f"no time after the hit's own, {said}")


def _parent(name: str, message: Mapping[str, Any]) -> Iterator[Breach]:
    del name
    child, header = message.get("childproc"), message.get("header")
    # A second exec in a process is told in its own context (wire: POSIX).
    if isinstance(child, dict) and child.get("childProcType") == "childProcOtherExec":
        return
    if isinstance(child, dict) and isinstance(header, dict):
        guid, expected = child.get("parent_guid"), header.get("process_guid")
        # When a child ends, the header names no guid.
        ended = not child.get("created", True) and str(expected) == "0"
        if None not in (guid, expected) and guid != expected and not ended:
            yield Breach("/childproc/parent_guid", guid, f"{expected}, the header's process_guid")


_WIRE = "wire: Identities"
RULES: tuple[Rule, ...] = (
    Rule("process-key", "A process key holds the sensor id, pid and start time that stand beside "
         "it.", _WIRE, False, _process_key, frozenset(_KEYS)),
    Rule("unique-id", "A unique_id is its process's key and the segment.", _WIRE, False,
         _unique_id, frozenset({"unique_id"})),
    Rule("ioc-value", "An IOC is what its type says.", "specification: Ingress Feed Hit", False,
         _ioc_value, frozenset({"ioc_value"})),
    Rule("digsig", "The fields of a signature agree with its result.",
         "specification: Binary Watchlist Hit, Notes", False, _digsig,
         frozenset({"digsig_result", "module"})),
    Rule("string-guid", "header.filepath_string_guid is the guid of an entry in `strings`.", _WIRE,
         False, _string_guid, frozenset({"strings"})),
    Rule("store-path", "file_path is derived from the MD5.", _WIRE, False, _store_path,
         frozenset({"file_path"})),
    Rule("document-md5", "The documents of a binary's hit have its MD5.",
         "specification: Binary Storage Feed Hit", False, _same_md5, frozenset({"md5"})),
    Rule("own-name", "`type` and `alert_type` are the message's name.", "wire: Routing keys", False,
         _own_name, frozenset({"type", "alert_type"})),
    Rule("time-plausible", "A message is from 2010 or later, and not from the future.",
         "specification: event_timestamp", False, _plausible,
         frozenset({"event_timestamp", "timestamp", "header"})),
    Rule("time-order", "A process does nothing before its start.", "specification: last_update",
         False, _order, frozenset({"last_update", "header"})),
    Rule("hindsight", "A hit is told after what it tells of. (4 of 13 captured process documents "
         "are ahead: an endpoint's clock is its own.)", "specification: event_timestamp", True,
         _hindsight, frozenset(_TOLD)),
    Rule("parent-guid", "A childproc names the process whose header it has as the parent, or comes "
         "with none when it ended.", "wire: What real events hold", True, _parent,
         frozenset({"childproc"})),
)  # fmt: skip
"""Every rule, in the order in which they are checked."""


def _subjects(message: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The message and its documents, each with its JSON pointer."""
    yield "", message
    docs = message.get("docs")
    if isinstance(docs, list):
        for number, document in enumerate(docs):
            if isinstance(document, dict):
                yield f"/docs/{number}", document


def _whole(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _ticks(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return _parsed(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> int | None:
    # Several rules read the same times.
    try:
        return parse_iso_time(text)
    except WireError:
        return None


def _is_ipv4(value: str) -> bool:
    try:
        IPv4Address(value)
    except AddressValueError:
        return False
    return True
