"""Targets: whatever `verify`, `validate` and `replay` read."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import orjson

from cbsim.bus.recording import headers_beside, recorded
from cbsim.bus.sink import NullSink, as_line
from cbsim.catalog import Dialect
from cbsim.checks import Ledger, LedgerSink, Record, compare, records
from cbsim.checks.source import held, pieces
from cbsim.checks.validation import Validation
from cbsim.report import comparison, findings
from cbsim.wire.bundle import join, zipped
from cbsim.wire.clock import from_filetime
from cbsim.wire.message import JSON_TYPE, RAW_EXCHANGE, ZIP_TYPE, Message
from tests.support.fuzz.target import Target, allowed, check_text
from tests.support.stream import everything, sent

__all__ = ["OUTPUTS", "bundles", "stream"]


@cache
def stream() -> list[Message]:
    """Some messages, one or more of each kind, and a bundle."""
    found = sent(everything(count=160))
    return [*found, Message(RAW_EXCHANGE, "", ZIP_TYPE, bundles()[0], {"sensorId": 3})]


@cache
def _some() -> list[Message]:
    """A few of different kinds."""
    kinds = {message.routing_key[:14]: message for message in stream()}
    return [*kinds.values()]


@cache
def bundles() -> list[bytes]:
    """A zipped bundle, and a bare one."""
    raw = [it for it in sent(everything(count=160)) if it.content_type != JSON_TYPE][:5]
    run = join(it.body for it in raw)
    return [zipped("events", run, from_filetime(raw[0].moment)), run]


@cache
def _lines() -> list[bytes]:
    """Outputs of a consumer, in the formats that are known."""
    some = sorted(_some(), key=lambda it: len(it.body))[:5]
    notifications = sorted((it.body for it in some if it.content_type == JSON_TYPE), key=len)[:3]
    raw = [it.body for it in stream() if it.content_type != JSON_TYPE][:2]
    forwarded = [
        {"type": "watchlist.hit.process", "process_guid": "00000001-0000-0fd4-01cf-b5b5b5b5b5b5",
         "timestamp": 1407510942.19, "md5": "A" * 32, "sensor_id": 1, "hostname": "x"},
        {"type": "ingress.event.filemod", "timestamp": "2014-08-08T15:15:42.193Z", "pid": 7},
    ]  # fmt: skip
    dumped = [orjson.dumps(it) for it in forwarded]
    table = b"type,guid,timestamp,md5\n" + b"feed.synchronized,7,1407510942.1,x\n" * 3
    return [
        b"".join(as_line(it, 1407510942.0) for it in some),
        b"\n".join(notifications),
        b"[" + b",".join(notifications) + b"]",
        b"\n".join(dumped),
        b"<6> Aug  8 host cb: " + dumped[0] + b"\nLEEF:1.0|CB|CB|5.1|feed.synchronized|md5=3\n",
        table,
        *raw,
        *bundles(),
    ]


def _in_a_file(name: str, use: Callable[[Path], None], data: bytes) -> None:
    path = Path(_folder().name, name)
    path.write_bytes(data)
    with allowed():
        use(path)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cbsim-fuzz-")


def _validate(path: Path) -> None:
    validation = Validation(Dialect.OBSERVED)
    outs = {form: io.StringIO() for form in findings.FORMATS}
    handlers = [findings.handler(form, out) for form, out in outs.items()]
    for record in records(str(path)):
        for finding in validation.check(record):
            number = validation.tally.add(finding)
            for handle in handlers:
                handle.finding(finding, number)
    for handle in handlers:
        handle.end(validation.tally)
    for out in outs.values():
        check_text(out.getvalue().replace(str(path), ""), longest=10_000_000)
    orjson.loads(outs["json"].getvalue())


@cache
def _ledger() -> Ledger:
    ledger = Ledger(None)
    LedgerSink(NullSink(), ledger, counted=True).publish_many(_some())
    return ledger


_PLACES = {"name": "type", "guid": "$.process_guid", "timestamp": "timestamp", "md5": "$..md5"}


def _verify(path: Path, preset: str | None = None, places: dict[str, str] | None = None) -> None:
    result = compare(_ledger(), pieces(str(path)), preset=preset, places=places, limit=3)
    # All of them for each input would take nine tenths of the time.
    form = comparison.FORMATS[path.stat().st_size % len(comparison.FORMATS)]
    out = io.StringIO()
    comparison.show(result, form, out)
    check_text(out.getvalue(), longest=10_000_000)


def _read_ledger(path: Path) -> None:
    with Ledger.open(path) as ledger:
        result = compare(ledger, held([Record("out", 1, message=stream()[0])]), limit=3)
        assert isinstance(ledger.about, dict)
        out = io.StringIO()
        comparison.show(result, "text", out)
        check_text(out.getvalue(), longest=10_000_000)


def _kept() -> list[bytes]:
    path = Path(_folder().name, "sound.ledger")
    path.unlink(missing_ok=True)
    with Ledger(path, {"seed": "1"}) as ledger:
        ledger.outage(1.7e9, 1.7e9 + 3, "it was killed")
        LedgerSink(NullSink(), ledger, counted=True).publish_many(_some())
    return [path.read_bytes()]


def _replay(path: Path) -> None:
    for message in recorded(path):
        as_line(message)


def _beside(path: Path) -> None:
    headers_beside(path.with_suffix(".zip"))


def _target(name: str, use: Callable[[Path], None]) -> Target:
    return Target(name, partial(_in_a_file, "output.log", use), _lines, "output")


def _printed() -> list[bytes]:
    return [
        b'{"sensorId": 3, "hostId": 0, "sensorHostName": "x"}',
        b"<BasicProperties([\"headers={'sensorId': 3L}\"])>",
    ]


OUTPUTS = (
    _target("validate", _validate),
    _target("verify", _verify),
    _target("verify-forwarder", partial(_verify, preset="forwarder")),
    _target("verify-map", partial(_verify, places=_PLACES)),
    _target("replay", _replay),
    Target("ledger", partial(_in_a_file, "output.ledger", _read_ledger), _kept),
    Target("headers", partial(_in_a_file, "output.txt", _beside), _printed),
)
