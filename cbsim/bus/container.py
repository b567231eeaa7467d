"""RabbitMQ's management image in a Docker container, through the `docker` package.

As a program, `python -m cbsim.bus.container ID` removes that container when standard input ends.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from cbsim.bus.connection import connect
from cbsim.bus.keeper import kept
from cbsim.bus.queue_state import QueueState, asked_of, states_of
from cbsim.errors import BrokerError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

__all__ = ["IMAGE", "LABEL", "Running", "container"]

IMAGE = "rabbitmq:4-management"
LABEL = "cbsim.owner"
"""Every container of ours has it; its value is `host:pid` of the process that it belongs to."""

_AMQP, _MANAGEMENT = "5672/tcp", "15672/tcp"


@dataclass(frozen=True, slots=True)
class Running:
    """A container whose RabbitMQ answers."""

    url: str = field(repr=False)
    management: str | None
    """Where its management API answers, without a login, if it has a port."""
    states: Callable[[], dict[str, QueueState]] = field(repr=False)
    """What each queue holds."""


@contextmanager
def container(
    *,
    image: str = IMAGE,
    port: int = 0,
    management_port: int | None = None,
    user: str = "cb",
    password: str | None = None,
    vhost: str = "/",
    patience: float = 120.0,
) -> Iterator[Running]:
    """A RabbitMQ in a container of our own, removed at the end.

    Port 0 is any free one; the management page has a port only when asked. Waits up to `patience`
    seconds for AMQP to answer. Removes containers that a crashed cbsim left. Raises BrokerError.
    """
    password = password or secrets.token_urlsafe(16)
    host, bound = _reach()
    ports = {_AMQP: (bound, port)}
    if management_port is not None:
        ports[_MANAGEMENT] = (bound, management_port)
    environment = {
        "RABBITMQ_DEFAULT_USER": user,
        "RABBITMQ_DEFAULT_PASS": password,
        "RABBITMQ_DEFAULT_VHOST": vhost,
    }
    with closing(_engine()) as client:
        _remove_stale(client)
        with _refusals(image):
            created = _created(client, image, ports, environment)
        assert created.id
        with kept([sys.executable, "-m", "cbsim.bus.container", created.id]):
            with _refusals(image):
                created.start()
            login = f"{quote(user, '')}:{quote(password, '')}"
            url = f"amqp://{login}@{host}:{_published(created)}/{quote(vhost, '')}"
            _await(created, url, patience)
            yield Running(url, _management(created, host), lambda: _states(created, vhost))


def _engine() -> DockerClient:
    try:
        import docker
    except ImportError:
        raise BrokerError(
            "--broker docker: the Python package docker is missing: pip install 'cbsim[docker]'"
        ) from None
    try:
        return docker.from_env()
    except docker.errors.DockerException:
        where = os.environ.get("DOCKER_HOST", "the default socket")
        raise BrokerError(
            f"--broker docker: no Docker engine answers at {where}; start one, or use embedded"
        ) from None


def _reach() -> tuple[str, str]:
    """The host that published ports are on, and the address that they are bound to there."""
    host = urlsplit(os.environ.get("DOCKER_HOST", "")).hostname
    if host is None or host in ("localhost", "127.0.0.1", "::1"):
        return "127.0.0.1", "127.0.0.1"
    return host, "0.0.0.0"


@contextmanager
def _refusals(image: str) -> Iterator[None]:
    """Makes sentences of what the engine refuses."""
    from docker.errors import DockerException

    try:
        yield
    except DockerException as error:
        why = getattr(error, "explanation", None) or error
        raise BrokerError(f"--broker docker: image {image!r} did not start: {why}") from None


def _created(
    client: DockerClient,
    image: str,
    ports: dict[str, tuple[str, int]],
    environment: dict[str, str],
) -> Container:
    from docker.errors import ImageNotFound

    labels = {LABEL: f"{socket.gethostname()}:{os.getpid()}"}

    def create() -> Container:
        return client.containers.create(
            image, detach=True, environment=environment, ports=ports, labels=labels
        )

    try:
        return create()
    except ImageNotFound:
        client.images.pull(image)
        return create()


def _published(running: Container) -> int:
    running.reload()
    published = running.ports.get(_AMQP)
    if not published:
        raise BrokerError(f"--broker docker: image {running.image} publishes no port {_AMQP}")
    return int(published[0]["HostPort"])


def _management(running: Container, host: str) -> str | None:
    published = running.ports.get(_MANAGEMENT)
    return f"http://{host}:{published[0]['HostPort']}" if published else None


def _await(running: Container, url: str, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            connect(url).close()
            return
        except BrokerError:
            running.reload()
            if running.status not in ("created", "running"):
                said = running.logs(tail=1).decode(errors="replace").strip() or "it said nothing"
                raise BrokerError(f"--broker docker: the container ended: {said}") from None
            if time.monotonic() > until:
                raise BrokerError(
                    f"--broker docker: the container gave no answer in {patience:.0f} s"
                ) from None
            time.sleep(0.5)


def _states(running: Container, vhost: str) -> dict[str, QueueState]:
    code, output = running.exec_run(["rabbitmqctl", "--quiet", *asked_of(vhost)])
    assert isinstance(output, bytes)  # no stream was asked for
    said = output.decode(errors="replace")
    if code:
        raise BrokerError(f"--broker docker: rabbitmqctl: {said.strip()}")
    return states_of(said)


def _remove_stale(client: DockerClient) -> None:
    for one in client.containers.list(all=True, filters={"label": LABEL}):
        host, _, pid = one.labels[LABEL].rpartition(":")
        if host == socket.gethostname() and not _lives(int(pid)):
            _remove(one)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove(one: Container) -> None:
    import docker

    with suppress(docker.errors.NotFound):
        one.remove(force=True, v=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # our parent's end is the one that counts
    sys.stdin.buffer.read()
    _remove(_engine().containers.get(sys.argv[1]))
