"""A simulated server for tests: its own exchanges on a broker, a ledger, and assertions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel

from cbsim.bus.certificate import Certificate
from cbsim.bus.connection import connect, redacted, sentence
from cbsim.bus.framing import Outgoing
from cbsim.bus.provider import Broker, provide
from cbsim.bus.publisher import Publisher
from cbsim.bus.queue_state import QueueState
from cbsim.bus.topology import Topology
from cbsim.catalog import Dialect, ServerVersion, lookup
from cbsim.checks import Comparison, Ledger, LedgerSink, Record, compare, records
from cbsim.errors import BrokerError, CbsimError
from cbsim.testing.emission import Emitter
from cbsim.testing.failure import explained, missed
from cbsim.testing.queue import CbQueue
from cbsim.wire.binding import ALL, Bindings
from cbsim.wire.message import EVENTS_EXCHANGE, RAW_EXCHANGE, Message

if TYPE_CHECKING:
    from cbsim.bus.embedded import Faults
    from cbsim.load.limit import Limit
    from cbsim.load.watch import Watch
    from cbsim.scenario.runner import Report
    from cbsim.strategies.fault import Labelled

__all__ = ["CbServer"]

_POLL = 0.01

ExchangeNames = Literal["server", "own"]
"""Whose names the exchanges have: a server's, or some that nobody else has."""
Output = Message | Mapping[str, Any] | bytes
"""One thing that a consumer put out."""


