from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pytest

from cbsim.catalog import NOTIFICATIONS, Dialect, Kind, ServerVersion, Shape, name_of, names
from cbsim.scenario.loader import load, parse, shipped
from cbsim.scenario.model import Scenario
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.address import swap_port
from cbsim.wire.bundle import members, split
from cbsim.wire.event import decode
from cbsim.wire.message import JSON_TYPE, RAW_EXCHANGE
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from cbsim.world.arrivals import Arrivals
from cbsim.world.estate import Estate
from cbsim.world.setting import EstateSize, OsMix
from tests.support.identities import check_identities, told
from tests.support.stream import everything, readings, sent


@pytest.mark.parametrize("version", ServerVersion)
@pytest.mark.parametrize("dialect", Dialect)
def test_everything_is_said_and_canonical(version: ServerVersion, dialect: Dialect) -> None:
    stream = sent(everything(version, dialect))
    said = Counter(name_of(message.routing_key) for message in stream)
    assert set(said) == set(names(version))
    for message in stream:
        if message.content_type != JSON_TYPE:
            assert decode(message.body).SerializeToString() == message.body


JSON_TYPES = {
    Shape.STRING: str, Shape.INTEGER: int, Shape.NUMBER: (int, float), Shape.BOOLEAN: bool,
    Shape.OBJECT: dict, Shape.TEXTS: dict, Shape.ARRAY: list, Shape.NULL: type(None),
    Shape.DIGITS: str, Shape.TRUTH: str, Shape.JSON: str, Shape.DISPLAY: str,
    Shape.SECONDS: str, Shape.TRIMMED: str, Shape.MICROS: str, Shape.MILLIS: int, Shape.KEY: str,
}  # fmt: skip


@pytest.mark.parametrize("version", ServerVersion)
@pytest.mark.parametrize("dialect", Dialect)
def test_fields_and_shapes_are_the_dialects(version: ServerVersion, dialect: Dialect) -> None:
    for name, fields in readings(sent(everything(version, dialect, count=2500))):
        if name not in NOTIFICATIONS:
            continue
        notification = NOTIFICATIONS[name]
        known = notification.written(dialect, version)
        message = {field.name: field for field in known.fields}
        document = {field.name: field for field in known.documents}
        groups = [(message, fields)] + [(document, doc) for doc in fields.get("docs", [])]
        for declared, given in groups:
            for key, value in given.items():
                if key not in declared:
                    stem = key.rpartition("_")[0]
                    key = next(it for it in declared if it.startswith(f"{stem}_<"))
                shapes = notification.shapes(declared[key], dialect)
                assert any(isinstance(value, JSON_TYPES[shape]) for shape in shapes), (name, key)
            if dialect is Dialect.DOCUMENTED and notification.section:
                assert {it.name for it in declared.values() if not it.optional} <= given.keys()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert sent(everything(seed=9, count=1500)) == sent(everything(seed=9, count=1500))
    assert sent(everything(seed=9, count=300)) != sent(everything(seed=10, count=300))


@pytest.mark.parametrize("seed", range(5))
def test_identities_hold_across_messages(seed: int) -> None:
    check_identities(sent(everything(seed=seed)))


TOLD_OTHERWISE = ("corner-cases", "hostile-input", "sensor-uploads")
"""What is drawn or struck at random, and raw events that wait in bundles for their hour."""


@pytest.mark.parametrize("name", [name for name in shipped() if name not in TOLD_OTHERWISE])
def test_identities_hold_in_every_shipped_scenario(name: str) -> None:
    stream = messages(load(name), FIXED_START)
    started, _, _ = told([message for _, message, _, _ in islice(stream, 6000)])
    assert started


@pytest.mark.parametrize(
    ("mix", "least"),
    [
        ('"watchlist.*": 1, "feed.*": 1, "alert.*": 1, "binaryinfo.*": 1', 50),
        ("ingress.event.netconn: 1, ingress.event.filemod: 1", 50),
        ("ingress.event.childproc: 1, ingress.event.filemod: 1", 100),
        ("ingress.event.procstart: 1, ingress.event.filemod: 1", 100),
        ("watchlist.hit.process: 1", 25),
    ],
)
def test_what_is_not_published_happens_all_the_same(mix: str, least: int) -> None:
    stream = sent(parse(f"phases: [{{count: 3000, rate: 500/s, mix: {{{mix}}}}}]"))
    processes, deeds = set(), 0
    for _, fields in readings(stream):
        for document in fields.get("docs", []):
            if "modload_count" in document:
                processes.add(document["unique_id"][:36])
                deeds += int(document["modload_count"]) + int(document["filemod_count"])
        if key := fields.get("process_id") or fields.get("process_guid"):
            processes.add(key)
        if pid := fields.get("header", {}).get("process_pid"):
            processes.add(f"{fields['env']['endpoint']['SensorId']} {pid}")
    assert len(processes) >= least
    assert deeds or "watchlist" not in mix


