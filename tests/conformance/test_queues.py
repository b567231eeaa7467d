"""Queues: how they come and go, what they keep and in which order."""

from __future__ import annotations

import re
import time

import pytest
from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker

from tests.support.amqp import Amqp, drain, pause, until


def exists(amqp: Amqp, queue: str) -> bool:
    channel = amqp.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except ChannelClosedByBroker:
        return False
    finally:
        channel.connection.close()
    return True


def gone(amqp: Amqp, queue: str, patience: float = 5.0) -> bool:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not exists(amqp, queue):
            return True
        time.sleep(0.05)
    return False


def test_a_queue_outlives_its_connection(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel)
    channel.basic_publish("", queue, b"kept")
    channel.connection.close()
    assert drain(amqp.channel(), queue) == [b"kept"]


def test_an_exclusive_queue_is_its_connections_own(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel, exclusive=True)
    channel.connection.channel().queue_declare(queue, exclusive=True)
    channel.queue_bind(queue, "amq.topic", "a")
    other = amqp.connect()
    for use in (
        lambda channel: channel.queue_declare(queue, passive=True),
        lambda channel: channel.queue_declare(queue, exclusive=True),
        lambda channel: channel.queue_declare(queue),
        lambda channel: channel.queue_bind(queue, "amq.topic", "b"),
        lambda channel: channel.queue_unbind(queue, "amq.topic", "a"),
        lambda channel: channel.queue_purge(queue),
        lambda channel: channel.queue_delete(queue),
        lambda channel: channel.basic_get(queue),
        lambda channel: channel.basic_consume(queue, print),
    ):
        with pytest.raises(ChannelClosedByBroker) as refused:
            use(other.channel())
        assert (refused.value.reply_code, refused.value.reply_text) == (
            405,
            f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost "
            "'/'. It could be originally declared on another connection or the exclusive property "
            "value does not match that of the original declaration.",
        )
    publishing = other.channel()
    publishing.confirm_delivery()
    publishing.basic_publish("", queue, b"anyone may publish", mandatory=True)
    channel.connection.close()
    assert gone(amqp, queue)


def test_an_auto_delete_queue_goes_with_its_last_consumer(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel, auto_delete=True)
    tags = [channel.basic_consume(queue, print) for _ in range(2)]
    channel.basic_cancel(tags[0])
    assert exists(amqp, queue)
    channel.basic_cancel(tags[1])
    assert gone(amqp, queue)


def test_an_auto_delete_queue_without_consumers_stays(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel, auto_delete=True)
    channel.connection.close()
    assert exists(amqp, queue)


def test_an_auto_delete_queue_goes_with_the_consumers_connection(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel, auto_delete=True)
    channel.basic_consume(queue, print)
    channel.connection.close()
    assert gone(amqp, queue)


def test_an_auto_delete_exchange_goes_with_its_last_binding(amqp: Amqp) -> None:
    channel = amqp.channel()
    exchange, queue = amqp.exchange(channel, auto_delete=True), amqp.queue(channel, exclusive=True)
    channel.queue_bind(queue, exchange, "a")
    channel.queue_bind(queue, exchange, "b")
    channel.queue_unbind(queue, exchange, "a")
    channel.exchange_declare(exchange, passive=True)
    channel.queue_delete(queue)
    with pytest.raises(ChannelClosedByBroker) as missing:
        channel.exchange_declare(exchange, passive=True)
    assert missing.value.reply_text == f"NOT_FOUND - no exchange '{exchange}' in vhost '/'"


