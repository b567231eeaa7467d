"""`cbsim serve` as its users meet it: a bus that is there, healthy, and ill when asked."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pika.exceptions
import pytest
import trustme
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from cbsim.bus.connection import Tls, connect
from cbsim.bus.embedded import FAULTS
from cbsim.bus.sink import NullSink
from cbsim.cli.fault import command
from cbsim.errors import BrokerError
from cbsim.report.endpoint import Endpoint, Health
from cbsim.scenario.endless import repeated, run_endlessly
from cbsim.scenario.loader import load, parse
from cbsim.scenario.stream import FIXED_START
from cbsim.wire.message import Message
from cbsim.wire.reading import read
from tests.support.command import CBSIM
from tests.support.patience import until
from tests.support.port import free_port
from tests.support.serving import Served, cbsim, serving


def test_only_a_bus(tmp_path: Path) -> None:
    out, ledger = str(tmp_path / "tap.ndjson"), str(tmp_path / "run.ledger")
    with serving("none", "--port", "0", "--health-port", "0") as served:
        assert served.lines["scenario"] == "none"
        url = served.lines["broker"]
        tap = subprocess.Popen(
            [*CBSIM, "tap", "--broker", url, "--out", out, "--count", "50"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert tap.stderr is not None
        assert tap.stderr.readline().startswith("subscribed")
        asked = ["--rate", "max", "--count", "50", "--ledger", ledger]
        done = cbsim("run", "quickstart", *asked, CBSIM_BROKER_URL=url)
        assert done.returncode == 0, done.stderr
        tap.communicate(timeout=30)
        assert served.health()["sent"] == 0
        served.stop()
        assert served.process.returncode == 0
    assert cbsim("verify", "--ledger", ledger, out).returncode == 0


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The quickstart on an embedded broker."""
    with serving("quickstart", "--port", "0", "--health-port", "0") as it:
        yield it


def test_the_printed_command_subscribes(served: Served) -> None:
    check_subscribes(served)


