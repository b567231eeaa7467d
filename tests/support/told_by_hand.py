"""A morning on one endpoint, told by hand: consistent, and easy to spoil in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from cbsim.wire import bundle
from cbsim.wire.address import ipv4_to_wire, swap_port
from cbsim.wire.clock import epoch_seconds, iso_time
from cbsim.wire.identity import process_key, store_path
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
)
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["BEGAN", "CHILD", "EXPLORER", "MD5", "NEW", "Said", "bundled", "morning", "unix"]

BEGAN = 133_485_408_000_000_123
"""2024-01-01T00:00:00Z and some ticks."""
SECOND = 10_000_000
SENSOR, HOST, GROUP = 7, "BER-WS-0007", "Workstations"
EXPLORER = (804, BEGAN - 1000 * SECOND, 4_711, r"c:\windows\explorer.exe", b"\xe0" * 16)
CHILD = (1200, BEGAN + SECOND - 156_000, -42, r"c:\users\ann\evil.exe", b"\x5a" * 16)
"""Pid, create time, guid, path and MD5 of its two processes."""
MD5, NEW = CHILD[4].hex(), "AB" * 16
KEY = process_key(SENSOR, *CHILD[:2])


@dataclass
class Said:
    """A message before it is written: change what you like."""

    at: int
    """FILETIME."""
    key: str
    content: Any
    """A CbEventMsg, or a notification's fields."""
    headers: dict[str, int | str] | None = None

    def message(self) -> Message:
        """As it is delivered."""
        if isinstance(self.content, dict):
            body, kind = orjson.dumps(self.content), JSON_TYPE
        elif isinstance(self.content, bytes):
            return Message(RAW_EXCHANGE, "", ZIP_TYPE, self.content, self.headers or {}, self.at)
        else:
            body, kind = self.content.SerializeToString(), PROTOBUF_TYPE
        return Message(EVENTS_EXCHANGE, self.key, kind, body, moment=self.at)


def morning() -> list[Said]:
    """What happens on a Windows endpoint: a start, a Tor connection, a new binary, hits, an end."""
    return [*_start(), *_deeds(), *_arrival(), *_hits(), *_end()]


def unix() -> list[Said]:
    """What happens on a Linux endpoint: a fork, what the fork does, and an exec."""
    shell = (70, BEGAN - 50 * SECOND, 99, "/bin/bash", b"\x11" * 16)
    made = (71, BEGAN + 2 * SECOND, 98, "/usr/bin/make", b"\x12" * 16)
    fork = _event(
        1,
        shell,
        "childproc",
        created=True,
        parent_guid=99,
        child_guid=99,
        pid=71,
        create_time=shell[1],
        path=shell[3],
        md5hash=shell[4],
        childProcType=1,
    )
    forked = _file(1.1, shell, "/tmp/x")
    forked.header.fork_pid = 71
    return [
        _said(0.5, "procstart", _announced(0.5, shell)),
        _said(1, "childproc", fork),
        _said(1.1, "filemod", forked),
        _said(2, "childproc", _child(2, shell, made)),
        _said(2, "procstart", _started(2, made, shell)),
        _said(2.1, "moduleload", _load(2.1, made, made[3], made[4])),
        _said(3, "procend", _ended(3, made, shell)),
    ]


def bundled(said: Iterable[Said]) -> list[Said]:
    """The same, with raw events in one bundle at the end instead of by themselves."""
    kept, bodies, at = [], [], BEGAN
    for line in said:
        at = line.at
        if isinstance(line.content, CbEventMsg):
            event = CbEventMsg.FromString(line.content.SerializeToString())
            event.ClearField("env")
            bodies.append(event.SerializeToString())
        else:
            kept.append(line)
    headers: dict[str, int | str] = {"sensorId": SENSOR, "hostId": 0, "nodeId": 0,
                                     "sensorHostName": HOST}  # fmt: skip
    return [Said(at, "", bundle.join(bodies), headers), *(Said(at, line.key, line.content)
                                                          for line in kept)]  # fmt: skip


def _moment(second: float) -> int:
    return BEGAN + int(second * SECOND)


def _said(second: float, name: str, content: CbEventMsg) -> Said:
    content.env.endpoint.SensorId, content.env.endpoint.SensorHostName = SENSOR, HOST
    return Said(_moment(second) + 1000, f"ingress.event.{name}", content)


def _told(second: float, key: str, **fields: Any) -> Said:
    return Said(_moment(second), key, {"event_timestamp": epoch_seconds(_moment(second)), **fields})


