"""Brokers: started where they are wanted, checked where they exist, and gone without trace."""

from __future__ import annotations

import errno
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pika.exceptions
import pytest
import trustme

from cbsim.bus import local
from cbsim.bus.connection import PLAIN, Patience, Tls, connect, sentence
from cbsim.bus.embedded import EmbeddedBroker
from cbsim.bus.local import Node, node
from cbsim.bus.provider import provide
from cbsim.bus.queue_state import backlog_of
from cbsim.bus.sink import from_line
from cbsim.errors import BrokerError
from tests.support.command import CBSIM
from tests.support.consumer import taken_slowly
from tests.support.engine import Engine
from tests.support.patience import until
from tests.support.port import free_port, listens


@pytest.fixture(scope="module")
def private(broker: str) -> Iterator[Node]:
    """A node of our own beside the one that the tests run on: two at once don't collide."""
    with node(password="own#s3cret/ö", vhost="cb/bus") as running:
        yield running


def test_a_node_is_as_asked_and_shows_no_password(private: Node) -> None:
    parts = urlsplit(private.url)
    assert (parts.username, parts.password, parts.path) == (
        "cb",
        "own%23s3cret%2F%C3%B6",
        "/cb%2Fbus",
    )
    connect(private.url).close()
    assert "s3cret" not in repr(private)
    seen = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    cookie = Path(private.environment["HOME"], ".erlang.cookie").read_text()
    assert "s3cret" not in seen
    assert cookie not in seen


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        (None, "the virtual host is not there, or this user may not enter it"),
        (("", "", ".*"), "user 'poor' has no permission to write to exchange 'api.events'"),
        (("", "api.events", ""), "no permission to write to exchange 'api.rawsensordata'"),
        (("", "api[.].*", ""), None),
    ],
)
def test_permissions_are_checked(
    private: Node, permissions: tuple[str, str, str] | None, expected: str | None
) -> None:
    if "poor" not in private.ctl("list_users"):
        private.ctl("add_user", "poor", "s3cret")
    if permissions is None:
        private.ctl("clear_permissions", "-p", "cb/bus", "poor")
    else:
        private.ctl("set_permissions", "-p", "cb/bus", "poor", *permissions)
    url = f"amqp://poor:s3cret@127.0.0.1:{urlsplit(private.url).port}/cb%2Fbus"
    if expected is None:
        with provide(url) as broker:
            assert broker.url == url
            assert not broker.own
            assert "s3cret" not in broker.shown
        return
    with pytest.raises(BrokerError, match=expected) as caught, provide(url):
        pass
    assert "s3cret" not in str(caught.value)


def test_a_node_tells_what_its_consumers_have_yet_to_take(private: Node) -> None:
    connection = connect(private.url)
    channel = connection.channel()
    for queue in ("consumed", "left"):
        channel.queue_declare(queue, exclusive=True)
        for _ in range(3):
            channel.basic_publish("", queue, b"x")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("consumed", lambda *_: None)
    connection.process_data_events(0.2)
    assert private.states() == {"consumed": (2, 1, 1), "left": (3, 0, 0)}
    assert backlog_of(private.states().values()) == 3
    connection.close()
    assert private.states() == {}


def test_the_check_of_a_url_publishes_nothing(broker: str) -> None:
    connection = connect(broker)
    channel = connection.channel()
    channel.exchange_declare("api.events", "topic", durable=True)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "api.events", "#")
    with provide(broker):
        pass
    assert channel.queue_declare(queue, passive=True).method.message_count == 0
    connection.close()


def answering(answer: bytes | None) -> Callable[[ExitStack], int]:
    """A peer that answers the first bytes so and closes, or never says a word."""

    def start(stack: ExitStack) -> int:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(64)
                if answer is None:
                    peer.recv(64)
                else:
                    peer.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    return start


@pytest.mark.parametrize(
    ("url", "peer", "expected"),
    [
        (
            "amqp://cb:s3cret@127.0.0.1:{}/",
            answering(b"HTTP/1.1 400 What\r\n\r\n"),
            "no AMQP 0-9-1",
        ),
        ("amqps://cb:s3cret@127.0.0.1:{}/", answering(b"AMQP\0\0\x09\x01"), "no TLS is spoken"),
        ("amqp://cb:s3cret@127.0.0.1:{}/?stack_timeout=1", answering(None), "no answer in time"),
        ("amqp://cb:s3cret@127.0.0.1/?heartbeat=soon", None, "heartbeat 'soon': expected whole"),
        ("amqp://cb:s3cret@127.0.0.1/?heartbeat=70000", None, "heartbeat '70000': expected whole"),
        ("amqp:cb:s3cret@127.0.0.1", None, "broker '127.0.0.1': expected embedded"),
        ("rabbit", None, "broker 'rabbit': expected embedded, local, docker, amqp://"),
        ("embedded:5004", None, "expected embedded or embedded://user:password@host:port/vhost"),
        ("embedded://cb:s3cret@127.0.0.1:high", None, "expected embedded or embedded://"),
        ("local://somewhere:5672", None, "expected local or local://user:password"),
        ("docker://rabbitmq:4?gpus=all", None, "expected docker or docker://image:tag"),
        ("docker://rabbitmq:4?prot=1", None, "expected docker or docker://image:tag"),
    ],
)
def test_a_broker_that_cannot_be_used(
    url: str, peer: Callable[[ExitStack], int] | None, expected: str
) -> None:
    with ExitStack() as stack:
        if peer is not None:
            url = url.format(peer(stack))
        with pytest.raises(BrokerError) as caught, provide(url):
            pass
    assert expected in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_local_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cbsim.bus.local._SERVERS", (str(tmp_path),))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="rabbitmq-server is not installed"), provide("local"):
        pass


