"""Workers share a run: nothing that a consumer can trust depends on how many there are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.catalog import Dialect, ServerVersion, names
from cbsim.checks import Record
from cbsim.checks.validation import Validation
from cbsim.errors import ScenarioError
from cbsim.scenario.loader import load, parse
from cbsim.scenario.model import Scenario
from cbsim.scenario.portion import Portion, check
from cbsim.scenario.shard import SHARDS, Shard, dealt
from cbsim.scenario.stream import FIXED_START, Batch, Stream, messages
from cbsim.wire.bundle import members, split
from cbsim.wire.event import decode
from cbsim.wire.message import RAW_EXCHANGE, Message
from cbsim.world.estate import Sensor, User
from tests.support.identities import check_identities
from tests.support.stream import everything, readings

Sent = tuple[float | None, Message, str]


class Tagged:
    """A shard's stream whose names say which shard it is of."""

    def __init__(self, shard: Shard, stream: Stream) -> None:
        self._shard, self._stream = shard, stream

    def phases(self, count: int | None) -> Iterator[Iterator[Batch]]:
        for phase in self._stream.phases(count):
            yield (
                batch._replace(names=[f"{self._shard.number} {name}" for name in batch.names])
                for batch in phase
            )


def sent_by(scenario: Scenario, workers: int, count: int | None = None) -> list[list[Sent]]:
    """What each worker sends, in its order; the name says of which shard it is."""
    found = []
    for number in range(workers):
        portion = Portion(scenario, FIXED_START, number, workers)
        portion.streams = [*map(Tagged, portion.shards, portion.streams)]  # type: ignore[assignment]
        sent: list[Sent] = []
        for phase in portion.phases(count):
            for batch in phase:
                dues = batch.dues or [None] * len(batch.messages)
                sent += zip(dues, batch.messages, batch.names, strict=True)
        found.append(sent)
    return found


def by_shard(sent: list[list[Sent]]) -> dict[int, list[Sent]]:
    found: defaultdict[int, list[Sent]] = defaultdict(list)
    for worker in sent:
        for due, message, name in worker:
            shard, _, name = name.partition(" ")
            found[int(shard)].append((due, message, name))
    return dict(found)


def together(scenario: Scenario, workers: int = 2) -> list[Message]:
    """What all workers send, as a broker that loses no time gets it."""
    sent = [one for worker in sent_by(scenario, workers) for one in worker]
    assert all(due is not None for due, _, _ in sent)
    sent.sort(key=lambda one: one[0] or 0.0)
    return [message for _, message, _ in sent]


LATER = """
server: {raw: both, bundle: 30}
estate: {sensors: 20}
phases:
  - {name: first, count: 301, rate: 200/s}
  - {name: fast, count: 900, rate: max, cover: true}
  - {name: swinging, duration: 2s, rate: {poisson: 150/s}, inject: [{at: 1s, spread: {sensors: 3}}]}
  - {name: last, count: 333, rate: {ramp: {from: 10/s, to: 500/s}}, mix: {"ingress.event.*": 1}}
"""
DRAWN = """
estate: {sensors: 30}
phases:
  - {source: strategies, corpus: 40, count: 500, rate: 300/s, mix: {"feed.*": 9, malformed: 1}}
  - {count: 100, rate: 100/s}
  - {source: strategies, corpus: 40, count: 90, rate: max, mix: {"feed.*": 9, malformed: 1}}
"""


@pytest.mark.parametrize(
    ("text", "numbers"), [(LATER, (2, 3, 8)), (DRAWN, (3,))], ids=["world", "strategies"]
)
def test_a_shard_sends_the_same_however_many_workers_there_are(
    text: str, numbers: tuple[int, ...]
) -> None:
    scenario = parse(text)
    alone = by_shard(sent_by(scenario, 1))
    assert sorted(alone) == [*range(8)]
    assert all(len(one) > 50 for one in alone.values())
    for workers in numbers:
        sent = sent_by(scenario, workers)
        for number, worker in enumerate(sent):
            assert {int(name.partition(" ")[0]) % workers for *_, name in worker} == {number}
        assert by_shard(sent) == alone


def test_workers_keep_the_schedule() -> None:
    scenario = parse(LATER)
    plain = [(due, message) for due, message, *_ in messages(scenario, FIXED_START)]
    for workers in (1, 3):
        sent = sent_by(scenario, workers)
        for worker in sent:
            paced = [due for due, *_ in worker if due is not None]
            assert paced == sorted(paced)
        shared = [(due, message) for worker in sent for due, message, _ in worker]
        # When bundles are full is another matter.
        assert sorted(dues_of_singles(shared)) == sorted(dues_of_singles(plain))


def dues_of_singles(sent: list[tuple[float | None, Message]]) -> list[float]:
    return [due or 0.0 for due, message in sent if message.exchange != RAW_EXCHANGE]


