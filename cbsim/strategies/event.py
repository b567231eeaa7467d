"""Raw events and bundles of them: every field of the proto, those that captures always show always.

Built from the proto's own descriptors and the catalog's presence, so a field that is added to
either is drawn without another word here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as ProtoMessage
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import DIGSIG_RESULTS, RAW_EVENTS, RawEvent, ServerVersion, bytes_lengths
from cbsim.strategies import value
from cbsim.strategies.argument import drawn, given, matching, server_of
from cbsim.strategies.cast import Cast
from cbsim.strategies.form import HUGE
from cbsim.strategies.value import Draw
from cbsim.wire.address import swap_port
from cbsim.wire.sensor_events_pb2 import CbEventMsg, CbStringMsg

__all__ = ["ended", "event", "event_names", "plans", "raw_event"]

_PREFIX = "ingress.event."

Source = Callable[[Cast], Any]


def raw_event(
    *names: str,
    server: str | None = None,
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    md5: str | SearchStrategy[str] | None = None,
    sparse: bool | None = None,
) -> SearchStrategy[CbEventMsg]:
    """Any raw event, or those of the given names or patterns, with or without `ingress.event.`.

    `md5` is that of the process. Without a `server`, one that sends the event. A `sparse` event
    may lack what captured events always have, as the proto lets it; without a word, one in
    eight. Raises StrategyError.

    >>> raw_event("filemod", sensor_id=3)
    raw_event('filemod', sensor_id=3)
    """
    version, wanted = event_names(names, server)
    fixed = given(sensor_id=sensor_id, hostname=hostname, md5=md5)
    for name in wanted:
        plans(name, version)

    which = st.sampled_from(wanted)

    def draw_one(draw: Draw) -> CbEventMsg:
        name = wanted[0] if len(wanted) == 1 else draw(which)
        return event(Cast(draw, fixed, version), name, sparse=sparse)

    return drawn(
        "raw_event", draw_one, *names, server=server, sensor_id=sensor_id, hostname=hostname,
        md5=md5, sparse=sparse,
    )  # fmt: skip


def event_names(
    names: tuple[str, ...], server: str | None
) -> tuple[ServerVersion, tuple[str, ...]]:
    """The version, and the full names of what was asked for; raises StrategyError."""
    full = tuple(
        name if not isinstance(name, str) or name.startswith(_PREFIX) else _PREFIX + name
        for name in names
    )
    one = RAW_EVENTS.get(full[0]) if len(full) == 1 else None
    version = server_of(server, one)
    return version, matching(full, tuple(RAW_EVENTS), version)


def event(cast: Cast, name: str, *, env: bool = True, sparse: bool | None = False) -> CbEventMsg:
    """One event of who is in `cast`; events of bundles have no `env`.

    A sparse one may lack what captured events always have; None: now and then.
    """
    draw = cast.draw
    ways = plans(name, cast.version)
    plan = ways[0] if len(ways) == 1 else _drawn_plan(draw, ways)
    bare = draw(_SELDOM) if sparse is None else sparse
    made = CbEventMsg()
    _fill(made, plan.slots, cast, draw(plan.swells), bare)
    if ended(made) and made.header.HasField("process_guid"):
        made.header.process_guid = 0
    if made.header.HasField("filepath_string_guid"):
        string = made.strings.add()
        string.guid = made.header.filepath_string_guid
        string.utf8string = _place(cast).encode()
        string.string_type = CbStringMsg.typeFilepath
    if not env:
        made.ClearField("env")
    return made


def ended(made: CbEventMsg) -> bool:
    """Whether it tells that a child ended: then the header names no guid."""
    return made.childproc.HasField("created") and not made.childproc.created


def _drawn_plan(draw: Draw, ways: tuple[_Plan, ...]) -> _Plan:
    usual = [plan for plan in ways if not plan.seldom]
    if len(usual) < len(ways):
        seldom: bool = draw(_SELDOM)
        return ways[-1] if seldom else usual[0]
    return ways[draw(_BIT)]


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    path: str
    needed: bool
    """Whether the proto, or the routing key, needs it."""
    always: bool
    """Whether every captured event has it."""
    source: Source | None
    inner: tuple[_Slot, ...] = ()
    repeated: bool = False
    text: bool = False
    """Whether it may grow huge."""


@dataclass(frozen=True, slots=True)
class _Plan:
    slots: tuple[_Slot, ...]
    swells: SearchStrategy[str | None]
    seldom: bool
    """Whether servers send it now and then, or nobody knows whether they do."""


def _fill(
    message: ProtoMessage, slots: tuple[_Slot, ...], cast: Cast, swells: str | None, bare: bool
) -> None:
    draw = cast.draw
    for slot in slots:
        if not (slot.needed or (slot.always and not bare) or draw(value.BOOLEAN)):
            continue
        if slot.source is not None:
            found = slot.source(cast)
            if slot.path == swells:
                found = ((found or _A[type(found)]) * HUGE)[:HUGE]
            setattr(message, slot.name, found)
        elif slot.repeated:
            for _ in range(draw(_FEW)):
                _fill(getattr(message, slot.name).add(), slot.inner, cast, swells, bare)
        else:
            inner = getattr(message, slot.name)
            inner.SetInParent()
            _fill(inner, slot.inner, cast, swells, bare)


_A: dict[type, Any] = {str: "A", bytes: b"A"}
_SELDOM: SearchStrategy[bool] = value.choice([False] * 7 + [True])
_FEW = value.number(1, 2)
_BIT = value.number(0, 1)
_FILE_HEADER = value.least(st.binary(max_size=24), b"")
_DIGESTS = {
    size: value.least(st.binary(min_size=size, max_size=size), bytes(size)) for size in (16, 32)
}
_SHORT = value.choice((*[16] * 16, *range(15, -1, -1)))
_PORT = value.number(0, 65535)
_UID = value.choice(("S-1-5-18", "S-1-5-21-1-2-3-1001", "0", "501", ""))
_SIGN_TIME = value.choice(("2:46 PM 9/29/2015", ""))
_INTEGERS = {
    FieldDescriptor.TYPE_INT32: value.number(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: value.INT_64,
    FieldDescriptor.TYPE_UINT32: value.BITS_32,
    FieldDescriptor.TYPE_UINT64: value.BITS_64,
}


def _of(strategy: SearchStrategy[Any]) -> Source:
    return lambda cast: cast.draw(strategy)


def _moment(cast: Cast) -> int:
    return value.FIRST + cast.draw(value.MOMENT)


def _place(cast: Cast) -> str:
    return value.path(cast.draw, "windows" if cast.endpoint.os == "windows" else "posix")


# What a field means: by its path in the event, else by its name.
_BY_PATH: dict[str, Source] = {
    "header.version": lambda _: 4,
    "header.timestamp": lambda cast: cast.acted,
    "header.process_guid": lambda cast: cast.process.guid,
    "header.process_create_time": lambda cast: cast.process.created,
    "header.process_pid": lambda cast: cast.process.pid,
    "header.process_md5": lambda cast: bytes.fromhex(cast.process.md5),
    "header.process_path": lambda cast: cast.process.path,
    "header.filepath_string_guid": lambda cast: cast.string_guid,
    "header.process_filepath_string_guid": lambda cast: cast.string_guid,
    "header.magic": lambda _: 0xDEADBEEF,
    "modload.handlepath_string_guid": lambda cast: cast.string_guid,
    "process.pid": lambda cast: cast.process.pid,
    "process.md5hash": lambda cast: bytes.fromhex(cast.process.md5),
    "process.parent_pid": lambda cast: cast.parent.pid,
    "process.parent_create_time": lambda cast: cast.parent.created,
    "process.parent_guid": lambda cast: cast.parent.guid,
    "process.parent_md5": lambda cast: bytes.fromhex(cast.parent.md5)[: cast.draw(_SHORT)],
    "process.parent_path": lambda cast: cast.parent.path,
    "childproc.parent_guid": lambda cast: cast.process.guid,
    "childproc.md5hash": lambda cast: cast.draw(_DIGESTS[16])[: cast.draw(_SHORT)],
    "module.md5": lambda cast: cast.binary.md5.encode(),
    "module.utf8_DigSig_Result": lambda cast: cast.binary.signature,
    "module.utf8_DigSig_ResultCode": lambda cast: f"0x{DIGSIG_RESULTS[cast.binary.signature]:08x}",
    "env.endpoint.SensorId": lambda cast: cast.endpoint.sensor_id,
    "env.endpoint.SensorHostName": lambda cast: cast.endpoint.hostname,
    "env.endpoint.HostId": _of(value.ID),
    "env.server.NodeId": _of(value.number(0, 15)),
}
_TIMES = "create_time parent_create_time targetProcCreateTime remoteProcCreateTime emetTimstamp \
    blockedProcCreateTime".split()
_PIDS = "pid parent_pid targetPid remoteProcPid blockedPid fork_pid".split()
_PATHS = "path parent_path targetProcPath remoteProcPath blockedPath utf8_OnDiskFilename \
    filename".split()
_PORTS = "port remotePort localPort proxyPort".split()
_BY_NAME: dict[str, Source] = {
    **dict.fromkeys(_TIMES, _moment),
    **dict.fromkeys(_PIDS, _of(value.ID)),
    **dict.fromkeys(_PATHS, _place),
    **dict.fromkeys(_PORTS, lambda cast: swap_port(cast.draw(_PORT))),
    "commandline": lambda cast: cast.draw(value.COMMAND).encode(),
    "blockedCmdline": _of(value.COMMAND),
    "utf8_regpath": lambda cast: value.path(cast.draw, "registry").encode(),
    "utf8_netpath": lambda cast: cast.draw(value.DNS).encode(),
    "proxyNetPath": _of(value.DNS),
    "uid": _of(_UID),
    "blockedUid": _of(_UID),
    "Icon": _of(_FILE_HEADER),
    "ImageFileHeader": _of(_FILE_HEADER),
    "utf8_DigSig_SignTime": _of(_SIGN_TIME),
    "ja3": lambda cast: f"{cast.draw(value.BITS_128):032x}",
    "ja3s": lambda cast: f"{cast.draw(value.BITS_128):032x}",
}
_LATER = {
    # Fields that newer servers added; SHA-256 comes from the version that has it.
    "logon_type": ServerVersion.V6, "ja3": ServerVersion.V7, "ja3s": ServerVersion.V7,
    "fork_pid": ServerVersion.V5_2, "childProcType": ServerVersion.V5_2,
    "suppressed": ServerVersion.V5_2,
}  # fmt: skip
_NEVER = {"deprecated"}
_NEEDED = {"header", "header.version"}
# Each is what another routing key carries.
_ALONE = {"crossproc.open", "crossproc.remotethread"}
# The newer form of a connection was not captured: what the older always has, it has too.
_NETWORK_V2 = tuple(
    f"networkv2.{name}"
    for name in "protocol outbound proxyConnection remotePort localPort remoteIpAddress "
    "remoteIpAddress.bIsIpv6 localIpAddress localIpAddress.bIsIpv6".split()
)


@cache
def plans(name: str, version: ServerVersion) -> tuple[_Plan, ...]:
    """How servers of that version write it, one for each message it may carry."""
    entry = RAW_EVENTS[name]
    carried = entry.carries
    if "networkv2" in carried and not version.network_v2:
        carried = ("network",)
    ways = [_plan(entry, version, one, seldom=one in entry.unconfirmed) for one in carried]
    began = {field.path: field.since for field in entry.uncaptured}
    for path in entry.instead:
        if version.includes(began[path]):
            other = next(event for event in RAW_EVENTS.values() if path in event.inner)
            ways.append(_plan(other, version, path.partition(".")[0], seldom=True))
    return tuple(ways)


def _plan(entry: RawEvent, version: ServerVersion, carried: str, *, seldom: bool) -> _Plan:
    """What an event that carries that message may hold; 2.0 stands for what the proto needs."""
    presence = dict(entry.presence or RAW_EVENTS["ingress.event.regmod"].presence)
    if carried == "networkv2":
        presence |= dict.fromkeys(_NETWORK_V2, 1.0)
    for path, often in [*presence.items()]:
        # A message is always there when one of its fields is.
        if often >= 1.0:
            for depth in range(1, path.count(".") + 1):
                presence[".".join(path.split(".")[:depth])] = 1.0
    presence |= dict.fromkeys((carried, *entry.inner), 2.0)
    if entry.created is not None:
        presence["process.created"] = 2.0
    fields = CbEventMsg.DESCRIPTOR.fields_by_name
    slots = tuple(
        _slot(fields[top], top, presence, entry, version) for top in ("header", carried, "env")
    )
    grown: list[str | None] = [*_texts(slots)]
    swells = value.choice([None] * (9 + 9 * len(grown)) + grown)
    return _Plan(slots, swells, seldom)


def _texts(slots: tuple[_Slot, ...]) -> list[str]:
    found = []
    for slot in slots:
        found += _texts(slot.inner)
        if slot.text:
            found.append(slot.path)
    return found


def _slot(
    field: FieldDescriptor,
    path: str,
    presence: dict[str, float],
    entry: RawEvent,
    version: ServerVersion,
) -> _Slot:
    always = presence.get(path, 0.0) >= 1.0
    needed = path in _NEEDED or presence.get(path, 0.0) > 1.0
    if field.message_type is None:
        source, text = _source(field, path, entry)
        return _Slot(field.name, path, needed, always, source, text=text)
    inner = tuple(
        _slot(one, f"{path}.{one.name}", presence, entry, version)
        for one in field.message_type.fields
        if _sent(one, f"{path}.{one.name}", presence, version)
    )
    return _Slot(field.name, path, needed, always, None, inner, _repeated(field))


def _repeated(field: FieldDescriptor) -> bool:
    # Newer releases of protobuf have the property, older ones only the label.
    known = getattr(field, "is_repeated", None)
    return bool(getattr(field, "label", 0) == field.LABEL_REPEATED if known is None else known)


def _sent(
    field: FieldDescriptor, path: str, presence: dict[str, float], version: ServerVersion
) -> bool:
    since = _LATER.get(field.name)
    if "sha256" in field.name.lower():
        return version.sha256
    if path in _ALONE:
        return path in presence
    return field.name not in _NEVER and (since is None or version.includes(since))


def _source(field: FieldDescriptor, path: str, entry: RawEvent) -> tuple[Source, bool]:
    """How a field's value is drawn, and whether it may grow huge."""
    known = _BY_PATH.get(path)
    if path == "process.created":
        return lambda _: entry.created, False
    if known is not None:
        return known, False
    known = _BY_NAME.get(field.name)
    if field.enum_type is not None:
        return _of(value.choice([one.number for one in field.enum_type.values])), False
    if field.type == FieldDescriptor.TYPE_BYTES:
        owner = field.containing_type
        lengths = bytes_lengths(owner.name if owner else "", field.name)
        if lengths:
            return _of(_DIGESTS[lengths[0]]), False
        return known or (lambda cast: cast.draw(value.TEXT).encode()), known is not _BY_NAME["Icon"]
    if field.type == FieldDescriptor.TYPE_STRING:
        if field.name == "sha256":
            return (lambda cast: cast.draw(_DIGESTS[32]).hex()), False
        return known or _of(value.TEXT), field.name not in ("ja3", "ja3s")
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _of(value.BOOLEAN), False
    return known or _of(_INTEGERS[field.type]), False
