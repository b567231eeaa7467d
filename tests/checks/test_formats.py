"""Whatever format a consumer writes: a complete output passes, and what is damaged is named."""

from __future__ import annotations

import base64
import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cbsim.bus.recording import recorded
from cbsim.bus.sink import NullSink
from cbsim.checks import Comparison, Ledger, LedgerSink, compare
from cbsim.checks.source import pieces
from cbsim.scenario.loader import parse
from cbsim.wire.message import EVENTS_EXCHANGE, PROTOBUF_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.consumers import FORMATS, Format, Row, rows_of
from tests.support.stream import sent

BUNDLES = """
server: {{raw: bundles, bundle: 12, version: {version}}}
estate: {{sensors: 5}}
phases: [{{count: 400, rate: 317.3/s, cover: true, mix: {{"ingress.event.*": 4, "feed.*": 1}}}}]
"""
EVERYTHING = """
server: {{version: {version}, dialect: {dialect},
  latency: {{store: 0.1, storage: 0.2, watchlist: 0.4, query: 0.6}}}}
estate: {{sensors: 15, groups: 3, os: {{windows: 5, linux: 2, osx: 1}}, spread: 3}}
phases:
  - {{count: {count}, rate: 431.7/s, cover: true, mix: {{"ingress.event.*": 60, "feed.*": 15,
     "watchlist.*": 8, "binaryinfo.*": 8, "binarystore.*": 3{more}}}}}
"""
MORE = ', "cmd.*": 1, "alert.*": 5'
STREAMS = {
    "5.2": EVERYTHING.format(version="5.2", dialect="observed", count=900, more=MORE),
    "4.2": EVERYTHING.format(version="4.2", dialect="documented", count=500, more=""),
    "7.x": EVERYTHING.format(version="7.x", dialect="observed", count=500, more=MORE),
    "bundles": BUNDLES.format(version="7.x"),
}


class Run:
    """A run's messages, its ledger, and what each consumer makes of it."""

    def __init__(self, stream: list[Message]) -> None:
        self.stream = stream
        self.ledger = Ledger(None)
        sink = LedgerSink(NullSink(), self.ledger, counted=True)
        for start in range(0, len(self.stream), 97):
            sink.publish_many(self.stream[start : start + 97])

    def compared(self, known: Format, rows: list[Row], folder: Path) -> Comparison:
        path = folder / f"out{known.suffix}"
        path.write_bytes(known.file(rows))
        return compare(self.ledger, pieces(str(path)), limit=10**6, **known.options)


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    return {kind: Run(sent(parse(text))) for kind, text in STREAMS.items()}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_complete_output_is_whole(
    runs: dict[str, Run], tmp_path: Path, kind: str, name: str
) -> None:
    known, run = FORMATS[name], runs[kind]
    rows = [row for _, _, row in rows_of(known, run.stream)]
    result = run.compared(known, rows, tmp_path)
    assert not result.differences, [*map(str, result.differences[:5])]
    assert result.total("received") == len(rows) > 40
    assert not result.disordered


PRECISIONS = {
    "forwarder": "seconds, cut",
    "forwarder, splunk": "milliseconds, rounded",
    "forwarder, leef, syslog, gzip": "seconds, rounded",
    "csv": "milliseconds, cut",
    "floats under the bus's own keys": "the digits of a float",
}


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_precision_of_times_is_told(runs: dict[str, Run], tmp_path: Path, name: str) -> None:
    known, run = FORMATS[name], runs["5.2"]
    rows = [row for _, _, row in rows_of(known, run.stream)]
    assert run.compared(known, rows, tmp_path).precision["raw events"] == PRECISIONS[name]


def edited(row: Row, place: tuple[str, ...]) -> Row | None:
    """The row with another value there; None when there is nothing, or a document has its own."""
    row = copy.deepcopy(row)
    if len(place) == 1 and any(place[0] in document for document in row.get("docs", ())):
        return None
    inner: Any = row
    for step in place[:-1]:
        inner = inner.get(step, {})
    value = inner.get(place[-1]) if isinstance(inner, dict) else None
    if value in (None, ""):
        return None
    inner[place[-1]] = altered(place[-1], value)
    return row


def altered(name: str, value: Any) -> Any:
    if name == "body_base64":
        body = bytearray(base64.b64decode(value))
        body[-9] ^= 1
        return base64.b64encode(body).decode()
    if name == "body":
        fields = json.loads(value)
        fields["event_timestamp"] = "no longer"
        return json.dumps(fields)
    if isinstance(value, int | float):
        # A day is a day in whatever unit times are.
        return value + next(day for above, day in ((1e14, 86400e6), (1e11, 86400e3), (1e9, 86400),
                                                   (0, 1000)) if value >= above)  # fmt: skip
    if value.isdigit():
        return str(int(value) + 1000) if len(value) < 12 else str(int(value) + 864_000_000_000)
    if value[:4].isdigit() and value[4:5] == "-":
        return f"{int(value[:4]) + 1}{value[4:]}"
    if "." in value and value.islower() and value[:1].isalpha():
        return "feed.synchronized" if value != "feed.synchronized" else "ingress.event.tamper"
    return value[:-2] + ("00" if value[-2:] != "00" else "11")


