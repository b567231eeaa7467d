"""Faults that a scenario has in its messages: as many as asked for, labelled, always the same."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from cbsim.bus.sink import NullSink
from cbsim.checks import Ledger, LedgerSink, Record, compare
from cbsim.errors import ScenarioError
from cbsim.report import comparison
from cbsim.scenario.loader import load, parse
from cbsim.scenario.model import Scenario
from cbsim.scenario.portion import Portion
from cbsim.scenario.runner import run
from cbsim.scenario.stream import FIXED_START, Timed, messages
from cbsim.wire import bundle
from cbsim.wire.clock import TICKS
from cbsim.wire.event import decode
from cbsim.wire.message import JSON_TYPE, Message

START = FIXED_START.timestamp()


def scenario(faults: str, count: int = 2500, more: str = "") -> Scenario:
    return parse(f"""
        estate: {{sensors: 20}}
        phases: [{{count: {count}, rate: 1000/s}}]
        faults: {faults}
        {more}
    """)


def stream(wanted: Scenario) -> list[Timed]:
    return [*messages(wanted, FIXED_START)]


def kind_of(message: Message) -> str:
    return message.broken.rpartition(":")[0] if message.broken else "as it is"


def bodies(timed: list[Timed]) -> list[bytes]:
    return [message.body for _, message, _, _ in timed]


def test_without_faults_nothing_changes() -> None:
    plain = stream(scenario("[]"))
    assert stream(scenario("[{duplicate: 1%, from: 1h}]")) == plain


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5, 1.0])
def test_duplicates_follow_what_they_are_of(share: float) -> None:
    plain, struck = bodies(stream(scenario("[]"))), stream(scenario(f"[{{duplicate: {share}}}]"))
    again = [place for place, (_, message, _, _) in enumerate(struck) if message.broken]
    expected = share * len(plain)
    assert abs(len(again) - expected) <= 5 * (expected * (1 - share)) ** 0.5
    sent = bodies(struck)
    assert all(sent[place] == sent[place - 1] for place in again)
    assert [body for place, body in enumerate(sent) if place not in {*again}] == plain


def test_what_is_late_comes_after_its_time_and_none_is_lost() -> None:
    plain, struck = stream(scenario("[]")), stream(scenario("[{late: {share: 5%, by: 500ms}}]"))
    assert Counter(bodies(struck)) == Counter(bodies(plain))
    dues = [due for due, _, _, _ in struck if due is not None]
    assert dues == sorted(dues)
    late = [(due, message) for due, message, _, _ in struck if message.broken]
    assert 70 <= len(late) <= 190
    for due, message in late:
        if due is not None:
            assert due >= message.moment / TICKS - (START + 11644473600) + 0.5 - 0.001
    rest = [message for _, message, _, _ in struck if not message.broken]
    assert rest == [message for _, message, _, _ in plain
                    if message.body in {one.body for one in rest}]  # fmt: skip


@pytest.mark.parametrize("raw", ["single", "bundles"])
@pytest.mark.parametrize(("skew", "seconds"), [("ahead: 10min", 600), ("behind: 2h", -7200)])
def test_sensors_with_wrong_clocks(raw: str, skew: str, seconds: int) -> None:
    server = f"server: {{raw: {raw}, bundle: 20}}"
    plain = stream(scenario("[]", more=server))
    struck = stream(scenario(f"[{{skew: {{share: 40%, {skew}}}}}]", more=server))
    sensors: dict[int, set[int]] = {}
    for (_, before, _, _), (_, after, _, _) in zip(plain, struck, strict=True):
        if before.content_type == JSON_TYPE:
            assert after == before
            continue
        for sensor, shift in shifts(before, after):
            sensors.setdefault(sensor, set()).add(shift)
        assert kind_of(after) == ("as it is" if after.body == before.body else "odd: clock-skew")
    assert all(len(found) == 1 for found in sensors.values())
    assert {shift for found in sensors.values() for shift in found} == {0, seconds * TICKS}
    assert 3 <= sum(found != {0} for found in sensors.values()) <= 13


def shifts(before: Message, after: Message) -> list[tuple[int, int]]:
    """Of each event of a message: its sensor, and by how much its time was changed."""
    if before.routing_key:
        pairs = [(before.body, after.body)]
    else:
        ((old,), (new,)) = (bundle.members(message.body) for message in (before, after))
        pairs = [*zip(bundle.split(old), bundle.split(new), strict=True)]
    found = []
    for first, second in pairs:
        old_event, new_event = decode(first), decode(second)
        sensor = old_event.env.endpoint.SensorId or int(before.headers["sensorId"])
        found.append((sensor, new_event.header.timestamp - old_event.header.timestamp))
        new_event.header.timestamp = old_event.header.timestamp
        assert new_event == old_event
    return found


def test_what_is_inserted_is_labelled_and_comes_when_it_should() -> None:
    faults = "[{insert: {malformed.empty-body: 2%, odd: 2%}, from: 0.5s, until: 2.4s}]"
    struck = stream(scenario(faults))
    labelled = [(message, name) for _, message, name, _ in struck if message.broken]
    names = Counter(name.partition(".")[0] for _, name in labelled)
    assert {*names} == {"malformed", "odd"}
    assert all(10 <= count <= 75 for count in names.values())
    moments = [message.timestamp - START for message, _ in labelled]
    assert 0.5 <= min(moments) <= max(moments) < 2.4


FAULTS = (
    "[{duplicate: 2%}, {late: {share: 5%, by: 300ms}}, {skew: {share: 20%, behind: 1min}},"
    " {insert: {malformed.empty-body: 1%, odd.null: 1%}}]"
)


def test_they_are_the_same_again_and_for_any_number_of_workers() -> None:
    wanted = scenario(FAULTS, count=1000)
    assert stream(wanted) == stream(wanted)
    told = [
        Counter(
            (message.routing_key, message.body, message.broken)
            for worker in range(workers)
            for phase in Portion(wanted, FIXED_START, worker, workers).phases()
            for batch in phase
            for message in batch.messages
        )
        for workers in (1, 3)
    ]
    assert told[0] == told[1]
    assert sum(count for key, count in told[0].items() if key[2]) > 100


def test_verify_knows_what_was_done(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    run(scenario(FAULTS, count=1000).at_rate("max"), LedgerSink(NullSink(), ledger, counted=True),
        FIXED_START)  # fmt: skip
    sent = [message for batch in ledger.batches() for message in batch.messages]
    # A consumer that takes what it can, and nothing twice.
    good = [it for it in sent if not it.broken or it.broken.startswith("odd: ")]
    for output in (sent, good):
        records = [Record("out", number, message=it) for number, it in enumerate(output, 1)]
        result = compare(ledger, records)
        assert result.whole
        assert result.exact
    said = " ".join(comparison.remarks(result))
    counts = Counter(kind_of(it).removeprefix("odd: ") for it in sent if it.broken)
    assert f"{counts['late']} late" in said
    assert "struck on purpose: " in said
    lost = good[:50] + good[51:]
    assert compare(ledger, [Record("out", 1, message=it) for it in lost]).total("lost") == 1
    ledger.close()


def test_the_shipped_one_has_all_of_it() -> None:
    wanted = load("hostile-input")
    kinds = Counter(kind_of(message) for _, message, _, _ in stream(wanted))
    for kind in ("odd: late", "odd: clock-skew", "odd, may be left out: duplicate",
                 "empty-body", "oversized-body", "wrong-content-type"):  # fmt: skip
        assert kinds[kind], kind
    assert wanted.unreached == []


@pytest.mark.parametrize(("fault", "said"), [
    ("{}", "expected exactly one of duplicate, late, skew, insert, broker"),
    ("{duplicate: 1%, late: {share: 1%, by: 1s}}", "expected exactly one of"),
    ("{duplicate: 101%}", "share '101%': expected one above 0 and at most 1, such as 1% or 0.01"),
    ("{duplicate: .nan}", "share 'nan': expected one"),
    ("{duplicate: 0}", "share '0': expected one above 0"),
    ("{late: {share: 1%, by: 0s}}", "late.by: expected more than 0"),
    ("{skew: {share: 1%}}", "expected exactly one of ahead, behind"),
    ("{insert: {malformed.zip-bom: 1%}}", "did you mean 'malformed.zip-bomb'?"),
    ("{insert: {feed.synchronized: 1%}}", "is no kind of broken or odd message"),
    ("{duplicate: 1%, from: 5s, until: 5s}", "expected `until` after `from`"),
    ("{duplicate: 1%, at: 5s}", "expected `at` with `broker`, and only there"),
    ("{broker: stall}", "expected `at` with `broker`, and only there"),
    ("{at: 1s, broker: drop-conection}", "did you mean 'drop_connection'?"),
    ("{at: 1s, broker: {stall: {seconds: soon}}}", "fault stall: seconds 'soon': expected a num"),
    ("{at: 1s, broker: {a: {}, b: {}}}", "expected the name of one fault, and what it takes"),
])  # fmt: skip
def test_faults_that_cannot_be(fault: str, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        scenario(f"[{fault}]")
    assert said in str(refused.value)


def test_a_fault_after_the_end_is_told() -> None:
    wanted = scenario("[{duplicate: 1%, from: 4s}, {at: 5s, broker: stall}]")
    assert wanted.unreached == [
        "the fault at 4 s never happens, since the run ends at 2.5 s",
        "the fault at 5 s never happens, since the run ends at 2.5 s",
    ]


def test_the_clock_of_faults_is_the_one_inside_messages() -> None:
    later = FIXED_START + timedelta(days=900)
    wanted = scenario("[{duplicate: 100%, from: 1s, until: 2s}]")
    assert sum(message.broken is not None for _, message, _, _ in messages(wanted, later)) == 1000
