"""The command line as a user meets it: its own process, its text, its exit codes."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sqlite3
import stat
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from pika.adapters.blocking_connection import BlockingChannel as Channel

from cbsim.bus.connection import connect
from tests.support.arrival import drain
from tests.support.command import CBSIM, cbsim


def test_outbreak_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        done = cbsim("run", "outbreak", "--seed", "7", "--rate", "max", "--count", "8000",
                     "--sink", f"ndjson:{tmp_path / name}")  # fmt: skip
        assert done.returncode == 0, done.stderr
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes()
    assert first.count(b"\n") == 8000


def test_steady_state_sends_what_was_asked(broker: str) -> None:
    done = cbsim("run", "steady-state", "--rate", "2000/s", "--duration", "5s", "--broker", broker)
    assert done.returncode == 0, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    sent, confirmed = last.split(" sent, ")[0], last.split(" sent, ")[1].split(" confirmed")[0]
    assert sent == confirmed == "10,000", done.stderr


def test_sigint_ends_with_the_summary(broker: str) -> None:
    process = subprocess.Popen(
        [*CBSIM, "run", "soak", "--broker", broker], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while " sent, " not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "; interrupted" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "args",
    [
        ["generate", "watchlist.hit.process"],
        ["generate", "ingress.event.netconn", "--format", "text"],
        ["events"],
        ["events", "watchlist.hit.process"],
        ["scenarios"],
        ["--help"],
        ["run", "--help"],
        ["validate", "{}/q.ndjson"],
        ["verify", "--ledger", "{}/q.ledger", "{}/q.ndjson"],
        ["verify", "--ledger", "{}/q.ledger", "{}/q.ndjson", "--format", "json"],
    ],
)
def test_a_full_disk_gets_one_sentence(args: list[str], recorded: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*CBSIM, *(one.format(recorded) for one in args)], stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "cbsim: cannot write: No space left on device\n")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `quickstart` sends, and the ledger of it."""
    folder = tmp_path_factory.mktemp("recorded")
    done = cbsim("run", "quickstart", "--rate", "max", "--count", "300", "--sink",
                 f"ndjson:{folder / 'q.ndjson'}", "--ledger", str(folder / "q.ledger"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("generate watchlist.hit.process --count 5000", 0),
        ("events", 0),
        ("scenarios", 0),
        ("verify --ledger {}/q.ledger {}/q.ndjson", 0),
        ("verify --ledger {}/q.ledger - < /dev/null", 1),
        ("validate {}/q.ndjson", 0),
        ("validate --dialect documented {}/q.ndjson", 1),
    ],
)
def test_a_reader_that_is_gone_changes_no_verdict(command: str, code: int, recorded: Path) -> None:
    """Whatever is written comes after the reader has gone: it waits for nothing."""
    ours = " ".join(map(shlex.quote, CBSIM))
    line = f"{{ sleep 0.3; {ours} {command.format(*[recorded] * 2)}; }} | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], stderr=subprocess.PIPE,
                          text=True, timeout=60, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")


@pytest.fixture
def private(broker: str, tmp_path: Path) -> Iterator[tuple[Channel, str, list[str]]]:
    """A channel, an exchange of one's own, and the words that run a scenario on that."""
    exchange = f"cbsim-test-{uuid.uuid4()}"
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(
        f"bus: {{events: {exchange}}}\nphases: [{{duration: 60s, rate: 1000/s}}]\n"
        "server: {raw: single}\n"
    )
    with closing(connect(broker)) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "topic", durable=True)
        yield channel, exchange, ["run", str(scenario), "--broker", broker]
        connection.channel().exchange_delete(exchange)


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_a_run_that_fails_says_what_it_did(
    private: tuple[Channel, str, list[str]], more: Sequence[str]
) -> None:
    channel, exchange, words = private
    process = subprocess.Popen([*CBSIM, *words, *more], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not re.search(r": [1-9][\d,]* sent, [1-9]", process.stderr.readline()):
        assert process.poll() is None
    channel.exchange_delete(exchange)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    summary, error = said.strip().splitlines()[-2:]
    assert re.match(r"[1-9][\d,]* sent, [1-9][\d,]* confirmed .*; it failed$", summary), said
    assert error.startswith("cbsim: broker ")
    assert "404 NOT_FOUND - no exchange" in error


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_refused_messages_are_counted_and_the_run_goes_on(
    private: tuple[Channel, str, list[str]], more: Sequence[str], tmp_path: Path
) -> None:
    channel, exchange, words = private
    limits = {"x-max-length": 10, "x-overflow": "reject-publish"}
    queue = channel.queue_declare("", exclusive=True, arguments=limits).method.queue
    channel.queue_bind(queue, exchange, "#")
    ledger = tmp_path / "ledger"
    done = cbsim(*words, *more, "--count", "400", "--ledger", str(ledger))
    assert done.returncode == 1
    summary, error = done.stderr.strip().splitlines()[-2:]
    sent, confirmed = re.match(r"(\d+) sent, (\d+) confirmed in", summary).groups()  # type: ignore[union-attr]
    assert int(sent) == 400
    assert 10 <= int(confirmed) < 100
    assert error.startswith(f"cbsim: {400 - int(confirmed)} messages were refused by the broker")
    with closing(sqlite3.connect(ledger)) as database:
        query = "select count(*) from message where confirmed is not null"
        assert database.execute(query).fetchone() == (int(confirmed),)


@pytest.mark.parametrize("where", ["option", "scenario"])
def test_persistent_messages_are_known_as_such(
    private: tuple[Channel, str, list[str]], tmp_path: Path, where: str
) -> None:
    channel, exchange, words = private
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, exchange, "#")
    if where == "scenario":
        scenario = Path(words[1])
        scenario.write_text(scenario.read_text().replace("{events:", "{persistent: true, events:"))
    else:
        words = [*words, "--persistent"]
    ledger = tmp_path / "ledger"
    done = cbsim(*words, "--count", "50", "--ledger", str(ledger))
    assert done.returncode == 0, done.stderr
    assert len(drain(channel, queue, mode=2)) == 50
    with closing(sqlite3.connect(ledger)) as database:
        assert dict(database.execute("select * from about"))["persistent"] == "yes"
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600


