"""`cbsim learn`: a server is known by what it said, and nobody it spoke of is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from cbsim.bus.recording import timed
from cbsim.bus.sink import as_line
from cbsim.catalog import NOTIFICATIONS, ServerVersion, Shape, name_of
from cbsim.errors import InputError
from cbsim.profile import Learner, Profile
from cbsim.profile.learner import Learned
from cbsim.scenario.loader import parse
from cbsim.wire.message import EVENTS_EXCHANGE, JSON_TYPE, Message
from cbsim.wire.reading import read
from cbsim.world.estate import Estate
from tests.support.command import piped
from tests.support.stream import everything, sent

NAME = "binaryinfo.observed"


def learned(messages: Iterable[Message]) -> Learned:
    learner = Learner()
    for message in messages:
        learner.take(message)
    return learner.learned()


@cache
def run(version: str) -> tuple[Message, ...]:
    return tuple(sent(everything(version, count=6000)))


@cache
def profile_of(version: str) -> Profile:
    return learned(run(version)).profile


def message(name: str, fields: object, exchange: str = EVENTS_EXCHANGE) -> Message:
    return Message(exchange, name, JSON_TYPE, orjson.dumps(fields))


@pytest.mark.parametrize("version", ServerVersion)
def test_what_a_run_was_told_to_do_is_learned(version: ServerVersion) -> None:
    profile = profile_of(version)
    assert (profile.version, profile.cb_version) == (version, version.cb_version)
    assert (profile.feed_ids, profile.watchlist_ids) == (version.feed_id_in_key, False)
    assert profile.raw == "single"
    names = Counter(name_of(message.routing_key) for message in run(version))
    assert profile.mix == {
        name: pytest.approx(count / 6000, abs=1e-6) for name, count in names.items()
    }
    assert profile.seconds == 12
    assert profile.minutes == (6000,)
    estate = profile.estate
    assert (estate.sensors, estate.groups) == (15, 3)
    scenario = everything(version)
    systems = Counter(it.os for it in Estate(scenario.estate, scenario.seed).sensors)
    assert estate.os is not None
    for name, share in estate.os.model_dump().items():
        assert share == pytest.approx(systems[name] / 15, abs=0.001)
    assert estate.spread is not None
    assert estate.spread > 1.5


@pytest.mark.parametrize("version", ServerVersion)
def test_fields_and_their_shapes_are_those_that_the_catalog_declares(
    version: ServerVersion,
) -> None:
    for name, use in profile_of(version).notifications.items():
        entry = NOTIFICATIONS[name]
        for declared, uses in ((entry.fields, use.fields), (entry.documents, use.documents)):
            known = {field.name: field.in_version(version) for field in declared}
            assert uses.keys() <= known.keys()
            for field_name, shares in uses.items():
                field = known[field_name]
                # A moment of a whole second is a whole number.
                whole = {Shape.INTEGER} if Shape.NUMBER in field.observed else set()
                assert {*shares} <= {*field.observed} | whole, (name, field_name)
                share = sum(shares.values())
                assert share == pytest.approx(1, abs=0.001) if field.required else 0 < share < 1.001
        assert not use.lengths
        assert bool(use.docs) == bool(entry.document)


def test_a_profile_is_its_file_again(tmp_path: Path) -> None:
    for profile in map(profile_of, ServerVersion):
        path = tmp_path / "profile.yaml"
        path.write_text(profile.text())
        assert Profile.load(path) == profile


def test_bundles_are_measured_and_their_events_counted_once() -> None:
    text = """
    server: {{raw: {raw}}}
    estate: {{sensors: 5}}
    phases: [{{count: 3000, rate: 200/s, mix: {{"*": 1}}}}]
    """
    mixes = []
    for raw in ("single", "bundles", "both"):
        stream = sent(parse(text.format(raw=raw)))
        profile = learned(stream).profile
        assert profile.raw == raw
        assert sum(profile.minutes) == 3000
        mixes.append(profile.mix)
        sizes = sorted(len([*read(it)]) for it in stream if not it.routing_key)
        assert bool(sizes) == (raw != "single")
        if sizes:
            assert profile.bundles is not None
            assert (profile.bundles.events[0], profile.bundles.events[-1]) == (sizes[0], sizes[-1])
            assert len(profile.bundles.events) == 11
            assert profile.bundles.zipped == 1
    assert mixes[0] == mixes[1] == mixes[2]


def naming(value: Any, within: str = "") -> Iterator[str]:
    """What names somebody or something: every text of a message, its own words aside."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from naming(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from naming(inner, within)
    elif isinstance(value, str) and within not in ("cb_version", "type", "alert_type"):
        yield value


WORDS = {*map(str, Shape), *NOTIFICATIONS, "windows", "linux", "osx", "process", "binary", "query",
         "version", "false", "true", "md5"}  # fmt: skip


def assert_names_nothing(text: str, texts: Iterable[str]) -> None:
    said = set(re.findall(r"[^\s{}\[\],:]+", text)) - WORDS
    named = said & {text for text in texts if not re.fullmatch(r"[\d.]*", text)}
    assert not named
    for text_of_theirs in texts:
        if len(text_of_theirs) > 12 and text_of_theirs not in WORDS:
            assert text_of_theirs not in text


