"""Dead letters: where messages go that nobody consumed, and what their headers say about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.amqp import Amqp, drain, pause, until


def dead(channel: BlockingChannel, queue: str) -> tuple[Any, BasicProperties, bytes]:
    """The next dead letter."""
    found: list[Any] = []

    def got() -> bool:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        found.append((method, properties, body))
        return method is not None

    until(channel.connection, got)
    return found[-1]  # type: ignore[no-any-return]


def setup(amqp: Amqp, **arguments: Any) -> tuple[BlockingChannel, str, str]:
    """A channel, a queue whose dead letters go to a second one, and that one."""
    channel = amqp.channel(confirm=True)
    letters = amqp.queue(channel, exclusive=True)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": letters} | {
        f"x-{name.replace('_', '-')}": value for name, value in arguments.items()
    }
    return channel, amqp.queue(channel, exclusive=True, arguments=arguments), letters


@pytest.mark.parametrize("reason", ["rejected", "expired", "maxlen"])
def test_the_account_of_a_death(amqp: Amqp, reason: str) -> None:
    limits = {"rejected": {}, "expired": {"message_ttl": 50}, "maxlen": {"max_length": 0}}
    channel, queue, letters = setup(amqp, **limits[reason])
    exchange = amqp.exchange(channel)
    channel.queue_bind(queue, exchange, "a.#")
    sent = BasicProperties(content_type="t", headers={"kept": [1, "x"]}, message_id="m", priority=3)
    channel.basic_publish(exchange, "a.b", b"body", sent)
    if reason == "rejected":
        channel.basic_reject(channel.basic_get(queue)[0].delivery_tag, requeue=False)
    method, properties, body = dead(channel, letters)
    assert (method.exchange, method.routing_key, method.redelivered) == ("", letters, False)
    assert (body, properties.content_type, properties.message_id, properties.priority) == (
        b"body", "t", "m", 3)  # fmt: skip
    headers = dict(properties.headers or {})
    (death,) = headers.pop("x-death")
    assert headers == {
        "kept": [1, "x"],
        "x-first-death-exchange": exchange,
        "x-first-death-queue": queue,
        "x-first-death-reason": reason,
    }
    at = death.pop("time")
    # pika 1.3 reads times without their zone.
    assert abs(datetime.now(UTC).replace(tzinfo=at.tzinfo) - at) < timedelta(minutes=1)
    assert death == {
        "count": 1,
        "reason": reason,
        "queue": queue,
        "exchange": exchange,
        "routing-keys": ["a.b"],
    }


def test_a_messages_own_time_to_live_is_kept_in_the_account_only(amqp: Amqp) -> None:
    channel, queue, letters = setup(amqp)
    channel.basic_publish("", queue, b"x", BasicProperties(expiration="30"))
    _, properties, _ = dead(channel, letters)
    assert properties.expiration is None
    assert (properties.headers or {})["x-death"][0]["original-expiration"] == "30"


def test_without_a_key_of_the_queues_own_the_routing_key_stays(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    exchange, letters = amqp.exchange(channel), amqp.queue(channel, exclusive=True)
    channel.queue_bind(letters, exchange, "#")
    queue = amqp.queue(channel, exclusive=True, arguments={"x-dead-letter-exchange": exchange})
    channel.basic_publish("", queue, b"x")
    channel.basic_nack(channel.basic_get(queue)[0].delivery_tag, requeue=False)
    method, _, _ = dead(channel, letters)
    assert (method.exchange, method.routing_key) == (exchange, queue)


def test_deaths_add_up(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    second, first = amqp.name(), amqp.name()
    amqp.queue(channel, first, exclusive=True, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": second})  # fmt: skip
    amqp.queue(channel, second, exclusive=True, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": first})  # fmt: skip
    channel.basic_publish("", first, b"x")
    for queue in (first, second, first, second):
        method, _, _ = dead_unsettled(channel, queue)
        channel.basic_reject(method.delivery_tag, requeue=False)
    _, properties, _ = dead_unsettled(channel, first)
    headers = properties.headers or {}
    deaths = headers["x-death"]
    assert [(one["queue"], one["count"], one["reason"]) for one in deaths] == [
        (second, 2, "rejected"), (first, 2, "rejected")]  # fmt: skip
    assert headers["x-first-death-queue"] == first


def dead_unsettled(channel: BlockingChannel, queue: str) -> tuple[Any, BasicProperties, bytes]:
    found: list[Any] = []

    def got() -> bool:
        found.append(channel.basic_get(queue))
        return found[-1][0] is not None

    until(channel.connection, got)
    return found[-1]  # type: ignore[no-any-return]


def test_a_message_that_goes_round_by_itself_is_dropped(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.name()
    amqp.queue(channel, queue, exclusive=True, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, "x-message-ttl": 30,
    })  # fmt: skip
    channel.basic_publish("", queue, b"x")
    pause(channel.connection, 0.3)
    assert drain(channel, queue) == []


def test_a_dead_letter_exchange_that_is_not_there_takes_nothing(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True, arguments={"x-dead-letter-exchange": amqp.name()})
    channel.basic_publish("", queue, b"x")
    channel.basic_reject(channel.basic_get(queue)[0].delivery_tag, requeue=False)
    assert drain(channel, queue) == []


def test_the_order_of_dead_letters(amqp: Amqp) -> None:
    channel, queue, letters = setup(amqp, max_length=2)
    for number in range(5):
        channel.basic_publish("", queue, b"%d" % number)
    assert [dead(channel, letters)[2] for _ in range(3)] == [b"0", b"1", b"2"]
    channel.basic_get(queue)
    channel.basic_get(queue)
    channel.basic_nack(0, multiple=True, requeue=False)
    assert [dead(channel, letters)[2] for _ in range(2)] == [b"3", b"4"]


def test_acked_purged_and_deleted_messages_are_no_dead_letters(amqp: Amqp) -> None:
    channel, queue, letters = setup(amqp)
    for _ in range(3):
        channel.basic_publish("", queue, b"x")
    channel.basic_ack(channel.basic_get(queue)[0].delivery_tag)
    channel.queue_purge(queue)
    channel.basic_publish("", queue, b"x")
    channel.queue_delete(queue)
    pause(channel.connection)
    assert drain(channel, letters) == []


def test_dead_letters_keep_their_copies_keys(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    exchange = amqp.exchange(channel)
    first, second = amqp.queue(channel, exclusive=True), amqp.queue(channel, exclusive=True)
    channel.queue_bind(first, exchange, "one")
    channel.queue_bind(second, exchange, "two")
    queue = amqp.queue(channel, exclusive=True, arguments={"x-dead-letter-exchange": exchange})
    channel.queue_bind(queue, "amq.topic", "one")
    channel.basic_publish("amq.topic", "one", b"x", BasicProperties(headers={"CC": ["two"]}))
    channel.basic_reject(channel.basic_get(queue)[0].delivery_tag, requeue=False)
    for letters in (first, second):
        _, properties, _ = dead(channel, letters)
        headers = properties.headers or {}
        assert headers["CC"] == ["two"]
        assert headers["x-death"][0]["routing-keys"] == ["one", "two"]


def test_a_queues_own_key_replaces_the_copies(amqp: Amqp) -> None:
    channel, queue, letters = setup(amqp)
    channel.queue_bind(queue, "amq.topic", "one")
    channel.basic_publish("amq.topic", "one", b"x", BasicProperties(headers={"CC": ["two"]}))
    channel.basic_reject(channel.basic_get(queue)[0].delivery_tag, requeue=False)
    _, properties, _ = dead(channel, letters)
    headers = properties.headers or {}
    assert "CC" not in headers
    assert headers["x-death"][0]["routing-keys"] == ["one", "two"]


def test_refused_messages_may_be_dead_letters(amqp: Amqp) -> None:
    from pika.exceptions import NackError

    channel, queue, letters = setup(amqp, max_length=1, overflow="reject-publish-dlx")
    channel.basic_publish("", queue, b"taken")
    with pytest.raises(NackError):
        channel.basic_publish("", queue, b"refused")
    _, properties, body = dead(channel, letters)
    assert body == b"refused"
    assert (properties.headers or {})["x-first-death-reason"] == "maxlen"
