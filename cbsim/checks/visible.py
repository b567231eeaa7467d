"""What a consumer is likely to keep of a message: by that it can be found again in any format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from cbsim.catalog import RAW_EVENTS, name_of, name_of_event
from cbsim.checks.moment import NEVER, moment
from cbsim.errors import CatalogError, WireError
from cbsim.wire import bundle
from cbsim.wire.identity import process_key
from cbsim.wire.json_text import parse_json
from cbsim.wire.message import JSON_TYPE, RAW_EXCHANGE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["IDENTITIES", "Visible", "canonical", "event_name", "known_name", "of_event_fields",
           "of_fields", "of_message"]  # fmt: skip

IDENTITIES = {
    "guid": "the process: `process_id`, or `unique_id` or `id` without its segment; of a raw event "
            "the key of the header's process, of a processblock that of the blocked one (or the "
            "header's, if those are what the output has); where nothing says its pid, create time "
            "or sensor, or the output has these, the decimal `process_guid`",
    "md5": "`md5`, else `process_md5`; of a raw event the binary that it is about, else the "
           "process's (or always that, if the output has it)",
    "timestamp": "`event_timestamp`, else `created_time`; of a raw event the header's",
    "report_id": "`report_id`",
    "sensor": "`sensor_id`; of a raw event `env.endpoint.SensorId`, of a bundle the header "
              "`sensorId`",
    "host": "`hostname`; of a raw event `env.endpoint.SensorHostName`, or the header "
            "`sensorHostName`",
    "pid": "`process_pid`; of a raw event the header's, of a processblock the blocked one's or the "
           "header's",
    "watchlist_id": "`watchlist_id`",
    "feed_id": "`feed_id`",
    "alert": "an alert's `unique_id`",
}  # fmt: skip
"""What identities there are, and which field of a message each of them is."""


class Visible(NamedTuple):
    """What can be seen of a message, or of a document or event of it, in whatever format."""

    name: str = ""
    """By what it carries; of a bundle as a whole, its exchange."""
    also: str = ""
    """The name under which it was sent, where that is another."""
    values: Mapping[str, str] = {}
    """Of IDENTITIES, in one form whoever wrote them."""
    ticks: int = NEVER
    """Its time, a FILETIME."""
    inner: int = NEVER
    """Of a document, its own time: when a binary was seen, not which message it is."""
    carried: str = ""
    """What a raw event carries, by the proto's field."""
    others: Mapping[str, tuple[str, ...]] = {}
    """For an identity, what else of it a consumer may take for the same, at its place each."""

    @property
    def raw(self) -> bool:
        """Whether it is a raw event."""
        return self.name.startswith("ingress.event.")

    @property
    def subject(self) -> str:
        """The process that it is about, or else the binary; of most raw events only a process."""
        guid = self.values.get("guid", "")
        if guid or (self.raw and self.name != "ingress.event.module"):
            return guid
        return self.values.get("md5", "")


def known_name(value: object) -> str:
    """The catalog's name for a routing key; the text itself when there is none."""
    if not isinstance(value, str):
        return ""
    return _known(value)


@lru_cache(maxsize=4096)
def _known(value: str) -> str:
    try:
        return name_of(_RENAMED.get(value, value))
    except CatalogError:
        return value


_RENAMED = {"ingress.event.processblocked": "ingress.event.processblock"}


def canonical(identity: str, value: object) -> str:
    """The value of an identity in one form: MD5s in upper case, GUIDs without their segment."""
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return canonical(identity, value[0]) if value else ""
    text = value if isinstance(value, str) else str(value)
    if text == "0" and identity in ("sensor", "guid", "pid"):
        # Where the server does not say.
        return ""
    if identity == "guid":
        return text[:36].lower()
    if identity == "md5":
        return text.upper()
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def of_message(message: Message, *, documents: bool, events: bool) -> Iterator[Visible]:
    """What can be seen of a message: of its documents or events one by one, or of it as a whole.

    Of a body that is broken, as it is in a test of robustness, nothing but its name is.
    """
    name = known_name(message.routing_key) or message.exchange
    try:
        if message.content_type == JSON_TYPE:
            fields = parse_json(message.body)
            if not isinstance(fields, dict):
                raise WireError("no object")
            yield from of_fields(name, fields, documents=documents)
        elif message.routing_key:
            yield _of_event(message.body, name, message.headers)
        elif events:
            found = [_of_event(body, "", message.headers) for run in bundle.members(message.body)
                     for body in bundle.split(run)]  # fmt: skip
            yield from found
        else:
            sensor = canonical("sensor", message.headers.get("sensorId"))
            yield Visible(RAW_EXCHANGE, "", {"sensor": sensor})
    except (DecodeError, WireError, ValueError, TypeError):
        yield Visible(name)


def of_fields(name: str, fields: Mapping[str, Any], *, documents: bool) -> Iterator[Visible]:
    """What can be seen of a notification, or of each of its documents.

    A document has what only its message has, and a message what only its first document has.
    """
    own, ticks = _identities(name, fields), _time_of(fields)
    docs = fields.get("docs")
    parts = [it for it in docs if isinstance(it, dict)] if isinstance(docs, list) else []
    inner = [_identities("", part) for part in (parts if documents else parts[:1])]
    if documents and isinstance(docs, list):
        for part, identities in zip(parts, inner, strict=True):
            yield Visible(name, "", own | identities, ticks, moment(part.get("timestamp")))
    elif inner:
        yield Visible(name, "", inner[0] | own, ticks)
    else:
        yield Visible(name, "", own, ticks)


