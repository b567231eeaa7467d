"""What the server knows of processes, binaries and hits, as the facts its notifications state."""

from __future__ import annotations

from random import Random

from cbsim.catalog import DIGSIG_RESULTS, ServerVersion
from cbsim.wire.address import ipv4_to_signed
from cbsim.wire.clock import TICKS, epoch_seconds, iso_time
from cbsim.wire.identity import UNKNOWN_PARENT_MD5, store_path, unique_id
from cbsim.world.estate import Binary, Feed, Report, Sensor, Watchlist
from cbsim.world.process import Process

__all__ = [
    "FactValues",
    "alert",
    "arrival",
    "binary_document",
    "feed_hit",
    "moment",
    "process_document",
    "scores",
    "segment_of",
    "watchlist_hit",
]

FactValues = dict[str, object]


def segment_of(process: Process) -> int:
    """The segment a process is in: a new one starts every ten thousand events."""
    events = process.modload_count + process.filemod_count + process.regmod_count
    return 1 + (events + process.netconn_count) // 10_000


def process_document(process: Process, version: ServerVersion, rng: Random) -> FactValues:
    """A process as the data store holds it."""
    segment, digits = segment_of(process), version.segment_digits
    facts: FactValues = {
        "childproc_count": process.childproc_count,
        "cmdline": process.cmdline,
        "crossproc_count": process.crossproc_count,
        "emet_count": 0,
        "filemod_count": process.filemod_count,
        "group": process.sensor.group,
        "host_type": process.sensor.host_type,
        "hostname": process.sensor.hostname,
        "id": process.key,
        "last_update": iso_time(process.last_update),
        "modload_count": process.modload_count,
        "netconn_count": process.netconn_count,
        "os_type": process.sensor.os,
        "path": process.path,
        "process_md5": process.binary.md5.lower(),
        "process_name": process.name,
        "process_pid": process.pid,
        "processblock_count": 0,
        "regmod_count": process.regmod_count,
        "segment_id": segment,
        "sensor_id": process.sensor.id,
        "start": iso_time(process.create_time),
        "unique_id": unique_id(process.key, segment, digits),
        "username": process.user.account,
        "interface_ip": ipv4_to_signed(process.sensor.ip),
        "comms_ip": ipv4_to_signed(process.sensor.comms_ip),
    }
    parent = process.parent
    if parent is not None:
        # Half of the time the data store does not know the parent's binary (wire: Dialects).
        known = rng.random() < 0.5
        facts |= {
            "parent_id": parent.guid,
            "parent_md5": parent.binary.md5.lower() if known else UNKNOWN_PARENT_MD5,
            "parent_name": parent.name,
            "parent_pid": parent.pid,
            "parent_unique_id": unique_id(parent.key, segment_of(parent), digits),
        }
    return facts


def binary_document(
    binary: Binary, sensor: Sensor, first_seen: int, hosts: int, version: ServerVersion
) -> FactValues:
    """A binary as the data store holds it; `first_seen` is a FILETIME."""
    seen = iso_time(first_seen)
    facts: FactValues = {
        "cb_version": version.document_version,
        "copied_mod_len": binary.size,
        "digsig_result": binary.digsig,
        "digsig_result_code": DIGSIG_RESULTS[binary.digsig],
        "endpoint": [f"{sensor.hostname}|{sensor.id}"],
        "group": [sensor.group],
        "host_count": hosts,
        "is_64bit": True,
        "is_executable_image": binary.executable,
        "last_seen": seen,
        "md5": binary.md5,
        "observed_filename": [binary.path],
        "orig_mod_len": binary.size,
        "os_type": binary.os,
        "server_added_timestamp": seen,
        "signed": binary.digsig,
        "timestamp": seen,
        "watchlists": [],
    }
    if binary.os == "Windows":
        facts |= {
            "company_name": binary.company,
            "file_desc": binary.description,
            "file_version": binary.version,
            "internal_name": binary.filename,
            "legal_copyright": f"© {binary.company}. All rights reserved.",
            "legal_trademark": f"{binary.product} is a trademark of {binary.company}.",
            "original_filename": binary.filename,
            "product_desc": binary.product,
            "product_name": binary.product,
            "product_version": binary.version.partition(" ")[0],
        }
        if binary.comments:
            facts["comments"] = binary.comments
        if binary.private_build:
            facts["private_build"] = binary.private_build
    if binary.digsig != "Unsigned":
        facts |= {
            "digsig_publisher": binary.company,
            "digsig_sign_time": iso_time(first_seen - 86_400 * 200 * TICKS),
        }
        if binary.issuer:
            facts |= {
                "digsig_issuer": binary.issuer,
                "digsig_subject": binary.company,
                "digsig_prog_name": binary.product,
            }
    return facts


