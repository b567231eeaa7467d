"""What the server knows of processes, binaries and hits, as the facts its notifications state."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from random import Random
from urllib.parse import quote
from zlib import crc32

import orjson

from cbsim.catalog import DIGSIG_RESULTS, ServerVersion
from cbsim.wire.address import ipv4_to_signed
from cbsim.wire.clock import (
    TICKS,
    display_time,
    from_epoch_seconds,
    iso_and_trimmed,
    iso_bytes,
    micros_bytes,
    milliseconds,
    seconds_bytes,
    trimmed_bytes,
)
from cbsim.wire.document import Fixed, structure, text
from cbsim.wire.identity import UNKNOWN_PARENT_MD5
from cbsim.world.estate import Feed, Report, Sensor, Watchlist
from cbsim.world.found import Document
from cbsim.world.process import Image, Process
from cbsim.world.software import Binary, Product

__all__ = [
    "NO_ATTRIBUTES",
    "Known",
    "alert",
    "alerts",
    "asked",
    "binary_document",
    "by_feed",
    "by_report",
    "by_search",
    "by_watchlist",
    "displayed",
    "feed_hit",
    "found_by",
    "highlights",
    "marked",
    "matched_before",
    "of_alerted",
    "of_arrival",
    "of_call",
    "of_copy",
    "of_product",
    "of_question",
    "of_sensor",
    "others",
    "process_document",
    "scores",
    "segment_of",
    "watchlist_member",
]

Known = dict[str, bytes]
"""Facts, as `cbsim.wire.document` has them."""

_DAY = 86_400
_PARTITION = 106_568_300_363_776
_PARTITION_SPAN = 3 * _DAY * TICKS
"""A partition of the event store begins every three days."""
_OS_NAMES = {"windows": b"Windows", "linux": b"Linux", "osx": b"Osx"}
_UNKNOWN = UNKNOWN_PARENT_MD5.encode()
_ATTRIBUTES = (*structure("ioc_attr", {}),)
NO_ATTRIBUTES: Known = structure("ioc_attr", {}) | {"ioc_attrs": b"{}"}
"""Of a hit that says no more of what happened."""
_CALL = b'{"direction":"Outbound","protocol":"TCP","port":%b,"remote_port":%b,"local_port":%b,'
_CALL += b'"remote_ip":"%b","local_ip":"%b"%b}'
_CALL_IN_TEXTS = _CALL.replace(b":%b", b':"%b"')


def segment_of(process: Process, version: ServerVersion) -> int:
    """The segment a process is in: a new one starts every ten thousand events.

    From 6.x on the first is named by the process's start, and each other as if it had begun a
    millisecond later: when it did is not kept.
    """
    events = process.modload_count + process.filemod_count + process.regmod_count
    number = (events + process.netconn_count) // 10_000
    return number + (milliseconds(process.create_time) if version.segment_times else 1)


def process_document(process: Process, version: ServerVersion, rng: Random) -> Known:
    """A process as the data store holds it, which stays the same until the process does more."""
    state, stored = process.state, process.stored
    if stored is None or stored[0] != state:
        stored = process.stored = state, _of_process(process, version, rng)
    return stored[1]


def _of_process(process: Process, version: ServerVersion, rng: Random) -> Known:
    segment, digits = segment_of(process, version), version.segment_digits
    key, parent = process.key.encode(), process.parent
    assert parent is not None
    parent_image = _of_image(parent.image)
    known = _of_sensor_document(process.sensor) | _of_image(process.image)
    known["childproc_count"] = b"%d" % process.childproc_count
    known["cmdline"] = text(process.cmdline)
    known["emet_count"] = b"%d" % process.emet_count
    known["processblock_count"] = b"%d" % process.processblock_count
    known["crossproc_count"] = b"%d" % process.crossproc_count
    known["filemod_count"] = b"%d" % process.filemod_count
    known["id"] = known["process_id"] = key
    known["last_update"], known["last_update trimmed"] = iso_and_trimmed(process.last_update)
    known["modload_count"] = b"%d" % process.modload_count
    known["netconn_count"] = b"%d" % process.netconn_count
    known["process_pid"] = b"%d" % process.pid
    known["regmod_count"] = b"%d" % process.regmod_count
    known["segment_id"] = b"%d" % segment
    known["start"], known["start trimmed"] = iso_and_trimmed(process.create_time)
    known["unique_id"] = b"%b-%0*x" % (key, digits, segment)
    known["username"] = text(process.user.account)
    known["process_unique_id"] = known["unique_id"]
    known["sha256"] = process.binary.hashed.hex().upper().encode()
    known["process_sha256"] = process.binary.hashed.hex().encode()
    known["parent_sha256"] = parent.binary.hashed.hex().encode()
    known["filtering_known_dlls"] = b"false" if process.sensor.os != "windows" else b"true"
    known["emet_config"] = b""
    known["terminated"] = b"true" if process.ended else b"false"
    stored = process.last_update + TICKS
    known["last_server_update trimmed"] = trimmed_bytes(stored)
    known["last_server_update millis"] = b"%d" % milliseconds(stored)
    known["parent_id"], known["parent_id key"] = b"%d" % parent.guid, parent.key.encode()
    # Half of the time the data store does not know the parent's binary (wire: Dialects).
    known["parent_md5"] = parent_image["process_md5"] if rng.random() < 0.5 else _UNKNOWN
    known["parent_name"] = parent_image["process_name"]
    known["parent_pid"] = b"%d" % parent.pid
    # A parent is named with its first segment from 6.x on (wire: Identities).
    first = 1 if version.segment_times else segment_of(parent, version)
    known["parent_unique_id"] = b"%b-%0*x" % (parent.key.encode(), digits, first)
    return known


@lru_cache(maxsize=1024)
def _of_sensor_document(sensor: Sensor) -> Known:
    return {
        "group": text(sensor.group),
        "host_type": sensor.host_type.encode(),
        "hostname": sensor.hostname.encode(),
        "os_type": sensor.os.encode(),
        "sensor_id": b"%d" % sensor.id,
        "interface_ip": b"%d" % ipv4_to_signed(sensor.ip),
        "comms_ip": b"%d" % ipv4_to_signed(sensor.comms_ip),
    }


@lru_cache(maxsize=1024)
def _of_image(image: Image) -> Known:
    path, md5 = text(image.path), image.md5.encode()
    return {
        "path": path,
        "process_path": path,
        "process_md5": md5,
        "md5": md5,
        "process_name": text(image.name),
    }


def of_arrival(binary: Binary, sensor: Sensor) -> Known:
    """A binary that came to an endpoint; no feed knows it."""
    known = of_sensor(sensor).copy()
    known["md5"], known["scores"], known["watchlists"] = binary.hex, b"{}", b"{}"
    known["sha256"] = binary.hashed.hex().upper().encode()
    return known


def matched_before(watchlist: Watchlist, found: int) -> bytes:
    """The watchlists that found a binary already, as `binaryinfo` tells of them."""
    return b'{"watchlist_%d":"%b"}' % (watchlist.id, iso_bytes(found))


def others(hostnames: Iterable[str]) -> bytes:
    """The other endpoints on which a binary is, as the inside of a list."""
    return b",".join([b'"%b"' % text(hostname) for hostname in hostnames])


def of_copy(binary: Binary) -> Known:
    """The server's own copy of a binary."""
    md5, size = binary.hex, binary.size
    return {
        "md5": md5,
        "size": b"%d" % size,
        "compressed_size": b"%d" % binary.compressed,
        "file_path": b"/var/cb/data/modulestore/%b/%b/%b.zip" % (md5[:3], md5[3:6], md5),
        "node_id": b"0",
        "sha256": binary.hashed.hex().upper().encode(),
    }


