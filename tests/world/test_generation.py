"""What makes generation fast must change nothing that a consumer can see."""

from __future__ import annotations

import gc
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice, pairwise
from random import Random

import pytest
from google.protobuf.internal.encoder import _EncodeVarint  # type: ignore[attr-defined]
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.generation import JSON, RAW, unpaced
from benchmarks.peers import captured, perform
from cbsim.bus.sink import NullSink
from cbsim.catalog import Dialect, ServerVersion
from cbsim.errors import ScenarioError
from cbsim.scenario.lag import Lags
from cbsim.scenario.loader import load, parse
from cbsim.scenario.runner import Progress, few_collections, run
from cbsim.scenario.stream import FIXED_START, Stream, messages
from cbsim.wire.bundle import members, split
from cbsim.wire.document import Template, structure, text
from cbsim.wire.event import decode, stamps, varint
from cbsim.wire.message import RAW_EXCHANGE, Message
from cbsim.world.agenda import Agenda, Step, Story
from cbsim.world.drawing import BLOCK, drawn, one_of, weighted
from cbsim.world.estate import Sensor, User
from cbsim.world.path import Paths
from cbsim.world.process import Process, path_guid
from cbsim.world.software import Software


def protobuf_varint(number: int) -> bytes:
    out = bytearray()
    _EncodeVarint(out.extend, number & (1 << 64) - 1)
    return bytes(out)


@given(st.integers(-(1 << 63), (1 << 64) - 1))
@example(0)
@example((1 << 14) - 1)
@example(1 << 14)
@example(1 << 28)
@example(1 << 42)
@example(1 << 56)
@example(-1)
def test_varints_are_protobufs(number: int) -> None:
    assert varint(number) == protobuf_varint(number)


@given(st.integers(1 << 56, 1 << 58), st.lists(st.integers(0, 1 << 30), max_size=40), st.booleans())
def test_times_that_follow_one_another_are_varints(
    start: int, steps: list[int], close: bool
) -> None:
    moments = [start]
    for step in steps:
        moments.append(moments[-1] + (step >> 18 if close else step))
    assert stamps(moments) == [protobuf_varint(moment) for moment in moments]
    assert stamps([]) == []


def test_what_is_drawn_goes_on_without_end() -> None:
    blocks = iter(([1, 2], [], [3], [4, 5, 6]))
    draw = drawn(lambda: next(blocks))
    assert [draw() for _ in range(6)] == [1, 2, 3, 4, 5, 6]


def test_weights_are_kept_however_small() -> None:
    weights = {"often": 1.0, "seldom": 1e-4, "third": 1 / 3}
    draw, total = weighted(Random(1), weights), sum(weights.values())
    counted = Counter(draw() for _ in range(200 * BLOCK))
    for name, weight in weights.items():
        expected = weight / total * 200 * BLOCK
        assert counted[name] == pytest.approx(expected, abs=5 * expected**0.5), name


def test_one_of_several_is_even() -> None:
    draw = one_of(Random(1), "abcd")
    counted = Counter(draw() for _ in range(40 * BLOCK))
    assert all(count == pytest.approx(10 * BLOCK, rel=0.05) for count in counted.values())
    with pytest.raises(ValueError, match="3 values: expected a power of two"):
        one_of(Random(1), "abc")


@given(st.text())
def test_a_paths_guid_has_one_of_two_lengths(path: str) -> None:
    assert len(path_guid(path)) in (9, 10)
    assert path_guid(path) == path_guid(path)


@pytest.mark.parametrize(
    "holes",
    ["", "{hex}", "{number}", "{hex}-{hex}", "{guid}/{number}", "{word}/{date}-{word}.{hex}"],
)
def test_a_path_is_as_long_as_it_says(holes: str) -> None:
    paths = Paths(Random(1))
    for number in range(20):
        file = paths.own_file(f"/tmp/{number}/{'x' * 8 * number}{holes}.tmp")
        first, second, words = file.draw()
        length = len(file.start + first + file.middle + second + file.end) - 2
        written = file.entry + words + file.guid + file.start + first
        event = b"\x0a\x02\x08\x04" + written + file.middle + second + file.end
        (string,) = decode(event).strings
        assert len(string.utf8string) < length
        assert string.guid == int.from_bytes(b"", "big") or len(varint(string.guid)) in (9, 10)
        assert file.wide == len(varint(string.guid)) - 9