def test_presence_and_sizes_look_like_captured_traffic(shared: Path) -> None:
    facts = json.loads((shared / "wire" / "presence.json").read_text())["protobuf"]
    text = """
    server: {version: "4.2"}
    estate: {sensors: 20, os: {windows: 1, linux: 0, osx: 0}}
    phases: [{count: 20000, rate: 1000/s, mix: {"ingress.event.*": 1}}]
    """
    sizes: defaultdict[str, list[int]] = defaultdict(list)
    fields: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for message in sent(parse(text)):
        sizes[message.routing_key].append(len(message.body))
        fields[message.routing_key].update(set(paths(decode(message.body))))
    for name, seen in facts.items():
        drawn = len(sizes[name])
        if drawn < 100 or seen["captured"] < 50:
            continue
        assert 0.5 < median(sizes[name]) / seen["bytes"]["median"] < 1.8, name
        for path, often in seen["set_in"].items():
            assert fields[name][path] / drawn == pytest.approx(often, abs=0.2), (name, path)
    shares = {name: len(one) / 20000 for name, one in sizes.items()}
    captured = sum(seen["captured"] for name, seen in facts.items() if name in shares)
    for name, share in shares.items():
        assert share == pytest.approx(facts[name]["captured"] / captured, abs=0.02), name


def paths(message: Any, prefix: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        if field.message_type is None:
            yield prefix + field.name
        else:
            many = value if not hasattr(value, "ListFields") else [value]
            for one in many:
                yield from paths(one, f"{prefix}{field.name}.")


def test_bundles_hold_the_same_events_without_env() -> None:
    def scenario(raw: str) -> Scenario:
        return parse(f"""
        server: {{raw: {raw}, bundle: 50}}
        estate: {{sensors: 4}}
        phases: [{{count: 1000, rate: 100/s, mix: {{"ingress.event.*": 1}}}}]
        """)

    single = [decode(message.body) for message in sent(scenario("single"))]
    expected = defaultdict(list)
    for event in single:
        sensor = event.env.endpoint.SensorId
        event.ClearField("env")
        expected[sensor].append(event.SerializeToString())
    unpacked = defaultdict(list)
    for message in sent(scenario("bundles")):
        assert (message.exchange, message.routing_key) == (RAW_EXCHANGE, "")
        sensor = int(message.headers["sensorId"])
        for run in members(message.body):
            unpacked[sensor] += list(split(run))
    assert unpacked == expected


def notified(name: str, count: int = 1500, **server: str) -> Iterator[dict[str, Any]]:
    """Notifications of a name."""
    said = "".join(f", {key}: {value}" for key, value in server.items())
    scenario = parse(f"""
    server: {{latency: {{storage: 0.1, watchlist: 0.2, query: 0.2}}{said}}}
    estate: {{sensors: 12, os: {{windows: 3, linux: 1, osx: 1}}, spread: 2}}
    phases: [{{count: {count}, rate: 500/s, mix: {{"{name}": 1, "ingress.event.*": 0.5}}}}]
    """)
    for said_name, fields in readings(sent(scenario)):
        if said_name == name:
            yield fields


@pytest.mark.parametrize(
    ("name", "identity"), [("watchlist.hit.process", "unique_id"), ("watchlist.hit.binary", "md5")]
)
@pytest.mark.parametrize("dialect", Dialect)
def test_a_search_finds_several_documents(name: str, identity: str, dialect: Dialect) -> None:
    told: dict[int, set[str]] = defaultdict(set)
    lengths: Counter[int] = Counter()
    for fields in notified(name, dialect=dialect):
        first, *others = [document[identity] for document in fields["docs"]]
        assert len({first, *others}) == 1 + len(others)
        # The others were told of before, by the same watchlist.
        assert {*others} <= told[fields["watchlist_id"]]
        told[fields["watchlist_id"]].add(first)
        lengths[len(fields["docs"])] += 1
    total = sum(lengths.values())
    assert lengths[1] > total * 0.75
    assert sum(lengths[few] for few in range(2, 6)) > total * 0.05
    assert max(lengths) > 5


def test_a_watchlists_hits_say_where_its_query_matched() -> None:
    hits = [*notified("watchlist.hit.process")]
    marked = [hit for hit in hits if hit["highlights"]]
    assert len(hits) / 6 < len(marked) < len(hits) / 2
    for hit in marked:
        ids = [one for highlight in hit["highlights"] for one in highlight["ids"]]
        assert sorted(ids) == sorted(document["unique_id"] for document in hit["docs"])
        for highlight in hit["highlights"]:
            name = highlight["name"].removeprefix("PREPREPRE").removesuffix("POSTPOSTPOST")
            paths = {it["path"] for it in hit["docs"] if it["unique_id"] in highlight["ids"]}
            assert paths == {name}


def test_times_have_the_decimals_of_their_field() -> None:
    decimals: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)

    def note(name: str, fields: dict[str, Any]) -> None:
        for key, value in fields.items():
            if isinstance(value, str) and (time := re.fullmatch(r"[\dT:-]{19}(\.\d+)?Z", value)):
                key = re.sub("(watchlist|updated)_.*", r"\1", key)
                decimals[name, key][len(time[1] or ".") - 1] += 1
            elif key == "docs":
                for document in value:
                    note(name, document)

    for name, fields in readings(sent(everything(count=8000))):
        if name in NOTIFICATIONS:
            note(name, fields)
    whole = {key: {*counted} for key, counted in decimals.items()}
    assert whole["watchlist.hit.binary", "digsig_sign_time"] == {0}
    assert whole["watchlist.storage.hit.binary", "digsig_sign_time"] == {3}
    assert whole["watchlist.storage.hit.binary", "watchlist"] == {6}
    assert whole["watchlist.hit.process", "alliance_updated"] == {0, 3}
    assert whole["alert.watchlist.hit.query.binary", "created_time"] == {6}
    assert whole["feed.synchronized", "feed_update_time"] == {0}
    for key in ("last_seen", "timestamp", "server_added_timestamp"):
        counted = decimals["watchlist.hit.binary", key]
        assert 0.02 < 1 - counted[3] / counted.total() < 0.3
    assert decimals["watchlist.hit.process", "start"][2]