def test_local_says_why_it_did_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = tmp_path / "rabbitmq-server"
    server.write_text("#!/bin/sh\necho starting\necho the disk is full >&2\nexit 1\n")
    server.chmod(0o700)
    monkeypatch.setattr("cbsim.bus.local._SERVERS", (str(tmp_path),))
    with pytest.raises(BrokerError, match="did not start: the disk is full"), provide("local"):
        pass


def test_local_wants_a_port_that_is_free() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(BrokerError, match=r"port \d+: Address already in use"),
        provide("local", port=taken.getsockname()[1]),
    ):
        pass


def test_local_tries_again_when_a_port_is_taken_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        free, distribution, epmd, *more = local._free_ports(6)
        chosen = iter([[port, distribution, epmd], [free, port, epmd], more])
        monkeypatch.setattr(local, "_free_ports", lambda _: next(chosen))
        with provide("local") as broker:
            connect(broker.url).close()
    assert next(chosen, None) is None
    assert not [*tmp_path.iterdir()], "no crash dump"


HOLDER = """
import time
from cbsim.bus.local import node
with node() as running:
    its = running.environment
    print(running.url, its["HOME"], its["ERL_EPMD_PORT"], flush=True)
    time.sleep(60)
"""


def test_a_node_ends_when_its_parent_is_killed(broker: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url, home, epmd = parent.stdout.readline().split()
    ports = (urlsplit(url).port, int(epmd))
    assert all(map(listens, ports))
    parent.kill()
    parent.wait(30)
    parent.stdout.close()
    until(lambda: not Path(home).exists() and not any(map(listens, ports)))
    assert home not in subprocess.run(["ps", "axww"], capture_output=True, text=True).stdout


KEEPER = """
import sys, time
from cbsim.bus import keeper
command = ["sh", "-c", "sleep 60.25 & sleep 60.25"]
with keeper.kept([sys.executable, "-I", keeper.__file__, sys.argv[1], "1", *command]):
    print("kept", flush=True)
    {what}
"""


@pytest.mark.parametrize(
    ("what", "ending"),
    [
        ("time.sleep(60)", signal.SIGKILL),
        ("time.sleep(60)", signal.SIGTERM),
        ("time.sleep(60)", signal.SIGINT),
        ("raise SystemExit", None),
    ],
)
def test_what_is_kept_ends_with_its_parent(
    tmp_path: Path, what: str, ending: signal.Signals | None
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", KEEPER.format(what=what), str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == "kept\n"
    until(lambda: ending is None or "sleep 60.25" in processes())
    if ending is not None:
        parent.send_signal(ending)
    parent.wait(30)
    parent.stdout.close()
    until(lambda: not folder.exists() and "sleep 60.25" not in processes())


def processes() -> str:
    return subprocess.run(["ps", "axwwo", "args"], capture_output=True, text=True).stdout


def test_docker_without_an_engine(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cbsim.bus.provider", "docker", "true"],
        env=os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"no Docker engine answers at unix://{tmp_path}/docker.sock" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_docker_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(BrokerError, match=r"pip install 'cbsim\[docker\]'"), provide("docker"):
        pass


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A stand-in for Docker's engine; its containers answer AMQP."""
    with Engine() as it:
        monkeypatch.setenv("DOCKER_HOST", it.url)
        yield it


def test_docker_starts_labels_and_removes(engine: Engine) -> None:
    with provide("docker://rabbitmq:4-management?port=5004&management=15672") as broker:
        connect(broker.url).close()
        assert broker.drain() == 0
        (container,) = engine.containers.values()
        asked = container["Config"]
        assert asked["Labels"] == {"cbsim.owner": f"{socket.gethostname()}:{os.getpid()}"}
        assert asked["HostConfig"]["PortBindings"] == {
            "5672/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5004"}],
            "15672/tcp": [{"HostIp": "127.0.0.1", "HostPort": "15672"}],
        }
    assert engine.containers == {}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("rabbitmq:broken", "the container ended: no license"),
        ("rabbitmq:taken", "image 'rabbitmq:taken' did not start: port is already allocated"),
        ("rabbitmq:9", "image 'rabbitmq:9' did not start: manifest unknown"),
    ],
)
def test_docker_that_does_not_start(engine: Engine, image: str, expected: str) -> None:
    with pytest.raises(BrokerError, match=expected), provide(f"docker://{image}"):
        pass
    assert engine.containers == {}


