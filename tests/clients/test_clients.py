"""Consumers that are not ours, in four languages: they work, lose the connection, and recover."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pika
import pytest

from cbsim.bus.connection import connect
from cbsim.bus.embedded import FAULTS
from cbsim.bus.provider import provide
from tests.support.cable import Cable

HERE = Path(__file__).parent
PYTHON = ["pika", "aio_pika", "py_amqp", "kombu"]


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"


def of_node() -> list[str]:
    folder = HERE / "node"
    if not (folder / "node_modules").exists():
        run("npm", "ci", "--silent", folder=folder)
    return ["node", str(folder / "client.js")]


def of_go() -> list[str]:
    folder = HERE / "go"
    run("go", "build", "-o", "client", ".", folder=folder)
    return [str(folder / "client")]


def of_java() -> list[str]:
    folder = HERE / "java"
    if not (folder / "lib").exists():
        run(
            "mvn",
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DoutputDirectory=lib",
            folder=folder,
        )
    run("javac", "-cp", "lib/*", "-d", "lib", "Client.java", folder=folder)
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}/lib/*:{folder}/lib", "Client"]


LANGUAGES: dict[str, tuple[tuple[str, ...], Callable[[], list[str]]]] = {
    "amqplib": (("node", "npm"), of_node),
    "amqp091-go": (("go",), of_go),
    "java": (("java", "javac", "mvn"), of_java),
}


@pytest.fixture(scope="module", params=[*PYTHON, *LANGUAGES])
def program(request: pytest.FixtureRequest) -> list[str]:
    """The command of a client, its library fetched and built; skipped where that is impossible."""
    name = request.param
    if name in PYTHON:
        return [sys.executable, str(HERE / "python" / f"{name}_client.py")]
    tools, prepare = LANGUAGES[name]
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        reason = f"{', '.join(missing)} not installed"
        if os.environ.get("CBSIM_REQUIRE_CLIENTS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return prepare()


@dataclass(frozen=True)
class Ground:
    """A broker for a client: where the client connects, where we do, and how to cut it off."""

    url: str
    ours: str
    cuts: list[Callable[[], object]]


@contextmanager
def real(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """RabbitMQ, behind a cable that is cut."""
    url = request.getfixturevalue("broker")
    # By the book, the path / is the virtual host of no name; some clients go by the book.
    spelt = url + "%2F" if url.endswith("/") else url
    with Cable(spelt) as cable:
        yield Ground(cable.url.replace("localhost", "127.0.0.1"), url, [cable.cut])


@contextmanager
def embedded(_: pytest.FixtureRequest) -> Iterator[Ground]:
    """Ours, which cuts in every way it knows."""
    with provide("embedded") as broker:
        assert broker.faults is not None
        how = get_choices("drop_connection", "how")
        cuts = [
            partial(broker.faults.apply, "drop_connection", how=one, queue="cbsim-test-*")
            for one in how
        ]
        yield Ground(broker.url, broker.url, cuts)


def get_choices(fault: str, parameter: str) -> tuple[str, ...]:
    return next(one.choices for one in FAULTS[fault].parameters if one.name == parameter)


@pytest.fixture(params=[embedded, real])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Each broker in turn."""
    with request.param(request) as made:
        yield made


class Client:
    """A client program that runs, and what it says."""

    def __init__(self, command: list[str], url: str, name: str) -> None:
        self._process = subprocess.Popen(
            [*command, url, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def says(self) -> dict[str, object]:
        line = self._lines.get(timeout=30)
        if not line:
            _, errors = self._process.communicate()
            pytest.fail(f"the client ended: {errors}")
        return dict(json.loads(line))

    def ends(self) -> int:
        assert self._process.stdout is not None
        code = self._process.wait(15)
        self.close()
        return code

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdout.close()
        self._process.stderr.close()


def test_a_client_works_and_recovers(program: list[str], ground: Ground) -> None:
    name = f"cbsim-test-{uuid.uuid4()}"
    connection = connect(ground.ours)
    channel = connection.channel()

    def publish(key: str, body: str, **properties: object) -> None:
        channel.basic_publish(
            "api.events", key, body.encode(),
            pika.BasicProperties(content_type="application/json", delivery_mode=1, **properties),
        )  # fmt: skip

    def message(key: str, body: str, *, again: bool = False, sensor: int = 0) -> dict[str, object]:
        return {"key": key, "body": body, "type": "application/json", "sensor": sensor,
                "redelivered": again}  # fmt: skip

    client = Client(program, ground.url, name)
    try:
        assert client.says() == {"get": "self", "missing": 404}
        assert client.says() == {"ready": 1}
        publish("feed.15.ingress.hit.process", "one", headers={"sensorId": 2**40})
        publish("watchlist.hit.process", "not bound")
        publish("feed.reject", "reject")
        assert client.says() == message("feed.15.ingress.hit.process", "one", sensor=2**40)
        assert client.says() == message("feed.reject", "reject")
        assert client.says() == message("feed.reject", "reject", again=True)
        for number, cut in enumerate(ground.cuts, 1):
            publish("feed.hold", "hold")
            assert client.says() == message("feed.hold", "hold")
            cut()
            # In either order; and what it acknowledged just before may come again.
            wanted = [{"ready": number + 1}, message("feed.hold", "hold", again=True)]
            while wanted:
                said = client.says()
                if said in wanted:
                    wanted.remove(said)
                else:
                    assert said["redelivered"], said
                    assert said["key"] != "feed.hold", said
            publish("feed.after", f"after {number}")
            assert client.says() == message("feed.after", f"after {number}")
        publish("stop", "stop")
        assert client.says() == message("stop", "stop")
        assert client.ends() == 0
        assert channel.queue_declare(name, passive=True).method.message_count == 0
    finally:
        client.close()
        channel.queue_delete(name)
        connection.close()
