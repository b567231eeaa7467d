"""`cbsim replay`: a recording is sent again, written down, and proven to have arrived."""

from __future__ import annotations

import sqlite3
import subprocess
import time
import uuid
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from cbsim import strategies as cb
from cbsim.bus.connection import connect
from cbsim.bus.recording import recorded
from cbsim.bus.sink import as_line, from_line
from cbsim.checks import Ledger
from cbsim.strategies import Malformed
from tests.support.command import CBSIM
from tests.support.command import piped as cbsim
from tests.support.consumer import taken_slowly
from tests.support.patience import until
from tests.support.port import free_port


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording that has broken messages in it, and the ledger of its run."""
    folder = tmp_path_factory.mktemp("run")
    scenario = folder / "scenario.yaml"
    scenario.write_text("""
    phases:
      - {count: 500, rate: 400/s}
      - {count: 200, rate: 200/s, source: strategies, corpus: 60, mix: {"*": 2, malformed: 1}}
    """)
    done = cbsim("run", scenario, "--sink", f"ndjson:{folder / 'recording'}",
                 "--ledger", folder / "ledger")  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def rows(ledger: Path) -> list[tuple[object, ...]]:
    with Ledger.open(ledger) as book:
        return [(it.exchange, it.routing_key, it.body, it.broken)
                for batch in book.batches() for it in batch.messages]  # fmt: skip


@given(cb.malformed())
def test_a_recording_says_how_a_message_is_broken(drawn: Malformed) -> None:
    message = drawn.labelled
    read = from_line(as_line(message))
    assert read == message
    assert from_line(as_line(drawn.message)).broken is None


def test_a_replay_is_proven_to_have_arrived(broker: str, run: Path, tmp_path: Path) -> None:
    out, ledger = tmp_path / "tap.ndjson", tmp_path / "ledger"
    tap = subprocess.Popen(
        [*CBSIM, "tap", "--broker", broker, "--out", str(out), "--count", "700"],
        stderr=subprocess.PIPE,
    )
    assert tap.stderr is not None
    assert b"subscribed" in tap.stderr.readline()
    done = cbsim("replay", run / "recording", "--speed", "max", "--broker", broker,
                 "--ledger", ledger)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"700 sent, 700 confirmed\n")
    tap.communicate(timeout=60)
    done = cbsim("verify", "--ledger", ledger, out)
    assert done.returncode == 0, done.stdout
    assert b"whole: 700 sent, 700 received, 0 lost" in done.stdout
    assert rows(ledger) == rows(run / "ledger")
    # A consumer may drop what was broken on purpose, and nothing else.
    broken = [how is not None for *_, how in rows(ledger)]
    assert 20 < sum(broken) < 200
    lines = out.read_bytes().splitlines(keepends=True)
    for dropped, code in ((broken, 0), ([False, True] + broken[2:], 1)):
        kept = [line for line, gone in zip(lines, dropped, strict=True) if not gone]
        out.write_bytes(b"".join(kept))
        assert cbsim("verify", "--ledger", ledger, out).returncode == code


def test_a_replay_brings_its_own_broker(run: Path) -> None:
    """It ends when a consumer has everything, as a run does."""
    port = free_port()
    replaying = subprocess.Popen(
        [*CBSIM, "replay", str(run / "recording"), "--speed", "1x",
         "--broker", f"embedded://cb:s3cret@:{port}"], stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    got = Counter(taken_slowly(port))
    _, said = replaying.communicate(timeout=30)
    assert replaying.returncode == 0, said
    assert said.endswith("700 sent, 700 confirmed\n")
    events = [one for one in recorded(run / "recording") if one.exchange == "api.events"]
    # The first may have been published before the queue was bound.
    assert not Counter(one.body for one in events[300:]) - got


def test_times_of_a_tap_are_kept(run: Path, tmp_path: Path) -> None:
    """A consumer knows when it received a message, not when it was sent."""
    recording = tmp_path / "tap.ndjson"
    messages = [*recorded(run / "recording")][:50]
    tapped = [as_line(one._replace(moment=0), 1e9 + at * 0.05) for at, one in enumerate(messages)]
    recording.write_bytes(b"".join(tapped))
    for speed, low, high in (("2x", 1.2, 10.0), ("max", 0.0, 1.2)):
        spent = replayed(recording, speed)
        assert low <= spent <= high, "but for the time that it takes to start"


def replayed(recording: Path, speed: str) -> float:
    """Seconds between the first message and the last, in the ledger of a replay."""
    ledger = recording.with_suffix(f".{speed}")
    done = cbsim("replay", recording, "--sink", "null", "--speed", speed, "--ledger", ledger)
    assert (done.returncode, b"has a time" in done.stderr) == (0, False)
    with closing(sqlite3.connect(ledger)) as database:
        query = "select max(published) - min(published) from batch"
        (seconds,) = database.execute(query).fetchone()
    return float(seconds)


def test_a_recording_without_times_says_so(run: Path, tmp_path: Path) -> None:
    recording = tmp_path / "bare.ndjson"
    messages = [*recorded(run / "recording")][:50]
    recording.write_bytes(b"".join(as_line(one._replace(moment=0)) for one in messages))
    done = cbsim("replay", recording, "--sink", "null")
    assert done.returncode == 0
    assert done.stderr == (
        b"nothing in the recording has a time: it went at once\n50 sent, 50 confirmed\n"
    )
    done = cbsim("replay", recording, "--sink", "null", "--speed", "max")
    assert done.stderr == b"50 sent, 50 confirmed\n"


def test_each_line_of_a_tap_is_there_at_once(broker: str, tmp_path: Path) -> None:
    """A burst, then silence, then SIGKILL: nothing is lost."""
    out, exchange = tmp_path / "tap.ndjson", "api.events"
    out.write_bytes(b"precious")
    away = cbsim("tap", "--broker", f"amqp://127.0.0.1:{free_port()}", "--out", out)
    assert away.returncode == 2
    assert out.read_bytes() == b"precious", "untouched by a broker that is away"
    key = f"test.{uuid.uuid4()}"
    tap = subprocess.Popen(
        [*CBSIM, "tap", "--broker", broker, "--out", str(out), "--bind", key],
        stderr=subprocess.PIPE,
    )
    assert tap.stderr is not None
    assert b"subscribed" in tap.stderr.readline()
    with closing(connect(broker)) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "topic", durable=True)
        for number in range(5):
            channel.basic_publish(exchange, key, b"%d" % number)
    until(lambda: out.read_bytes().count(b"\n") == 5)
    tap.kill()
    tap.communicate()
    assert [one.body for one in recorded(out)] == [b"%d" % number for number in range(5)]


def test_a_tap_on_a_full_disk(broker: str) -> None:
    key = f"test.{uuid.uuid4()}"
    tap = subprocess.Popen(
        [*CBSIM, "tap", "--broker", broker, "--out", "/dev/full", "--bind", key],
        stderr=subprocess.PIPE,
    )
    assert tap.stderr is not None
    assert b"subscribed" in tap.stderr.readline()
    with closing(connect(broker)) as connection:
        connection.channel().basic_publish("api.events", key, b"1")
    _, said = tap.communicate(timeout=30)
    assert (tap.returncode, said) == (
        1,
        b"cbsim: cannot write /dev/full: No space left on device\n",
    )


def test_times_are_kept(run: Path) -> None:
    moments = [one.timestamp for one in recorded(run / "recording")][:101]
    speed = (moments[-1] - moments[0]) / 1.0
    lines = (run / "recording").read_bytes().splitlines(keepends=True)
    (run / "cut").write_bytes(b"".join(lines[:101]))
    began = time.monotonic()
    assert cbsim("replay", run / "cut", "--sink", "null", "--speed", speed).returncode == 0
    assert time.monotonic() - began >= 1.0


def test_what_stands_before_a_faulty_line_is_sent(run: Path, tmp_path: Path) -> None:
    recording, ledger, again = (tmp_path / name for name in ("recording", "ledger", "again"))
    line, _, _ = (run / "recording").read_bytes().partition(b"\n")
    line += b"\n"
    recording.write_bytes(line * 3 + line.replace(b'"body', b'"broken":1,"body'))
    words = ["replay", recording, "--sink", f"ndjson:{again}", "--ledger", ledger]
    done = cbsim(*words)
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "3 sent, 3 confirmed\n"
        f"cbsim: {recording}:4: field 'broken': expected a string, got 1\n"
    )  # fmt: skip
    assert again.read_bytes() == line * 3
    assert len(rows(ledger)) == 3
    refused = cbsim(*words)
    assert refused.returncode == 2
    assert b"ledger: is there already; a ledger holds one run" in refused.stderr
    assert again.read_bytes() == line * 3, "nothing was touched"


@pytest.mark.parametrize("words", [["run", "quickstart"], ["replay", "{}/recording"]])
def test_no_ledger_is_left_of_what_never_began(run: Path, tmp_path: Path, words: list[str]) -> None:
    ledger = tmp_path / "ledger"
    words = [word.format(run) for word in words]
    unreachable = f"amqp://127.0.0.1:{free_port()}"
    done = cbsim(*words, "--broker", unreachable, "--ledger", ledger)
    assert done.returncode == 2
    assert b"nothing listens there" in done.stderr
    assert not [*tmp_path.iterdir()]
    done = cbsim(*words, "--sink", "null", "--ledger", tmp_path / "none" / "ledger")
    assert done.returncode == 2
    assert b"cannot be written: No such file or directory" in done.stderr
    assert b"Traceback" not in done.stderr
