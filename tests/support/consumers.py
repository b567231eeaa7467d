"""Consumers of the bus, each of which writes a format of its own: rows, and files of rows.

Nothing here knows how cbsim finds a message again: what a row holds is worked out from what is
read from the bus.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from cbsim.bus.sink import as_line
from cbsim.wire.identity import process_key
from cbsim.wire.legible import legible
from cbsim.wire.message import Message
from cbsim.wire.reading import read

__all__ = ["FORMATS", "Format", "Row", "rows_of"]

Row = dict[str, Any]
"""What a consumer writes of one thing, as it would write it."""
Fields = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """A format: the rows that a message becomes, how rows become a file, how to read it back."""

    rows: Callable[[Message], list[Row]]
    file: Callable[[list[Row]], bytes]
    options: Mapping[str, Any] = field(default_factory=dict)
    """What `compare` is told of it."""
    edits: tuple[tuple[str, ...], ...] = ()
    """Places in a row that make it what it is: when one of them is altered, it is found."""
    suffix: str = ".ndjson"
    exact: bool = True
    """Whether a row says so much that an altered one can be told from one that is new."""


def rows_of(known: Format, stream: list[Message]) -> list[tuple[int, int, Row]]:
    """All rows, each with the number of its message, and of the part of it."""
    return [(number, part, row) for number, message in enumerate(stream)
            for part, row in enumerate(known.rows(message))]  # fmt: skip


def _ticks(fields: Fields) -> int:
    if "header" in fields:
        return int(fields["header"]["timestamp"])
    stamp = Decimal(str(fields.get("event_timestamp", fields.get("timestamp", 0))))
    return int(stamp * 10_000_000) + 116_444_736_000_000_000


def _cut(ticks: int, decimals: int) -> Decimal:
    unit = 10 ** (7 - decimals)
    return Decimal((ticks - 116_444_736_000_000_000) // unit * unit) / 10_000_000


def _rounded(ticks: int, decimals: int) -> Decimal:
    exact = Decimal(ticks - 116_444_736_000_000_000) / 10_000_000
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)


def _iso(stamp: Decimal, decimals: int) -> str:
    whole = int(stamp)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=whole)
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f"{stamp - whole:.{decimals}f}"[1:]) + "Z"


def _name(fields: Fields, key: str) -> str:
    if "header" not in fields:
        head, _, rest = key.partition(".")
        number, _, tail = rest.partition(".")
        return f"{head}.{tail}" if head == "feed" and number.isdigit() else key
    if "process" in fields:
        return f"ingress.event.{'procstart' if fields['process'].get('created') else 'procend'}"
    if "crossproc" in fields:
        thread = "remotethread" in fields["crossproc"]
        return f"ingress.event.{'remotethread' if thread else 'crossprocopen'}"
    return key or _KEYS[next(it for it in fields if it in _KEYS)]


_KEYS = {f"{carried}": f"ingress.event.{name}" for carried, name in (
    ("modload", "moduleload"), ("module", "module"), ("filemod", "filemod"), ("regmod", "regmod"),
    ("network", "netconn"), ("networkv2", "netconn"), ("childproc", "childproc"),
    ("tamperAlert", "tamper"), ("blocked", "processblock"), ("emet", "emetmitigation"),
    ("scriptexe", "filelessscriptload"), ("fbscriptexe", "filelessscriptload"),
)}  # fmt: skip


def _guid(fields: Fields, key: str) -> str:
    if "header" not in fields:
        if not key.startswith("alert.") and "unique_id" in fields:
            return str(fields["unique_id"])[:36]
        return str(fields.get("process_id", fields.get("process_guid", "")))
    header, sensor = fields["header"], int(fields["env"]["endpoint"].get("SensorId", 0))
    if "blocked" in fields:
        blocked = fields["blocked"]
        if "blockedPid" not in blocked:
            return ""
        created = int(blocked.get("blockedProcCreateTime", 0))
        return process_key(sensor, int(blocked["blockedPid"]), created)
    told = "process_pid" in header and "process_create_time" in header
    if told and "SensorId" in fields["env"]["endpoint"]:
        return process_key(sensor, int(header["process_pid"]), int(header["process_create_time"]))
    return str(header.get("process_guid", ""))


# --- the common forwarder ---


def _forwarded(message: Message, stamp: Callable[[int], Any]) -> list[Row]:
    lines = []
    for reading in read(message):
        fields: Fields = reading.fields
        name = _name(fields, reading.routing_key)
        if "header" in fields:
            endpoint = fields["env"]["endpoint"]
            line: Row = {"type": name, "sensor_id": endpoint["SensorId"], "cb_server": "cb",
                         "computer_name": endpoint["SensorHostName"],
                         "timestamp": stamp(_ticks(fields))}  # fmt: skip
            if "fbscriptexe" not in fields:
                lines.append(line | _of_process(fields, reading.routing_key))
            continue
        line = {"cb_server": "cb", "type": name}
        line |= {key: it for key, it in fields.items() if key not in ("docs", "event_timestamp")}
        _fix(line, reading.routing_key)
        if "event_timestamp" in fields:
            line["timestamp"] = fields["event_timestamp"]
        if "docs" not in fields:
            lines.append(line)
        for document in fields.get("docs", []):
            inner = dict(document)
            _fix(inner, reading.routing_key)
            lines.append(line | {"docs": [inner]})
    return lines


def _of_process(fields: Fields, key: str) -> Row:
    """What a forwarder's line says of the process, or the binary, that an event is about."""
    if "module" in fields:
        return {"md5": base64.b64decode(fields["module"]["md5"]).decode().upper()}
    if "tamperAlert" in fields:
        return {}
    if "blocked" in fields:
        blocked = fields["blocked"]
        guid = {"process_guid": _guid(fields, key)} if "blockedPid" in blocked else {}
        return guid | {"md5": _hex(blocked.get("blockedmd5Hash", ""))}
    own = next((fields[kind]["md5hash"] for kind in ("process", "childproc", "modload")
                if "md5hash" in fields.get(kind, {})), None)  # fmt: skip
    digest = fields["header"].get("process_md5", "") if own is None else own
    return {"process_guid": _guid(fields, key), "pid": fields["header"].get("process_pid", 0),
            "md5": _hex(digest)}  # fmt: skip