def _event(second: float, doer: tuple[Any, ...] | None, field: str, **values: Any) -> CbEventMsg:
    event = CbEventMsg()
    event.header.version, event.header.timestamp = 4, _moment(second)
    if doer is not None:
        header = event.header
        header.process_pid, header.process_create_time, header.process_guid = doer[:3]
        if field not in ("childproc", "emet"):
            header.process_path, header.process_md5 = doer[3:]
    for name, value in values.items():
        setattr(getattr(event, field), name, value)
    return event


def _announced(second: float, who: tuple[Any, ...]) -> CbEventMsg:
    return _event(second, who, "process", pid=who[0], created=True, parent_pid=-1,
                  creationobserved=False, md5hash=who[4])  # fmt: skip


def _started(second: float, who: tuple[Any, ...], parent: tuple[Any, ...]) -> CbEventMsg:
    return _event(second, who, "process", pid=who[0], created=True, parent_pid=parent[0],
                  parent_create_time=parent[1], parent_guid=parent[2], parent_path=parent[3],
                  parent_md5=parent[4], md5hash=who[4], creationobserved=True,
                  username="BER\\ann", commandline=b"evil.exe /q")  # fmt: skip


def _ended(second: float, who: tuple[Any, ...], parent: tuple[Any, ...]) -> CbEventMsg:
    return _event(second, who, "process", pid=who[0], created=False, parent_pid=parent[0],
                  parent_create_time=parent[1])  # fmt: skip


def _child(second: float, parent: tuple[Any, ...], child: tuple[Any, ...]) -> CbEventMsg:
    return _event(second, parent, "childproc", created=True, parent_guid=parent[2], pid=child[0],
                  create_time=child[1], child_guid=child[2], path=child[3],
                  md5hash=child[4])  # fmt: skip


def _load(second: float, doer: tuple[Any, ...], path: str, md5: bytes) -> CbEventMsg:
    event = _event(second, doer, "modload", md5hash=md5, is_process_base_module=path == doer[3])
    event.strings.add(guid=5, utf8string=path.encode())
    return event


def _file(second: float, doer: tuple[Any, ...], path: str) -> CbEventMsg:
    event = _event(second, doer, "filemod", action=1)
    event.strings.add(guid=6, utf8string=path.encode())
    return event


def _start() -> list[Said]:
    return [
        _said(0, "procstart", _announced(0, EXPLORER)),
        _said(1, "childproc", _child(1, EXPLORER, CHILD)),
        _said(1, "procstart", _started(1, CHILD, EXPLORER)),
        _said(1.01, "moduleload", _load(1.01, CHILD, CHILD[3], CHILD[4])),
        _said(1.02, "moduleload", _load(1.02, CHILD, r"c:\windows\system32\ntdll.dll", b"n" * 16)),
    ]


def _deeds() -> list[Said]:
    key = rb"\registry\machine\software\microsoft\windows\currentversion\run\evil"
    call = _event(
        2.2,
        CHILD,
        "network",
        ipv4Address=ipv4_to_wire("198.51.100.7"),
        remoteIpAddress=ipv4_to_wire("198.51.100.7"),
        port=swap_port(9001),
        remotePort=swap_port(9001),
        localPort=swap_port(50_000),
        outbound=True,
    )
    opened = _event(2.3, CHILD, "crossproc")
    target = opened.crossproc.open
    target.targetPid, target.targetProcCreateTime = EXPLORER[:2]
    target.targetProcPath, target.targetProcMd5 = EXPLORER[3:]
    return [
        _said(2, "regmod", _event(2, CHILD, "regmod", action=2, utf8_regpath=key)),
        _said(2.1, "filemod", _file(2.1, CHILD, r"c:\windows\system32\evil.dll")),
        _said(2.2, "netconn", call),
        _said(2.3, "crossprocopen", opened),
    ]


def _arrival() -> list[Said]:
    module = _event(3, None, "module", md5=NEW.encode())
    return [
        _said(3, "module", module),
        _told(3.001, "binaryinfo.observed", md5=NEW),
        _told(3.003, "binaryinfo.host.observed", md5=NEW, sensor_id=SENSOR, hostname=HOST),
        _told(3.004, "binaryinfo.group.observed", md5=NEW, group=GROUP),
        _told(3.5, "binarystore.file.added", md5=NEW, file_path=store_path(NEW)),
    ]