def check_subscribes(served: Served) -> None:
    done = subprocess.run(
        served.lines["subscribe"] + " --count 5",
        shell=True, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and a certificate of its for 127.0.0.1 with its key."""
    folder, authority = tmp_path_factory.mktemp("pem"), trustme.CA()
    ours = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca")
    ours.private_key_and_cert_chain_pem.write_to_path(folder / "both")
    ours.private_key_pem.write_to_path(folder / "key")
    ours.cert_chain_pems[0].write_to_path(folder / "cert")
    trustme.CA().issue_cert("wrong.example").private_key_and_cert_chain_pem.write_to_path(
        folder / "wrong"
    )
    (folder / "secret").write_bytes(encrypted((folder / "key").read_bytes()))
    return folder


def encrypted(key: bytes) -> bytes:
    return load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
    )


@pytest.mark.parametrize("files", [["both"], ["cert", "key"], ["both", None, "ca"]])
def test_over_tls_the_printed_command_subscribes(pem: Path, files: list[str | None]) -> None:
    names = ("--tls-cert", "--tls-key", "--ca-file")
    options = [
        word for name, file in zip(names, files, strict=False) if file
        for word in (name, str(pem / file))
    ]  # fmt: skip
    with serving("quickstart", "--port", "0", "--health-port", "0", *options) as it:
        url = it.lines["broker"]
        assert url.startswith("amqps://cb:")
        check_subscribes(it)
        connect(url, Tls(str(pem / "ca"))).close()
        with pytest.raises(BrokerError, match="certificate is not trusted"):
            connect(url)
        with pytest.raises(BrokerError, match=r"or only over TLS \(amqps://\)"):
            connect(url.replace("amqps:", "amqp:"))


def test_a_certificate_that_consumers_must_refuse_is_served_all_the_same(pem: Path) -> None:
    wrong = str(pem / "wrong")
    with serving("quickstart", "--port", "0", "--health-port", "0", "--tls-cert", wrong) as it:
        until(lambda: it.health()["confirmed"] > 0)
        with pytest.raises(BrokerError, match="is not trusted: IP address mismatch"):
            connect(it.lines["broker"], Tls(wrong))


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["--tls-key", "key"], 2, "--tls-key: its certificate is missing, --tls-cert"),
        (["--tls-cert", "none"], 2, "TLS file {}/none: No such file or directory"),
        (["--tls-cert", "cert", "--tls-key", "none"], 2, "TLS file {}/none: No such file"),
        (["--tls-cert", "cert"], 2, "TLS files {}/cert: expected a certificate and its key"),
        (["--tls-cert", "cert", "--tls-key", "secret"], 2, "both PEM, the key without passphrase"),
        (["--tls-cert", "ca", "--tls-key", "key"], 2, "the key is not that of the certificate"),
        (["--tls-cert", "both", "--broker", "local"], 2, "only the embedded one takes a certifi"),
    ],
)
def test_a_certificate_that_cannot_be_served(
    pem: Path, options: list[str], code: int, expected: str
) -> None:
    words = [str(pem / one) if (pem / one).exists() or one == "none" else one for one in options]
    broker = [] if "--broker" in words else ["--broker", "embedded"]
    done = cbsim("serve", "quickstart", "--port", "0", "--health-port", "0", *broker, *words)
    assert done.returncode == code
    assert expected.format(pem) in done.stderr
    assert "Traceback" not in done.stderr


def test_health_counts(served: Served) -> None:
    health = served.health()
    assert health["status"] == "ready"
    assert health["scenario"] == "quickstart"
    assert urlsplit(served.lines["broker"]).password == served.lines["password"]
    assert served.lines["password"] not in json.dumps(health)
    before = health["sent"]
    until(lambda: served.health()["sent"] > before)
    later = served.health()
    assert 0 < later["confirmed"] <= later["sent"]


def test_health_waits() -> None:
    port = free_port()
    assert cbsim("health", "--at", f"http://127.0.0.1:{port}").returncode == 1
    waiting = subprocess.Popen(
        [*CBSIM, "health", "--wait", "30", "--at", f"http://127.0.0.1:{port}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with serving("quickstart", "--port", "0", "--health-port", str(port)):
        said, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert json.loads(said)["status"] == "ready"


def test_a_fault_meets_consumers_and_not_our_publisher(served: Served) -> None:
    connection = connect(served.lines["broker"])
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "api.events", "#")
    channel.basic_consume(queue, lambda *_: None, auto_ack=True)
    done = served.fault("drop-connection", "--how", "close", "--after", "3")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="320"):
        channel.start_consuming()
    refused = served.fault("drop-connection")
    assert refused.returncode == 1
    assert "there is no connection" in refused.stderr
    before = served.health()["sent"]
    until(lambda: served.health()["sent"] > before)


def test_faults_last_until_they_are_cleared(served: Served) -> None:
    assert served.fault("delay-deliveries", "--seconds", "2", "--queue", "a*").returncode == 0
    assert "delay_deliveries" in served.fault("active").stdout
    assert served.fault("clear").returncode == 0
    assert served.fault("active").stdout == ""


def test_every_fault_has_a_command() -> None:
    def shown(*args: str) -> str:
        return CliRunner().invoke(command, [*args, "--help"], catch_exceptions=False).output

    for name, fault in FAULTS.items():
        assert name.replace("_", "-") in shown()
        for parameter in fault.parameters:
            assert "--" + parameter.name.replace("_", "-") in shown(name.replace("_", "-"))


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (
            ["--at", "http://127.0.0.1:1", "clear"],
            "`cbsim serve` does not answer there: Connection",
        ),
        (["--at", "ftp://127.0.0.1", "clear"], "expected http://host:port"),
        (["--at", "http://127.0.0.1:{broker}", "clear"], "what answers there is not `cbsim serve`"),
        (["--at", "{endpoint}", "stall", "--seconds", "-1"], "seconds -1.0: expected 0 or more"),
    ],
)
def test_a_fault_that_cannot_be(served: Served, args: list[str], expected: str) -> None:
    port = urlsplit(served.lines["broker"]).port
    done = cbsim("fault", *(one.format(broker=port, endpoint=served.endpoint) for one in args))
    assert done.returncode == (2 if "expected " in expected else 1)
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_even_while_blocked(how: signal.Signals) -> None:
    with serving("quickstart", "--port", "0", "--health-port", "0") as it:
        assert it.fault("block-publishers").returncode == 0
        before = it.health()["sent"]
        until(lambda: it.health()["sent"] > before)
        said = it.stop(how)
        assert it.process.returncode == 0, said
        sent, confirmed = re.findall(r"([\d,]+) (?:sent|confirmed)", said)
        assert sent == confirmed != "0"


def test_a_given_password_is_not_shown() -> None:
    more = ("--port", "0", "--health-port", "0")
    with serving("quickstart", *more, CBSIM_PASSWORD="s3cret") as it:
        assert "s3cret" not in str(it.lines)
        port = urlsplit(it.lines["broker"]).port
        connect(f"amqp://cb:s3cret@127.0.0.1:{port}/").close()
        assert it.lines["subscribe"].endswith(f"amqp://cb@127.0.0.1:{port}/%2F")
        done = subprocess.run(
            [*CBSIM, *it.lines["subscribe"].split()[1:], "--count", "1"],
            env=os.environ | {"CBSIM_PASSWORD": "s3cret"}, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "s3cret" not in it.stop()


def test_on_rabbitmq_there_are_no_faults(broker: str) -> None:
    with serving("quickstart", "--broker", broker, "--health-port", "0") as it:
        password = urlsplit(broker).password or "guest"
        assert password not in str(it.lines)
        until(lambda: it.health()["confirmed"] > 0)
        done = it.fault("clear")
        assert done.returncode == 1
        assert "this broker has no faults on demand; the embedded one has" in done.stderr
        it.stop()
        assert it.process.returncode == 0


def test_ports_that_are_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for args in (["--port", port], ["--port", "0", "--health-port", port]):
            done = cbsim("serve", *args, CBSIM_BROKER_URL="")
            assert done.returncode == 2
            assert f"127.0.0.1:{port}" in done.stderr
            assert "address already in use" in done.stderr.lower()
            assert len(done.stderr.splitlines()) == 1


class Faults:
    def __init__(self) -> None:
        self.done: list[tuple[str, dict[str, object]]] = []

    def apply(self, name: str, /, **parameters: object) -> int:
        self.done.append((name, parameters))
        return 1

    def active(self) -> list[str]:
        return []


@pytest.mark.parametrize(
    ("token", "headers", "body", "status"),
    [
        (None, {}, b'{"fault": "stall", "seconds": 1}', 200),
        (None, {"Origin": "http://evil.example"}, b'{"fault": "stall"}', 403),
        ("t0ken", {}, b'{"fault": "stall"}', 403),
        ("t0ken", {"Authorization": "Bearer token"}, b'{"fault": "stall"}', 403),
        ("t0ken", {"Authorization": "Bearer t0ken"}, b'{"fault": "stall", "seconds": 1}', 200),
        (None, {}, b"[1]", 400),
        (None, {}, b"{", 400),
        (None, {}, b'{"seconds": 1}', 400),
        (None, {}, b'{"fault": 1}', 400),
        (None, {}, b"\xff", 400),
        (None, {}, b'{"fault": "stall", "x": "' + b"x" * 70000 + b'"}', 400),
    ],
)
def test_who_may_ask_for_faults_and_how(
    token: str | None, headers: dict[str, str], body: bytes, status: int
) -> None:
    faults = Faults()
    health = Health("starting", "none", "amqp://cb@127.0.0.1/")
    with Endpoint(health, faults, token=token) as endpoint:
        assert asked(f"{endpoint.url}/health")[0] == 503
        assert asked(f"{endpoint.url}/elsewhere")[0] == 404
        got, said = asked(f"{endpoint.url}/faults", body, headers)
        assert got == status, said
    assert faults.done == ([("stall", {"seconds": 1})] if status == 200 else [])


def asked(
    url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {})) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class Stopping(NullSink):
    """Stops the run after some messages, as Ctrl-C does."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self._after = after

    def publish_many(self, messages: list[Message]) -> None:
        for message in messages:
            self.publish(message)

    def publish(self, message: Message) -> None:
        super().publish(message)
        self.messages.append(message)
        if len(self.messages) == self._after:
            raise KeyboardInterrupt


def test_a_server_never_stops_speaking(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = parse("""
    estate: {sensors: 2}
    phases:
      - {name: a, count: 40, rate: max, mix: {ingress.event.filemod: 1}}
      - {name: b, count: 10, rate: max, mix: {ingress.event.netconn: 1}}
    """)
    monkeypatch.setattr("cbsim.scenario.endless._MOST_ROUNDS", 3)
    sink = Stopping(400)
    report = run_endlessly(scenario, sink, FIXED_START)
    assert report.interrupted
    assert report.confirmed == sink.confirmed == 400
    assert report.sent == sum(report.per_name.values())
    keys = [message.routing_key for message in sink.messages]
    assert keys == (["ingress.event.filemod"] * 40 + ["ingress.event.netconn"] * 10) * 8
    # In one life, of three rounds, time goes on from round to round.
    times = [
        int(reading.fields["header"]["timestamp"])
        for message in sink.messages[:150]
        for reading in read(message)
    ]
    assert times == sorted(times)
    first, second = sink.messages[:150], sink.messages[150:300]
    assert [one.body for one in first] != [one.body for one in second]


def test_rounds_last_for_hours_and_have_names_of_their_own() -> None:
    for name in ("quickstart", "outbreak", "soak"):
        phases = repeated(load(name)).phases
        assert len({phase.name for phase in phases}) == len(phases)
        assert sum(phase.duration or 0 for phase in phases) >= 4 * 3600