def test_the_machine_of_a_type_that_came_once_is_compared(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    known, run = FORMATS["forwarder, leef, syslog, gzip"], runs["bundles"]
    rows = [row for _, _, row in rows_of(known, run.stream)]
    types = Counter(row["type"] for row in rows)
    place = next(n for n, row in enumerate(rows) if types[row["type"]] == 1 and "sensor_id" in row)
    rows[place] = rows[place] | {"sensor_id": 1001}
    assert run.compared(known, rows, tmp_path).total("corrupted") == 1


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ["5.2", "bundles"])
@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_any_edit_is_named_and_nothing_else(
    runs: dict[str, Run], tmp_path: Path, kind: str, name: str, data: st.DataObject
) -> None:
    known, run = FORMATS[name], runs[kind]
    whole = rows_of(known, run.stream)
    # Apart from one another: of two neighbours, nobody can tell which was lost and which damaged.
    places = data.draw(st.lists(st.integers(0, len(whole) // 5 - 1), min_size=1, max_size=8,
                                unique=True))  # fmt: skip
    plan = {5 * place: data.draw(st.sampled_from(["lose", "double", "edit"])) for place in places}
    rows: list[Row] = []
    wheres: list[int] = []
    balance: Counter[str] = Counter()
    for place, (_, _, row) in enumerate(whole):
        how, text = plan.get(place), json.dumps(row)
        changed = None
        if how == "edit":
            options = [it for it in (edited(row, edit) for edit in known.edits) if it is not None]
            changed = data.draw(st.sampled_from(options)) if options else None
        # What cannot be told from one another may take the place of one another.
        balance[text] += (how == "lose" or changed is not None) - (how == "double")
        if changed is not None:
            wheres.append(len(rows))
        rows += {"lose": [], "double": [row, row]}.get(how or "", [changed or row])
    result = run.compared(known, rows, tmp_path)
    said = [*map(str, result.differences)]
    strays = sorted(place_of(it.where or "", known) for it in result.differences
                    if it.kind in ("corrupted", "unexpected"))  # fmt: skip
    assert strays == wheres, said
    counted = ("received", "duplicated", "corrupted", "unexpected")
    assert sum(map(result.total, counted)) == len(rows)
    if known.exact:
        texts = {(sequence, part): json.dumps(row) for sequence, part, row in whole}
        found = Counter(texts[it.sequence or 0, it.part or 0]
                        for it in (*result.lost, *result.corrupted))  # fmt: skip
        assert found == +balance, said
        assert len(result.duplicated) == (-balance).total(), said
        assert all(it.mismatches for it in result.corrupted), said


def place_of(where: str, known: Format) -> int:
    """The number of the row that a line or an item is, from 0."""
    if where.endswith(")"):
        return int(where.rpartition(" ")[2][:-1]) - 1
    header = known.suffix in (".csv", ".txt")
    return int(where.rpartition(":")[2]) - 1 - header


@pytest.mark.parametrize("name", FORMATS)
def test_a_complete_output_of_captured_messages_is_whole(
    shared: Path, tmp_path: Path, name: str
) -> None:
    known, run = FORMATS[name], Run([*recorded(shared / "captures")])
    rows = [row for _, _, row in rows_of(known, run.stream)]
    result = run.compared(known, rows, tmp_path)
    assert not result.differences, [*map(str, result.differences[:5])]
    assert result.total("received") == result.total("sent") == len(rows)


_SENT_AS = {"filemod": "filemod", "tamperAlert": "tamper", "blocked": "processblock",
            "fbscriptexe": "filelessscriptload", "crossproc": "crossprocopen"}  # fmt: skip


def test_what_forwarders_write_of_events_that_say_little(tmp_path: Path) -> None:
    """Without a pid, of another process, of none, or not at all."""
    header = {"version": 4, "timestamp": 133_485_408_001_234_567, "process_guid": -77}
    events = []
    for number in range(3):
        header["timestamp"] += 10_000_001
        for carried in (
            {"filemod": {"action": 1}},
            {"filemod": {"action": 1}, "header": {"process_pid": 7, "process_create_time": 0}},
            {"filemod": {"action": 1}, "header": {"process_pid": 8}},
            {"tamperAlert": {"type": 1}, "header": {"process_pid": 9, "process_create_time": 1}},
            {"blocked": {"blockedPid": 12}},
            {"blocked": {"blockedPath": "c:\\x"}},
            {"fbscriptexe": {}},
            {"crossproc": {"remotethread": {"remoteProcPid": 4}}},
        ):
            endpoint = {"SensorId": number + 1, "SensorHostName": "ws"}
            fields = {**carried, "header": header | carried.get("header", {}),
                      "env": {"endpoint": endpoint}}  # fmt: skip
            body = ParseDict(fields, CbEventMsg()).SerializePartialToString()
            kind = _SENT_AS[next(it for it in carried if it != "header")]
            events.append(Message(EVENTS_EXCHANGE, f"ingress.event.{kind}", PROTOBUF_TYPE, body))
    known, run = FORMATS["forwarder"], Run(events)
    rows = [row for _, _, row in rows_of(known, run.stream)]
    assert len(rows) == 21
    result = run.compared(known, rows, tmp_path)
    assert not result.differences, [*map(str, result.differences[:5])]
    assert result.total("received") == result.total("sent") == len(rows)