def test_the_broker_names_queues(amqp: Amqp) -> None:
    channel = amqp.channel()
    names = {channel.queue_declare("", exclusive=True).method.queue for _ in range(3)}
    assert len(names) == 3
    assert all(re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", name) for name in names)


def test_an_empty_name_is_the_channels_last_queue(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.queue_bind("", "amq.topic")
    channel.basic_publish("amq.topic", queue, b"by its own name")
    assert channel.basic_get("", auto_ack=True)[2] == b"by its own name"
    assert channel.queue_purge("").method.message_count == 0
    channel.queue_unbind("", "amq.topic")
    assert channel.queue_delete("").method.message_count == 0


def test_counts_of_declare_purge_and_delete(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel)
    channel.basic_qos(prefetch_count=1)
    for number in range(5):
        channel.basic_publish("", queue, b"%d" % number)
    channel.basic_get(queue)
    channel.basic_consume(queue, lambda *_: None)
    until(
        channel.connection, lambda: channel.queue_declare(queue, passive=True).method.consumer_count
    )
    found = channel.queue_declare(queue).method
    assert (found.message_count, found.consumer_count) == (3, 1)
    assert channel.queue_purge(queue).method.message_count == 3
    channel.basic_publish("", queue, b"last")
    assert channel.queue_delete(queue).method.message_count == 1


@pytest.mark.parametrize(
    ("limit", "kept"),
    [({"x-max-length": 2}, [b"3", b"4"]), ({"x-max-length-bytes": 3}, [b"2", b"3", b"4"]),
     ({"x-max-length": 3, "x-max-length-bytes": 1}, [b"4"]), ({"x-max-length": 0}, [])],
    ids=str,
)  # fmt: skip
def test_a_full_queue_drops_its_head(amqp: Amqp, limit: dict[str, int], kept: list[bytes]) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True, arguments=limit)
    for number in range(5):
        channel.basic_publish("", queue, b"%d" % number)
    assert drain(channel, queue) == kept


def test_what_consumers_hold_does_not_fill_a_queue(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True, arguments={"x-max-length": 1})
    got: list[bytes] = []
    channel.basic_consume(queue, lambda *message: got.append(message[3]))
    for number in range(3):
        channel.basic_publish("", queue, b"%d" % number)
    until(channel.connection, lambda: len(got) == 3)


@pytest.mark.parametrize("how", ["queue", "message", "both"])
def test_messages_expire(amqp: Amqp, how: str) -> None:
    channel = amqp.channel(confirm=True)
    arguments = {"queue": {"x-message-ttl": 150}, "both": {"x-message-ttl": 100000}}.get(how)
    queue = amqp.queue(channel, exclusive=True, arguments=arguments)
    properties = BasicProperties(expiration=None if how == "queue" else "150")
    channel.basic_publish("", queue, b"old", properties)
    assert channel.queue_declare(queue, passive=True).method.message_count == 1
    pause(channel.connection, 0.4)
    assert channel.queue_declare(queue, passive=True).method.message_count == 0


def test_a_message_that_may_not_wait_is_for_who_waits_for_it(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True, arguments={"x-message-ttl": 0})
    channel.basic_publish("", queue, b"nobody")
    got: list[bytes] = []
    channel.basic_consume(queue, lambda *message: got.append(message[3]))
    channel.basic_publish("", queue, b"me")
    until(channel.connection, lambda: got)
    pause(channel.connection)
    assert got == [b"me"]


def test_a_message_expires_at_the_head_only(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_publish("", queue, b"stays")
    channel.basic_publish("", queue, b"expires", BasicProperties(expiration="50"))
    pause(channel.connection)
    assert channel.queue_declare(queue, passive=True).method.message_count == 2
    assert drain(channel, queue) == [b"stays"]


def test_an_unused_queue_expires(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel, arguments={"x-expires": 400})
    tag = channel.basic_consume(queue, print)
    pause(channel.connection, 0.6)
    channel.basic_cancel(tag)
    pause(channel.connection, 0.8)
    assert not exists(amqp, queue)


def test_a_full_queue_may_refuse(amqp: Amqp) -> None:
    from pika.exceptions import NackError

    channel = amqp.channel(confirm=True)
    queue = amqp.queue(
        channel, exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    channel.basic_publish("", queue, b"taken")
    with pytest.raises(NackError):
        channel.basic_publish("", queue, b"refused")
    assert drain(channel, queue) == [b"taken"]
    channel.basic_publish("", queue, b"taken again")


def test_cancel_notify_when_the_queue_goes(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel)
    cancelled: list[str] = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    tag = channel.basic_consume(queue, print)
    amqp.channel().queue_delete(queue)
    until(channel.connection, lambda: cancelled)
    assert cancelled == [tag]
    assert channel.is_open