def _document(at: float, **more: Any) -> dict[str, Any]:
    return {
        "unique_id": f"{KEY}-00000001", "segment_id": 1, "process_pid": CHILD[0],
        "process_md5": MD5, "path": CHILD[3], "process_name": "evil.exe",
        "username": "BER\\ann", "cmdline": "evil.exe /q", "start": iso_time(CHILD[1]),
        "last_update": iso_time(_moment(at)), "modload_count": 2, "filemod_count": 1,
        "netconn_count": "1", "regmod_count": 1, "childproc_count": 0, "crossproc_count": 1,
        "parent_pid": EXPLORER[0], "parent_name": "explorer.exe", "parent_id": EXPLORER[2],
        "parent_unique_id": process_key(SENSOR, *EXPLORER[:2]) + "-00000001",
        "parent_md5": "0" * 30, **more,
    }  # fmt: skip


def _binary(**more: Any) -> dict[str, Any]:
    return {
        "md5": NEW, "digsig_result": "Unsigned", "is_executable_image": True, "host_count": 1,
        "endpoint": [f"{HOST}|{SENSOR}"], "server_added_timestamp": iso_time(_moment(3)),
        "last_seen": iso_time(_moment(3)), **more,
    }  # fmt: skip


def _hits() -> list[Said]:
    tor = {"feed_id": 14, "feed_name": "tor", "report_id": "TOR-Node-198.51.100.7",
           "ioc_type": "ipv4", "ioc_value": "198.51.100.7",
           "ioc_attr": {"remote_ip": "198.51.100.7", "remote_port": 9001, "local_port": 50_000},
           "process_id": KEY, "sensor_id": SENSOR, "hostname": HOST, "group": GROUP}  # fmt: skip
    scored = {"alliance_data_tor": ["TOR-Node-198.51.100.7"], "alliance_score_tor": 100,
              "alliance_updated_tor": iso_time(_moment(-30 * 86_400))}  # fmt: skip
    autoruns = {"watchlist_id": 8, "watchlist_name": "Autoruns"}
    md5 = {"feed_id": 16, "feed_name": "virustotal", "report_id": NEW.lower(), "ioc_type": "md5",
           "ioc_value": NEW.lower(), "md5": NEW, "sensor_id": SENSOR}  # fmt: skip
    known = {"alliance_data_virustotal": f"Binary_{NEW}"}
    unsigned = {"watchlist_id": 7, "watchlist_name": "Unsigned binaries"}
    query = {"feed_id": 20, "feed_name": "attackframework", "report_id": "x", "ioc_type": "query",
             "ioc_value": "cb.urlver=1&q=process_name%3Aevil.exe%20-domain%3Agood.example",
             "process_id": KEY, "segment_id": 1}  # fmt: skip
    return [
        _told(4, "feed.14.ingress.hit.process", **tor),
        _told(4.2, "alert.watchlist.hit.ingress.process", **tor, modload_count="2"),
        _told(5, "feed.14.storage.hit.process", **tor, docs=[_document(2.3, **scored)]),
        _told(6, "watchlist.hit.process", **autoruns, docs=[_document(2.3)]),
        _told(21, "watchlist.storage.hit.process", **autoruns, process_id=KEY,
              docs=[_document(2.3, watchlist_8=iso_time(_moment(5.9)))]),
        _told(21.5, "alert.watchlist.hit.query.process", **autoruns, process_id=KEY,
              process_path=CHILD[3], unique_id="170bfb98-9fce-43b3-ad65-9ce9372e8d13"),
        _told(22, "feed.20.query.hit.process", **query, docs=[_document(2.3)]),
        _told(23, "feed.16.ingress.hit.binary", **md5),
        _told(24, "feed.16.storage.hit.binary", **md5, docs=[_binary(**known)]),
        _told(25, "watchlist.storage.hit.binary", **unsigned, md5=NEW,
              docs=[_binary(watchlist_7=iso_time(_moment(9.7)))]),
        _told(26, "alert.watchlist.hit.query.binary", **unsigned, md5=NEW),
        _told(27, "cmd.feed.synchronize", feed_id=14),
        _told(28, "feed.synchronized", feed_id=14, feed_name="tor"),
    ]  # fmt: skip


def _end() -> list[Said]:
    gone = _child(30, EXPLORER, CHILD)
    gone.header.process_guid, gone.childproc.created = 0, False
    return [_said(30, "childproc", gone), _said(30, "procend", _ended(30, CHILD, EXPLORER))]