@pytest.mark.parametrize("count", [1, 8, 1201])
def test_a_count_is_that_of_all_workers(count: int) -> None:
    scenario = parse("""
    estate: {sensors: 11}
    phases: [{duration: 1s, rate: 200/s}, {duration: 1h, rate: 300/s}]
    """).up_to(count)
    for workers in (2, 5):
        sent = sent_by(scenario, workers, count)
        assert sum(map(len, sent)) == count
        shares = [Portion(scenario, FIXED_START, it, workers).share(count) for it in range(workers)]
        assert [*map(len, sent)] == shares


def test_one_shard_is_the_whole() -> None:
    scenario = everything(count=900)
    estate = scenario.estate.model_copy(update={"sensors": 1})
    alone = scenario.model_copy(update={"estate": estate})
    ((*sent,),) = sent_by(alone, 1)
    assert [message for _, message, _ in sent] == [
        message for _, message, _, _ in messages(alone, FIXED_START)
    ]


def endpoint(number: int, os: str) -> Sensor:
    user = User("ann", "ann", "500")
    return Sensor(number, "host", os, "server", "Group", user, "10.0.0.1", "10.0.0.2", 100)


systems = st.lists(st.sampled_from(["windows", "linux", "osx"]), min_size=1, max_size=60)
mixes = st.sampled_from([["ingress.event.filemod"], ["ingress.event.regmod", "feed.synchronized"]])


@given(systems, mixes)
def test_every_sensor_is_of_one_shard(systems: list[str], names: list[str]) -> None:
    sensors = [endpoint(number, os) for number, os in enumerate(systems, 1)]
    shards = dealt(SimpleNamespace(sensors=sensors), names)  # type: ignore[arg-type]
    assert sorted((it for shard in shards for it in shard.sensors), key=lambda it: it.id) == sensors
    assert [shard.number for shard in shards] == [*range(len(shards))]
    assert {shard.of for shard in shards} == {len(shards)}
    sizes = [len(shard.sensors) for shard in shards]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1
    windows = systems.count("windows")
    expected = min(SHARDS, len(sensors))
    if windows and "ingress.event.regmod" in names:
        expected = min(expected, windows)
        assert all("windows" in [it.os for it in shard.sensors] for shard in shards)
    assert len(shards) == expected
    for shard in shards:
        assert all(one.id < other.id for one, other in pairwise(shard.sensors))


@pytest.mark.parametrize("seed", range(2))
def test_what_a_consumer_can_trust_holds_for_all_workers_together(seed: int) -> None:
    scenario = everything(seed=seed, count=4000)
    stream = together(scenario)
    check_identities(stream)
    validation = Validation(Dialect.OBSERVED)
    for number, message in enumerate(stream):
        findings = validation.check(Record("stream", number, message=message))
        assert [it for it in findings if not it.problem.warning] == []
    said = Counter(name for name, _ in readings(stream))
    assert set(said) == set(names(ServerVersion.V5_2))
    seen = {fields["env"]["endpoint"]["SensorId"] for name, fields in readings(stream)
            if name.startswith("ingress.event.")}  # fmt: skip
    assert seen == {*range(1, 16)}


def test_nothing_is_new_to_two_shards() -> None:
    scenario = parse("""
    estate: {sensors: 40, spread: 2}
    phases: [{count: 6000, rate: 500/s,
              mix: {binaryinfo.observed: 3, "alert.*": 3, ingress.event.module: 3}}]
    """)
    said = [*readings(together(scenario, 3))]
    observed = [fields["md5"] for name, fields in said if name == "binaryinfo.observed"]
    alerts = [fields["unique_id"] for name, fields in said if name.startswith("alert.")]
    for unique in (observed, alerts):
        assert len(unique) > 1000
        assert len(set(unique)) == len(unique)


def test_cover_is_once_in_all() -> None:
    scenario = parse("""
    estate: {sensors: 40}
    phases: [{count: 4000, rate: 1000/s, cover: true,
              mix: {ingress.event.filemod: 1, ingress.event.procstart: 0.1,
                    ingress.event.tamper: 1.0e-12, feed.synchronized: 1.0e-12,
                    alert.watchlist.hit.ingress.host: 1.0e-12}}]
    """)
    said = Counter(name for name, _ in readings(together(scenario)))
    assert [said.pop(name) for name in sorted(said) if not name.startswith("ingress.event.")] == [
        1, 1,
    ]  # fmt: skip
    assert said["ingress.event.tamper"] == 1