@pytest.mark.parametrize("version", [ServerVersion.V4_2, ServerVersion.V5_2])
def test_every_shape_that_servers_write_is_met(version: ServerVersion) -> None:
    """Of each field of the notifications with several shapes, each comes in one run."""
    met: set[tuple[str, str, Shape]] = set()
    wanted = set()
    stream = []
    for seed in range(3):
        stream += [*readings(sent(everything(version, seed=seed, count=8000)))]
    for name, notification in NOTIFICATIONS.items():
        if not notification.in_version(version) or not name.startswith("feed.storage"):
            continue
        form = notification.written(Dialect.OBSERVED, version)
        for fields, inside in ((form.fields, False), (form.documents, True)):
            said = [it for other, it in stream if other == name]
            if inside:
                said = [document for it in said for document in it["docs"]]
            for field in fields:
                shapes = notification.shapes(field, Dialect.OBSERVED)
                if len(shapes) == 1 or field.domain.kind is Kind.NUMBER:
                    continue
                wanted |= {(name, field.name, shape) for shape in shapes}
                stem = field.name.partition("<")[0]
                values = [
                    it[key]
                    for it in said
                    for key in it
                    if key == field.name or (field.is_family and key.startswith(stem))
                ]
                for shape in shapes:
                    if any(_is(value, shape) for value in values):
                        met.add((name, field.name, shape))
    assert wanted
    assert wanted == met


def _is(value: Any, shape: Shape) -> bool:
    if not isinstance(value, JSON_TYPES[shape]):
        return False
    match shape:
        case Shape.DISPLAY:
            return " " in value
        case Shape.SECONDS:
            return "." not in value
        case Shape.TEXTS:
            return any(isinstance(it, str) and it.isdigit() for it in value.values()) or not value
        case _:
            return True