def test_a_run_on_a_full_disk_says_what_it_did() -> None:
    done = cbsim("run", "quickstart", "--rate", "max", "--sink", "ndjson:/dev/full")
    assert done.returncode == 1
    assert re.search(r"^\d+ sent, \d+ confirmed in .*; it failed$", done.stderr, re.MULTILINE)
    assert done.stderr.endswith("\ncbsim: cannot write /dev/full: No space left on device\n")
    assert "Traceback" not in done.stderr


def test_a_replay_on_a_full_disk_says_what_it_did(recorded: Path) -> None:
    done = cbsim("replay", str(recorded / "q.ndjson"), "--sink", "ndjson:/dev/full")
    assert done.returncode == 1
    assert done.stderr.endswith("\ncbsim: cannot write /dev/full: No space left on device\n")
    assert " sent, " in done.stderr


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["run", "quickstrt", "--sink", "null"], "there is no scenario 'quickstrt': did you mean"),
        (["run", "quickstart", "--sink", "null", "--rate", "-5/s"], "rate '-5/s': expected"),
        (["run", "quickstart", "--sink", "null", "--rate", "fast"], "rate 'fast': expected"),
        (["run", "quickstart", "--give-up-after", "0.5s"], "--give-up-after 0.5s: expected 1s or"),
        (["run", "quickstart", "--give-up-after", "soon"], "duration 'soon': expected a number"),
        (["run", "quickstart", "--sink", "nul"], "sink 'nul': expected amqp, ndjson:PATH or null"),
        (["run", "quickstart", "--sink", "null", "--server", "9"], "unknown server version '9'"),
        (["run", "quickstart", "--sink", "null", "--dialect", "x"], "unknown dialect 'x'"),
        (["run", "quickstart", "--sink", "ndjson:/no/such/folder/a"], "cannot write"),
        (["subscribe"], "no broker: give --broker URL or set CBSIM_BROKER_URL"),
        (["subscribe", "--broker", "embedded"], "nobody else could use a broker that ends with"),
        (["run", "quickstart", "--broker", "amqp://cb:hidden@127.0.0.1:1/"], "nothing listens"),
        (["generate", "watchlist.hit.proces"], "did you mean watchlist.hit.process"),
        (["replay", "/no/such/file", "--sink", "null"], "there is no recording"),
        (["replay", ".", "--sink", "null", "--speed", "-1x"], "speed '-1x': expected"),
    ],
)
def test_bad_input_gets_one_sentence(args: list[str], expected: str) -> None:
    done = cbsim(*args, env={"PATH": "/usr/bin:/bin"})
    # Wrong usage, but for a broker that is not there.
    assert done.returncode == (1 if "nothing listens" in expected else 2)
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_a_misspelt_key_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 1\nphase:\n  - {duration: 1s, rate: 5/s}\n")
    done = cbsim("run", str(path), "--sink", "null")
    assert done.returncode == 2
    assert f"{path}:" in done.stderr


def test_a_broken_recording_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "r.ndjson"
    good = cbsim("generate", "binaryinfo.observed").stdout
    path.write_text(good + "{}\n")
    done = cbsim("replay", str(path), "--sink", "null")
    assert done.returncode == 1
    assert f"{path}:2: field 'exchange': expected a string" in done.stderr


def test_generate_in_each_format() -> None:
    shown = json.loads(cbsim("generate", "watchlist.hit.process", "--format", "json").stdout)
    assert shown["docs"][0]["unique_id"]
    lines = cbsim("generate", "ingress.event.netconn", "--count", "3").stdout.splitlines()
    assert [json.loads(line)["routing_key"] for line in lines] == ["ingress.event.netconn"] * 3
    assert "utf8_regpath" in cbsim("generate", "ingress.event.regmod", "--format", "text").stdout


def test_a_raw_event_is_shown_for_a_person() -> None:
    made = cbsim("generate", "ingress.event.netconn", "--format", "json").stdout
    shown = json.loads(made)
    assert re.fullmatch(r"2024-01-01T00:00:\d\d\.\d{7}Z", shown["header"]["timestamp"])
    assert re.fullmatch(r"[0-9a-f]{32}", shown["header"]["process_md5"])
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", shown["network"]["remoteIpAddress"])
    assert shown["network"]["port"] in (53, 80, 443)
    assert "." in shown["network"]["utf8_netpath"]
    line = cbsim("generate", "ingress.event.netconn", "--format", "text").stdout
    assert shown["network"]["remoteIpAddress"] in line
    module = json.loads(cbsim("generate", "ingress.event.module", "--format", "json").stdout)
    assert re.fullmatch(r"[0-9A-F]{32}", module["module"]["md5"])
    mapped = cbsim("generate", "ingress.event.netconn", "--format", "protojson").stdout
    assert cbsim("validate", "-", input=mapped).stdout == "1 messages: 1 valid, 0 invalid\n"


def test_events_shows_the_catalog() -> None:
    shown = cbsim("events", env={"PATH": "/usr/bin:/bin", "COLUMNS": "200"}).stdout
    assert "alert.watchlist.hit.query.binary" in shown
    fields = cbsim("events", "binarystore.file.added").stdout
    assert "compressed_size" in fields
    assert "header.timestamp" in cbsim("events", "ingress.event.filemod").stdout
