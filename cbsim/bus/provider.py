"""A broker wherever the user is: embedded, a local RabbitMQ, one in Docker, or an existing one.

`python -m cbsim.bus.provider BROKER COMMAND...` runs a command with CBSIM_BROKER_URL set.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cbsim.bus.certificate import Certificate
from cbsim.bus.connection import PLAIN, Tls, check, redacted
from cbsim.bus.queue_state import QueueState, Reading, backlog_of
from cbsim.errors import BrokerError, CbsimError
from cbsim.interrupt import heed
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE

if TYPE_CHECKING:
    from cbsim.bus.container import Running
    from cbsim.bus.embedded import Faults
    from cbsim.bus.local import Node

__all__ = ["OWN", "Broker", "provide"]

OWN = ("embedded", "local", "docker")
"""The brokers that are started for us and end with us."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that answers: its URL, whom to trust there, and its faults if it can have some."""

    url: str = field(repr=False)
    tls: Tls = PLAIN
    own: bool = False
    """Whether it was started for us and ends with us."""
    secret: bool = True
    """Whether its password came from the user, and is not ours to show."""
    faults: Faults | None = None
    states: Callable[[], Mapping[str, QueueState]] | None = None
    """What each queue holds, for a broker that can tell."""
    bound: Callable[[Sequence[str]], Set[str]] | None = None
    """Which queues messages of these exchanges may come to, for a broker in our own process."""
    readings: Callable[[], Mapping[str, Reading]] | None = None
    """What each queue holds and did, at this moment, for the same."""
    management: str | None = None
    """Where its management API answers, without a login, if that is known."""
    backlog: Callable[[], int] | None = None
    """How many messages consumers have yet to take, for a broker that can tell."""

    def drain(self, patience: float = 10.0) -> int:
        """Wait until consumers have taken and acknowledged everything that is there for them.

        Gives up when nothing changed for `patience` seconds, and returns how many are left. What a
        consumer took without acknowledging, nobody can know. A broker that cannot tell has 0. A
        KeyboardInterrupt ends the wait.
        """
        if self.backlog is None:
            return 0
        left, since = self.backlog(), time.monotonic()
        with suppress(KeyboardInterrupt):
            heed()
            while left and time.monotonic() - since < patience:
                time.sleep(0.02)
                before, left = left, self.backlog()
                if left != before:
                    since = time.monotonic()
        return left

    @property
    def shown(self) -> str:
        """The URL for a person to use; with its password only where we made that up."""
        return redacted(self.url) if self.secret else self.url


@dataclass(frozen=True, slots=True)
class _Wanted:
    kind: str
    host: str = "127.0.0.1"
    port: int = 0
    user: str = "cb"
    password: str | None = field(default=None, repr=False)
    vhost: str = "/"
    image: str | None = None
    management: int | None = None
    tls: Tls = PLAIN
    certificate: Certificate | None = None
    exchanges: Sequence[str] = ()
    watched: bool = False


@contextmanager
def provide(
    broker: str = "auto",
    tls: Tls = PLAIN,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    password: str | None = None,
    certificate: Certificate | None = None,
    exchanges: Sequence[str] = (EVENTS_EXCHANGE, RAW_EXCHANGE),
    watched: bool = False,
) -> Iterator[Broker]:
    """A broker for as long as the context lasts; whatever was started ends with it, or with us.

    | `broker` | what it is |
    | --- | --- |
    | `auto` | the URL in CBSIM_BROKER_URL; else `embedded` |
    | `embedded` | a broker inside this process |
    | `local` | a private node of the installed rabbitmq-server |
    | `docker` | a container of RabbitMQ's management image |
    | `amqp://...`, `amqps://...` | an existing broker where we may publish to `exchanges` |

    The first three can carry more, as a URL does: `embedded://user:password@host:port/vhost`,
    `local://user:password@:port/vhost`, `docker://image:tag?port=5004&management=15672`. What they
    leave open is `host`, `port` (0: any free one), and `password` (None: a random one). With a
    `certificate` the embedded broker speaks TLS, `amqps://`. A RabbitMQ of our own whose queues are
    to be `watched` has its management API. Raises BrokerError.
    """
    if broker == "auto":
        broker = os.environ.get("CBSIM_BROKER_URL") or "embedded"
    kind = broker.partition(":")[0]
    wanted = _Wanted(
        kind, host, port, password=password, tls=tls, certificate=certificate, exchanges=exchanges,
        watched=watched,
    )  # fmt: skip
    if certificate is not None and kind != "embedded":
        raise BrokerError(
            f"broker {redacted(broker)}: only the embedded one takes a certificate of ours"
        )
    if kind in OWN:
        with _PROVIDERS[kind](_parsed(broker, wanted)) as provided:
            yield provided
    elif "://" in broker:
        check(broker, tls, exchanges)
        yield Broker(broker, tls)
    else:
        raise BrokerError(
            f"broker {redacted(broker)!r}: expected {', '.join(OWN)}, amqp:// or amqps://"
        )


