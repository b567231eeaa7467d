"""What is passed over as sound is sound: no schema and no rule has a word to say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.bus.recording import recorded
from cbsim.bus.sink import as_line
from cbsim.catalog import RAW_EVENTS, Dialect, name_of
from cbsim.checks import broken, crew, iter_errors, source
from cbsim.checks.sound import SoundEvent
from cbsim.checks.source import pieces
from cbsim.checks.survey import survey
from cbsim.checks.validation import Validation
from cbsim.errors import WireError
from cbsim.strategies import malformed, message, odd
from cbsim.wire.event import as_dict, decode
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg
from tests.support.stream import everything, sent

SOUND = {name: SoundEvent(event) for name, event in RAW_EVENTS.items()}


def problems(event: CbEventMsg, name: str) -> list[str]:
    fields = as_dict(event)
    return [*map(str, iter_errors(fields, name)), *map(str, broken(fields, name))]


def raw_events(stream: list[Message]) -> Iterator[tuple[str, CbEventMsg]]:
    for one in stream:
        if one.routing_key and one.content_type != JSON_TYPE:
            yield name_of(one.routing_key), decode(one.body)


@given(st.one_of(message("ingress.event.*"), odd().map(lambda drawn: drawn.message),
                 malformed().map(lambda drawn: drawn.message)), st.data())  # fmt: skip
def test_nothing_is_wrong_with_what_is_sound(drawn: Message, data: st.DataObject) -> None:
    try:
        event = decode(drawn.body)
    except WireError:
        return
    # Most messages are of some other kind than their key says.
    names = {*SOUND} if data.draw(st.booleans()) else {drawn.routing_key} & SOUND.keys()
    for name in names:
        if SOUND[name](event):
            assert problems(event, name) == []


EDITS = (
    lambda event: event.ClearField("strings"),
    lambda event: setattr(event.header, "timestamp", 1),
    lambda event: setattr(event.header, "timestamp", 2**62),
    lambda event: setattr(event.header, "process_create_time", event.header.timestamp + 1),
    lambda event: setattr(event.header, "filepath_string_guid", 77),
    lambda event: setattr(event.header, "filepath_string_guid", 0),
    lambda event: setattr(event.header, "process_guid", 5),
    lambda event: setattr(event.header, "process_md5", b"short"),
    lambda event: setattr(event.header, "process_md5", b""),
    lambda event: setattr(event.header, "process_sha256", b"short"),
    lambda event: setattr(event.module, "utf8_DigSig_ResultCode", "0x0"),
    lambda event: setattr(event.module, "utf8_DigSig_Result", "Signed"),
    lambda event: setattr(event.module, "md5", b"0" * 16),
    lambda event: setattr(event.filemod, "md5hash", b""),
    lambda event: setattr(event.process, "created", not event.process.created),
    lambda event: setattr(event.process, "parent_md5", b"0" * 17),
    lambda event: setattr(event.childproc, "parent_guid", 6),
    lambda event: setattr(event.childproc, "created", False),
    lambda event: setattr(event.crossproc.open, "targetProcMd5", b"short"),
    lambda event: event.crossproc.ClearField("open"),
    lambda event: event.crossproc.remotethread.SetInParent(),
    lambda event: event.stats.SetInParent(),
)


@given(st.data())
def test_nothing_is_wrong_with_what_is_sound_however_it_was_altered(data: st.DataObject) -> None:
    drawn = data.draw(message("ingress.event.*"))
    event = CbEventMsg.FromString(drawn.body)
    for edit in data.draw(st.lists(st.sampled_from(EDITS), min_size=1, max_size=3)):
        edit(event)
    name = name_of(drawn.routing_key)
    if SOUND[name](event):
        assert problems(event, name) == []


@pytest.mark.parametrize("version", ["4.2", "5.2", "7.x"])
def test_what_is_sent_is_sound(version: str) -> None:
    """Else `validate` would be right, and slow."""
    for name, event in raw_events(sent(everything(version, count=1500))):
        assert SOUND[name](event), (name, str(event))


def test_what_is_captured_is_sound(shared: Path) -> None:
    odd_ones = [name for name, event in raw_events([*recorded(shared / "captures")])
                if not SOUND[name](event) and not problems(event, name)]  # fmt: skip
    assert len(odd_ones) < 10, odd_ones


Found = tuple[list[tuple[str, str, int]], dict[tuple[str, ...], int], tuple[int, int, int]]


def found(path: Path) -> Found:
    validation = Validation(Dialect.OBSERVED)
    listed = [(finding.where, str(finding.problem), before) for finding, before in
              survey(validation, pieces(str(path)), lambda _: None) if before < 3]  # fmt: skip
    tally = validation.tally
    counts = {key: group.count for key, group in tally.groups.items()}
    return listed, counts, (tally.messages, tally.invalid, tally.warned)


def test_processes_find_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [as_line(one) for one in sent(everything(count=400))]
    for number in range(3, 400, 17):
        fields = json.loads(lines[number])
        fields["routing_key"] = "watchlist.hit.process"
        lines[number] = json.dumps(fields).encode() + b"\n"
    lines[50], lines[51] = b"\n", b"{no JSON\n"
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(lines).rstrip(b"\n"))
    alone = found(path)
    assert len(alone[1]) > 4
    assert any(count > 3 for count in alone[1].values())
    monkeypatch.setattr(source, "_SIZE", 20_000)
    assert found(path) == alone
    monkeypatch.setattr(crew, "_LARGE", 1)
    assert len(pieces(str(path))) > 5
    assert found(path) == alone