def _hex(digest: str) -> str:
    # protobuf's JSON has bytes in base64
    return base64.b64decode(digest).hex().upper()


def _fix(line: Row, key: str) -> None:
    if guid := _guid(line, key):
        line["process_guid"] = guid
        line.pop("process_id", None)
    for name in ("md5", "process_md5", "parent_md5"):
        if isinstance(line.get(name), str):
            line[name] = line[name].upper()
    if "hostname" in line:
        line["computer_name"] = line["hostname"]


def _leef(rows: list[Row]) -> bytes:
    lines = []
    for row in rows:
        flat = {key: it for key, it in row.items() if key != "docs"}
        for document in row.get("docs", []):
            flat |= document
        pairs = (f"{key}={_escaped(it)}" for key, it in sorted(flat.items()))
        kind = str(row["type"]).replace("procstart", "process")
        lines.append(f"<6> 2024-01-01T00:00:00Z cb forwarder[7]: LEEF:1.0|CB|CB|5.1|{kind}|"
                     + "\t".join(pairs) + "\n")  # fmt: skip
    return gzip.compress("".join(lines).encode())


def _escaped(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    for character, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"),
                              ("=", "\\=")):  # fmt: skip
        text = text.replace(character, escape)
    return text


# --- formats of one's own ---


def _own(message: Message) -> Iterator[tuple[Fields, str]]:
    for reading in read(message):
        yield reading.fields, reading.routing_key


def _flat(message: Message) -> list[Row]:
    return [
        {"kind": _name(fields, key), "when": _iso(_cut(_ticks(fields), 3), 3),
         "guid": _guid(fields, key) or _first(fields, "unique_id")[:36],
         "hash": _md5(fields).lower(), "sensor": _sensor(fields)}
        for fields, key in _own(message)
    ]  # fmt: skip


def _first(fields: Fields, name: str) -> str:
    return next((str(it[name]) for it in fields.get("docs", []) if name in it), "")


def _md5(fields: Fields) -> str:
    if "header" in fields:
        return ""
    return str(fields.get("md5") or _first(fields, "md5") or _first(fields, "process_md5"))


def _sensor(fields: Fields) -> str:
    if "header" in fields:
        return str(fields["env"]["endpoint"]["SensorId"])
    return str(fields.get("sensor_id") or _first(fields, "sensor_id"))


def _documents(message: Message) -> list[Row]:
    rows = []
    for fields, key in _own(message):
        stamp = int(_rounded(_ticks(fields), 6) * 1_000_000)
        for document in fields.get("docs", [{}]):
            both = fields | document
            rows.append({"event": {"key": _name(fields, key), "us": stamp},
                         "proc": [{"id": _guid(both, key)}],
                         "sensor": _sensor(both)})  # fmt: skip
    return rows


def _floats(message: Message) -> list[Row]:
    return [{"t": _ticks(fields) / 1e7 - 11644473600.0, "id": _guid(fields, key),
             "k": key or _name(fields, key)} for fields, key in _own(message)]  # fmt: skip


def _elastic(message: Message) -> list[Row]:
    return [
        {"@timestamp": _iso(_rounded(_ticks(fields), 3), 3),
         "event.action": _name(fields, key), "process": {"entity_id": _guid(fields, key)},
         "host": {"id": _sensor(fields)}}
        for fields, key in _own(message)
    ]  # fmt: skip


def _timeless(message: Message) -> list[Row]:
    # Others have neither a process nor a sensor.
    if message.routing_key and not message.routing_key.startswith("ingress."):
        return []
    return [{"name": _name(fields, key), "guid": _guid(fields, key), "sensor": _sensor(fields)}
            for fields, key in _own(message)]  # fmt: skip


