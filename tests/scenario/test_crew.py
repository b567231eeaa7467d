"""A run that processes share: all of it arrives, ends cleanly, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from threading import Timer

import pytest

from cbsim.bus.connection import connect
from cbsim.bus.publisher import Publisher, Topology, declare
from cbsim.bus.sink import NullSink
from cbsim.checks import Ledger, Record, compare
from cbsim.errors import CbsimError
from cbsim.scenario import crew
from cbsim.scenario.loader import parse
from cbsim.scenario.portion import Portion
from cbsim.scenario.runner import Progress
from cbsim.scenario.stream import FIXED_START
from cbsim.wire.event import decode
from cbsim.wire.message import Message
from tests.support.arrival import drain
from tests.support.cable import Cable
from tests.support.command import CBSIM, cbsim
from tests.support.stream import everything


@dataclass
class Bus:
    """Exchanges of our own on the broker, and a queue that gets everything."""

    url: str
    topology: Topology
    take: Callable[[], list[Message]]

    def scenario(self, path: Path, phases: str) -> str:
        path.write_text(
            f"bus: {{events: {self.topology.events}, raw: {self.topology.raw}}}\n"
            f"estate: {{sensors: 30}}\nphases: [{phases}]\n"
        )
        return str(path)


@pytest.fixture
def bus(broker: str) -> Iterator[Bus]:
    mark = uuid.uuid4().hex[:8]
    topology = Topology(f"events-{mark}", f"raw-{mark}")
    connection = connect(broker)
    channel = connection.channel()
    declare(channel, topology, broker)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, topology.events, "#")
    channel.queue_bind(queue, topology.raw, "")
    names = {topology.events: "api.events", topology.raw: "api.rawsensordata"}
    yield Bus(
        broker,
        topology,
        lambda: [one._replace(exchange=names[one.exchange]) for one in drain(channel, queue)],
    )
    for exchange in names:
        channel.exchange_delete(exchange)
    connection.close()


def begun(*args: str) -> subprocess.Popen[str]:
    """`cbsim run` in a process group of its own, as in a terminal."""
    return subprocess.Popen(
        [*CBSIM, "run", *args], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def workers_of(process: subprocess.Popen[str], number: int) -> list[int]:
    """The process ids of its workers, once these can be interrupted."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        found = [int(it) for it in children if b"spawn_main" in command_of(int(it))]
        if len(found) == number and all(threads_of(it) > 1 for it in found):
            return found
        time.sleep(0.05)
    raise AssertionError(process.communicate()[1])