class CbServer:
    """A server's bus for one test: a context manager, clean at its start and gone at its end.

    `broker` is what `cbsim run --broker` takes (`embedded`, `local`, `docker`, a URL, or `auto`),
    or a broker that is there already. On a broker that was started for the test the exchanges have
    the server's names; on a URL, where others may be, they have names of their own, `exchange` and
    `raw_exchange`, so that tests in parallel do not meet. `exchanges="server"` or `"own"` says it
    otherwise. With a `certificate` an embedded broker speaks TLS. Raises BrokerError.

    >>> with CbServer("embedded") as server:
    ...     queue = server.queue("binaryinfo.#")
    ...     message = server.emit("binaryinfo.host.observed", sensor_id=3)
    ...     queue.expect(1) == [message]
    True
    """

    def __init__(
        self,
        broker: str | Broker = "auto",
        *,
        server: str | None = None,
        dialect: str | None = None,
        seed: int | None = None,
        persistent: bool = False,
        exchanges: ExchangeNames | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        if exchanges not in (None, *get_args(ExchangeNames)):
            raise CbsimError(f"exchanges={exchanges!r}: expected 'server' or 'own'")
        self._exchanges, self._certificate = exchanges, certificate
        self.version, self.dialect = ServerVersion.V5_2, Dialect.OBSERVED
        self._named: dict[str, ServerVersion | Dialect] = {}
        if server is not None:
            self._named["version"] = self.version = ServerVersion.parse(server)
        if dialect is not None:
            self._named["dialect"] = self.dialect = Dialect.parse(dialect)
        self.seed, self._persistent = seed, persistent
        self._runs = 0
        self.ledger: Ledger
        """Everything that was published, and how it was broken if it was."""
        self.exchange, self.raw_exchange = EVENTS_EXCHANGE, RAW_EXCHANGE
        self._wanted = broker
        self._stack = ExitStack()
        self._broker: Broker
        self._connection: pika.BlockingConnection
        self._channel: BlockingChannel
        self._publisher: Publisher
        self._outgoing = Outgoing(1, 0, {})
        self._queues: list[str] = []
        # What is emitted is of another world than what runs tell: neither repeats the other's news.
        self._emitter = Emitter(
            self.version, self.dialect, _another(1 if seed is None else seed, "emit")
        )

    def start(self) -> Self:
        """What entering the context does; `stop` undoes it."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def stop(self) -> None:
        """Delete what is ours on the broker, and end what was started for us."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where consumers connect, with user and password."""
        return self._broker.url

    @property
    def faults(self) -> Faults:
        """The faults of an embedded broker, on demand; CbsimError on any other broker."""
        if self._broker.faults is None:
            raise CbsimError(
                "only an embedded broker has faults on demand: --cbsim-broker embedded"
            )
        return self._broker.faults

    @property
    def channel(self) -> BlockingChannel:
        """A channel of the test's own, for what this class does not do; anew if it was cut."""
        if self._connection.is_open:
            with suppress(pika.exceptions.AMQPError):
                self._connection.process_data_events(0)
        if not self._connection.is_open:
            self._connection = connect(self.url, self._broker.tls)
        if not self._channel.is_open or self._channel.connection is not self._connection:
            self._channel = self._connection.channel()
        return self._channel

    def publish(self, *messages: Message | Labelled) -> None:
        """Publish messages, also broken and odd ones, and wait until the broker confirmed them.

        Raises BrokerError, and WireError, with none of them published, when there is one among
        them that AMQP cannot carry.
        """
        plain = [one if isinstance(one, Message) else one.labelled for one in messages]
        # What is written down and not taken would be confirmed in place of what comes next.
        self._outgoing.check(plain)
        self.ledger.record(plain)
        self._publisher.publish_many(plain)
        self._publisher.flush()

    def emit(self, name: str, **fields: Any) -> Message:
        """Publish a realistic message of that type; the fields given are as given.

        A keyword names a field of the message, of its documents, or of a raw event; `sensor_id`,
        `hostname` and `md5` (of what the message is about) go with every type. What tells the same
        follows: an MD5 wherever it stands, the process keys that hold a sensor, pid or start, the
        routing key, `watchlist_7`. Returns what was published. Raises CbsimError.
        """
        message = self._emitter.message(lookup(name).name, fields)
        self.publish(message)
        return message

    def run(
        self,
        scenario: str,
        *,
        rate: float | str | None = None,
        count: int | None = None,
        seed: int | None = None,
        raw: str | None = None,
        watch: str | CbQueue | Iterable[str | CbQueue] = (),
        thresholds: Iterable[str] = (),
    ) -> Report:
        """Run a scenario, by name or path, at another rate (a number a second, `500/s`, `max`).

        `raw` says how raw events go: `single`, on the exchange of events, as `bundles`, on that of
        raw data, or `both`. Queues to `watch`, or `auto` for all that are bound, are followed while
        it runs: `report.queues` has what waits in each at the end (`state`), for how long (`lag`,
        `lags`), and the most that ever did. AssertionError when one of the `thresholds` does not
        hold, `lag_p99 < 2s` say, or one of the scenario's own.

        What the server simulates is the scenario's affair, except for what the fixture, its marker
        or the constructor named. The first run has the seed as it is, a later one another that is
        made from it, the same every time: no run repeats what was new in one before (an MD5, a
        process). A `seed` given here is taken as it is. Waits until everything is confirmed.
        Raises CbsimError.
        """
        from cbsim.load.judge import Judge
        from cbsim.scenario.loader import load
        from cbsim.scenario.runner import run
        from cbsim.scenario.threshold import parse_threshold
        from cbsim.scenario.trouble import Trouble

        wanted = load(scenario)
        if rate is not None:
            wanted = wanted.at_rate(rate)
        if raw is not None:
            wanted = wanted.with_raw(raw)
        if count is not None:
            wanted = wanted.up_to(count)
        self._runs += 1
        if seed is None:
            seed = wanted.seed if self.seed is None else self.seed
            if self._runs > 1:
                seed = _another(seed, f"run {self._runs}")
        wanted = wanted.model_copy(
            update={"seed": seed, "server": wanted.server.model_copy(update=self._named)}
        )
        sink = _Run(self._publisher, self.ledger)
        names = [watch] if isinstance(watch, str | CbQueue) else [*watch]
        rules = (*wanted.thresholds, *map(parse_threshold, thresholds))
        with self._watching(names, lambda: sink.confirmed) as seen:
            begin, judge = datetime.now(UTC), Judge(rules, seen)
            trouble = Trouble(sink, wanted, begin, self._broker.faults)
            report = run(wanted, trouble, begin, count=count, on_progress=judge.attend)
        report.queues = {} if seen is None else seen.courses
        judge.end(report)
        for breach in judge.breaches.values():
            raise AssertionError(str(breach))
        return report

    def find_limit(
        self,
        scenario: str,
        queue: str | CbQueue,
        *,
        max_lag: float | None = None,
        hold: float = 5.0,
        patience: float = 10.0,
        tell: Callable[[str], object] = lambda _: None,
    ) -> Limit:
        """How many messages of a scenario a second the consumers of a queue can take.

        They may be `max_lag` seconds behind, or as far as they will as long as the queue does not
        grow. Rates are held for `hold` seconds each; the first consumer has `patience` seconds to
        come; `tell` is told of each step. What is sent for it is not in the ledger. Raises
        CbsimError.
        """
        from cbsim.bus.gauge import gauge_of
        from cbsim.load.limit import Search, find_limit
        from cbsim.load.watch import Watch
        from cbsim.scenario.loader import load

        name = str(getattr(queue, "name", queue))
        wanted = load(scenario)
        self._runs += 1
        seed = _another(wanted.seed if self.seed is None else self.seed, f"limit {self._runs}")
        server = wanted.server.model_copy(update=self._named)
        wanted = wanted.model_copy(update={"seed": seed, "server": server})
        gauge = gauge_of(self._broker, (name,), (self.exchange, self.raw_exchange))
        search = Search(name, max_lag, hold, patience)
        # Its publisher writes nothing down: a search may send millions.
        with (
            closing(Publisher(self.url, self._topology, self._broker.tls)) as sink,
            Watch(gauge, (name,), lambda: sink.confirmed) as watch,
        ):
            return find_limit(wanted, sink, watch, search, tell)

    @contextmanager
    def _watching(
        self, queues: Iterable[str | CbQueue], published: Callable[[], int]
    ) -> Iterator[Watch | None]:
        """A watch over queues, complete at the end of the context; None over none."""
        names = tuple(str(getattr(queue, "name", queue)) for queue in queues)
        if not names:
            yield None
            return
        from cbsim.bus.gauge import AUTO, gauge_of
        from cbsim.load.watch import Watch

        gauge = gauge_of(self._broker, names, (self.exchange, self.raw_exchange))
        with Watch(gauge, tuple(name for name in names if name != AUTO), published) as watch:
            yield watch

    def queue(
        self,
        *keys: str,
        name: str | None = None,
        durable: bool = False,
        exclusive: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> CbQueue:
        """Declare a queue bound to what these say, as `Bindings` reads it; `#` without any.

        `durable` and `arguments` are as your consumer declares it: a broker refuses who says
        otherwise. An `exclusive` one is for this test alone. It is deleted at the end. Raises
        BrokerError, and InputError for what is no binding.
        """
        bindings = self._bindings(keys or ALL)
        channel = self.channel
        try:
            declared = name or f"cbsim-{secrets.token_hex(6)}"
            channel.queue_declare(
                declared, durable=durable, exclusive=exclusive, arguments=dict(arguments or {})
            )
            for exchange, key in bindings:
                channel.queue_bind(declared, exchange, key)
        except pika.exceptions.AMQPError as error:
            raise BrokerError(sentence(error, self.url)) from None
        self._queues.append(declared)
        return CbQueue(self, declared, bindings.written)

    def wait_for_consumer(self, queue: str | CbQueue | None = None, timeout: float = 5.0) -> None:
        """Wait until somebody consumes a queue, or without one any queue at all.

        AssertionError if nobody does in time, and CbsimError on a broker that cannot tell of queues
        that were not declared here.
        """
        names = self._queues if queue is None else [str(getattr(queue, "name", queue))]
        if queue is None and not names and self._broker.states is None:
            raise CbsimError("this broker does not tell of its queues: say which one is meant")
        until = time.monotonic() + timeout
        while not any(state.consumers for state in self._states(names, every=queue is None)):
            if time.monotonic() >= until:
                which = " or ".join(map(repr, names)) or "any queue"
                raise AssertionError(f"nobody consumes {which} after {timeout:g} s")
            time.sleep(_POLL)

    def _states(self, names: Sequence[str], *, every: bool) -> list[QueueState]:
        """What is known of these queues, or of every one where the broker can tell."""
        if every and self._broker.states is not None:
            return [*self._broker.states().values()]
        return [self.state(name) for name in names]

    def state(self, queue: str) -> QueueState:
        """What a queue holds; 0 are unacknowledged where the broker cannot tell. Raises CbsimError
        for a queue that is not there.
        """
        if self._broker.states is not None:
            states = self._broker.states()
            if queue not in states:
                raise CbsimError(f"there is no queue {queue!r}; there are {', '.join(states)}")
            return states[queue]
        method = self.channel.queue_declare(queue, passive=True).method
        return QueueState(method.message_count, 0, method.consumer_count)

    def wait_until_drained(self, queue: str | CbQueue, timeout: float = 5.0) -> None:
        """Wait until a queue is empty, and all is acknowledged where the broker can tell of that.

        AssertionError, with what it holds, if it is not so in time.
        """
        known = CbQueue(self, queue, ()) if isinstance(queue, str) else queue
        known.wait_until_drained(timeout)

    def assert_consumed(
        self,
        output: str | Path | Iterable[Output],
        *,
        bound: str | Iterable[str] = ALL,
        preset: str | None = None,
        places: Mapping[str, str] | None = None,
        strict: bool = False,
    ) -> Comparison:
        """Compare what your consumer put out with what was sent; AssertionError if it differs.

        `output` is a file as `cbsim verify` takes it, or messages, or bodies as they came, or JSON
        objects; `bound` says what the consumer bound (a key, `api.rawsensordata`, several of them:
        see `Bindings`), `preset` and `places` how to read a foreign format (see
        `cbsim.checks.compare`). What was broken on purpose need not be there. That something comes
        twice or out of order is a failure only if `strict`: a broker delivers at least once.
        """
        found = self.compared(output, bound=bound, preset=preset, places=places)
        if not found.total("sent"):
            bindings = self._bindings(bound)
            raise AssertionError(f"nothing was sent on {bindings}: nothing to compare with")
        if not found.whole or (strict and not found.exact):
            raise AssertionError(explained(found, strict=strict) + self._elsewhere(found))
        return found

    def compared(
        self,
        output: str | Path | Iterable[Output],
        *,
        bound: str | Iterable[str] = ALL,
        preset: str | None = None,
        places: Mapping[str, str] | None = None,
    ) -> Comparison:
        """What `assert_consumed` judges; raises CbsimError for an output that cannot be read."""
        if isinstance(output, str | Path):
            items: Iterator[Record] = records(str(output))
        else:
            items = map(self._record, range(1, 2**63), output)
        return compare(
            self.ledger, items, bound=self._bindings(bound), preset=preset, places=places
        )

    def standard(self, message: Message) -> Message:
        """A delivered message under the server's own exchange name, as it was published."""
        names = {self.exchange: EVENTS_EXCHANGE, self.raw_exchange: RAW_EXCHANGE}
        return message._replace(exchange=names.get(message.exchange, message.exchange))

    def missing(
        self, keys: Sequence[str], got: Sequence[Message], count: int, timeout: float
    ) -> str:
        """Why an expectation failed, with the first message that was sent and did not come."""
        asked = f"{count} messages on {', '.join(keys)} within {timeout:g} s"
        return missed(
            asked, self.compared(got, bound=keys), keys, len(got), len(self.ledger), self.version
        )

    def _elsewhere(self, found: Comparison) -> str:
        """A word on exchanges that a consumer may not know, where nothing came at all."""
        if self.exchange == EVENTS_EXCHANGE or found.total("received"):
            return ""
        return (
            f"\n  on this broker the exchanges are {self.exchange} and {self.raw_exchange}: bind "
            "those (cb_server.exchange), or keep the server's names (--cbsim-exchanges server)"
        )

    def _bindings(self, bound: str | Iterable[str]) -> Bindings:
        return Bindings(bound, {EVENTS_EXCHANGE: self.exchange, RAW_EXCHANGE: self.raw_exchange})

    def _start(self) -> None:
        stack = self._stack
        if isinstance(self._wanted, Broker):
            self._broker = self._wanted
        else:
            self._broker = stack.enter_context(provide(self._wanted, certificate=self._certificate))
        if (self._exchanges or ("server" if self._broker.own else "own")) == "own":
            mark = secrets.token_hex(6)
            self.exchange = f"{EVENTS_EXCHANGE}.{mark}"
            self.raw_exchange = f"{RAW_EXCHANGE}.{mark}"
        self.ledger = stack.enter_context(Ledger(None))
        self._connection = connect(self.url, self._broker.tls)
        stack.callback(self._leave)
        self._channel = self._connection.channel()
        # Under the server's own names they are as a server has them: others may declare them too.
        durable = self.exchange == EVENTS_EXCHANGE
        self._topology = Topology(
            self.exchange, self.raw_exchange, durable=durable, persistent=self._persistent
        )
        self._publisher = Publisher(self.url, self._topology, self._broker.tls, witness=self.ledger)
        stack.callback(self._publisher.close)

    def _leave(self) -> None:
        """Delete the queues and exchanges, and close; a broker that is gone has none."""
        try:
            channel = self._connection.channel()
            for queue in self._queues:
                channel.queue_delete(queue)
            for exchange in (self.exchange, self.raw_exchange):
                channel.exchange_delete(exchange)
            self._connection.close()
        except pika.exceptions.AMQPError:
            return

    @staticmethod
    def _record(number: int, item: Output) -> Record:
        where = "output"
        if isinstance(item, Message):
            return Record(where, number, message=item)
        if isinstance(item, Mapping):
            return Record(where, number, fields=dict(item))
        return Record(where, number, message=Message("", "", "", item))

    def __repr__(self) -> str:
        url = redacted(self.url) if hasattr(self, "_broker") else str(self._wanted)
        return f"<CbServer {self.version} on {url}>"


class _Run(LedgerSink):
    """The server's publisher for one run, which counts only what it confirmed since."""

    def __init__(self, publisher: Publisher, ledger: Ledger) -> None:
        super().__init__(publisher, ledger, counted=False)
        self._before = publisher.confirmed

    @property
    def confirmed(self) -> int:
        """Since the run began."""
        return super().confirmed - self._before


def _another(seed: int, use: str) -> int:
    """A seed for another use of the same server, always the same one."""
    return int.from_bytes(blake2b(f"{seed}:{use}".encode(), digest_size=4).digest())