@lru_cache(maxsize=1024)
def of_product(product: Product, version: ServerVersion) -> Fixed:
    """What the data store holds of every binary of a product."""
    code = DIGSIG_RESULTS[product.digsig]
    facts: Known = {
        "cb_version": b"%d" % version.document_version,
        "digsig_result": text(product.digsig),
        "digsig_result_code": b"%d" % code,
        "digsig_result_code int32": b"%d" % (code - 2**32 if code >= 2**31 else code),
        "is_64bit": b"true" if product.is_64bit else b"false",
        "is_executable_image": b"true" if product.executable else b"false",
        "os_type": product.os.encode(),
        "signed": text(product.digsig),
    }
    if product.os == "Windows":
        facts |= {
            "company_name": text(product.company),
            "file_version": text(product.version),
            "legal_copyright": text(product.copyright),
            "legal_trademark": text(product.trademark),
            "product_desc": text(product.name),
            "product_name": text(product.name),
            "product_version": text(product.product_version),
        }
        facts |= {"comments": text(product.comments)} if product.comments else {}
        facts |= {"private_build": text(product.private_build)} if product.private_build else {}
    if product.digsig != "Unsigned":
        facts["digsig_publisher"] = text(product.company)
        signed = from_epoch_seconds(product.signed_at)
        facts["digsig_sign_time"] = b"%b.000Z" % seconds_bytes(signed)[:-1]
        facts["digsig_sign_time seconds"] = seconds_bytes(signed)
        if product.issuer:
            facts |= {
                "digsig_issuer": text(product.issuer),
                "digsig_subject": text(product.company),
                "digsig_prog_name": text(product.name),
            }
    return Fixed(facts)