_PLACES = (
    ("guid", ("process_id", "process_guid", "unique_id", "id")),
    ("md5", ("md5", "process_md5")),
    ("report_id", ("report_id",)),
    ("sensor", ("sensor_id",)),
    ("host", ("hostname", "computer_name")),
    ("pid", ("process_pid", "pid")),
    ("watchlist_id", ("watchlist_id",)),
    ("feed_id", ("feed_id",)),
)
_ALERT_PLACES = tuple((name, ("process_id", "process_guid") if name == "guid" else places)
                      for name, places in _PLACES) + (("alert", ("unique_id",)),)  # fmt: skip


def _identities(name: str, fields: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    alert = name.startswith("alert.")
    for identity, places in _ALERT_PLACES if alert else _PLACES:
        for place in places:
            if value := canonical(identity, fields.get(place)):
                found[identity] = value
                break
    return found


def _time_of(fields: Mapping[str, Any]) -> int:
    for place in ("event_timestamp", "timestamp", "created_time"):
        ticks = moment(fields.get(place))
        if ticks != NEVER:
            return ticks
    return NEVER


def _of_event(body: bytes, sent_as: str, headers: Mapping[str, int | str]) -> Visible:
    event = CbEventMsg.FromString(body)
    header, endpoint = event.header, event.env.endpoint
    kind = next((field.name for field, _ in event.ListFields() if field.name not in _COMMON), "")
    name = event_name(event, kind) or sent_as or RAW_EXCHANGE
    sensor = endpoint.SensorId or int(headers.get("sensorId", 0))
    told = (header.HasField("process_pid") and header.HasField("process_create_time")
            and (endpoint.HasField("SensorId") or "sensorId" in headers))  # fmt: skip
    decimal = str(header.process_guid or "")
    guid = _key(sensor, header.process_pid, header.process_create_time) if told else decimal
    pid, digest = str(header.process_pid or ""), header.process_md5.hex().upper()
    others = {"guid": (guid, decimal), "pid": (pid,), "md5": (digest,)}
    if kind == "blocked":
        blocked = event.blocked
        pid = str(blocked.blockedPid or "")
        guid = (_key(sensor, blocked.blockedPid, blocked.blockedProcCreateTime)
                if blocked.HasField("blockedPid") else "")  # fmt: skip
    host = endpoint.SensorHostName or str(headers.get("sensorHostName", ""))
    values = {"sensor": str(sensor or ""), "pid": pid, "guid": guid, "host": host,
              "md5": _digest_of(event, kind, digest)}  # fmt: skip
    also = sent_as if sent_as != name else ""
    return Visible(name, also, values, header.timestamp or NEVER, carried=kind, others=others)


_COMMON = ("header", "strings", "env")
_DIGESTS = {"process": "md5hash", "childproc": "md5hash", "modload": "md5hash",
            "blocked": "blockedmd5Hash"}  # fmt: skip


def _digest_of(event: CbEventMsg, kind: str, process: str) -> str:
    if kind == "module":
        return event.module.md5.decode("ascii", "replace").upper()
    field = _DIGESTS.get(kind)
    own: bytes = getattr(getattr(event, kind), field) if field else b""
    return own.hex().upper() or process


_NAMES = {kind: event.name for event in RAW_EVENTS.values() if event.created is None
          for kind in event.carries}  # fmt: skip


def event_name(event: CbEventMsg, kind: str) -> str:
    """The routing key that says what an event carries; empty for one that nobody knows."""
    if kind == "process":
        return f"ingress.event.{'procstart' if event.process.created else 'procend'}"
    if kind == "crossproc":
        thread = event.crossproc.HasField("remotethread")
        return f"ingress.event.{'remotethread' if thread else 'crossprocopen'}"
    return _NAMES.get(kind, "")


# The events of a process follow one another: most keys were made a moment ago.
@lru_cache(maxsize=1 << 16)
def _key(sensor: int, pid: int, create_time: int) -> str:
    try:
        return process_key(sensor, pid, create_time)
    except WireError:
        return ""


def of_event_fields(fields: Mapping[str, Any]) -> Visible:
    """What can be seen of a raw event in protobuf's JSON mapping, or as a person reads it."""
    header = _inner(fields, "header")
    endpoint = _inner(_inner(fields, "env"), "endpoint")
    blocked = _inner(fields, "blocked")
    sensor = _whole(endpoint.get("SensorId"))
    pid, created = header.get("process_pid"), header.get("process_create_time")
    if "blocked" in fields:
        pid, created = blocked.get("blockedPid"), blocked.get("blockedProcCreateTime", 0)
    values = {"sensor": str(sensor or ""), "host": str(endpoint.get("SensorHostName", ""))}
    if pid is not None and created is not None:
        values |= {"pid": str(pid), "guid": _key(sensor, _whole(pid), _ticks(created))}
    elif "process_guid" in header and "blocked" not in fields:
        values["guid"] = str(header["process_guid"])
    try:
        name = name_of_event(fields)
    except CatalogError:
        name = ""
    return Visible(name, "", values, _ticks(header.get("timestamp")))


def _inner(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError):
        return 0


def _ticks(value: object) -> int:
    number = _whole(value)
    return number or moment(value)