def test_what_is_injected_happens_once_where_it_should() -> None:
    scenario = parse("""
    estate: {sensors: 24, os: {windows: 1, linux: 0, osx: 0}}
    phases:
      - {count: 4000, rate: 400/s, mix: {"ingress.event.procstart": 1, feed.ingress.hit.process: 0,
         ingress.event.filemod: 1.0e-12},
         inject: [{at: 1s, ransomware: {sensor: 17, files: 90}}]}
      - {count: 200, rate: 200/s, mix: {"ingress.event.procstart": 1,
         feed.ingress.hit.process: 1.0e-12},
         inject: [{at: 100ms, hit: {sensor: 5, report: abusech}}]}
    """)
    files: Counter[int] = Counter()
    hits: list[tuple[int, str]] = []
    for name, fields in readings(together(scenario, 3)):
        if name == "ingress.event.filemod":
            files[fields["env"]["endpoint"]["SensorId"]] += 1
        if name == "feed.ingress.hit.process":
            hits.append((fields["sensor_id"], fields["feed_name"]))
    assert files == {17: 90}
    assert sorted(hits) == [(5, "abusech"), (17, "tor")]


def test_one_shard_sees_a_binary_spread() -> None:
    scenario = parse("""
    estate: {sensors: 64, spread: 1, os: {windows: 1, linux: 0, osx: 0}}
    phases: [{count: 3000, rate: 500/s, mix: {binaryinfo.host.observed: 1},
              inject: [{at: 0s, spread: {sensors: 8}}]}]
    """)
    hosts = Counter(fields["md5"] for _, fields in readings(together(scenario)))
    assert sorted(hosts.values())[-2:] == [1, 8]


def test_bundles_are_of_one_sensor_and_hold_every_event() -> None:
    scenario = parse("""
    server: {raw: bundles, bundle: 20}
    estate: {sensors: 12}
    phases: [{count: 3000, rate: 1000/s, mix: {"ingress.event.*": 1}}]
    """)
    events: defaultdict[int, list[int]] = defaultdict(list)
    for worker in sent_by(scenario, 2):
        for _, message, _ in worker:
            assert message.exchange == RAW_EXCHANGE
            for run in members(message.body):
                moments = [decode(body).header.timestamp for body in split(run)]
                events[int(message.headers["sensorId"])] += moments
    assert sum(map(len, events.values())) == 3000
    assert sorted(events) == [*range(1, 13)]
    assert all(one == sorted(one) for one in events.values())


def test_what_strategies_draw_is_dealt_out() -> None:
    scenario = parse("""
    estate: {sensors: 9}
    phases: [{source: strategies, corpus: 30, count: 400, rate: 100/s, mix: {"watchlist.*": 1}}]
    """)
    plain = [(due, message.body) for due, message, *_ in messages(scenario, FIXED_START)]
    sent = [(due, one.body) for worker in sent_by(scenario, 3) for due, one, _ in worker]
    assert sorted(sent) == sorted(plain)


@pytest.mark.parametrize(
    ("sensors", "os", "mix", "most"),
    [
        (200, "{windows: 8, linux: 1, osx: 1}", '"*"', 8),
        (3, "{windows: 1, linux: 0, osx: 0}", '"*"', 3),
        (1, "{windows: 0, linux: 0, osx: 1}", "ingress.event.filemod", 1),
        (12, "{windows: 0, linux: 1, osx: 0}", '"ingress.event.*"', 8),
    ],
)
def test_too_many_workers(sensors: int, os: str, mix: str, most: int) -> None:
    scenario = parse(f"""
    estate: {{sensors: {sensors}, os: {os}}}
    phases: [{{count: 10, rate: 10/s, mix: {{{mix}: 1}}}}]
    """)
    expected = (
        f"{most + 1} workers: expected at most {most}, since this estate is dealt to {most} shard"
    )
    for refuse in (lambda: check(scenario, most + 1),
                   lambda: Portion(scenario, FIXED_START, 0, most + 1)):  # fmt: skip
        with pytest.raises(ScenarioError, match=expected):
            refuse()
    check(scenario, most)
    Portion(scenario, FIXED_START, most - 1, most)


def test_a_shard_needs_windows_only_for_what_happens_there() -> None:
    def shards(mix: str) -> list[Shard]:
        scenario = parse(f"""
        estate: {{sensors: 30, os: {{windows: 1, linux: 9, osx: 0}}}}
        phases: [{{count: 10, rate: 9/s, mix: {{{mix}: 1}}}}]
        """)
        return Portion(scenario, FIXED_START).shards

    few = shards("ingress.event.regmod")
    assert 1 <= len(few) < SHARDS
    assert all("windows" in [sensor.os for sensor in shard.sensors] for shard in few)
    assert len(shards("ingress.event.filemod")) == SHARDS


def test_an_endpoint_that_is_not_there_is_refused_for_every_shard() -> None:
    scenario = parse("""
    estate: {sensors: 9}
    phases: [{count: 10, rate: 9/s, inject: [{at: 0s, hit: {sensor: 10, report: tor}}]}]
    """)
    with pytest.raises(ScenarioError, match="there is no sensor 10: the estate has 1 to 9"):
        Portion(scenario, FIXED_START, 1, 2)


def test_the_scenarios_that_ship_can_be_shared() -> None:
    for name in ("quickstart", "outbreak", "posix-build-farm"):
        sent = sent_by(load(name), 2, 1000)
        assert sum(map(len, sent)) == 1000, name