def test_what_varies_on_real_servers_varies() -> None:
    scenario = parse("""
    server: {latency: {store: 0.1, storage: 0.05, watchlist: 0.1, query: 0.1}}
    estate: {sensors: 15, groups: 3, os: {windows: 5, linux: 1, osx: 1}, spread: 4}
    phases:
      - {count: 12000, rate: 200/s, mix: {"ingress.event.*": 5, "ingress.event.emetmitigation": 1,
         "ingress.event.processblock": 1, "feed.*": 3, "watchlist.*": 3, "binaryinfo.*": 3,
         "alert.*": 2}}
    """)
    values = defaultdict(set)
    known: defaultdict[str, set[str]] = defaultdict(set)
    found: set[str] = set()
    for name, fields in readings(sent(scenario)):
        documents = [it for it in fields.get("docs", []) if isinstance(it, dict)]
        for document in documents:
            for key in ("is_64bit", "emet_count", "processblock_count"):
                if key in document:
                    values[key].add(document[key])
        if name == "watchlist.storage.hit.binary":
            found.add(fields["md5"])
        elif name == "binaryinfo.host.observed":
            known[fields["md5"]].add(fields["hostname"])
            values["scores"] |= {*fields["scores"].values()}
            values["watchlists"].add(len(fields["watchlists"]))
            assert not fields["watchlists"] or fields["md5"] in found
        elif name == "alert.watchlist.hit.query.binary":
            others = fields["other_hostnames"]
            assert len(others) == int(fields["host_count"]) - 1
            assert {*others} <= known[fields["md5"]] - {fields["hostname"]}
            values["others"].add(len(others))
        elif name == "feed.ingress.hit.process":
            values["ioc_type"].add(fields["ioc_type"])
        elif name == "feed.storage.hit.process" and fields["ioc_type"] == "md5":
            assert fields["ioc_value"] == documents[0]["process_md5"]
        elif name.startswith("feed.query"):
            values["query"].add(fields["ioc_value"].startswith('{"index_type":'))
    assert values["is_64bit"] >= {True, False}
    assert len(values["emet_count"]) > 1
    assert len(values["processblock_count"]) > 1
    assert len(values["scores"]) > 2
    assert values["watchlists"] == {0, 1}
    assert {0, 1} < values["others"]
    assert values["ioc_type"] == {"ipv4", "dns", "md5"}
    assert values["query"] == {True, False}


def test_new_binaries_are_loaded_and_run_where_they_came_to() -> None:
    scenario = parse("""
    estate: {sensors: 12, os: {windows: 2, linux: 1, osx: 1}}
    phases: [{count: 12000, rate: 500/s, mix: {"ingress.event.*": 1, "binaryinfo.*": 0.1}}]
    """)
    met: set[tuple[int, str]] = set()
    announced: set[str] = set()
    used: defaultdict[str, set[str]] = defaultdict(set)
    for message in sent(scenario):
        if message.content_type == JSON_TYPE:
            announced.add(json.loads(message.body)["md5"])
            continue
        event = decode(message.body)
        sensor = event.env.endpoint.SensorId
        if event.HasField("module"):
            met.add((sensor, event.module.md5.decode()))
        for kind, md5 in (("load", event.modload.md5hash), ("run", event.process.md5hash)):
            if (sensor, md5.hex().upper()) in met:
                used[kind].add(md5.hex().upper())
    assert len(used["load"]) > 3
    assert used["run"]
    assert (used["load"] | used["run"]) & announced


def raw_events(
    os: str, mix: str = '"ingress.event.*": 1', version: str = "5.2", count: int = 3000
) -> Iterator[tuple[str, CbEventMsg]]:
    """What an estate of one operating system tells of."""
    scenario = parse(f"""
    server: {{version: {version}}}
    estate: {{sensors: 8, os: {{windows: 0, linux: 0, osx: 0, {os}: 1}}}}
    phases: [{{count: {count}, rate: 500/s, mix: {{{mix}}}}}]
    """)
    for message in sent(scenario):
        if message.content_type != JSON_TYPE:
            yield name_of(message.routing_key), decode(message.body)


@pytest.mark.parametrize("version", ["5.2", "7.x"])
def test_a_service_listens_at_its_own_port(version: str) -> None:
    calls = []
    for _, event in raw_events("windows", '"ingress.event.netconn": 1', version):
        if event.HasField("networkv2"):
            it = event.networkv2
        elif event.HasField("network"):
            it = event.network
        else:
            continue
        calls.append((it.outbound, swap_port(it.remotePort), swap_port(it.localPort)))
    assert len({outbound for outbound, _, _ in calls}) == 2
    for outbound, remote, local in calls:
        service, ephemeral = (remote, local) if outbound else (local, remote)
        assert service < 49152 <= ephemeral


@pytest.mark.parametrize("os", ["linux", "osx"])
def test_endpoints_without_windows_tell_nothing_of_windows(os: str) -> None:
    names = set()
    for name, event in raw_events(os, version="7.x"):
        names.add(name)
        assert not event.module.HasField("ImageFileHeader")
        assert "Microsoft" not in event.module.utf8_DigSig_IssuerName
    assert "ingress.event.module" in names
    assert not names & {"ingress.event.crossprocopen", "ingress.event.filelessscriptload"}


