"""A private RabbitMQ node from the installed `rabbitmq-server`."""

from __future__ import annotations

import json
import os
import random
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from cbsim.bus import keeper
from cbsim.bus.connection import connect
from cbsim.bus.queue_state import QueueState, asked_of, states_of
from cbsim.errors import BrokerError

__all__ = ["Node", "node"]

# Before PATH: the distributions' own commands there change to a user who may not read our folder.
_SERVERS = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/sbin")
_TRIES = 3
_TAKEN = ("eaddrinuse", "could_not_start_listener", "dist_port_already_used")
"""How a node says that a port which was free is not any more."""


_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
"""For Erlang's distribution, which else listens on every address."""
_PORTS_FROM = 10240


@dataclass(frozen=True, slots=True)
class Node:
    """A running node."""

    url: str = field(repr=False)
    management: str | None
    """Where its management API answers, without a login."""
    environment: Mapping[str, str] = field(repr=False)
    """With which `rabbitmqctl` finds it."""
    server: str
    """The path of `rabbitmq-server`; `rabbitmqctl` is beside it."""
    vhost: str

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` answers; raises BrokerError when it refuses."""
        done = subprocess.run(
            [Path(self.server).with_name("rabbitmqctl"), "--quiet", *arguments],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise BrokerError(f"rabbitmqctl {' '.join(arguments[:1])}: {said}")
        return done.stdout

    def states(self) -> dict[str, QueueState]:
        """What each queue holds."""
        return states_of(self.ctl(*asked_of(self.vhost)))


@contextmanager
def node(
    *,
    port: int = 0,
    user: str = "cb",
    password: str | None = None,
    vhost: str = "/",
    config: str = "",
    management: bool = False,
    patience: float = 90.0,
) -> Iterator[Node]:
    """A RabbitMQ node of our own: its own ports, data, cookie and name, gone without trace.

    Port 0 is any free one, password None a random one, `config` what else its rabbitmq.conf shall
    say. With `management` its API answers, and counts every second. Waits up to `patience` seconds
    for it to answer. Raises BrokerError when rabbitmq-server is
    not installed or does not start.
    """
    server = _server()
    password = password or secrets.token_urlsafe(16)
    for attempt in range(1, _TRIES + 1):
        with ExitStack() as stack:
            try:
                started = stack.enter_context(
                    _started(server, _Login(user, password, vhost), port, config, management)
                )
                _await(started, patience)
            except BrokerError as error:
                if attempt == _TRIES or not any(one in str(error) for one in _TAKEN):
                    raise
            else:
                yield started.node
                return


@dataclass(frozen=True, slots=True)
class _Started:
    node: Node
    keeper: subprocess.Popen[bytes]


def _server() -> str:
    folders = (Path(folder, "rabbitmq-server") for folder in _SERVERS)
    found = next((str(path) for path in folders if path.exists()), None)
    found = found or shutil.which("rabbitmq-server")
    if found is None:
        raise BrokerError(
            "--broker local: rabbitmq-server is not installed; install it, or use embedded"
        )
    return found


@contextmanager
def _started(
    server: str, login: _Login, port: int, config: str, management: bool
) -> Iterator[_Started]:
    if port:
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
            except OSError as error:
                raise BrokerError(f"--broker local: port {port}: {error.strerror}") from None
    free, *others = _free_ports(4 if management else 3)
    port = port or free
    ports = _Ports(port, *others)
    home = Path(tempfile.mkdtemp(prefix="cbsim-rabbitmq-"))
    environment = _prepared(home, ports, config)
    definitions = json.dumps(_definitions(*login))
    _write(home / "definitions.json", definitions)
    command = [sys.executable, "-I", "-S", keeper.__file__, str(home), str(ports.epmd), server]
    with keeper.kept(command, environment) as process:
        shown = f"{quote(login.user, '')}:{quote(login.password, '')}"
        url = f"amqp://{shown}@127.0.0.1:{port}/{quote(login.vhost, '')}"
        at = f"http://127.0.0.1:{ports.management}" if management else None
        yield _Started(Node(url, at, environment, server, login.vhost), process)


class _Login(NamedTuple):
    user: str
    password: str
    vhost: str


class _Ports(NamedTuple):
    amqp: int
    distribution: int
    epmd: int
    management: int | None = None


def _prepared(home: Path, ports: _Ports, config: str) -> dict[str, str]:
    """Write a node's files; returns the environment with which it uses these and no others."""
    ours = {name: it for name, it in os.environ.items() if not name.startswith(("RABBITMQ", "ERL"))}
    environment = ours | {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_CRASH_DUMP_SECONDS": "0",
        "RABBITMQ_NODENAME": f"cbsim{ports.amqp}@localhost",
        "RABBITMQ_NODE_PORT": str(ports.amqp),
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        # Whoever knows the cookie may do anything there: nobody is to come in from outside.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _LOOPBACK,
        "RABBITMQ_CTL_ERL_ARGS": _LOOPBACK,
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(home / "conf.d" / "*.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
    }
    plugins = ""
    if ports.management is not None:
        plugins = "rabbitmq_management"
        config += (
            f"\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {ports.management}\n"
            "collect_statistics_interval = 1000"
        )
    files = {
        "rabbitmq.conf": f"listeners.tcp.local = 127.0.0.1:{ports.amqp}\nlog.file.level = warning\n"
        f"load_definitions = {home}/definitions.json\n{config}\n",
        "advanced.config": "[].\n",
        "plugins": f"[{plugins}].\n",
        "env.conf": "",
        ".erlang.cookie": secrets.token_hex(16),
    }
    for name, text in files.items():
        _write(home / name, text)
    return environment


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o400)


def _definitions(user: str, password: str, vhost: str) -> dict[str, list[dict[str, Any]]]:
    salt = secrets.token_bytes(4)  # as rabbit_password_hashing_sha256 has it
    hashed = b64encode(salt + sha256(salt + password.encode()).digest()).decode()
    everything = dict.fromkeys(("configure", "write", "read"), ".*")
    return {
        "users": [
            {
                "name": user,
                "password_hash": hashed,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"],
            }
        ],
        "vhosts": [{"name": vhost}],
        "permissions": [{"user": user, "vhost": vhost, **everything}],
    }


def _await(started: _Started, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            connect(started.node.url).close()
            return
        except BrokerError:
            if time.monotonic() > until:
                raise BrokerError(
                    f"--broker local: rabbitmq-server gave no answer in {patience:.0f} s"
                ) from None
        out = started.keeper.stdout
        assert out is not None
        # The keeper says something when the node has ended, and how.
        if select.select([out], [], [], 0.2)[0]:
            said = out.read().decode(errors="replace") or "it said nothing"
            raise BrokerError(f"--broker local: rabbitmq-server did not start: {said}") from None


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, and that the system gives to no client.

    While a broker restarts, a client's port could be the broker's: even that of a client that tries
    to reach it, which then is connected to itself. Raises BrokerError when there are too few.
    """
    ports = range(_PORTS_FROM, _clients_from())
    # Not the random that a test may have seeded, alike in every process.
    drawn = random.SystemRandom().sample(ports, len(ports))
    found = [*islice(filter(_is_free, drawn), count)]
    if len(found) < count:
        raise BrokerError(f"--broker local: no free ports from {ports.start} to {ports.stop - 1}")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _clients_from() -> int:
    """The first port that the system gives to clients."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32768