def test_the_same_path_has_the_same_guid() -> None:
    scenario = unpaced({"ingress.event.filemod": 1, "ingress.event.procstart": 0.01}, sensors=5)
    guids: dict[bytes, set[tuple[int, int]]] = {}
    for _, message, name, _ in messages(scenario, FIXED_START, 6000):
        if name == "ingress.event.filemod":
            event = decode(message.body)
            said = guids.setdefault(event.strings[0].utf8string, set())
            said.add((event.header.filepath_string_guid, event.filemod.guid))
    assert len(guids) > 100
    assert all(len(said) == 1 for said in guids.values())


def sensor(os: str = "linux") -> Sensor:
    return Sensor(1, "host", os, "server", "Group", User("ann", "ann", "500"), "10.0.0.1",
                  "10.0.0.2", 100, env=b"")  # fmt: skip


def test_a_forked_child_is_told_of_under_its_parents_header() -> None:
    binary = Software(1).programs["linux"][0]
    moment = 133_485_408_000_000_000
    parent = Process(sensor(), binary, None, moment, 7, 1 << 100 | 99, sha256=True)
    child = parent.fork(8)
    headers = [decode(it.bare + varint(moment) + it.plain).header for it in (parent, child)]
    assert not headers[0].HasField("fork_pid")
    assert headers[1].fork_pid == 8
    headers[1].ClearField("fork_pid")
    assert headers[0] == headers[1]
    assert child.forked_by is parent


def test_linux_endpoints_fork() -> None:
    scenario = parse("""
    estate: {sensors: 5, os: {windows: 0, linux: 1, osx: 0}}
    phases: [{count: 4000, rate: 1000/s, mix: {"ingress.event.*": 1, ingress.event.childproc: 1}}]
    """)
    forks: set[int] = set()
    told: Counter[bool] = Counter()
    for _, message, name, _ in messages(scenario, FIXED_START):
        event = decode(message.body)
        if name == "ingress.event.childproc" and event.childproc.childProcType == 1:
            forks.add(event.childproc.pid)
        if event.header.HasField("fork_pid"):
            told[event.header.fork_pid in forks] += 1
    assert told[True] > 20
    assert not told[False]


@given(st.lists(st.floats(0, 20), min_size=1, max_size=50), st.floats(0, 1))
def test_lags_are_kept_to_a_quarter(lags: list[float], share: float) -> None:
    kept, ordered = Lags(), sorted(lags)
    dues = [-lag for lag in sorted(lags, reverse=True)]
    kept.add(0.0, dues, 0, len(dues))
    assert kept.worst == ordered[-1]
    rank = min(max(0, bisect_left(range(1, len(lags) + 1), share * len(lags))), len(lags) - 1)
    true = ordered[rank]
    assert true <= kept.percentile(share) <= max(true * 1.2501, 0.0001)
    assert Lags().percentile(0.99) == 0.0


def test_a_limit_cuts_the_stream_and_changes_nothing() -> None:
    scenario = load("quickstart")
    whole = [*messages(scenario, FIXED_START)]
    for count in (1, 255, 256, 257, 900):
        assert [*messages(scenario, FIXED_START, count)] == whole[:count]
    assert all(a is not None and b is not None and a <= b for (a, *_), (b, *_) in pairwise(whole))


def test_a_phase_that_is_left_early_is_followed_by_the_next() -> None:
    scenario = parse("""
    phases:
      - {name: endless, duration: 1h, rate: max}
      - {name: last, count: 300, rate: 100/s}
    """)
    phases = Stream(scenario, FIXED_START).phases()
    first = next(next(iter(phases)))
    assert first.phase.name == "endless"
    rest = [batch for phase in phases for batch in phase]
    assert {batch.phase.name for batch in rest} == {"last"}
    assert sum(len(batch.messages) for batch in rest) == 300
    assert rest[0].messages[0].timestamp >= first.messages[-1].timestamp


def test_single_messages_and_bundles_at_once() -> None:
    scenario = unpaced(RAW, sensors=5, count=2000, raw="both", bundle=40)
    singles: dict[int, list[bytes]] = {}
    bundled: dict[int, list[bytes]] = {}
    for message in (message for _, message, _, _ in messages(scenario, FIXED_START)):
        if message.exchange == RAW_EXCHANGE:
            for part in members(message.body):
                bundled.setdefault(int(message.headers["sensorId"]), []).extend(split(part))
            continue
        event = decode(message.body)
        number = event.env.endpoint.SensorId
        event.ClearField("env")
        singles.setdefault(number, []).append(event.SerializeToString())
    assert bundled == singles