def test_modules_of_windows_have_a_header_that_says_how_wide_they_are() -> None:
    machines = Counter(
        event.module.ImageFileHeader[:2]
        for name, event in raw_events("windows", '"ingress.event.module": 1')
    )
    assert machines.keys() == {b"\x64\x86", b"\x4c\x01"}


def test_processes_open_others_than_their_parents() -> None:
    started: dict[tuple[int, int, int], tuple[int, int]] = {}
    ended, others = set(), 0
    for name, event in raw_events("windows", count=20_000):
        header, sensor = event.header, event.env.endpoint.SensorId
        own = sensor, header.process_pid, header.process_create_time
        if name == "ingress.event.procstart":
            started[own] = event.process.parent_pid, event.process.parent_create_time
        elif name == "ingress.event.procend":
            ended.add(own)
        elif name in ("ingress.event.crossprocopen", "ingress.event.remotethread"):
            opened, thread = event.crossproc.open, event.crossproc.remotethread
            target = (
                (opened.targetPid, opened.targetProcCreateTime)
                if name == "ingress.event.crossprocopen"
                else (thread.remoteProcPid, thread.remoteProcCreateTime)
            )
            assert target != own[1:]
            if target != started.get(own):
                assert (sensor, *target) in started.keys() - ended
                others += 1
    assert others > 100


@pytest.mark.parametrize("os", ["windows", "linux", "osx"])
def test_ransomware_is_a_program_of_its_endpoint_that_was_announced(os: str) -> None:
    scenario = parse(f"""
    estate: {{sensors: 10, os: {{windows: 0, linux: 0, osx: 0, {os}: 1}}}}
    phases:
      - {{count: 400, rate: 100/s, mix: {{"ingress.event.*": 1, "binaryinfo.*": 1}},
         inject: [{{at: 1s, ransomware: {{sensor: 4, files: 50}}}}]}}
    """)
    stream = sent(scenario)[95:170]
    events = [(name_of(it.routing_key), decode(it.body)) for it in stream
              if it.content_type != JSON_TYPE]  # fmt: skip
    met = {
        event.module.utf8_OnDiskFilename: event.module.md5.decode().lower()
        for name, event in events if name == "ingress.event.module"
    }  # fmt: skip
    ((path, md5),) = [
        (event.childproc.path, event.childproc.md5hash.hex()) for name, event in events
        if name == "ingress.event.childproc" and event.childproc.path in met
    ]  # fmt: skip
    assert met[path] == md5
    assert path.startswith({"windows": "c:\\", "linux": "/tmp/", "osx": "/private/tmp/"}[os])
    assert not path.endswith((".dll", ".so", ".dylib"))
    assert path.endswith(".exe") == (os == "windows")
    told = [json.loads(it.body)["md5"] for it in stream if it.routing_key == "binaryinfo.observed"]
    assert md5.upper() in told


def test_ransomware_runs_on_one_endpoint() -> None:
    scenario = parse("""
    estate: {sensors: 10, os: {windows: 1, linux: 0, osx: 0}}
    phases:
      - {count: 600, rate: 100/s, mix: {"ingress.event.*": 1, "feed.*": 0.1},
         inject: [{at: 1s, ransomware: {sensor: 4, files: 200}}]}
    """)
    filemods = Counter(
        fields["env"]["endpoint"]["SensorId"]
        for name, fields in readings(sent(scenario)[100:310])
        if name == "ingress.event.filemod"
    )
    assert filemods[4] >= 200


def test_an_injected_hit_comes_at_its_moment() -> None:
    scenario = parse("""
    estate: {sensors: 10}
    phases:
      - {count: 900, rate: 100/s, mix: {"ingress.event.*": 1, feed.ingress.hit.process: 0.001},
         inject: [{at: 5s, hit: {sensor: 3, report: tor}}]}
    """)
    hits = [
        number
        for number, (name, fields) in enumerate(readings(sent(scenario)))
        if name == "feed.ingress.hit.process"
        and fields["sensor_id"] == 3
        and fields["feed_name"] == "tor"
    ]
    # Where the sensor has no process, one starts first.
    assert set(hits) & set(range(500, 505))


@pytest.mark.parametrize("spread", [1.1, 3.0])
def test_binaries_come_to_as_many_endpoints_as_asked(spread: float) -> None:
    estate = Estate(EstateSize(sensors=400, spread=spread, os=OsMix(windows=1, linux=0, osx=0)), 1)
    arrivals = Arrivals(estate, Random(1))
    new = 0
    for _ in range(20_000):
        arrival = arrivals.next()
        if arrival.first:
            new += 1
            arrival.told()
    assert 20_000 / new == pytest.approx(spread, rel=0.05)