def test_nothing_that_a_recording_names_is_in_its_profile(shared: Path) -> None:
    captures = [it.message for it in timed(shared / "captures")]
    for messages in (captures, run("7.x")):
        texts = {text for it in messages for reading in read(it) for text in naming(reading.fields)}
        assert len(texts) > 500
        assert_names_nothing(learned(messages).profile.text(), texts)


def test_a_field_of_ones_own_is_learned_unless_it_may_name_something() -> None:
    fields = {"md5": "A" * 32, "scores": {}, "event_timestamp": 1407362104.19}
    hosts = [f"desk{number}" for number in range(30)]
    messages = [
        message(NAME, fields | {"origin": "sensors", "cluster_id": 7, "desk3": 1, host: 1})
        for host in hosts
    ]
    messages += [message("binaryinfo.host.observed", {"hostname": host}) for host in hosts]
    found = learned(messages)
    use = found.profile.notifications[NAME]
    assert use.fields["origin"] == {Shape.STRING: 1.0}
    assert use.fields["cluster_id"] == {Shape.INTEGER: 1.0}
    assert use.lengths == {"origin": len("sensors")}
    assert "desk" not in found.profile.text()
    assert found.left_out == ("30 fields that nobody knows may name something",)


def test_what_is_missing_is_known_to_be(shared: Path) -> None:
    messages = [
        message(NAME, {"md5": "A" * 32, "event_timestamp": 1407362104 + number % 2 / 2})
        for number in range(10)
    ]
    use = learned(messages).profile.notifications[NAME]
    assert use.fields == {"md5": {"string": 1.0}, "event_timestamp": {"number": 1.0}}


def test_what_is_no_servers_speech_is_left_out(shared: Path) -> None:
    stream = [
        *run("5.2")[:50],
        message("watchlist.hit.nothing", {}),
        message(NAME, {"type": NAME, "cb_server": "cbserver", "timestamp": 1}),
        Message(EVENTS_EXCHANGE, NAME, JSON_TYPE, b"{"),
        message(NAME, {})._replace(broken="malformed.empty"),
    ]
    found = learned(stream)
    assert found.profile == learned(run("5.2")[:50]).profile
    assert found.left_out == (
        "1 messages are of no kind that is known",
        "1 messages are a forwarder's lines",
        "1 messages cannot be read",
        "1 messages were broken on purpose",
    )


@pytest.mark.parametrize(
    ("build", "version"),
    [("5.1.0.150914.1400", "5.2"), ("4.0.1", "4.2"), ("7.8.1.230101.1", "7.x"), ("8.0.0", "7.x")],
)
def test_builds_belong_to_the_nearest_generation(build: str, version: str) -> None:
    profile = learned([message("watchlist.hit.process", {"cb_version": build})]).profile
    assert (profile.version, profile.cb_version) == (version, build)


def test_without_a_build_the_version_is_the_first_that_says_so() -> None:
    def version(*names: str) -> str:
        return learned([message(name, {"docs": []}) for name in names]).profile.version

    assert version("binaryinfo.observed") == "4.2"
    assert version("binaryinfo.observed", "feed.3.ingress.hit.process") == "5.2"
    assert version("binaryinfo.observed", "alert.status.updated") == "6.x"
    assert version("task.error.logged", "alert.status.updated") == "7.x"


def test_exchanges_of_ones_own_are_learned_and_names_of_hosts_are_not() -> None:
    fields = {"hostname": "desk-three", "server_name": "sales"}
    plain = message("feed.ingress.hit.process", fields, "edr.events")
    assert learned([plain]).profile.exchanges.events == "edr.events"
    for name in ("sales.events", "desk-three"):
        found = learned([message("feed.ingress.hit.process", fields, name)])
        assert found.profile.exchanges.events == EVENTS_EXCHANGE
        assert found.left_out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1", "profile"),
        ("version: 6.x", "mix: Field required"),
        ("{version: 3.1, mix: {a: 1}}", "version: Value error, unknown server version"),
        ("{version: 6.x, mix: {a: 2}}", "mix.a: Input should be less than or equal to 1"),
        ("{version: 6.x, mix: {a: 1}, sped: 1}", "sped: Extra inputs are not permitted"),
        ("a: [", "no YAML"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_in_a_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(f"{path}: ") + ".*" + re.escape(said)):
        Profile.load(path)
    with pytest.raises(InputError, match="No such file"):
        Profile.load(tmp_path / "none.yaml")


def test_on_the_command_line(tmp_path: Path) -> None:
    tap = tmp_path / "tap.ndjson"
    tap.write_bytes(b"".join(as_line(it, 1_700_000_000 + number / 10)
                             for number, it in enumerate(run("6.x")[:2000])))  # fmt: skip
    done = piped("learn", tap)
    assert (done.returncode, done.stderr) == (0, b"")
    path = tmp_path / "profile.yaml"
    path.write_bytes(done.stdout)
    assert Profile.load(path).minutes == (600, 600, 600, 200)
    tap.write_bytes(b"")
    done = piped("learn", tap)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no message in it" in done.stderr
    done = piped("learn", tmp_path / "none")
    assert done.returncode == 2
    assert b"there is no recording" in done.stderr