@contextmanager
def _embedded(wanted: _Wanted) -> Iterator[Broker]:
    from cbsim.bus.embedded import EmbeddedBroker
    from cbsim.bus.embedded.backlog import backlog

    trust, context, certificate = PLAIN, None, wanted.certificate
    if certificate is not None:
        trust = Tls(wanted.tls.ca_file or certificate.cert_file, verified=False)
        context = certificate.context()
    with EmbeddedBroker(
        host=wanted.host,
        port=wanted.port,
        user=wanted.user,
        password=wanted.password,
        vhost=wanted.vhost,
        tls=context,
    ) as broker:
        yield Broker(
            broker.url,
            trust,
            own=True,
            secret=bool(wanted.password),
            faults=broker.faults,
            states=lambda: broker.queues,
            readings=lambda: broker.readings,
            bound=lambda exchanges: broker.call(lambda server: server.vhost.bound(exchanges)),
            backlog=lambda: broker.call(backlog),
        )


@contextmanager
def _local(wanted: _Wanted) -> Iterator[Broker]:
    from cbsim.bus.local import node

    with node(
        port=wanted.port,
        user=wanted.user,
        password=wanted.password,
        vhost=wanted.vhost,
        management=wanted.watched,
    ) as running:
        yield _rabbitmq(running, secret=bool(wanted.password))


@contextmanager
def _docker(wanted: _Wanted) -> Iterator[Broker]:
    from cbsim.bus.container import IMAGE, container

    with container(
        image=wanted.image or IMAGE,
        port=wanted.port,
        management_port=0 if wanted.watched and not wanted.management else wanted.management,
        user=wanted.user,
        password=wanted.password,
        vhost=wanted.vhost,
    ) as running:
        yield _rabbitmq(running, secret=bool(wanted.password))


def _rabbitmq(running: Node | Running, *, secret: bool) -> Broker:
    return Broker(
        running.url,
        own=True,
        secret=secret,
        states=running.states,
        management=running.management,
        backlog=lambda: backlog_of(running.states().values()),
    )


_PROVIDERS = {"embedded": _embedded, "local": _local, "docker": _docker}


def _parsed(broker: str, wanted: _Wanted) -> _Wanted:
    """What a word with the form of a URL says instead; raises BrokerError."""
    if broker == wanted.kind:
        return wanted
    try:
        if not broker.startswith(f"{wanted.kind}://"):
            raise ValueError
        parts = urlsplit(broker)
        return _of_image(parts, wanted) if wanted.kind == "docker" else _of_node(parts, wanted)
    except (ValueError, KeyError):
        shape = "docker://image:tag?port=5004&management=15672"
        if wanted.kind != "docker":
            shape = f"{wanted.kind}://user:password@host:port/vhost"
        shown = redacted(broker)
        raise BrokerError(f"broker {shown!r}: expected {wanted.kind} or {shape}") from None


def _of_node(parts: SplitResult, wanted: _Wanted) -> _Wanted:
    if parts.query or (parts.hostname and wanted.kind == "local"):
        raise ValueError
    return replace(
        wanted,
        host=parts.hostname or wanted.host,
        port=wanted.port if parts.port is None else parts.port,
        user=unquote(parts.username or "") or wanted.user,
        password=unquote(parts.password or "") or wanted.password,
        vhost=unquote(parts.path[1:]) or wanted.vhost,
    )


def _of_image(parts: SplitResult, wanted: _Wanted) -> _Wanted:
    query = parse_qsl(parts.query, strict_parsing=True) if parts.query else []
    asked = {name: int(value) for name, value in query}
    port, management = asked.pop("port", wanted.port), asked.pop("management", None)
    if asked:
        raise ValueError
    return replace(
        wanted, image=parts.netloc + parts.path or None, port=port, management=management
    )


def _main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        sys.stderr.write("usage: python -m cbsim.bus.provider BROKER COMMAND...\n")
        return 2
    try:
        with provide(arguments[0]) as broker:
            return _run(arguments[1:], os.environ | {"CBSIM_BROKER_URL": broker.url})
    except CbsimError as error:
        sys.stderr.write(f"cbsim: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    child: subprocess.Popen[bytes] | None = None
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True
        if child is not None:
            child.terminate()

    # The command may live already before we have it in hand.
    signal.signal(signal.SIGTERM, end)
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise BrokerError(f"cannot run {command[0]}: {error.strerror}") from None
    if ended:
        child.terminate()
    # The terminal's Ctrl-C reaches the command, too: we end when it does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
