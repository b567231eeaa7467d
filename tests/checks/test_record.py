"""Files as consumers write them: whatever the format, each thing in them is one record."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from cbsim.bus.recording import recorded
from cbsim.checks import records
from cbsim.checks.record import files
from cbsim.wire.bundle import join
from cbsim.wire.message import PROTOBUF_TYPE, RAW_EXCHANGE, ZIP_TYPE
from tests.support.command import piped as cbsim
from tests.support.stream import everything, sent

OBJECTS = [{"type": "feed.synchronized", "sensor_id": number} for number in range(5)]


def written(folder: Path, name: str, content: bytes | str) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def fields(path: str) -> list[object]:
    return [record.fields or record.fault for record in records(path)]


PLAIN = "".join(json.dumps(it) + "\n" for it in OBJECTS)
PREFIXED = "".join(f"<6> 2021-09-15T17:20:11+02:00 host cb[11]: {json.dumps(it)}\n"
                   for it in OBJECTS)  # fmt: skip


@pytest.mark.parametrize("text", [PLAIN, PREFIXED, json.dumps(OBJECTS), PLAIN.replace("\n", "\r\n"),
                                  json.dumps(OBJECTS, indent=2)])  # fmt: skip
@pytest.mark.parametrize("name", ["out.json", "out", "out.log"])
def test_json_in_lines_arrays_and_behind_prefixes(tmp_path: Path, text: str, name: str) -> None:
    assert fields(written(tmp_path, name, text)) == OBJECTS
    assert fields(written(tmp_path, name + ".gz", gzip.compress(text.encode()))) == OBJECTS


def test_leef(tmp_path: Path) -> None:
    text = (
        "LEEF:1.0|CB|CB|5.1|ingress.event.process|path=c:\\\\a\\=b\tpid=4\t"
        "type=ingress.event.procstart\n"
        "<13>Sep 15 17:20:11 host LEEF:2.0|CB|CB|5.1|feed.synchronized|^|a=1^b=x y\n"
        "LEEF:2.0|CB|CB|5.1|feed.synchronized|x5e|a=1^b=2\n"
        "LEEF:1.0|CB\n"
    )
    assert fields(written(tmp_path, "out.leef", text)) == [
        {"type": "ingress.event.procstart", "path": "c:\\a=b", "pid": "4"},
        {"type": "feed.synchronized", "a": "1", "b": "x y"},
        {"type": "feed.synchronized", "a": "1", "b": "2"},
        "LEEF is cut short: expected vendor|product|version|event|attributes",
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["out.csv", "out.txt", "out.csv.gz"])
def test_csv(tmp_path: Path, mark: str, name: str) -> None:
    text = "\n".join(mark.join(row) for row in (["type", "sensor_id"], ["a", "1"], ["b", "2"]))
    content = gzip.compress(text.encode()) if name.endswith(".gz") else text
    found = fields(written(tmp_path, name, content))
    assert found == [{"type": "a", "sensor_id": "1"}, {"type": "b", "sensor_id": "2"}]


def test_a_line_that_is_nothing_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "out.ndjson", PLAIN.replace('{"type"', "{type", 1) + '{"a": {"b": 1}')
    found = fields(path)
    assert str(found[0]).startswith("no JSON: ")
    assert str(found[-1]).startswith("no JSON: ")
    assert found[1:-1] == OBJECTS[1:]
    assert all(
        str(it).startswith("no JSON") for it in fields(written(tmp_path, "x", "a: 1\nb: 2\n"))
    )


def test_a_broken_gzip_is_one_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, "out.gz", gzip.compress(PLAIN.encode() * 100)[:-20])
    done = cbsim("validate", path)
    assert done.returncode == 2
    assert f"cannot read {path}: ".encode() in done.stderr
    assert b"Traceback" not in done.stderr


PRINTED = (
    "<BasicProperties(['content_type=application/zip', 'delivery_mode=1', \"headers={'sensorId': "
    "7L, 'hostId': 0L, 'nodeId': 0, 'sensorHostName': u'HOST-7'}\", 'priority=0'])>"
)
HEADERS = {"sensorId": 7, "hostId": 0, "nodeId": 0, "sensorHostName": "HOST-7"}


@pytest.mark.parametrize("text", [PRINTED, json.dumps(HEADERS), json.dumps({"headers": HEADERS})])
def test_headers_of_captured_bundles(tmp_path: Path, text: str) -> None:
    folder = tmp_path / RAW_EXCHANGE
    folder.mkdir()
    stream = sent(everything(count=300))
    run = join(it.body for it in stream if it.content_type == PROTOBUF_TYPE)
    written(folder, "3.zip", run)
    written(folder, "4.zip", run)
    written(folder, "3.txt", text)
    first, second = recorded(tmp_path)
    assert (first.headers, first.content_type) == (HEADERS, ZIP_TYPE)
    assert not second.headers
    done = cbsim("replay", tmp_path, "--sink", "null")
    assert b"1 of them are bundles without headers" in done.stderr


def test_captures_under_either_name(shared: Path) -> None:
    folder = shared / "cases" / "39-captures"
    assert len(files(str(folder))) == 2
    assert len([*recorded(folder)]) == 2


def test_cases_of_forwarders(shared: Path) -> None:
    (leef,) = records(str(shared / "cases" / "10-leef.log"))
    assert leef.fields is not None
    assert leef.fields["type"] == "alert.watchlist.hit.query.process"
    assert leef.fields["process_guid"] == "00000016-0000-0804-01d1-17153be2e8cd"
    (syslog,) = records(str(shared / "cases" / "11-syslog.ndjson"))
    assert syslog.fields is not None
    assert syslog.fields["type"] == "watchlist.hit.binary"