def test_docker_pulls_an_image_that_is_not_there(engine: Engine) -> None:
    with provide("docker://rabbitmq:4.2-management-alpine") as broker:
        connect(broker.url).close()
        (container,) = engine.containers.values()
        assert container["Image"] == "rabbitmq:4.2-management-alpine"


def test_docker_ends_with_a_parent_that_crashes(engine: Engine) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "cbsim.bus.provider", "docker", "sh", "-c", "echo up; sleep 60"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    assert len(engine.containers) == 1
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not engine.containers)


def test_docker_removes_what_was_left_and_nothing_else(engine: Engine) -> None:
    here, dead = socket.gethostname(), subprocess.Popen(["true"])
    dead.wait()
    owners = {"left": f"{here}:{dead.pid}", "living": f"{here}:{os.getpid()}", "far": "other:1"}
    for name, owner in owners.items():
        engine.containers[name] = {
            "Id": name, "Image": "x", "Config": {"Labels": {"cbsim.owner": owner}},
        }  # fmt: skip
    with provide("docker"):
        assert len(engine.containers) == 3
    assert set(engine.containers) == {"living", "far"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def encrypted(authority: trustme.CA) -> Iterator[EmbeddedBroker]:
    """A broker with TLS whose certificate is for localhost, and which wants one of ours."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with EmbeddedBroker(password="s3cret", tls=context) as broker:
        yield broker


def test_tls_with_what_it_takes(
    encrypted: EmbeddedBroker, authority: trustme.CA, tmp_path: Path
) -> None:
    ours = authority.issue_cert("client.example")
    for name, blobs in {
        "ca": [authority.cert_pem], "cert": ours.cert_chain_pems, "key": [ours.private_key_pem],
    }.items():  # fmt: skip
        tmp_path.joinpath(name).write_bytes(b"".join(blob.bytes() for blob in blobs))
    ca, cert, key = (str(tmp_path / name) for name in ("ca", "cert", "key"))
    url = f"amqps://cb:s3cret@localhost:{encrypted.port}/%2F"
    with provide(url, Tls(ca, cert, key)) as broker:
        connect(broker.url, broker.tls).close()
    for wrong, tls, expected in [
        (url, PLAIN, "its certificate is not trusted: .*; --ca-file says whom to trust"),
        (url.replace("localhost", "127.0.0.1"), Tls(ca, cert, key), "not trusted: IP address mis"),
        (url, Tls(ca), r"wants a client certificate \(--client-cert, --client-key\)"),
        (url, Tls(str(tmp_path / "no")), "TLS file .*/no: No such file"),
        (url, Tls(key), "TLS file .*/key: expected certificates"),
        (url, Tls(ca, cert, str(tmp_path / "no")), "TLS file .*/no: No such file"),
        (url, Tls(ca, ca, key), "TLS files .*/ca, .*/key: the key is not that of the certificate"),
        (url.replace("amqps", "amqp"), PLAIN, r"or only over TLS \(amqps://\)"),
        (url.replace("s3cret", "wrong"), Tls(ca, cert, key), "login of user 'cb' was refused"),
        (url.replace("%2F", "none"), Tls(ca, cert, key), "the virtual host is not there"),
    ]:
        with pytest.raises(BrokerError, match=expected) as caught, provide(wrong, tls):
            pass
        assert "s3cret" not in str(caught.value)


def test_a_broker_that_misses_its_heartbeats() -> None:
    error = pika.exceptions.AMQPHeartbeatTimeout("No activity or too many missed heartbeats")
    said = sentence(error, "amqp://cb:s3cret@127.0.0.1/")
    assert said == "broker amqp://cb@127.0.0.1/: it missed its heartbeats"


def test_embedded_is_as_asked() -> None:
    port = free_port()
    with provide(f"embedded://me:s%2F3cret@localhost:{port}/my%2Fbus") as broker:
        assert broker.url == f"amqp://me:s%2F3cret@localhost:{port}/my%2Fbus"
        assert broker.shown == f"amqp://me@localhost:{port}/my%2Fbus"
        assert broker.own
        connect(broker.url).close()
    with provide("embedded") as broker:
        assert broker.shown == broker.url
        assert broker.url.endswith("/%2F")
    for host, reachable in (("0.0.0.0", "127.0.0.1"), ("::", "[::1]")):
        with provide("embedded", host=host) as broker:
            assert f"@{reachable}:" in broker.url
            connect(broker.url).close()


def test_a_run_ends_its_broker_when_consumers_have_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    port, record = free_port(), tmp_path / "record"
    command = [
        *CBSIM, "run", "steady-state",
        "--rate", "1000/s", "--duration", "2s", "--start", "2024-01-01T00:00:00Z",
    ]  # fmt: skip
    recording = subprocess.Popen([*command, "--sink", f"ndjson:{record}"], stderr=subprocess.PIPE)
    running = subprocess.Popen(
        [*command, "--broker", f"embedded://cb:s3cret@:{port}"], stderr=subprocess.PIPE, text=True
    )
    got = taken_slowly(port)
    _, said = running.communicate(timeout=30)
    recording.communicate(timeout=30)
    assert running.returncode == 0, said
    assert "s3cret" not in said
    sent = [from_line(line).body for line in record.read_bytes().splitlines()]
    # The first may have been published before the queue was bound.
    assert not Counter(sent[1000:]) - Counter(got)


def test_a_consumer_that_takes_nothing_does_not_hold_up_the_end() -> None:
    with provide("embedded") as broker:
        connection = connect(broker.url)
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue, lambda *_: None)
        for _ in range(3):
            channel.basic_publish("", queue, b"x")
        connection.process_data_events(0.5)
        assert broker.drain(patience=0.2) == 3
        connection.close()
        assert broker.drain(patience=5) == 0


def test_auto_is_the_url_that_is_set_or_embedded(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CBSIM_BROKER_URL", broker)
    with provide() as given:
        assert given.url == broker
    monkeypatch.delenv("CBSIM_BROKER_URL")
    with provide() as started:
        assert started.faults is not None


def test_a_command_runs_with_the_url_of_the_broker(broker: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cbsim.bus.provider", "auto",
         "sh", "-c", "echo $CBSIM_BROKER_URL; exit 7"],
        env=os.environ | {"CBSIM_BROKER_URL": broker}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (7, broker)


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        (["embedded", "no-such-command"], 1, "cannot run no-such-command: No such file"),
        (["embedded"], 2, "usage: "),
        (["rabbit", "true"], 1, "expected embedded, local, docker"),
    ],
)
def test_a_command_that_cannot_run(command: list[str], code: int, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cbsim.bus.provider", *command],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_command_is_ended_with_us() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cbsim.bus.provider", "embedded",
         "sh", "-c", "trap 'echo ended; exit 3' TERM; echo up; while :; do sleep 0.1; done"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (3, "ended\n")


def test_nobody_is_connected_to_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()

    def to_itself(address: tuple[str, int], _: float) -> socket.socket:
        # As the system does when it gives a client the port that it asks for.
        one = socket.socket()
        one.bind(address)
        one.connect(address)
        return one

    monkeypatch.setattr(socket, "create_connection", to_itself)
    with pytest.raises(BrokerError, match=r"nothing listens there \(connection refused\)"):
        connect(f"amqp://cb:pw@127.0.0.1:{port}/", patience=Patience(again=True))
    socket.create_server(("127.0.0.1", port)).close()


def test_a_node_listens_on_loopback_alone_and_on_no_clients_port(private: Node) -> None:
    its = private.environment
    ports = [int(its[f"RABBITMQ_{name}_PORT"]) for name in ("NODE", "DIST")]
    ports.append(int(its["ERL_EPMD_PORT"]))
    clients = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if clients.exists():
        first, last = map(int, clients.read_text().split())
        assert not [port for port in ports if first <= port <= last]
    assert all(map(listens, ports))
    # All of 127.0.0.0/8 is this machine, but only 127.0.0.1 is listened on.
    for port in ports:
        with socket.socket() as asked:
            assert asked.connect_ex(("127.0.0.2", port)) == errno.ECONNREFUSED, port


def test_a_connection_that_breaks_off_is_no_wrong_protocol_once_there_was_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://cb:pw@127.0.0.1:{server.getsockname()[1]}/"

        def hang_up() -> None:
            for _ in range(3):
                server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(BrokerError, match="it closed the connection before the login was"):
            connect(url, patience=Patience(again=True))
        with pytest.raises(BrokerError, match="no AMQP 0-9-1 is spoken there"):
            connect(url)
        thread.join()


def test_a_failed_connection_has_a_reason() -> None:
    said = sentence(pika.exceptions.AMQPConnectionError(), "amqp://cb:pw@bus/")
    assert said == "broker amqp://cb@bus/: the connection failed: AMQPConnectionError"
    nested = pika.exceptions.AMQPConnectionError()
    nested.__cause__ = OSError("No route to host")
    said = sentence(nested, "amqp://cb:pw@bus/")
    assert said == "broker amqp://cb@bus/: the connection failed: No route to host"