def scores(feed: Feed, report: Report, now: int) -> FactValues:
    """The fields a document gets once a feed's report matched it."""
    return {
        "alliance_score_<feed>": {f"alliance_score_{feed.name}": report.score},
        "alliance_link_<feed>": {f"alliance_link_{feed.name}": f"https://{feed.name}.example.com/"},
        "alliance_data_<feed>": {f"alliance_data_{feed.name}": [report.id]},
        "alliance_updated_<feed>": {f"alliance_updated_{feed.name}": iso_time(now)},
    }


def feed_hit(
    feed: Feed, report: Report, sensor: Sensor, now: int, attributes: FactValues
) -> FactValues:
    """A feed's report matched what a sensor sent; `attributes` say more of how."""
    return {
        "report_id": report.id,
        "ioc_type": report.ioc_type,
        "ioc_value": report.ioc_value,
        "ioc_attr": attributes,
        "ioc_attrs": attributes,
        "sensor_id": sensor.id,
        "hostname": sensor.hostname,
        "computer_name": sensor.hostname,
        "group": sensor.group,
        "feed_id": feed.id,
        "feed_name": feed.name,
        "report_score": report.score,
        "os_type": {"windows": "Windows", "linux": "Linux", "osx": "Osx"}[sensor.os],
        "comms_ip": sensor.comms_ip,
        "interface_ip": sensor.ip,
        "event_timestamp": epoch_seconds(now),
        "timestamp": epoch_seconds(now),
        "cb_server": "None",
    }


def watchlist_hit(watchlist: Watchlist, now: int) -> FactValues:
    """A watchlist's query matched a document."""
    return {
        "watchlist_id": watchlist.id,
        "watchlist_name": watchlist.name,
        "event_timestamp": epoch_seconds(now),
        "highlights": [],
    }


def arrival(binary: Binary, sensor: Sensor, now: int, seen: FactValues) -> FactValues:
    """A binary was seen, or its file arrived; `seen` are the scores it already has."""
    return {
        "md5": binary.md5,
        "hostname": sensor.hostname,
        "sensor_id": sensor.id,
        "group": sensor.group,
        "scores": seen,
        "watchlists": {},
        "size": binary.size,
        "compressed_size": binary.size * 2 // 5 + 120,
        "file_path": store_path(binary.md5),
        "node_id": 0,
        "event_timestamp": epoch_seconds(now),
    }


def moment(now: int) -> FactValues:
    """When it was said."""
    return {"event_timestamp": epoch_seconds(now)}


def alert(kind: str, sensor: Sensor, now: int, score: int, rng: Random) -> FactValues:
    """What every alert says; `kind` is such as `watchlist.hit.query.process`."""
    return {
        "alert_severity": round(score * 0.675, 3),
        "alert_type": kind,
        "created_time": iso_time(now),
        "event_timestamp": epoch_seconds(now),
        "feed_rating": 3.0,
        "hostname": sensor.hostname,
        "sensor_id": sensor.id,
        "group": sensor.group,
        "ioc_confidence": 0.5,
        "os_type": {"windows": "Windows", "linux": "Linux", "osx": "Osx"}[sensor.os],
        "report_score": score,
        "sensor_criticality": 3.0,
        "status": "Unresolved",
        "unique_id": _uuid(rng),
    }


def _uuid(rng: Random) -> str:
    bits = rng.getrandbits(128) & ~(0xF << 76) | 4 << 76
    text = f"{bits & ~(3 << 62) | 2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
