"""What the strategies draw: valid, consistent, the whole domain, and small when it shrinks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

from cbsim import strategies as cb
from cbsim.catalog import (
    DIGSIG_RESULTS,
    NOTIFICATIONS,
    RAW_EVENTS,
    Dialect,
    ServerVersion,
    Shape,
    lookup,
    name_of,
    names,
)
from cbsim.checks import broken, decode, iter_errors
from cbsim.errors import StrategyError
from cbsim.strategies import source
from cbsim.wire.clock import from_filetime
from cbsim.wire.event import as_dict
from cbsim.wire.identity import parse_process_key, parse_unique_id
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE, Message

T = TypeVar("T")
TYPES = {
    Shape.STRING: str, Shape.DIGITS: str, Shape.TRUTH: str, Shape.DISPLAY: str,
    Shape.INTEGER: int, Shape.BOOLEAN: bool, Shape.NUMBER: float, Shape.ARRAY: list,
}  # fmt: skip


def corpus(strategy: SearchStrategy[T], count: int = 200) -> list[T]:
    """What a strategy draws, the same every time."""
    drawn: list[T] = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(strategy)
    def collect(value: T) -> None:
        drawn.append(value)

    collect()
    return drawn


def of(name: str) -> Callable[..., SearchStrategy[dict[str, Any]]]:
    made: Callable[..., SearchStrategy[dict[str, Any]]] = getattr(cb, name.replace(".", "_"))
    return made


def wrong(message: object, name: str, dialect: str = "observed") -> list[object]:
    problems = [*iter_errors(message, name, dialect)]
    return problems + [problem for problem in broken(message, name) if not problem.warning]


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("name", NOTIFICATIONS)
@settings(max_examples=12)
@given(data=st.data())
def test_notifications_are_valid(name: str, dialect: Dialect, data: st.DataObject) -> None:
    able = [version for version in ServerVersion if lookup(name).in_version(version)]
    message = data.draw(of(name)(server=data.draw(st.sampled_from(able)), dialect=dialect.value))
    assert wrong(message, name, dialect) == []
    assert json.loads(json.dumps(message)) == message


@pytest.mark.parametrize("name", RAW_EVENTS)
@settings(max_examples=20)
@given(data=st.data())
def test_raw_events_are_valid(name: str, data: st.DataObject) -> None:
    able = [version for version in ServerVersion if lookup(name).in_version(version)]
    event = data.draw(cb.raw_event(name, server=data.draw(st.sampled_from(able))))
    assert wrong(as_dict(event), name) == []


@pytest.mark.parametrize("name", NOTIFICATIONS)
@settings(max_examples=10)
@given(data=st.data())
def test_a_mixture_has_the_shapes_of_both_dialects(name: str, data: st.DataObject) -> None:
    message = data.draw(of(name)(dialect="mixed"))
    # The observed schema takes the documented shapes too; only what it requires may be missing.
    rules = {problem.rule for problem in iter_errors(message, name, "observed")}
    assert rules <= {"required"}
    assert [it for it in broken(message, name) if not it.warning] == []


def kinds(name: str, dialect: str, count: int) -> dict[str, Counter[type]]:
    """Of each field of the documents, how often it came as what type."""
    seen: dict[str, Counter[type]] = defaultdict(Counter)
    for hit in corpus(of(name)(dialect=dialect, docs=1), count):
        for field, value in hit["docs"][0].items():
            seen[field][type(value)] += 1
    return seen


def test_a_mixture_has_what_other_hits_have() -> None:
    """As the README says: real servers send 1 and "1"."""
    found = kinds("watchlist.hit.process", "mixed", 300)["netconn_count"]
    assert {*found} == {int, str}
    assert min(found.values()) > 75
    assert {*kinds("watchlist.hit.process", "observed", 100)["netconn_count"]} == {int}


@pytest.mark.parametrize("name", [one.name for one in NOTIFICATIONS.values() if one.document])
def test_a_mixture_has_every_shape_that_such_documents_have(name: str) -> None:
    alike = [one for one in NOTIFICATIONS.values() if one.document == lookup(name).document]
    wanted: dict[str, set[type]] = defaultdict(set)
    for notification in alike:
        for field in notification.documents:
            for shape in (*field.observed, field.documented):
                if shape in TYPES:
                    wanted[field.name].add(TYPES[shape])
    seen = kinds(name, "mixed", 250)
    for field in NOTIFICATIONS[name].documents:
        if not field.is_family and ServerVersion.V5_2.includes(field.since):
            assert wanted[field.name] <= {*seen[field.name]}, field.name


@settings(max_examples=80)
@given(cb.message())
def test_messages_are_delivered_as_declared(message: Message) -> None:
    assert message.exchange == EVENTS_EXCHANGE
    name = name_of(message.routing_key)
    assert message.content_type == lookup(name).content_type
    [reading] = decode(message.body, message.routing_key, message.content_type)
    assert wrong(reading.fields, name) == []


@settings(max_examples=50)
@given(cb.message("*.hit.*", server="5.2", docs=(1, 2)))
def test_keys_of_feeds_hits_hold_the_feeds_id(message: Message) -> None:
    fields = json.loads(message.body)
    kind, _, rest = message.routing_key.partition(".")
    if kind == "feed":
        assert rest.startswith(f"{fields['feed_id']}.")
    else:
        assert message.routing_key in NOTIFICATIONS


@settings(max_examples=40)
@given(cb.bundle(hostname="WIN8-TEST", sensor_id=3))
def test_bundles_unpack(message: Message) -> None:
    assert (message.exchange, message.routing_key) == (RAW_EXCHANGE, "")
    assert message.headers["sensorId"] == 3
    for reading in decode(message.body, "", message.content_type, message.headers):
        env: Any = reading.fields["env"]
        assert env["endpoint"]["SensorHostName"] == "WIN8-TEST"


@settings(max_examples=40)
@given(cb.bundle("filemod", events=3, zipped=False))
def test_bundles_hold_what_was_asked_for(message: Message) -> None:
    readings = decode(message.body, "", message.content_type, message.headers)
    assert ["filemod" in reading.fields for reading in readings] == [True] * 3


@pytest.mark.parametrize("name", ["watchlist.hit.process", "feed.storage.hit.binary"])
def test_every_field_is_there_and_not(name: str) -> None:
    known = NOTIFICATIONS[name].written(Dialect.OBSERVED, ServerVersion.V5_2)
    drawn = corpus(of(name)(docs=(1, 2)), 120)
    groups = ((drawn, known.fields), ([one["docs"][0] for one in drawn], known.documents))
    for messages, fields in groups:
        for field in fields:
            head = field.name.partition("<")[0]
            present = [
                [one for key, one in it.items() if key == field.name or (
                    field.is_family and key.startswith(head))] for it in messages
            ]  # fmt: skip
            assert any(present), field.name
            assert field.required or not all(present), field.name
            texts = {"digits", "display", "seconds", "trimmed", "micros"}
            kinds = {type(one) for values in present for one in values}
            shapes = {"digits" if it in ("texts",) else it for it in field.observed}
            assert len(kinds) >= len({*map(str, shapes)} - texts), field.name


def texts(message: dict[str, Any]) -> list[str]:
    parts = (message, *message.get("docs", ()))
    return [one for part in parts for one in part.values() if isinstance(one, str)]


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize(
    "corner",
    [
        lambda hit: len(hit["docs"]) == 1,
        lambda hit: len(hit["docs"]) == 3,
        lambda hit: len(hit["docs"]) == 25,
        lambda hit: any(len(text) == 20_000 for text in texts(hit)),
        lambda hit: "" in texts(hit),
        lambda hit: any(not text.isascii() for text in texts(hit)),
        lambda hit: hit["watchlist_id"] == 0,
        lambda hit: hit["watchlist_id"] == 2**31 - 1,
        lambda hit: any(it["host_type"] == "domain_controller" for it in hit["docs"]),
    ],
    ids=["a document", "documents", "many", "huge text", "empty text", "non-ASCII", "zero", "int32",
         "last choice"],
)  # fmt: skip
def test_the_corners_are_drawn(corner: Callable[[dict[str, Any]], bool]) -> None:
    quickly = settings(max_examples=2000, database=None, phases=[Phase.generate])
    assert corner(find(cb.watchlist_hit_process(), corner, settings=quickly))


@settings(max_examples=50)
@given(cb.notification(dialect="mixed"))
def test_texts_are_free_of_surrogates(message: dict[str, Any]) -> None:
    for text in texts(message):
        text.encode()


@pytest.mark.parametrize("result", DIGSIG_RESULTS)
def test_every_signature_is_drawn(result: str) -> None:
    assert find(cb.digital_signature(), lambda it: it["digsig_result"] == result)


@pytest.mark.parametrize(
    "seen",
    [
        lambda event: event.HasField("network"),
        lambda event: event.HasField("networkv2"),
        lambda event: event.networkv2.HasField("ja3"),
        lambda event: event.HasField("networkv2") and not event.networkv2.HasField("ja3"),
        lambda event: not event.header.HasField("process_path"),
        lambda event: event.networkv2.remoteIpAddress.HasField("ipv6Low"),
    ],
)
def test_raw_fields_are_there_and_not(seen: Callable[[Any], bool]) -> None:
    quickly = settings(max_examples=1000, database=None, phases=[Phase.generate])
    assert seen(find(cb.raw_event("netconn", server="7.x"), seen, settings=quickly))


# A person must be able to read what a failure shrinks to.


def shrunk(strategy: SearchStrategy[Any], fails: Callable[[Any], bool]) -> Any:
    """The smallest that fails, looked for in the same places each time: few are dead ends."""
    return find(strategy, fails, settings=settings(database=None), random=Random(1))


def test_a_number_as_a_string_shrinks_to_one_document() -> None:
    def fails(hit: dict[str, Any]) -> bool:
        return any(isinstance(one["netconn_count"], str) for one in hit["docs"])

    smallest = shrunk(cb.feed_storage_hit_process(dialect="mixed"), fails)
    [document] = smallest["docs"]
    assert document["netconn_count"] == "0"
    assert document["process_name"] == "explorer.exe"
    required = {one.name for one in NOTIFICATIONS["feed.storage.hit.process"].documents
                if one.documented is not None and not one.optional and one.required}  # fmt: skip
    assert {*document} == required
    assert all(smallest[one] in (0, 1262304000.0) for one in ("sensor_id", "event_timestamp"))


def test_thirty_zeros_shrink_to_one_document() -> None:
    zeros = "0" * 30
    smallest = shrunk(
        cb.watchlist_hit_process(), lambda hit: any(it["parent_md5"] == zeros for it in hit["docs"])
    )
    [document] = smallest["docs"]
    assert document["parent_md5"] == zeros
    assert document["process_md5"] == "a3ccfd0aa0b17fd23aa9fd0d84b86c05"
    assert "alliance_score_tor" not in document
    assert "highlights" not in smallest


def test_an_integer_timestamp_shrinks_to_one_message() -> None:
    smallest = shrunk(
        cb.binaryinfo_observed(), lambda it: isinstance(it["event_timestamp"], int)
    )  # fmt: skip
    assert smallest == {
        "md5": "A3CCFD0AA0B17FD23AA9FD0D84B86C05",
        "event_timestamp": 1262304000,
        "scores": {},
    }


def test_a_raw_event_shrinks_to_its_fields() -> None:
    smallest = shrunk(cb.raw_event("filemod"), lambda event: event.filemod.action == 4)
    assert smallest.header.process_path == "c:\\windows\\system32\\explorer.exe"
    assert not smallest.filemod.HasField("md5hash")


# Constraints.


@settings(max_examples=40)
@given(cb.feed_storage_hit_process(sensor_id=7, docs=2, ioc_type="ipv4", feed_id=24))
def test_arguments_constrain(hit: dict[str, Any]) -> None:
    assert hit["sensor_id"] == 7
    assert parse_process_key(hit["process_id"]).sensor_id == 7
    assert [parse_unique_id(one["unique_id"])[0].sensor_id for one in hit["docs"]] == [7, 7]
    assert (hit["ioc_type"], hit["feed_id"]) == ("ipv4", 24)


@settings(max_examples=40)
@given(cb.watchlist_hit_binary(md5="ab" * 16, hostname=st.sampled_from(["A", "B"]), docs=(1, 2)))
def test_arguments_may_be_strategies(hit: dict[str, Any]) -> None:
    for document in hit["docs"]:
        assert document["md5"] == "AB" * 16
        if document["endpoint"]:
            assert document["endpoint"][0][0] in "AB"


@settings(max_examples=40)
@given(cb.raw_event("netconn", sensor_id=3, hostname="WIN8-TEST", sparse=False))
def test_raw_arguments_constrain(event: Any) -> None:
    assert event.env.endpoint.SensorId == 3
    assert event.env.endpoint.SensorHostName == "WIN8-TEST"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cb.watchlist_hit_process(server="5.3"), "expected one of 4.2, 5.2, 6.x, 7.x"),
        (lambda: cb.watchlist_hit_process(dialect="observd"), "did you mean 'observed'"),  # type: ignore[arg-type]
        (lambda: cb.watchlist_hit_process(sensor_id=-1), "sensor_id=-1: expected a whole number"),
        (lambda: cb.watchlist_hit_process(docs=(3, 1)), r"docs=\(3, 1\): expected how many"),
        (lambda: cb.watchlist_hit_process(docs=-1), "docs=-1: expected a whole number from 0 to"),
        (lambda: cb.message("feed.*", docs=(-1, 2)), "docs=-1: expected a whole number from 0 to"),
        (lambda: cb.feed_ingress_hit_host(server="4.2"), "not sent by that version: expected 5.2"),
        (lambda: cb.feed_ingress_hit_process(ioc_type="ip"), "md5, dns or ipv4"),  # type: ignore[arg-type]
        (lambda: cb.feed_ingress_hit_binary(md5="beef"), "expected 32 hex digits"),
        (lambda: cb.feed_ingress_hit_binary(hostname="a|b"), "without a bar"),
        (lambda: cb.raw_event("filmod"), "did you mean 'ingress.event.filemod'"),
        (lambda: cb.raw_event("process", server="6.x"), "not sent by that version: expected 4.2"),
        (lambda: cb.notification("hit.process"), "did you mean 'watchlist.hit.process'"),
        (lambda: cb.notification("alert.*", server="4.2"), "matches nothing that a 4.2 server"),
        (lambda: cb.message("watchlist.hit.proces"), "did you mean 'watchlist.hit.process'"),
        (lambda: cb.bundle(events=-1), "events=-1: expected a whole number"),
        (lambda: cb.process_document("binarystore.file.added"), "expected one of watchlist.hit"),
        (lambda: cb.process_guid(pid=-1), "pid=-1"),
        (lambda: cb.md5("Upper"), "expected upper, lower or raw"),  # type: ignore[call-overload]
        (lambda: cb.ioc("sha256"), "expected md5, dns, ipv4 or query"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_argument_fails_at_the_call(call: Callable[[], object], said: str) -> None:
    with pytest.raises(StrategyError, match=said):
        call()


def test_a_bad_value_of_a_given_strategy_is_named() -> None:
    with pytest.raises(StrategyError, match="sensor_id=-5"):
        find(cb.watchlist_hit_process(sensor_id=st.just(-5), docs=1), lambda _: True)


# Families.


@pytest.mark.parametrize(
    ("strategy", "pattern"),
    [
        (cb.md5(), "^[0-9A-F]{32}$"),
        (cb.md5("lower"), "^[0-9a-f]{32}$"),
        (cb.parent_md5(), "^([0-9a-f]{32}|0{30})$"),
        (cb.ioc("ipv4"), r"^\d+\.\d+\.\d+\.\d+$"),
        (cb.ioc("dns"), r"^[a-z0-9.-]+\.[a-z]+$"),
        (cb.ioc("md5"), "^[0-9a-f]{32}$"),
        (cb.ioc("query"), "^q="),
        (cb.windows_path(), r"^([a-z]:)?\\"),
        (cb.posix_path(), "^/"),
        (cb.registry_path(), r"^\\registry\\"),
        (cb.hostname(), r"^[^|]*$"),
        (cb.command_line(), ""),
        (cb.unique_id(digits=12), "^[0-9a-f-]{36}-[0-9a-f]{12}$"),
    ],
)
@settings(max_examples=20)
@given(data=st.data())
def test_families(strategy: SearchStrategy[str], pattern: str, data: st.DataObject) -> None:
    text = data.draw(strategy)
    assert re.search(pattern, text)
    text.encode()


@given(cb.filetime(), cb.sensor_id(), cb.md5("raw"), cb.digital_signature())
def test_families_that_are_no_text(
    ticks: int, sensor: int, digest: bytes, signature: dict[str, Any]
) -> None:
    assert 2010 <= from_filetime(ticks).year <= 2023
    assert 0 <= sensor < 2**31
    assert len(digest) == 16
    assert (signature["digsig_result_code"] == "0") == (signature["digsig_result"] == "Signed")


@settings(max_examples=30)
@given(cb.process_document(), cb.binary_document("feed.storage.hit.binary", dialect="documented"))
def test_documents_by_themselves(process: dict[str, Any], binary: dict[str, Any]) -> None:
    assert process["unique_id"].startswith(process["id"])
    assert isinstance(binary["is_64bit"], bool)


# The whole.


def test_notifications_py_is_fresh() -> None:
    assert source.PATH.read_text(encoding="utf-8") == source.source(), (
        "run `python -m cbsim.strategies.source`"
    )


def test_there_is_one_for_everything_the_server_can_say() -> None:
    assert {name.replace(".", "_") for name in NOTIFICATIONS} <= {*cb.__all__}
    assert all(hasattr(cb, name) for name in cb.__all__)
    for version in ServerVersion:
        raw = {name for name in names(version) if name in RAW_EVENTS}
        assert all(repr(cb.raw_event(name, server=version)) for name in raw)


def test_the_same_seed_draws_the_same() -> None:
    strategy = cb.message(server="6.x")
    assert corpus(strategy, 40) == corpus(strategy, 40)


# Stories.


def told(messages: tuple[Message, ...]) -> list[tuple[str, Any]]:
    readings = []
    for message in messages:
        [reading] = decode(message.body, message.routing_key, message.content_type)
        readings.append((name_of(message.routing_key), reading.fields))
    return readings


@settings(max_examples=30)
@given(cb.sequence(server="6.x"))
def test_sequences_are_consistent(messages: tuple[Message, ...]) -> None:
    started: set[str] = set()
    ended: set[str] = set()
    binaries: dict[str, set[object]] = {}
    hits: set[tuple[object, object]] = set()
    clock = 0
    for name, it in told(messages):
        assert wrong(it, name) == [], name
        if "header" in it:
            now = int(it["header"]["timestamp"]) // 10**7 - 11_644_473_600
        else:
            now = it.get("event_timestamp", it.get("timestamp"))
        assert now >= clock
        clock = max(now, clock)
        if name.endswith("procstart"):
            started.add(it["header"]["process_create_time"])
        elif name.endswith("procend"):
            ended.add(it["header"]["process_create_time"])
        elif name.startswith("ingress.event.") and not name.endswith("childproc"):
            assert it["header"]["process_create_time"] in started - ended
        elif name in ("feed.ingress.hit.process", "feed.storage.hit.process"):
            key = it.get("process_id") or it["process_guid"]
            assert str(parse_process_key(key).create_time) in started
            if "storage" in name:
                assert (key, it["ioc_value"]) in hits
            hits.add((key, it["ioc_value"]))
        elif name == "binaryinfo.observed":
            assert it["md5"] not in binaries
            binaries[it["md5"]] = set()
        elif name in ("binaryinfo.host.observed", "binaryinfo.group.observed"):
            seen = it.get("sensor_id", it.get("group"))
            assert seen not in binaries[it["md5"]]
            binaries[it["md5"]].add(seen)
        elif not name.endswith("childproc"):
            assert it["md5"] in binaries


def test_sequences_tell_every_story() -> None:
    drawn = corpus(cb.sequence(steps=(8, 20)), 100)
    names_told = {name_of(message.routing_key) for told in drawn for message in told}
    assert names_told >= {
        "ingress.event.procstart", "ingress.event.procend", "ingress.event.childproc",
        "feed.ingress.hit.process", "feed.storage.hit.process", "binarystore.file.added",
        "binaryinfo.observed", "binaryinfo.host.observed", "binaryinfo.group.observed",
        "feed.storage.hit.binary",
    }  # fmt: skip


def test_a_stateful_bug_shrinks_to_a_short_story() -> None:
    class Forgetful(cb.ConsumerMachine):
        """Believes that a process that ended was never seen twice."""

        def receive(self, message: Message) -> None:
            self.ends = getattr(self, "ends", 0) + message.routing_key.endswith("procend")
            assert self.ends < 2

        def receive_again(self, message: Message) -> None:
            pass

    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(
            Forgetful,
            settings=settings(max_examples=1000, stateful_step_count=8, derandomize=True,
                              phases=[Phase.generate, Phase.shrink]),
        )  # fmt: skip
    story = "".join(caught.value.__notes__)
    assert story.count("state.process_starts(") == 2
    assert story.count("state.process_ends(") == 2
    assert "state.process_acts(" not in story


def test_a_machine_needs_a_consumer() -> None:
    with pytest.raises(NotImplementedError, match=r"receive\(self, message\)"):
        run_state_machine_as_test(
            cb.ConsumerMachine, settings=settings(max_examples=3, phases=[Phase.generate])
        )


def test_type_checkers_see_precise_types() -> None:
    from mypy import api

    # Strict, so that an error that a `type: ignore` expects must be there.
    said, _, status = api.run(["--strict", str(Path(__file__).with_name("typed_strategies.py"))])
    assert status == 0, said


def test_the_first_run_on_a_machine_passes_the_health_checks(tmp_path: Path) -> None:
    # Hypothesis builds its tables of Unicode once, and that takes seconds.
    code = (
        "from hypothesis import given, settings\n"
        "from cbsim.strategies import sequence, watchlist_hit_binary\n"
        "@settings(max_examples=15, database=None)\n"
        "@given(watchlist_hit_binary(), sequence())\n"
        "def test(hit, story): pass\n"
        "test()"
    )
    fresh = os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=fresh)


def test_without_hypothesis_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; import cbsim.strategies"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert "cbsim.strategies needs Hypothesis: pip install 'cbsim[test]'" in done.stderr
