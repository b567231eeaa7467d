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
from hypothesis import find
from pika.adapters.blocking_connection import BlockingChannel as Channel

from cbsim import strategies as cb
from cbsim.bus.connection import connect
from cbsim.bus.provider import provide
from cbsim.testing import CbServer
from cbsim.world.vocabulary import OSES
from cbsim.world.vocabulary import load as vocabulary
from tests.support.arrival import drain
from tests.support.command import CBSIM, cbsim
from tests.support.port import free_port


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


@pytest.mark.parametrize("words", ["scenarios", "events", "generate feed.synchronized"])
def test_who_closed_standard_output_sees_nothing(words: str) -> None:
    command = f"exec {shlex.join(CBSIM)} {words} >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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


NULL = ["run", "quickstart", "--sink", "null"]
AWAY = "amqp://cb:hidden@127.0.0.1:1/"


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
        (["run", "quickstart", "--broker", AWAY], "nothing listens"),
        (["generate", "watchlist.hit.proces"], "did you mean watchlist.hit.process"),
        (["replay", "/no/such/file", "--sink", "null"], "there is no recording"),
        (["replay", ".", "--sink", "null", "--speed", "-1x"], "speed '-1x': expected"),
        (["run", "quickstart", "--broker", "http://x"], "expected amqp://user:password@host"),
        (["run", "quickstart", "--broker", "embeded"], "broker 'embeded': expected embedded, "),
        (
            ["run", "quickstart", "--broker", "amqp://"],
            "broker URL 'amqp://': expected amqp://user",
        ),
        (
            [*NULL, "--workers", "8"],
            "8 workers: expected at most 7",
        ),
        (
            [*NULL, "--workers", "9"],
            "9 workers: expected at most 7",
        ),
        ([*NULL, "--raw", "twice"], "raw 'twice': expected single"),
        ([*NULL, "--raw", "bundles", "--server", "4.2"], "servers publish bundles from 5.2 on"),
        (
            ["run", "quickstart", "--broker", "embedded", "--ca-file", "f"],
            "--ca-file with broker em",
        ),
        (["tap", "--out", "o", "--broker", AWAY, "--ca-file", "f"], "expected one that speaks"),
        (
            [*NULL, "--broker", "embedded"],
            "--broker with --sink null",
        ),
        ([*NULL, "--passive"], "--passive with --sink null"),
        (["run", "quickstart", "--client-key", "k"], "its certificate is missing, --client-cert"),
        (["replay", "/bin/sh", "--sink", "null"], "/bin/sh:1: no JSON"),
        (["subscribe", "--broker", AWAY], "nothing listens"),
        (
            ["subscribe", "--broker", AWAY, "--bind", "/x"],
            "binding '/x'",
        ),
        (["tap", "--out", "-", "--broker", AWAY], "nothing listens"),
        (
            ["serve", "--port", "5109", "--broker", AWAY],
            "--port with broker amqp:",
        ),
        (["serve", "none", "--rate", "5/s"], "--rate with scenario none"),
        (["validate", "x", "--broker", AWAY], "--broker with files"),
    ],
)
def test_bad_input_gets_one_sentence(args: list[str], expected: str) -> None:
    done = cbsim(*args, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 2
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_a_folder_without_captures_is_none(tmp_path: Path) -> None:
    done = cbsim("replay", str(tmp_path), "--sink", "null")
    assert done.returncode == 2
    assert done.stderr == (
        f"cbsim: {tmp_path}: expected folders named by routing key with .json, .bin or .zip\n"
    )


def test_what_is_taken_from_the_environment_is_said() -> None:
    done = cbsim("run", "quickstart", env={"PATH": "/usr/bin:/bin", "CBSIM_BROKER_URL": AWAY})
    said, error = done.stderr.splitlines()
    assert (done.returncode, said) == (
        2, "broker of CBSIM_BROKER_URL: amqp://cb@127.0.0.1:1/")  # fmt: skip
    assert error.endswith("nothing listens there (connection refused)")
    # Contradictory, and nobody else's port.
    done = cbsim("serve", "--port", "5109", env={"PATH": "/usr/bin:/bin", "CBSIM_BROKER_URL": AWAY})
    assert done.returncode == 2
    assert done.stderr.startswith("cbsim: --port with broker amqp://cb@127.0.0.1:1/: ")


def test_a_broker_that_comes_late_is_waited_for() -> None:
    port = free_port()
    url = f"amqp://cb:s3cret@127.0.0.1:{port}/%2F"
    waiting = ["--wait-for-broker", "60s", "--broker", url, "--count", "20", "--rate", "max"]
    run = subprocess.Popen(
        [*CBSIM, "run", "quickstart", *waiting], stderr=subprocess.PIPE, text=True
    )
    with provide(f"embedded://cb:s3cret@:{port}"):
        _, said = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert "20 sent, 20 confirmed" in said
    done = cbsim("run", "quickstart", "--broker", url, "--wait-for-broker", "300ms")
    assert (done.returncode, "nothing listens there" in done.stderr) == (2, True)


@pytest.mark.parametrize("strict", [False, True])
def test_nothing_ends_in_silence(strict: bool, tmp_path: Path) -> None:
    empty, late = tmp_path / "empty", tmp_path / "late.yaml"
    empty.touch()
    late.write_text(
        "phases:\n  - {name: short, duration: 1s, rate: 50/s, "
        "inject: [{at: 2s, spread: {sensors: 3}}]}"
    )
    more = ["--strict"] if strict else []
    replayed = cbsim("replay", str(empty), "--sink", "null", *more)
    run = cbsim("run", str(late), "--sink", "null", *more)
    with provide("embedded") as at:
        seen = cbsim("subscribe", "--broker", at.url, "--idle", "0.2", "--bind", "alert.#", *more)
        tapped = cbsim("tap", "--broker", at.url, "--idle", "0.2", "--out", "-", *more)
    for done, said in (
        (replayed, f"{empty} holds no message: nothing was published"),
        (run, "phase 'short': the injection at 2 s never happens, since the phase ends at 1 s"),
        (seen, "nothing came on alert.#: is anything published there?"),
        (tapped, "nothing came on #: is anything published there?"),
    ):
        assert done.returncode == strict
        wanted = f"cbsim: {said} (--strict)" if strict else said
        assert wanted in done.stderr.splitlines()


def test_a_run_that_cannot_keep_up_is_no_success_where_it_is_strict() -> None:
    words = ["run", "quickstart", "--sink", "null", "--rate", "1000000/s", "--duration", "200ms"]
    done = cbsim(*words)
    assert (done.returncode, "could not keep up: " in done.stderr) == (0, True)
    assert cbsim(*words, "--strict").returncode == 1


def test_a_key_that_no_server_publishes_is_shown() -> None:
    odd = find(cb.odd("unknown-routing-key", name="feed.synchronized"), lambda _: True)
    with CbServer("embedded") as server:
        words = [*CBSIM, "subscribe", "--broker", server.url, "--count", "1"]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("subscribed")
            server.publish(odd)
            out, said = process.communicate(timeout=30)
    assert (process.returncode, out.split()[0]) == (0, odd.message.routing_key)
    assert said == "1 messages of 1 kinds, 0 broken\n"


def test_a_file_that_cannot_be_written_is_no_beginning() -> None:
    with provide("embedded") as at:
        done = cbsim("tap", "--broker", at.url, "--out", "/nope/t")
    assert done.returncode == 2
    assert done.stderr == "cbsim: cannot write /nope/t: No such file or directory\n"


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
    ports = {call.port for os in OSES for it in vocabulary(os).programs for call in it.connections}
    assert shown["network"]["port"] in ports
    many = cbsim("generate", "ingress.event.netconn", "--format", "json", "--count", "9").stdout
    assert re.search(r'"utf8_netpath": "[\w-]+\.[\w.-]+"', many)
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


def test_events_say_where_fields_are_known_from() -> None:
    wide = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    fields = cbsim("events", "watchlist.hit.binary", env=wide).stdout
    assert "table, example, capture" in fields
    assert "published sample" in fields
    guessed = cbsim("events", "events.partition.created", env=wide).stdout
    assert "guess" in guessed
    assert "any object is valid" in guessed
    assert "sha256" not in cbsim("events", "binarystore.file.added", "--server", "5.2").stdout
    assert "contradicts itself" in cbsim("events", "feed.query.hit.process", env=wide).stdout
    assert "body guessed" in cbsim("events", env=wide).stdout