def _of_headers(message: Message) -> list[Row]:
    """Of each event what its header says, whatever it is about, under the end of its name."""
    rows = []
    for fields, key in _own(message):
        header = fields.get("header", {})
        rows.append({
            "k": _name(fields, key).removeprefix("ingress.event."), "t": _ticks(fields),
            "guid": header.get("process_guid", "") if header else _guid(fields, key),
            "md5": _hex(header.get("process_md5", "")) if header else _md5(fields),
            "pid": header.get("process_pid", fields.get("process_pid", "")),
            "host": _host(fields).lower(),
        })  # fmt: skip
    return rows


def _host(fields: Fields) -> str:
    if "header" in fields:
        return str(fields["env"]["endpoint"].get("SensorHostName", ""))
    return str(next((fields[name] for name in ("hostname", "computer_name") if name in fields),
                    _first(fields, "hostname")))  # fmt: skip


def _of_keys(message: Message) -> list[Row]:
    """The key of the header's process, of a processblock too."""
    rows = []
    for fields, key in _own(message):
        about = {name: value for name, value in fields.items() if name != "blocked"}
        rows.append({"name": _name(fields, key), "at": int(_cut(_ticks(fields), 6) * 1_000_000),
                     "id": _guid(about, key) or _first(fields, "unique_id")[:36],
                     "sensor": _sensor(fields)})  # fmt: skip
    return rows


def _lines(rows: list[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _array(rows: list[Row]) -> bytes:
    return json.dumps(rows, indent=1).encode()


def _table(mark: str) -> Callable[[list[Row]], bytes]:
    def written(rows: list[Row]) -> bytes:
        out = io.StringIO()
        table = csv.DictWriter(out, [*rows[0]], delimiter=mark)
        table.writeheader()
        table.writerows(rows)
        return out.getvalue().encode()

    return written


def _splunk(rows: list[Row]) -> bytes:
    return _lines([{"time": 1704067200, "sourcetype": "bit9:carbonblack:json", "event": row}
                   for row in rows])  # fmt: skip


def _tapped(message: Message) -> list[Row]:
    return [json.loads(as_line(message, 1704067200.5))]


def _shown(message: Message) -> list[Row]:
    return [legible(fields) if "header" in fields else fields for fields, _ in _own(message)]


_LINE = (("type",), ("process_guid",), ("timestamp",), ("sensor_id",))
FORMATS = {
    "tap": Format(_tapped, _lines, edits=(("routing_key",), ("body",), ("body_base64",))),
    "content": Format(lambda it: [fields for fields, _ in _own(it)], _array,
                      edits=(("event_timestamp",), ("header", "timestamp"), ("sensor_id",)),
                      suffix=".json"),
    "legible": Format(_shown, _lines, edits=(("event_timestamp",), ("header", "process_path"))),
    "forwarder": Format(lambda it: _forwarded(it, lambda ticks: int(_cut(ticks, 0))), _lines,
                        {"preset": "forwarder"}, _LINE),
    "forwarder, splunk": Format(
        lambda it: _forwarded(it, lambda ticks: float(_rounded(ticks, 3))), _splunk,
        {"preset": "forwarder"}, _LINE),
    "forwarder, leef, syslog, gzip": Format(
        lambda it: _forwarded(it, lambda ticks: int(_rounded(ticks, 0))), _leef,
        {"preset": "forwarder"}, _LINE, ".log.gz"),
    "csv": Format(_flat, _table(","), {"places": {
        "name": "kind", "timestamp": "when", "guid": "guid", "md5": "hash", "sensor": "sensor"}},
        (("kind",), ("when",), ("guid",), ("sensor",)), ".csv"),
    "tsv of another name": Format(_flat, _table("\t"), {"places": {
        "name": "kind", "timestamp": "when", "guid": "guid"}}, (("kind",), ("when",)), ".txt"),
    "documents": Format(_documents, _lines, {"one_per": "document", "places": {
        "name": "$.event.key", "timestamp": "$.event.us", "guid": "$.proc[0].id",
        "sensor": "sensor"}}, (("event", "key"), ("event", "us"), ("sensor",))),
    "floats under the bus's own keys": Format(_floats, _lines, {"places": {
        "name": "k", "timestamp": "t", "guid": "id"}}, (("t",), ("id",), ("k",))),
    "elastic": Format(_elastic, _array, {"places": {
        "name": "event.action", "timestamp": "@timestamp", "guid": "$.process.entity_id",
        "sensor": "$.host.id"}}, (("@timestamp",), ("host", "id")), ".json"),
    "headers of events": Format(_of_headers, _lines, {"places": {
        "name": "k", "timestamp": "t", "guid": "guid", "md5": "md5", "pid": "pid",
        "host": "host"}}, (("k",), ("t",), ("pid",), ("host",))),
    "processes of events": Format(_of_keys, _lines, {"places": {
        "name": "name", "timestamp": "at", "guid": "id", "sensor": "sensor"}},
        (("name",), ("at",), ("sensor",))),
    "timeless": Format(_timeless, _lines, {"places": {
        "name": "name", "guid": "guid", "sensor": "sensor"},
        "bound": ["ingress.#", "api.rawsensordata"]}, (("guid",), ("sensor",)),
        exact=False),
}  # fmt: skip
"""Formats by what they are."""