class Kept(NullSink):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def publish_many(self, messages: Sequence[Message]) -> None:
        super().publish_many(messages)
        self.messages += messages


@pytest.mark.parametrize("rate", [3000.0, "max"])
def test_a_run_hands_over_the_stream_in_order(rate: float | str) -> None:
    scenario = load("quickstart")
    phase = scenario.phases[0].model_copy(update={"rate": rate, "duration": None, "count": 3000})
    scenario = scenario.model_copy(update={"phases": (phase,)})
    sink, told = Kept(), list[Progress]()
    report = run(scenario, sink, FIXED_START, on_progress=told.append)
    expected = [*messages(scenario, FIXED_START)]
    assert sink.messages == [message for _, message, _, _ in expected]
    assert report.sent == report.confirmed == 3000
    assert report.per_name == Counter(name for _, _, name, _ in expected)
    assert report.lags.percentile(0.5) <= report.lags.percentile(0.99) <= report.lag
    assert (report.lag > 0) == (rate != "max")


def test_bundles_are_sent_when_they_are_full_at_any_rate() -> None:
    scenario = parse("""
    server: {raw: bundles, bundle: 20}
    estate: {sensors: 2}
    phases: [{count: 100, rate: 400/s, mix: {"ingress.event.*": 1}}]
    """)
    sink = Kept()
    report = run(scenario, sink, FIXED_START)
    assert report.per_name == {"bundle": len(sink.messages)}
    assert sum(len([*split(run)]) for it in sink.messages for run in members(it.body)) == 100


def test_a_schedule_goes_on_when_a_phase_at_max_has_ended() -> None:
    # By the clock inside messages the first phase lasts for ten hours.
    scenario = parse("""
    phases:
      - {name: fast, count: 3600, rate: max, clock: 0.1, mix: {"ingress.event.*": 1}}
      - {name: paced, count: 100, rate: 500/s, mix: {"ingress.event.*": 1}}
      - {name: soon, duration: 20ms, rate: max, mix: {"ingress.event.*": 1}}
      - {name: after, count: 50, rate: 500/s, mix: {"ingress.event.*": 1}}
    """)
    sink = Kept()
    report = run(scenario, sink, FIXED_START)
    assert report.sent > 3750
    moments = [decode(message.body).header.timestamp for message in sink.messages]
    assert moments[3600] - moments[0] == 35_990 * 10**7
    phases = Stream(scenario, FIXED_START).phases()
    dues = [[due for batch in islice(phase, 50) for due in batch.dues or ()] for phase in phases]
    assert (dues[0], dues[2]) == ([], [])
    assert (dues[1][0], dues[1][-1]) == (0.0, 0.198)
    assert dues[3][0] == 0.198


def test_what_a_phase_that_is_over_by_the_clock_made_was_sent() -> None:
    scenario = parse("""
    phases: [{name: fast, duration: 10ms, rate: max}, {name: last, count: 300, rate: max}]
    """)
    sink = Kept()
    report = run(scenario, sink, FIXED_START)
    fast = report.sent - 300
    expected = [it for _, it, _, _ in messages(scenario, FIXED_START, fast)]
    assert sink.messages[:fast] == expected
    assert fast > 0


def test_progress_comes_about_once_a_second_and_at_slow_rates_too() -> None:
    scenario = parse("phases: [{count: 2, rate: 30/min, mix: {ingress.event.tamper: 1}}]")
    told: list[Progress] = []
    report = run(scenario, NullSink(), FIXED_START, on_progress=told.append)
    assert report.sent == 2
    assert told
    assert told[0].asked == pytest.approx(0.5)


def test_an_interrupt_ends_a_run_with_what_was_handed_over() -> None:
    class Interrupted(Kept):
        def publish_many(self, messages: Sequence[Message]) -> None:
            super().publish_many(messages)
            if len(self.messages) > 700:
                raise KeyboardInterrupt

    sink = Interrupted()
    report = run(unpaced(), sink, FIXED_START)
    assert report.interrupted
    assert report.sent == report.confirmed == len(sink.messages)


def test_the_collector_of_garbage_is_left_as_it_was() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    with few_collections():
        assert gc.get_threshold() != before[0]
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_a_start_before_1970_is_refused() -> None:
    with pytest.raises(ScenarioError, match="expected a time after 1970"):
        Stream(load("quickstart"), datetime.fromisoformat("1969-12-31T00:00:00Z"))


