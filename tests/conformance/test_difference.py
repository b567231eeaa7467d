"""Whatever a client asks, in any order, both brokers answer the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker, NackError

from tests.support.amqp import Amqp

QUEUES, EXCHANGES = ("q1", "q2", "q3"), ("e1", "e2")
KEYS = ("a", "a.b", "b", "")
PATTERNS = (*KEYS, "#", "*.b", "a.#")
Answer = tuple[Any, ...]
Operation = Callable[["Side"], object]


class Side:
    """One of the brokers, with a channel that is opened again when an error closes it."""

    def __init__(self, amqp: Amqp, prefix: str) -> None:
        self._amqp, self._prefix = amqp, prefix
        self._connection: pika.BlockingConnection | None = None
        self.channel: BlockingChannel
        self._open()

    def _open(self) -> None:
        if self._connection is None or not self._connection.is_open:
            self._connection = self._amqp.connect()
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()

    def name(self, name: str) -> str:
        """The name that stands for this one: no example meets another's."""
        return self._prefix + name

    def ask(self, operation: Operation) -> object:
        """What the broker answers, without the names that only this example has."""
        try:
            answer = operation(self)
            self.channel.basic_qos()
        except (ChannelClosedByBroker, ConnectionClosedByBroker) as error:
            self._open()
            return (type(error).__name__, error.reply_code, self._plain(error.reply_text))
        return answer

    def _plain(self, text: str) -> str:
        return text.replace(self._prefix, "")

    def clean(self) -> None:
        """Delete everything."""
        for name in QUEUES:
            self.channel.queue_delete(self.name(name))
        for name in EXCHANGES:
            self.channel.exchange_delete(self.name(name))


def got(answer: Any) -> Answer:
    method, properties, body = answer
    if method is None:
        return ("empty",)
    headers = dict(properties.headers or {})
    deaths = [
        (death["reason"], death["count"], death["queue"][-2:], death["exchange"][-2:],
         [key[-2:] for key in death["routing-keys"]])
        for death in headers.get("x-death", [])
    ]  # fmt: skip
    return (method.delivery_tag, method.redelivered, method.message_count, method.exchange[-2:],
            method.routing_key[-2:], body, deaths)  # fmt: skip


def publish(side: Side, exchange: str, key: str, body: bytes) -> object:
    try:
        side.channel.basic_publish(exchange and side.name(exchange), key, body)
    except NackError:
        return "nack"
    return "ack"


queue, exchange = st.sampled_from(QUEUES), st.sampled_from(EXCHANGES)
seldom = st.sampled_from([False, False, False, True])
tag = st.integers(0, 6)
limits = st.fixed_dictionaries(
    {},
    optional={
        "x-max-length": st.integers(0, 3),
        "x-overflow": st.sampled_from(["drop-head", "reject-publish", "reject-publish-dlx"]),
        "x-dead-letter-exchange": st.sampled_from(["", "e1"]),
        "x-dead-letter-routing-key": st.sampled_from(["q1", "q2", "a.b"]),
    },
)


def arguments(side: Side, limits: dict[str, Any]) -> dict[str, Any]:
    named = {"e1", "q1", "q2"}
    return {name: side.name(value) if value in named else value for name, value in limits.items()}


operations: st.SearchStrategy[tuple[str, Operation]] = st.one_of(
    st.builds(
        lambda q, durable, auto, limits: (
            f"declare {q} {durable} {auto} {limits}",
            lambda it: it.channel.queue_declare(
                it.name(q), durable=durable, auto_delete=auto, arguments=arguments(it, limits)
            ).method.message_count,
        ),
        queue, seldom, seldom, limits,
    ),
    st.builds(
        lambda e, kind, durable: (
            f"declare {e} {kind} {durable}",
            lambda it: it.channel.exchange_declare(it.name(e), kind, durable=durable).method.NAME,
        ),
        exchange, st.sampled_from(["topic", "topic", "fanout", "direct"]), seldom,
    ),
    st.builds(
        lambda q, e, key: (
            f"bind {q} {e} {key}",
            lambda it: it.channel.queue_bind(it.name(q), it.name(e), key).method.NAME,
        ),
        queue, exchange, st.sampled_from(PATTERNS),
    ),
    st.builds(
        lambda q, e, key: (
            f"unbind {q} {e} {key}",
            lambda it: it.channel.queue_unbind(it.name(q), it.name(e), key).method.NAME,
        ),
        queue, exchange, st.sampled_from(PATTERNS),
    ),
    st.builds(
        lambda e, key, body: (
            f"publish {e} {key} {body!r}",
            lambda it: publish(it, e, key, body),
        ),
        exchange, st.sampled_from(KEYS), st.binary(max_size=2),
    ),
    st.builds(
        lambda q, body: (
            f"publish to {q} {body!r}",
            lambda it: publish(it, "", it.name(q), body),
        ),
        queue, st.binary(max_size=2),
    ),
    st.builds(
        lambda q, auto: (
            f"get {q} {auto}", lambda it: got(it.channel.basic_get(it.name(q), auto_ack=auto))
        ),
        queue, seldom,
    ),
    st.builds(
        lambda tag, many: (f"ack {tag} {many}", lambda it: it.channel.basic_ack(tag, many)),
        tag, seldom,
    ),
    st.builds(
        lambda tag, many, back: (
            f"nack {tag} {many} {back}", lambda it: it.channel.basic_nack(tag, many, back)
        ),
        tag, st.booleans(), st.booleans(),
    ),
    st.just(("recover", lambda it: it.channel.basic_recover(requeue=True))),
    st.builds(
        lambda q: (
            f"purge {q}", lambda it: it.channel.queue_purge(it.name(q)).method.message_count
        ),
        queue,
    ),
    st.builds(
        lambda q, empty: (
            f"delete {q} {empty}",
            lambda it: it.channel.queue_delete(
                it.name(q), if_empty=empty).method.message_count,
        ),
        queue, st.booleans(),
    ),
    st.builds(
        lambda e, unused: (
            f"delete {e} {unused}",
            lambda it: it.channel.exchange_delete(it.name(e), if_unused=unused).method.NAME,
        ),
        exchange, st.booleans(),
    ),
)  # fmt: skip
BEGINNING: list[tuple[str, Operation]] = [
    *((f"declare {q}", lambda it, q=q: it.channel.queue_declare(it.name(q)) and None)
      for q in QUEUES[:2]),
    ("declare e1", lambda it: it.channel.exchange_declare(it.name("e1"), "topic") and None),
    ("bind q1 e1 #", lambda it: it.channel.queue_bind(it.name("q1"), it.name("e1"), "#") and None),
]  # fmt: skip


@given(asked=st.lists(operations, min_size=5, max_size=25))
@settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
def test_both_answer_the_same(
    embedded: str, broker: str, asked: list[tuple[str, Operation]]
) -> None:
    with Amqp(embedded) as ours, Amqp(broker) as theirs:
        prefix = ours.name() + "."
        sides = Side(ours, prefix), Side(theirs, prefix)
        try:
            for what, operation in BEGINNING + asked:
                mine, real = (side.ask(operation) for side in sides)
                assert mine == real, what
        finally:
            for side in sides:
                side.clean()