@lru_cache(maxsize=1024)
def of_alerted(product: Product) -> Known:
    """What alerts say of every binary of a product."""
    return {
        "digsig_result": text(product.digsig),
        "os_type": product.os.encode(),
        "observed_filename_total_count": b"1",
        "other_hostnames": b"",
    }


def binary_document(binary: Binary, sensor: Sensor, first_seen: int, hosts: int) -> Known:
    """A binary as the data store holds it, but for its product; `first_seen` is a FILETIME."""
    (seen, trimmed), size = iso_and_trimmed(first_seen), b"%d" % binary.size
    facts = {
        **_of_endpoint(sensor),
        "copied_mod_len": b"%d" % binary.copied,
        "host_count": b"%d" % hosts,
        "last_seen": seen,
        "last_seen trimmed": trimmed,
        "md5": binary.hex,
        "sha256": binary.hashed.hex().upper().encode(),
        "facet_id": b"%d" % (int.from_bytes(binary.md5[:3]) + 1),
        "event_partition_id": b"%d" % (_PARTITION + first_seen // _PARTITION_SPAN),
        "watchlists": b"",
        "observed_filename": text(binary.at(sensor.user.name)),
        "orig_mod_len": size,
        "server_added_timestamp": seen,
        "server_added_timestamp trimmed": trimmed,
        "timestamp": seen,
        "timestamp trimmed": trimmed,
    }
    if binary.os == "Windows":
        filename = text(binary.filename)
        facts["internal_name"] = facts["original_filename"] = filename
        facts["file_desc"] = text(binary.description)
    return facts


@lru_cache(maxsize=1024)
def _of_endpoint(sensor: Sensor) -> Known:
    return {"endpoint": text(f"{sensor.hostname}|{sensor.id}"), "group": text(sensor.group)}


def scores(feed: Feed, report: Report, now: int) -> Known:
    """The members a document gets once a feed's report matched it."""
    return _of_scores(feed, report, now // TICKS).copy()


@lru_cache(maxsize=1024)
def _of_scores(feed: Feed, report: Report, seconds: int) -> Known:
    name, identity, score = feed.name.encode(), text(report.id), report.score
    link = text(report.link or feed.provider_url)
    updated = _updated(report, seconds) * TICKS
    return {
        "alliance_score_<feed> integer": b',"alliance_score_%b":%d' % (name, score),
        "alliance_score_<feed> digits": b',"alliance_score_%b":"%d"' % (name, score),
        "alliance_link_<feed> string": b',"alliance_link_%b":"%b"' % (name, link),
        "alliance_data_<feed> array": b',"alliance_data_%b":["%b"]' % (name, identity),
        "alliance_data_<feed> string": b',"alliance_data_%b":"%b"' % (name, identity),
        "alliance_updated_<feed> seconds": b',"alliance_updated_%b":"%b"'
        % (name, seconds_bytes(updated)),
        "alliance_updated_<feed> string": b',"alliance_updated_%b":"%b"'
        % (name, iso_bytes(updated)),
    }


def _updated(report: Report, seconds: int) -> int:
    """When a report was last brought up to date: each has a rhythm of its own, of months."""
    rhythm = crc32(report.id.encode())
    period, offset = (60 + rhythm % 120) * _DAY, rhythm % 16_777_259
    return seconds - (seconds - offset) % period - _DAY


def displayed(first_seen: int) -> Known:
    """When a binary came, as a person reads it: only a feed's storage hits say so."""
    return {"server_added_timestamp display": display_time(first_seen).encode()}


def found_by(watchlist: Watchlist, found: int) -> bytes:
    """The watchlist that found a binary, as its document lists those that did."""
    return b'{"wid":"%d","value":"%b"}' % (watchlist.id, iso_bytes(found))


def watchlist_member(watchlist: Watchlist, now: int) -> bytes:
    """The member that says when a watchlist's query found a document."""
    return b',"watchlist_%d":"%b"' % (watchlist.id, micros_bytes(now))


@lru_cache(maxsize=1024)
def of_sensor(sensor: Sensor) -> Known:
    """An endpoint, as hits and alerts name it."""
    return {
        "hostname": sensor.hostname.encode(),
        "sensor_id": b"%d" % sensor.id,
        "group": text(sensor.group),
        "os_type": _OS_NAMES[sensor.os],
        "from_feed_search": b"false",
        "comms_ip": sensor.comms_ip.encode(),
        "interface_ip": sensor.ip.encode(),
    }


@lru_cache(maxsize=1024)
def by_report(feed: Feed, report: Report) -> Known:
    """A feed's report that matched."""
    return {
        "feed_id": b"%d" % feed.id,
        "feed_name": feed.name.encode(),
        "report_id": text(report.id),
        "ioc_type": report.ioc_type.encode(),
        "ioc_value": text(report.ioc_value),
        "ioc_value_facet": text(report.ioc_value),
        "report_score": b"%d" % report.score,
    }


def feed_hit(feed: Feed, report: Report, sensor: Sensor, attributes: Known) -> Known:
    """A feed's report matched what a sensor sent; `attributes` say more of how."""
    return {**of_sensor(sensor), **by_report(feed, report), **attributes}


@lru_cache(maxsize=256)
def marked(name: str) -> Known:
    """Where a query for a process by its name matched."""
    found = {"highlights": [f"PREPREPRE{name}POSTPOSTPOST"]}
    return structure("ioc_attr", found) | structure("ioc_attrs", found)


@lru_cache(maxsize=256)
def asked(index: str, query: str) -> bytes:
    """A feed's query as newer servers name it: a JSON document in a string."""
    document = orjson.dumps({"index_type": index, "search_query": query})
    return text(document.decode())


@lru_cache(maxsize=256)
def of_question(name: str) -> Known:
    """An endpoint asked for the address of that name."""
    return structure("ioc_attr", {"dns_name": name, "direction": "Outbound"})


def of_call(host: str, address: str, port: int, local: str, local_port: int) -> Known:
    """A process made a connection; `host` may be empty."""
    remote = b"%d" % port
    name = b',"dns_name":"%b"' % text(host) if host else b""
    said = remote, remote, b"%d" % local_port, address.encode(), local.encode(), name
    plain = _CALL % said
    shapes = plain, _CALL_IN_TEXTS % said, text(plain.decode())
    return dict(zip(_ATTRIBUTES, shapes, strict=True))


@lru_cache(maxsize=64)
def by_watchlist(watchlist: Watchlist) -> Fixed:
    """A watchlist that matched."""
    return Fixed(_of_watchlist(watchlist))


@lru_cache(maxsize=64)
def by_search(watchlist: Watchlist) -> Fixed:
    """The same, where each hit says for itself what the query matched."""
    known = _of_watchlist(watchlist)
    del known["highlights"]
    return Fixed(known)


def _of_watchlist(watchlist: Watchlist) -> Known:
    return {
        "watchlist_id": b"%d" % watchlist.id,
        "watchlist_name": text(watchlist.name),
        "highlights": b"",
    }


def highlights(docs: Iterable[Document]) -> bytes:
    """Where a watchlist's query matched, and in which documents."""
    ids: dict[bytes, list[bytes]] = {}
    for document in docs:
        ids.setdefault(document.match, []).append(document.identity)
    return b",".join([
        b'{"name":"PREPREPRE%bPOSTPOSTPOST","ids":["%b"]}' % (match, b'","'.join(those))
        for match, those in ids.items()
    ])  # fmt: skip


def by_feed(feed: Feed, report: Report) -> Known:
    """An alert's cause: a feed's report."""
    return by_report(feed, report) | {
        "watchlist_id": b"%d" % feed.id,
        "watchlist_name": text(report.id),
    }


def alert(sensor: Sensor, now: int, rng: Random) -> Known:
    """What an alert says of its own, and of the sensor."""
    bits = rng.getrandbits(128)
    said = of_sensor(sensor).copy()
    said["created_time micros"] = micros_bytes(now)
    said["assigned_to null"] = said["resolved_time null"] = b"null"
    said["unique_id"] = b"%08x-%04x-4%03x-a%03x-%012x" % (
        bits >> 96, bits >> 80 & 0xFFFF, bits >> 68 & 0xFFF, bits >> 56 & 0xFFF,
        bits & 0xFFFF_FFFF_FFFF,
    )  # fmt: skip
    return said


@lru_cache(maxsize=64)
def alerts(name: str, score: int, watchlist: Watchlist | None = None) -> Fixed:
    """What all alerts of that name and score say, whose cause may be a watchlist's query."""
    facts = {
        "alert_severity": b"%r" % round(score * 0.675, 3),
        "alert_type": name.removeprefix("alert.").encode(),
        "feed_rating": b"3.0",
        "ioc_confidence": b"0.5",
        "report_score": b"%d" % score,
        "sensor_criticality": b"3.0",
        "status": b"Unresolved",
    }
    if watchlist is not None:
        index = "events" if name.endswith("process") else "modules"
        query = quote(watchlist.query.removeprefix("q="))
        asks = asked(index, f"cb.urlver=1&q={query}")
        facts |= _of_watchlist(watchlist) | {"ioc_type": b"query", "ioc_value json": asks}
        facts |= {"ioc_value": text(f"q={query}"), "ioc_value_facet": text(watchlist.name)}
        facts |= {"feed_id": b"-1", "feed_name": b"My Watchlists"}
    return Fixed(facts)
