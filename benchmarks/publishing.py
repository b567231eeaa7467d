"""Publishing to RabbitMQ: cbsim beside prebuilt frames on a socket, PerfTest and pika.

`python -m benchmarks.publishing` prints the figures. cbsim generates what it publishes, distinct
and consistent raw events, and has every one confirmed. The socket writes frames of such events,
made beforehand, and has none confirmed: as fast as the broker can be fed. `benchmarks.ground` says
what they publish to.
"""

from __future__ import annotations

import json
import os
import select
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median

import pika
import pika.spec

from benchmarks.ground import Ground, broker, ground
from benchmarks.perftest import PerfTest, UnavailableError
from benchmarks.sample import Meter, Sample, in_turn, middle
from cbsim.bus.connection import connect
from cbsim.bus.framing import Outgoing, method
from cbsim.bus.link import Link, _take
from cbsim.bus.publisher import Publisher
from cbsim.bus.sink import NullSink, Relay, Sink
from cbsim.bus.topology import Topology
from cbsim.bus.unconfirmed import Unconfirmed
from cbsim.scenario import crew
from cbsim.scenario.loader import parse
from cbsim.scenario.model import Scenario
from cbsim.scenario.runner import run
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE, Message

START = datetime(2024, 1, 1, tzinfo=UTC)
"""The clock inside messages."""
_KEY = "ingress.event.filemod"
_SOCKET = "prebuilt frames, no confirms"
_CONFIRMED = "prebuilt frames, confirms"
_WINDOW = 4000
_PREBUILT = 20_000
_WRITE = 65536

Peer = Callable[[], Sample]


def measure(short: bool, count: int = 0, rounds: int = 0) -> dict[str, object]:
    """Messages a second of each peer, CPU time a message, and what cbsim's are to the others'.

    `count` and `rounds` are for those who want fewer than the benchmark takes.
    """
    count = count or (25_000 if short else 100_000)
    rounds = rounds or (3 if short else 5)
    with broker() as url, ground(url) as where:
        return _figures(where, count, rounds)


def events(count: int) -> list[Message]:
    """Raw events as cbsim's peer publishes them."""
    kept: list[Message] = []

    class Keeping(NullSink):
        def publish(self, message: Message) -> None:
            kept.append(message)
            super().publish(message)

        def publish_many(self, messages: Sequence[Message]) -> None:
            kept.extend(messages)
            super().publish_many(messages)

    run(_scenario(count), Keeping(), START)
    return kept