def under_way(process: subprocess.Popen[str]) -> None:
    """Wait until it says that messages are confirmed."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if " confirmed, " in line and not line.split(": ")[1].startswith("0 "):
            return
    raise AssertionError("".join(said))


def command_of(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def threads_of(process: int) -> int:
    return len([*Path(f"/proc/{process}/task").iterdir()])


def ended(processes: list[int], patience: float = 10.0) -> bool:
    """Whether they are all gone, soon."""
    until = time.monotonic() + patience
    while any(map(command_of, processes)):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def counts(said: str) -> tuple[int, int]:
    """How many the summary says were sent and confirmed."""
    summary = next(line for line in reversed(said.splitlines()) if " confirmed" in line)
    words = summary.replace(",", "").split()
    return int(words[0]), int(words[2])


def records_of(stream: list[Message]) -> list[Record]:
    return [Record("queue", number, message=one) for number, one in enumerate(stream, 1)]


@pytest.mark.parametrize("rate", ["max", "3000/s"])
def test_everything_arrives_and_the_ledger_says_so(bus: Bus, tmp_path: Path, rate: str) -> None:
    path, ledger = tmp_path / "run.yaml", tmp_path / "run.ledger"
    bus.scenario(path, f'{{count: 3000, rate: {rate}, mix: {{"ingress.event.*": 9, "feed.*": 1}}}}')
    done = cbsim("run", str(path), "--broker", bus.url, "--workers", "2", "--ledger", str(ledger))
    assert done.returncode == 0, done.stderr
    assert counts(done.stderr) == (3000, 3000)
    assert not [*tmp_path.glob("run.ledger-*")], "everybody closed it"
    stream = bus.take()
    assert len(stream) == 3000
    check_order(stream)
    with Ledger.open(ledger) as book:
        result = compare(book, records_of(stream))
        rows = book.database.execute("select count(*), max(sequence) from message").fetchone()
        assert rows == (3000, 2999)
        assert dict(book.database.execute("select * from about"))["workers"] == "2"
    assert result.whole
    assert result.total("received") == 3000
    assert result.unconfirmed == 0
    assert result.disordered == {}


def check_order(stream: list[Message]) -> None:
    """Times never run backwards within a sensor, and all of them are there."""
    clocks: defaultdict[int, int] = defaultdict(int)
    for message in stream:
        if message.routing_key.startswith("ingress.event."):
            event = decode(message.body)
            sensor = event.env.endpoint.SensorId
            assert event.header.timestamp >= clocks[sensor]
            clocks[sensor] = event.header.timestamp
    assert set(clocks) == {*range(1, 31)}


def test_a_sensors_messages_are_the_same_for_any_number_of_workers(
    bus: Bus, tmp_path: Path
) -> None:
    scenario = bus.scenario(tmp_path / "run.yaml", "{count: 1200, rate: max}")
    found = []
    for workers in ("1", "3"):
        args = ["run", scenario, "--broker", bus.url, "--start", "2024-01-01", "--workers", workers]
        done = cbsim(*args)
        assert done.returncode == 0, done.stderr
        bodies = defaultdict(list)
        for message in bus.take():
            if message.routing_key.startswith("ingress.event."):
                bodies[decode(message.body).env.endpoint.SensorId].append(message.body)
            else:
                bodies[0].append(message.body)
        bodies[0].sort()
        found.append(bodies)
    assert found[0] == found[1]
    assert sum(map(len, found[0].values())) == 1200


def test_bundles_of_both_workers(bus: Bus, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    bus.scenario(path, '{count: 2000, rate: 4000/s, mix: {"ingress.event.*": 1}}')
    path.write_text(path.read_text() + "server: {raw: bundles, bundle: 40}\n")
    done = cbsim("run", str(path), "--broker", bus.url, "--workers", "2")
    assert done.returncode == 0, done.stderr
    stream = bus.take()
    assert counts(done.stderr) == (len(stream), len(stream))
    assert {int(message.headers["sensorId"]) for message in stream} == {*range(1, 31)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_of_them_cleanly(
    bus: Bus, tmp_path: Path, number: signal.Signals
) -> None:
    scenario = bus.scenario(tmp_path / "run.yaml", "{duration: 1h, rate: 1000/s}")
    process = begun(scenario, "--broker", bus.url, "--workers", "2")
    workers = workers_of(process, 2)
    assert all(b"cb:" not in command_of(it) and b"amqp" not in command_of(it) for it in workers)
    under_way(process)
    if number is signal.SIGINT:
        # A terminal sends it to all of them.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "; interrupted" in said
    assert "Traceback" not in said
    sent, confirmed = counts(said)
    assert sent == confirmed == len(bus.take()) > 0
    assert ended(workers)


def test_an_interrupt_while_they_start(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("estate: {sensors: 20000}\nphases: [{duration: 1h, rate: 1000/s}]\n")
    process = begun(str(path), "--sink", "null", "--workers", "2")
    workers_of(process, 2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said.strip().splitlines()[-1].startswith("0 sent, 0 confirmed")
    assert "Traceback" not in said


def test_a_killed_worker_ends_the_run(bus: Bus, tmp_path: Path) -> None:
    scenario = bus.scenario(tmp_path / "run.yaml", "{duration: 1h, rate: 1000/s}")
    ledger = tmp_path / "run.ledger"
    process = begun(scenario, "--broker", bus.url, "--workers", "3", "--ledger", str(ledger))
    workers = workers_of(process, 3)
    under_way(process)
    os.kill(workers[1], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.strip().splitlines()[-1] == (
        "cbsim: worker 2 of 3 was killed by signal 9 in the midst of the run; "
        "the others were stopped"
    )
    assert "Traceback" not in said
    assert ended(workers)
    # What was handed over was written down before.
    with Ledger.open(ledger) as book:
        result = compare(book, records_of(bus.take()))
    assert result.total("received") > 100
    assert not [*result.unexpected, *result.corrupted, *result.lost]


def test_workers_publish_to_the_broker_of_the_command(tmp_path: Path) -> None:
    args = ["steady-state", "--rate", "max", "--count", "500", "--workers", "2"]
    done = cbsim("run", *args, "--broker", "embedded")
    assert done.returncode == 0, done.stderr
    assert counts(done.stderr) == (500, 500)


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    process = begun("soak", "--sink", "null", "--workers", "2")
    workers = workers_of(process, 2)
    process.kill()
    process.communicate()
    assert ended(workers)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["quickstart", "--workers", "9"], "9 workers: expected at most 7, since this estate is"),
        (["steady-state", "--workers", "2", "--sink", "ndjson:-"], "expected --sink amqp or null"),
        (["steady-state", "--workers", "2", "--sink", "nul"], "expected --sink amqp or null"),
        (["SCENARIO", "--workers", "2"], "mix: cmd.feed.synchronize is not sent by a 4.2 server"),
        (["steady-state", "--workers", "2", "--broker", "amqp://cb:hidden@127.0.0.1:1/",
          "--sink", "amqp"], "nothing listens"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(args: list[str], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "server: {version: 4.2}\nphases: [{count: 9, rate: max, mix: {cmd.feed.synchronize: 1}}]\n"
    )
    args = [str(path) if one == "SCENARIO" else one for one in args]
    done = cbsim("run", "--sink", "null", *args)
    assert done.returncode == 2
    assert expected in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_who_wants_no_workers_does_not_wait_for_them() -> None:
    code = (
        "import sys\nfrom cbsim.cli import main\n"
        "try: main()\nfinally: print('multiprocessing' in sys.modules)"
    )
    args = ["run", "steady-state", "--sink", "null", "--rate", "max", "--count", "10"]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# The crew without its command.


def test_a_crew_reports_as_one_run() -> None:
    scenario = everything(count=1250)
    told: list[Progress] = []
    report = crew.run(scenario, NullSink, FIXED_START, 2, count=1250, on_progress=told.append)
    expected = Counter(
        name
        for number in range(2)
        for phase in Portion(scenario, FIXED_START, number, 2).phases()
        for batch in phase
        for name in batch.names
    )
    assert report.per_name == expected
    assert report.sent == report.confirmed == 1250
    assert not report.interrupted
    assert 2.4 < report.seconds < 60
    assert 0 < report.lags.percentile(0.5) <= report.lag
    assert [one.sent for one in told] == sorted(one.sent for one in told)
    assert told[1].asked == pytest.approx(500, rel=0.2)
    assert told[1].rate == pytest.approx(500, rel=0.5)
    assert told[0].total is not None
    assert told[1].total is not None
    assert 0.2 < told[0].total < told[1].total <= 1.0


def test_a_broker_that_goes_away_ends_the_run(bus: Bus) -> None:
    scenario = parse("phases: [{duration: 1h, rate: 500/s}]")
    with Cable(bus.url) as cable:
        opened = partial(Publisher, cable.url, bus.topology, patience=0.5)

        def unplug(_: Progress) -> None:
            cable.pull_out()

        with pytest.raises(CbsimError, match=r"^broker amqp://\w+@localhost:\d+/.*nothing listens"):
            crew.run(scenario, opened, FIXED_START, 2, on_progress=unplug)
    assert not active_children()


def test_a_second_interrupt_ends_it_at_once(bus: Bus) -> None:
    scenario, waits = parse("phases: [{duration: 1h, rate: 500/s}]"), list[Timer]()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def hold(_: Progress) -> None:
        if not waits:
            cable.hold()
            waits.append(Timer(0.5, interrupt))
            waits[0].start()
            interrupt()

    with Cable(bus.url) as cable:
        opened = partial(Publisher, cable.url, bus.topology)
        with pytest.raises(KeyboardInterrupt):
            crew.run(scenario, opened, FIXED_START, 2, on_progress=hold)
        waits[0].join()
    assert not active_children()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Broken(NullSink):
    def publish_many(self, messages: Sequence[Message]) -> None:  # noqa: ARG002
        raise ZeroDivisionError("of ours")


def test_what_nobody_foresaw_is_told_in_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    expected = r"worker [12] of 2 failed: ZeroDivisionError\('of ours'\)"
    with pytest.raises(CbsimError, match=expected):
        crew.run(parse("phases: [{count: 9, rate: max}]"), Broken, FIXED_START, 2)
    assert capfd.readouterr() == ("", "")
    assert not active_children()


def test_lost_connections_are_mended_by_each_worker(bus: Bus) -> None:
    scenario = parse("phases: [{duration: 1500ms, rate: 1000/s}]")
    with Cable(bus.url) as cable:
        opened = partial(Publisher, cable.url, bus.topology)
        report = crew.run(scenario, opened, FIXED_START, 2, on_progress=lambda _: cable.cut())
    assert report.sent == report.confirmed == 1500
    assert 1500 <= len(bus.take()) <= 1500 + report.republished
