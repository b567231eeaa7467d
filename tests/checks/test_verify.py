"""The ledger, `cbsim verify` and `cbsim tap`: nothing is lost without being named."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbsim.bus.sink import NullSink
from cbsim.catalog import name_of
from cbsim.checks import Comparison, Ledger, LedgerSink, Record, compare, decode, records
from cbsim.checks.record import files
from cbsim.checks.visible import of_event_fields
from cbsim.errors import CbsimError
from cbsim.scenario.loader import parse
from cbsim.wire.legible import legible
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    Message,
)
from cbsim.wire.reading import read
from tests.support.command import CBSIM
from tests.support.command import piped as cbsim
from tests.support.patience import until
from tests.support.stream import everything, sent


def written(path: Path | None, stream: list[Message]) -> Ledger:
    """A ledger of messages that were all confirmed."""
    ledger = Ledger(path)
    sink = LedgerSink(NullSink(), ledger, counted=True)
    for start in range(0, len(stream), 97):
        sink.publish_many(stream[start : start + 97])
    return ledger


def lines(*content: bytes | dict[str, Any]) -> list[Record]:
    return [
        Record("out", number, fault="no JSON") if isinstance(one, bytes)
        else Record("out", number, fields=one)
        for number, one in enumerate(content, 1)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    return sent(everything(count=1500))


@pytest.fixture(scope="module")
def ledger(stream: list[Message]) -> Iterator[Ledger]:
    with written(None, stream) as ledger:
        yield ledger


def taps(stream: list[Message]) -> list[Record]:
    return [
        Record("tap", number, message=message, envelope={"received": time.time()})
        for number, message in enumerate(stream, 1)
    ]


def test_everything_came(ledger: Ledger, stream: list[Message]) -> None:
    result = compare(ledger, taps(stream))
    assert result.whole
    assert result.total("sent") == result.total("received") == len(stream)
    assert not result.differences
    assert not result.disordered
    assert list(result.latency) == ["p50", "p90", "p99", "max"]
    assert 0 <= result.latency["p50"] <= result.latency["max"] < 600


@settings(max_examples=40)
@given(data=st.data())
def test_every_difference_is_named(
    ledger: Ledger, stream: list[Message], data: st.DataObject
) -> None:
    numbers = st.integers(0, len(stream) - 1)
    touched = data.draw(st.lists(numbers, min_size=1, max_size=12, unique=True))
    kinds = data.draw(st.lists(st.sampled_from("ldc"), min_size=len(touched),
                               max_size=len(touched)))  # fmt: skip
    plan = dict(zip(touched, kinds, strict=True))
    bodies = [message.body for message in stream]
    out: list[Message] = []
    for number, message in enumerate(stream):
        match plan.get(number):
            case "l":
                continue
            case "d":
                out += [message, message]
            case "c":
                other = bytes([not message.body[-9]])
                out.append(message._replace(body=message.body[:-9] + other + message.body[-8:]))
            case _:
                out.append(message)
    result = compare(ledger, taps(out))

    def named(kind: str) -> list[bytes]:
        return sorted(bodies[number] for number, one in plan.items() if one == kind)

    def found(differences: tuple[Any, ...]) -> list[bytes]:
        return sorted(bodies[one.sequence] for one in differences)

    assert found(result.lost) == named("l")
    assert found(result.duplicated) == named("d")
    assert found(result.corrupted) == named("c")
    assert not result.unexpected


def test_order_within_a_sensor(ledger: Ledger, stream: list[Message]) -> None:
    events = [n for n, it in enumerate(stream) if it.routing_key.startswith("ingress.event.")]
    first = events[10]
    number = sensor_of(stream[first])
    later = next(n for n in events if n > first and sensor_of(stream[n]) == number)
    swapped = list(stream)
    swapped[first], swapped[later] = swapped[later], swapped[first]
    result = compare(ledger, taps(swapped))
    assert result.whole
    assert set(result.disordered) >= {number}
    assert compare(ledger, taps(stream)).disordered == {}


def sensor_of(message: Message) -> int:
    (reading,) = decode(message.body, message.routing_key, message.content_type)
    return int(reading.fields["env"]["endpoint"]["SensorId"])  # type: ignore[index]


def test_what_the_consumer_did_not_bind_is_not_expected(
    ledger: Ledger, stream: list[Message]
) -> None:
    kept = [one for one in stream if one.routing_key.startswith("watchlist.")]
    result = compare(ledger, taps(kept), bound=["watchlist.#"])
    assert result.whole
    assert result.total("sent") == len(kept) > 20


def test_bodies_and_content(tmp_path: Path, ledger: Ledger, stream: list[Message]) -> None:
    """Raw bodies in files, and JSON that was written anew, with its keys in another order."""
    notifications = [one for one in stream if one.content_type == JSON_TYPE]
    anew = [json.dumps(json.loads(one.body), sort_keys=True, indent=1) for one in notifications]
    path = tmp_path / "out.json"
    path.write_text("[" + ",".join(anew) + "]")
    bound = ["watchlist.#", "feed.#", "alert.#", "binaryinfo.#", "binarystore.#", "cmd.#"]
    result = compare(ledger, records(str(path)), bound=bound)
    assert result.whole, result.differences[:3]
    assert result.total("received") == len(notifications)
    decoded = [Record("d", n, fields=reading.fields) for n, message in enumerate(stream)
               for reading in read(message)]  # fmt: skip
    assert compare(ledger, decoded).whole
    texts = [one.fields or {} for one in decoded]
    shown = [Record("d", 1, fields=legible(one) if "header" in one else one) for one in texts]
    assert compare(ledger, shown).whole, "as `cbsim subscribe --format json` has it"


@pytest.mark.parametrize("kind", [JSON_TYPE, PROTOBUF_TYPE], ids=["json first", "events first"])
def test_bodies_of_both_kinds_in_one_folder(
    tmp_path: Path, ledger: Ledger, stream: list[Message], kind: str
) -> None:
    """A consumer that writes each body to a file of its own; it says of none what it is."""
    single = [one for one in stream if one.exchange == EVENTS_EXCHANGE]
    single.sort(key=lambda one: one.content_type != kind)
    for number, message in enumerate(single):
        tmp_path.joinpath(f"{number:06}.bin").write_bytes(message.body)
    found = [record for path in files(str(tmp_path)) for record in records(path)]
    result = compare(ledger, found, bound="#")
    assert result.whole, result.differences[:3]
    assert result.total("received") == len(single) == len(found)


BUNDLES = """
server: {raw: bundles, bundle: 10}
estate: {sensors: 2}
phases: [{count: 60, rate: max, mix: {"ingress.event.*": 1}}]
"""


def test_headers_of_a_broker_are_none_of_the_message() -> None:
    added = {"x-delivery-count": 0, "x-death": [{"queue": "dead", "count": 1}]}
    stream = sent(parse(BUNDLES)) + binaries()
    output = [message._replace(headers={**message.headers, **added}) for message in stream]
    with written(None, stream) as ledger:
        assert compare(ledger, taps(output)).whole
        damaged = [one._replace(headers={**one.headers, "sensorId": 999}) for one in output]
        result = compare(ledger, taps(damaged))
    assert len(result.corrupted) == len(stream)
    assert {it.field for one in result.corrupted for it in one.mismatches} == {"headers"}


def forwarded(message: Message) -> list[dict[str, Any]]:
    """What a forwarder makes of a message: a line a document, upper-case MD5s, process_guid."""
    out = []
    for reading in read(message):
        fields = dict(reading.fields)
        name = name_of(reading.routing_key)
        if "header" in fields:
            header = fields["header"]
            seconds = int(header["timestamp"]) / 1e7 - 11644473600  # type: ignore[index,call-overload]
            line: dict[str, Any] = {"type": name, "timestamp": round(seconds, 4)}
            identity = of_event_fields(fields).values
            if identity.get("guid"):
                line["process_guid"] = identity["guid"]
            if "module" in fields:
                module = fields["module"]
                line["md5"] = base64.b64decode(module["md5"]).decode().upper()  # type: ignore[index,call-overload]
            out.append(line)
            continue
        fields["type"] = name
        if "process_id" in fields:
            fields["process_guid"] = fields.pop("process_id")
        if isinstance(fields.get("md5"), str):
            fields["md5"] = fields["md5"].upper()
        docs = fields.pop("docs", [None])
        for document in docs or [None]:
            line = dict(fields)
            if document is not None:
                line["docs"] = document
            out.append(line)
    return out


def test_the_forwarder_preset(ledger: Ledger, stream: list[Message]) -> None:
    out = [line for message in stream for line in forwarded(message)]
    result = compare(ledger, lines(*out), preset="forwarder")
    assert result.whole, result.differences[:3]
    assert not result.duplicated
    lost = compare(ledger, lines(*out[:50], *out[51:]), preset="forwarder")
    assert [one.kind for one in lost.differences] == ["lost"]


def test_a_map_to_columns(tmp_path: Path, ledger: Ledger, stream: list[Message]) -> None:
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(["hash", "when", "kind", "seen"])
    for message in stream:
        if message.routing_key.startswith("binaryinfo."):
            fields = json.loads(message.body)
            table.writerow([fields["md5"].lower(), fields["event_timestamp"],
                            message.routing_key, time.time() + 0.25])  # fmt: skip
    path = tmp_path / "out.csv"
    path.write_text(rows.getvalue())
    places = {"md5": "hash", "timestamp": "when", "name": "kind", "received": "seen"}
    result = compare(ledger, records(str(path)), places=places, bound=["binaryinfo.#"])
    assert result.whole, result.differences[:3]
    assert result.latency["p50"] >= 0.25
    nested = [Record("n", 1, fields={"event": {"hash": "AB" * 16}})]
    result = compare(ledger, nested, places={"md5": "$.event.hash"}, bound=["binaryinfo.#"])
    assert len(result.unexpected) + len(result.corrupted) == 1


def test_documents_and_events_of_bundles_are_parts() -> None:
    stream = sent(parse(BUNDLES))
    events = [reading.fields for message in stream for reading in read(message)]
    with written(None, stream) as ledger:
        whole = compare(ledger, lines(*events))
        assert whole.whole, whole.differences[:3]
        assert whole.total("sent") == 60
        result = compare(ledger, lines(*events[:5], *events[6:]))
    (lost,) = result.lost
    assert lost.part == 5
    assert lost.name.startswith("ingress.event.")


def test_made_up_messages_are_unexpected(ledger: Ledger, stream: list[Message]) -> None:
    result = compare(ledger, [*taps(stream), *lines(b"?")])
    (stray,) = result.unexpected
    assert stray.where == "out:1"
    assert stray.fault == "no JSON"


def binaries() -> list[Message]:
    return sent(parse("""
    phases: [{count: 60, rate: max, mix: {"binaryinfo.*": 1}}]
    """))  # fmt: skip


def test_junk_is_never_proof() -> None:
    """Items without the mapped field do not stand for messages that lack it too."""
    junk: list[bytes | dict[str, Any]] = [{"junk": number} for number in range(60)]
    real = {"guid": "00000001-0000-0001-01d0-000000000001"}
    with written(None, binaries()) as ledger:
        with pytest.raises(CbsimError, match=r"--map guid=\$\.guid: nothing .* of 60"):
            compare(ledger, lines(*junk), places={"guid": "$.guid"})
        result = compare(ledger, lines(*junk, real), places={"guid": "$.guid"})
        assert not result.whole
        assert (result.total("received"), result.total("unmatchable")) == (0, 60)
        assert (result.total("unexpected"), result.total("lost")) == (61, 0)
        assert result.unexpected[0].fault == "guid: nothing at $.guid"
        # Nothing but a name is that of all its like.
        named = {"name": "binaryinfo.observed"}
        result = compare(
            ledger, lines(named, real | named), places={"guid": "guid", "name": "name"}
        )
        assert result.total("received") == 0
        result = compare(ledger, lines(*junk), preset="forwarder")
        assert result.total("lost") == 60
        assert result.unexpected[0].fault == "neither process_guid nor md5 nor a time stands there"


def test_a_value_that_is_none_is_shown() -> None:
    item = {"at": "yesterday"}
    with written(None, binaries()) as ledger:
        result = compare(ledger, lines(item), places={"timestamp": "at"})
    assert result.unexpected[0].fault == "timestamp: 'yesterday' at at is no timestamp"


def test_a_misspelt_place_among_others_is_an_error(ledger: Ledger, stream: list[Message]) -> None:
    places = {"timestamp": "$.body.event_timestamp", "guid": "$.nope"}
    with pytest.raises(CbsimError, match=r"--map guid=\$\.nope: nothing"):
        compare(ledger, taps(stream), places=places)
    assert compare(ledger, [], places=places).total("received") == 0


def test_the_output_of_another_run_is_known_as_such(ledger: Ledger, stream: list[Message]) -> None:
    other = sent(everything(count=1500).model_copy(update={"seed": 77}))
    result = compare(ledger, taps(other))
    assert result.total("received") < 10
    assert result.total("lost") > 1400
    assert result.total("corrupted") < 100, "by place, nothing stands for anything"
    assert compare(ledger, taps(other[:50] + stream)).total("corrupted") < 10
    nothing = compare(ledger, lines(b"seed: 1", b"phases: []"))
    assert nothing.foreign
    assert (nothing.total("lost"), nothing.total("corrupted")) == (len(stream), 0)
    assert not compare(ledger, taps(stream)).foreign


def test_what_was_never_confirmed_is_not_lost(stream: list[Message]) -> None:
    with Ledger(None) as ledger:
        ledger.record(stream[:10])
        ledger.confirm(0, 4)
        ledger.confirm(6, 6)
        result = compare(ledger, [])
    assert [one.sequence for one in result.lost] == [0, 1, 2, 3, 4, 6]
    assert result.unconfirmed == 4


def test_a_ledger_is_readable_and_never_overwritten(tmp_path: Path, stream: list[Message]) -> None:
    path = tmp_path / "run.ledger"
    written(path, stream).close()
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select * from message order by sequence").fetchall()
    assert [row[2] for row in rows] == [one.routing_key for one in stream]
    assert all(row[7] for row in rows), "confirmed"
    with Ledger.open(path) as ledger:
        assert len(ledger) == len(stream)
    assert [*tmp_path.iterdir()] == [path], "a ledger is one file"
    for target, sentence in ((path, "is there already"), (tmp_path / "no" / "a", "No such file")):
        with pytest.raises(CbsimError, match=sentence):
            Ledger(target)
    other = tmp_path / "other"
    other.write_text("no database")
    newer = tmp_path / "newer"
    Ledger(newer).close()
    with closing(sqlite3.connect(newer)) as database:
        database.execute("pragma user_version = 9")
    for wrong, sentence in (
        (other, "is no ledger"),
        (tmp_path / "none", "there is no ledger"),
        (newer, "is of version 9, expected 5"),
    ):
        with pytest.raises(CbsimError, match=sentence):
            Ledger.open(wrong)


def test_a_ledger_is_whole_after_a_crash(tmp_path: Path) -> None:
    """Killed in the middle of a run: all that was handed over is in the ledger."""
    out, path = tmp_path / "out.ndjson", tmp_path / "run.ledger"
    process = subprocess.Popen(
        [*CBSIM, "run", "steady-state", "--sink", f"ndjson:{out}", "--rate", "2000/s",
         "--ledger", str(path)],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: out.exists() and out.stat().st_size >= 200_000, patience=30)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    complete = out.read_bytes().rpartition(b"\n")[0]
    (tmp_path / "cut.ndjson").write_bytes(complete + b"\n")
    with Ledger.open(path) as ledger:
        assert len(ledger) >= complete.count(b"\n") + 1 > 100
        result = compare(ledger, records(str(tmp_path / "cut.ndjson")))
    assert not result.unexpected
    assert not result.corrupted


def test_a_ledger_that_cannot_be_finished(tmp_path: Path, stream: list[Message]) -> None:
    ledger = Ledger(tmp_path / "run.ledger")
    ledger.record(stream[:10])
    ledger.confirm(0, 9)
    ledger._database.execute("pragma query_only = on")
    with pytest.raises(CbsimError, match=r"ledger .*run\.ledger: cannot be written: attempt to"):
        ledger.close()


def test_several_write_in_one_ledger(tmp_path: Path, stream: list[Message]) -> None:
    path = tmp_path / "run.ledger"
    Ledger(path, {"seed": "4"}).close()
    ours, theirs = Ledger.join(path), Ledger.join(path)
    for start in range(0, 600, 60):
        ours.record(stream[start : start + 40])
        theirs.record(stream[start + 40 : start + 60])
        if start == 300:
            # Each counts its own; a range of these is several in the ledger.
            ours.confirm(0, 99)
            theirs.confirm(0, 49)
    ours.confirm(100, 398)
    theirs.confirm(50, 199)
    assert (len(ours), len(theirs)) == (400, 200)
    ours.close()
    theirs.close()
    result = compare(Ledger.open(path), taps(stream[:600]))
    assert result.whole
    assert result.total("received") == 600
    assert not result.disordered
    rows = sqlite3.connect(path).execute("select sequence, confirmed from message").fetchall()
    assert sorted(number for number, _ in rows) == [*range(600)]
    # The last of `ours` was not confirmed.
    assert [number for number, confirmed in rows if confirmed is None] == [579]
    with pytest.raises(CbsimError, match=r"ledger .*none: cannot be written"):
        Ledger.join(tmp_path / "none")


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["-", "--map", "guild=a"], "--map guild=a: did you mean guid?"),
     (["-", "--map", "guid=$..["], "is no JSON path"),
     (["-", "--map", "guid"], "expected FIELD=PATH"),
     (["-", "--map", "received=a"], "expected a field besides `received`"),
     (["-", "--map", "guid=b"], "--map guid=b: nothing stands there in any item, of 1"),
     (["-", "--preset", "forwader"], "'forwader' is not"),
     (["no-such-file"], "cannot read no-such-file: No such file or directory"),
     (["/"], "expected files that end in"),
     (["-", "--ledger", "no-such-ledger"], "there is no ledger no-such-ledger"),
     (["-", "--ledger", __file__], "is no ledger of `cbsim run --ledger`")],
)  # fmt: skip
def test_wrong_usage(tmp_path: Path, words: list[str], expected: str) -> None:
    path = tmp_path / "run.ledger"
    Ledger(path).close()
    (tmp_path / "empty").mkdir()
    words = [str(tmp_path / "empty") if one == "/" else one for one in words]
    done = cbsim("verify", "--ledger", path, *words, stdin=b'{"a": 1}\n')
    assert done.returncode == 2
    assert expected in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_nothing_sent_is_no_success(tmp_path: Path) -> None:
    path = tmp_path / "run.ledger"
    Ledger(path).close()
    done = cbsim("verify", "--ledger", path, "--bind", "feed.#", "-", stdin=b"")
    assert done.returncode == 1
    assert b"nothing was sent on feed.#" in done.stderr


COUNT = int(os.environ.get("CBSIM_VERIFY_COUNT", "100000"))


@pytest.mark.timeout(300)
def test_a_run_through_the_broker_to_tap(broker: str, tmp_path: Path) -> None:
    """The loop that a user runs: ledger, broker, tap, verify; then six lines are tampered with."""
    out, path = tmp_path / "tap.ndjson", tmp_path / "run.ledger"
    tap = subprocess.Popen(
        [*CBSIM, "tap", "--broker", broker,
         "--out", str(out), "--count", str(COUNT)], stderr=subprocess.PIPE,
    )  # fmt: skip
    assert tap.stderr is not None
    assert b"subscribed" in tap.stderr.readline()
    done = cbsim("run", "steady-state", "--rate", "max", "--count", COUNT, "--broker", broker,
                 "--ledger", path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    tap.communicate(timeout=120)
    done = cbsim("verify", "--ledger", path, "--strict", out)
    assert done.returncode == 0, done.stdout
    assert f"whole: {COUNT:,} sent, {COUNT:,} received, 0 lost".encode() in done.stdout
    assert b"from published to received: p50" in done.stdout

    arrived = out.read_bytes().splitlines(keepends=True)
    lost, doubled, flipped = (COUNT // 7, COUNT // 3, COUNT - 2), (5, COUNT // 2), COUNT // 4
    line = bytearray(arrived[flipped])
    body = arrived[flipped].index(b'"body')
    line[body + 30] = line[body + 30] ^ 1
    tampered = [
        bytes(line) if number == flipped else one * (2 if number in doubled else 1)
        for number, one in enumerate(arrived)
        if number not in lost
    ]
    out.write_bytes(b"".join(tampered))
    done = cbsim("verify", "--ledger", path, "--format", "json", out)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["total"] == {"sent": COUNT, "received": COUNT - 4, "lost": 3, "duplicated": 2,
                               "corrupted": 1, "unexpected": 0}  # fmt: skip
    named = {kind: sorted(one["sequence"] for one in report["differences"] if one["kind"] == kind)
             for kind in ("lost", "duplicated", "corrupted")}  # fmt: skip
    assert named == {"lost": sorted(lost), "duplicated": sorted(doubled), "corrupted": [flipped]}


def test_comparison_totals() -> None:
    assert Comparison().whole