def prebuilt(where: Ground, stream: list[Message], count: int) -> Sample:
    """Write frames that are there already, until the broker has taken `count` messages."""
    connection = connect(where.url)
    channel = connection.channel().channel_number
    sock, _, frame_max, _ = _take(connection)
    sock.setblocking(True)
    names = {EVENTS_EXCHANGE: where.topology.events, RAW_EXCHANGE: where.topology.raw}
    frames = memoryview(Outgoing(channel, frame_max, names).encode(stream))
    asked = method(channel, pika.spec.Queue.Declare(queue=where.queue, passive=True))
    answer = pika.spec.Queue.DeclareOk.INDEX.to_bytes(4, "big")
    where.meter.begin()
    for _ in range(0, count, len(stream)):
        for at in range(0, len(frames), _WRITE):
            sock.sendall(frames[at : at + _WRITE])
    # The answer comes when all before it is done.
    sock.sendall(asked)
    heard = b""
    while answer not in heard:
        got = sock.recv(_WRITE)
        if not got:
            raise AssertionError("the broker closed the connection")
        heard += got
    sample = where.meter.end(-(-count // len(stream)) * len(stream))
    sock.close()
    return sample


def _figures(where: Ground, count: int, rounds: int) -> dict[str, object]:
    stream = events(min(count, _PREBUILT))
    size = round(mean(len(message.body) for message in stream))
    peers: dict[str, Peer] = {
        _SOCKET: lambda: prebuilt(where, stream, count),
        _CONFIRMED: lambda: _prebuilt_confirmed(where, stream, count),
        "cbsim": lambda: _cbsim(where, count),
        "cbsim, prebuilt messages": lambda: _publisher(where, stream, count),
        "cbsim, bundles": lambda: _cbsim(where, 2 * count, bundled=True),
        "cbsim, bundles, 2 workers": lambda: _crew(where, 2 * count),
        "pika": lambda: _pika(where, size, count // 4),
        "pika, a confirm each": lambda: _pika(where, size, count // 20, confirmed=True),
    }
    missing = ""
    try:
        perftest = PerfTest()
        peers["PerfTest"] = lambda: _perftest(perftest, where, size, count)
    except UnavailableError as error:
        missing = str(error)

    def cleared(peer: Peer) -> Peer:
        def take() -> Sample:
            where.clear()
            return peer()

        return take

    samples = in_turn({name: cleared(peer) for name, peer in peers.items()}, rounds)

    def ratio(mine: str, other: str) -> float | None:
        if other not in samples:
            return None
        pairs = zip(samples[mine], samples[other], strict=True)
        return round(median(one.rate / two.rate for one, two in pairs), 3)

    return {
        "body bytes": size,
        "window": _WINDOW,
        "messages": count,
        "rounds": rounds,
        "peers": {name: _shown(middle(taken)) for name, taken in samples.items()}
        | ({"PerfTest": {"missing": missing}} if missing else {}),
        "ratios to prebuilt frames": {name: ratio(name, _SOCKET) for name in samples},
        "ratios to prebuilt frames with confirms": {
            name: ratio(name, _CONFIRMED) for name in samples
        },
        "ratio to PerfTest": ratio("cbsim", "PerfTest"),
        "ratio of events in bundles to single": ratio("cbsim, bundles", "cbsim"),
    }


def _shown(sample: Sample) -> dict[str, float | None]:
    brokers = sample.broker_cpu
    return {
        "a second": round(sample.rate),
        "client CPU, us each": round(sample.cpu / sample.count * 1e6, 2),
        "broker CPU, us each": brokers and round(brokers / sample.count * 1e6, 2),
    }


def _scenario(count: int, *, bundled: bool = False) -> Scenario:
    return parse(f"""
        server: {{raw: {"bundles" if bundled else "single"}}}
        estate: {{sensors: 200}}
        phases: [{{count: {count}, rate: max, mix: {{"ingress.event.*": 1}}}}]
    """)


class _FromFirst(Relay):
    """A sink whose meter begins with the first message: the estate is then built."""

    def __init__(self, publisher: Publisher, meter: Meter) -> None:
        super().__init__(publisher)
        self._meter, self._begun = meter, False

    def publish_many(self, messages: Sequence[Message]) -> None:
        if not self._begun:
            self._begun = True
            self._meter.begin()
        super().publish_many(messages)


def _cbsim(where: Ground, count: int, *, bundled: bool = False) -> Sample:
    publisher = Publisher(where.url, where.topology, window=_WINDOW)
    report = run(_scenario(count, bundled=bundled), _FromFirst(publisher, where.meter), START)
    sample = where.meter.end(count)
    publisher.close()
    if report.confirmed != report.sent:
        raise AssertionError("not everything was confirmed")
    return sample


@dataclass(frozen=True)
class _Worker:
    """Opens a worker's publisher, whose CPU seconds since its first message go to a file."""

    url: str
    topology: Topology
    folder: str

    def __call__(self) -> Sink:
        publisher, meter = Publisher(self.url, self.topology, window=_WINDOW), Meter()
        sink = _FromFirst(publisher, meter)

        def close() -> None:
            Path(self.folder, str(os.getpid())).write_text(str(meter.end(1).cpu))
            publisher.close()

        sink.close = close
        return sink


def _crew(where: Ground, count: int) -> Sample:
    """Two workers; a run takes the time that it reports: they start long before it."""
    with tempfile.TemporaryDirectory() as folder:
        opened = _Worker(where.url, where.topology, folder)
        where.meter.begin()
        report = crew.run(_scenario(count, bundled=True), opened, START, 2)
        sample = where.meter.end(count)
        cpu = sum(float(path.read_text()) for path in Path(folder).iterdir())
    if report.confirmed != report.sent:
        raise AssertionError("not everything was confirmed")
    return replace(sample, seconds=report.seconds, cpu=cpu)


def _publisher(where: Ground, stream: list[Message], count: int) -> Sample:
    publisher = Publisher(where.url, where.topology, window=_WINDOW)
    where.meter.begin()
    for start in range(0, count, 200):
        at = start % len(stream)
        publisher.publish_many(stream[at : at + min(200, count - start)])
    publisher.flush()
    sample = where.meter.end(count)
    publisher.close()
    return sample


def _prebuilt_confirmed(where: Ground, stream: list[Message], count: int) -> Sample:
    """The same with confirms and our window: what confirms cost the broker is no client's doing."""
    link = Link(where.url, where.topology)
    step = _WINDOW // 4
    frames = [link.encode(stream[at : at + step]) for at in range(0, len(stream), step)]
    sizes = [len(stream[at : at + step]) for at in range(0, len(stream), step)]
    watched, unconfirmed = select.poll(), Unconfirmed()
    watched.register(link, select.POLLIN | select.POLLOUT)

    def hear(at_most: int) -> None:
        while len(unconfirmed) > at_most:
            watched.modify(link, select.POLLIN | (select.POLLOUT if link.backlogged else 0))
            watched.poll(1000)
            link.resume()
            unconfirmed.settle(link.receive())
            link.tend(time.monotonic())

    where.meter.begin()
    for turn in range(-(-count // step)):
        hear(_WINDOW - step)
        unconfirmed.add(stream[: sizes[turn % len(sizes)]], 0)
        link.write(frames[turn % len(frames)])
    hear(0)
    sample = where.meter.end(unconfirmed.taken)
    link.close()
    return sample


def _pika(where: Ground, size: int, count: int, *, confirmed: bool = False) -> Sample:
    connection = connect(where.url)
    channel = connection.channel()
    if confirmed:
        channel.confirm_delivery()
    properties = pika.BasicProperties(content_type="application/protobuf", delivery_mode=1)
    body = bytes(size)
    where.meter.begin()
    for _ in range(count):
        channel.basic_publish(where.topology.events, _KEY, body, properties)
    channel.queue_declare(where.queue, passive=True)
    sample = where.meter.end(count)
    connection.close()
    return sample


def _perftest(perftest: PerfTest, where: Ground, size: int, count: int) -> Sample:
    where.meter.begin()
    rate = perftest.publish(
        where.url, where.topology.events, _KEY, size=size, count=count, window=_WINDOW
    )
    sample = where.meter.end(count)
    # Its own figure: by ours, it would pay for the start of Java.
    return Sample(count, count / rate, sample.cpu, sample.broker_cpu)


def main() -> None:
    """Print the figures."""
    print(json.dumps(measure(short=False), indent=2))


if __name__ == "__main__":
    main()