@pytest.mark.parametrize("mix", [RAW, JSON])
def test_the_peers_of_the_benchmark_make_the_same(mix: dict[str, float]) -> None:
    stream = [message for _, message, _, _ in messages(unpaced(mix), FIXED_START, 600)]
    # `captured` compares what each peer makes.
    work = captured(stream)
    assert len(work) == len(stream)
    perform(work)


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53)))
def test_facts_are_what_stands_in_the_json(words: str, attributes: dict[str, object]) -> None:
    if any("\ud800" <= it <= "\udfff" for it in words):
        return
    assert json.loads(b'"%b"' % text(words)) == words
    facts = structure("ioc_attr", attributes)
    assert json.loads(facts["ioc_attr"]) == attributes
    assert json.loads(json.loads(b'"%b"' % facts["ioc_attr json"])) == attributes
    texts = json.loads(facts["ioc_attr texts"])
    assert texts == {name: str(value) if isinstance(value, str) else str(value).lower()
                     for name, value in attributes.items()}  # fmt: skip


def test_a_template_writes_what_it_is_told_the_first_time() -> None:
    from cbsim.catalog import NOTIFICATIONS

    notification = NOTIFICATIONS["binaryinfo.host.observed"]
    fields = notification.written(Dialect.OBSERVED, ServerVersion.V5_2).fields
    template = Template(notification, fields, Dialect.OBSERVED, {"hostname": b"100 %b"})
    facts = {"md5": b"AB", "sensor_id": b"7", "scores": b"{}", "nothing": b"?"}
    expected = {"md5": "AB", "hostname": "100 %b", "sensor_id": 7, "scores": {}}
    assert json.loads(template.fill(facts)) == expected
    assert json.loads(template.fill(facts | {"sensor_id": b"8"})) == expected | {"sensor_id": 8}


class Told(Story):
    skips = frozenset[str]()

    def __init__(self) -> None:
        self.happened: list[str] = []


def test_an_agenda_tells_what_is_published_and_lets_the_rest_happen() -> None:
    def step(name: str, delay: int, *then: Step) -> Step:
        return Step(
            name, delay, lambda _, now: (name, f"{now}", b"", None), then,
            lambda story: story.happened.append(name),
        )  # fmt: skip

    last = step("d", 5)
    first = step("a", 0, step("b", 10, step("c", 0, last), step("skipped", 1, step("e", 2))))
    agenda = Agenda(frozenset("acde"), [first])
    story = Told()
    story.skips = frozenset(("skipped",))  # type: ignore[misc]
    agenda.begin(first, story, 100)
    assert agenda.due("a", 100)
    assert agenda.on_the_way("d") == 1
    assert agenda.toward("d", 99) is None
    assert agenda.toward("d", 99, due=False) == "a"
    assert agenda.take("a", 103) == ("a", "103", b"", None)
    assert story.happened == ["a", "b"]
    assert not agenda.due("c", 112)
    assert agenda.due("c", 113)
    assert agenda.due("e", 116)
    assert not agenda.due("e", 115)
    agenda.take("c", 120)
    assert agenda.due("d", 125)
    assert not agenda.due("d", 124)


def test_an_estate_of_any_size_is_dealt_out() -> None:
    scenario = unpaced(RAW, sensors=5000, binaries=1_000_000)
    seen = {
        decode(message.body).env.endpoint.SensorId
        for _, message, _, _ in islice(messages(scenario, FIXED_START), 20_000)
    }
    assert len(seen) > 500


@pytest.mark.parametrize(("rate", "most"), [(2000.0, 21), (20.0, 1), (1e6, 600)])
def test_a_batch_is_made_in_less_time_than_it_spans(rate: float, most: int) -> None:
    scenario = load("steady-state")
    phase = scenario.phases[0].model_copy(update={"rate": rate, "duration": None, "count": 600})
    scenario = scenario.model_copy(update={"phases": (phase,)})
    (batches,) = Stream(scenario, FIXED_START).phases()
    sizes = []
    for batch in batches:
        assert batch.dues is not None
        assert batch.dues[-1] - batch.dues[0] <= 0.01 + 1e-9
        sizes.append(len(batch.messages))
    assert max(sizes) == most
    assert sum(sizes) == 600
