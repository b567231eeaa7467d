"""Delivery: turns, limits, acknowledgements, and the order of what comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.amqp import Amqp, drain, pause, until


class Inbox:
    """What a consumer got."""

    def __init__(self, channel: BlockingChannel, queue: str, **settings: Any) -> None:
        self.tags: list[int] = []
        self.bodies: list[bytes] = []
        self.redelivered: list[bool] = []
        self.tag = channel.basic_consume(queue, self._take, **settings)

    def _take(self, _: object, method: Any, _properties: object, body: bytes) -> None:
        self.tags.append(method.delivery_tag)
        self.bodies.append(body)
        self.redelivered.append(method.redelivered)


def fill(channel: BlockingChannel, queue: str, count: int) -> list[bytes]:
    bodies = [b"%d" % number for number in range(count)]
    for body in bodies:
        channel.basic_publish("", queue, body)
    return bodies


def ready(channel: BlockingChannel, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def test_get(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    assert channel.basic_get(queue) == (None, None, None)
    fill(channel, queue, 3)
    method, _, body = channel.basic_get(queue)
    assert method is not None
    assert (method.delivery_tag, method.redelivered, method.exchange, method.routing_key,
            method.message_count, body) == (1, False, "", queue, 2, b"0")  # fmt: skip
    method, _, body = channel.basic_get(queue, auto_ack=True)
    assert method is not None
    assert (method.delivery_tag, method.message_count, body) == (2, 1, b"1")
    channel.basic_nack(1)
    method, _, body = channel.basic_get(queue)
    assert method is not None
    assert (method.delivery_tag, method.redelivered, body) == (3, True, b"0")


def test_deliveries_say_where_they_come_from(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    exchange, queue = amqp.exchange(channel), amqp.queue(channel, exclusive=True)
    channel.queue_bind(queue, exchange, "#")
    channel.basic_publish(exchange, "a.ü", b"")
    found: list[Any] = []
    tag = channel.basic_consume(queue, lambda *message: found.append(message[1]))
    until(channel.connection, lambda: found)
    assert (found[0].exchange, found[0].routing_key, found[0].consumer_tag) == (
        exchange,
        "a.ü",
        tag,
    )


def test_consumers_take_turns(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    inboxes = [Inbox(channel, queue, auto_ack=True) for _ in range(3)]
    fill(channel, queue, 7)
    until(channel.connection, lambda: sum(len(one.bodies) for one in inboxes) == 7)
    assert [one.bodies for one in inboxes] == [
        [b"0", b"3", b"6"], [b"1", b"4"], [b"2", b"5"]]  # fmt: skip


def test_consumers_of_higher_priority_come_first(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_qos(prefetch_count=2)
    low = Inbox(channel, queue, arguments={"x-priority": -1})
    middle = Inbox(channel, queue)
    high = Inbox(channel, queue, arguments={"x-priority": 10})
    fill(channel, queue, 5)
    until(channel.connection, lambda: low.bodies)
    assert (high.bodies, middle.bodies, low.bodies) == ([b"0", b"1"], [b"2", b"3"], [b"4"])


def test_qos_limits_each_consumer(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    before = Inbox(channel, amqp.queue(channel, exclusive=True))
    channel.basic_qos(prefetch_count=2)
    first, second = Inbox(channel, queue), Inbox(channel, queue)
    fill(channel, queue, 7)
    until(channel.connection, lambda: len(first.bodies + second.bodies) == 4)
    pause(channel.connection)
    assert (first.bodies, second.bodies, before.bodies) == ([b"0", b"2"], [b"1", b"3"], [])
    channel.basic_ack(second.tags[0])
    until(channel.connection, lambda: len(second.bodies) == 3)
    pause(channel.connection)
    assert (first.bodies, second.bodies) == ([b"0", b"2"], [b"1", b"3", b"4"])
    assert ready(channel, queue) == 2


def test_qos_limits_the_channel(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_qos(prefetch_count=3, global_qos=True)
    first, second = Inbox(channel, queue), Inbox(channel, queue)
    fill(channel, queue, 6)
    until(channel.connection, lambda: len(first.bodies + second.bodies) == 3)
    pause(channel.connection)
    assert len(first.bodies + second.bodies) == 3
    channel.basic_ack(2, multiple=True)
    until(channel.connection, lambda: len(first.bodies + second.bodies) == 5)
    channel.basic_qos(prefetch_count=0, global_qos=True)
    until(channel.connection, lambda: len(first.bodies + second.bodies) == 6)


def test_gets_and_auto_ack_do_not_count_for_qos(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    fill(channel, queue, 6)
    channel.basic_qos(prefetch_count=1, global_qos=True)
    channel.basic_get(queue)
    inbox = Inbox(channel, queue, auto_ack=True)
    until(channel.connection, lambda: len(inbox.bodies) == 5)


def test_acks(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel)
    bodies = fill(channel, queue, 8)
    inbox = Inbox(channel, queue)
    until(channel.connection, lambda: inbox.bodies == bodies)
    channel.basic_ack(3, multiple=True)
    channel.basic_ack(6)
    channel.basic_ack(5, multiple=True)
    channel.connection.close()
    again = amqp.channel()
    assert drain(again, queue) == [b"6", b"7"]


def test_ack_zero_multiple_is_all(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel)
    fill(channel, queue, 4)
    inbox = Inbox(channel, queue)
    until(channel.connection, lambda: len(inbox.bodies) == 4)
    channel.basic_ack(0, multiple=True)
    channel.close()
    assert ready(amqp.channel(), queue) == 0


@pytest.mark.parametrize("how", ["nack", "nack multiple", "reject", "recover", "close", "drop"])
def test_what_comes_back_is_redelivered_in_its_place(amqp: Amqp, how: str) -> None:
    connection = amqp.connect()
    channel = connection.channel()
    channel.confirm_delivery()
    queue = amqp.queue(channel)
    bodies = fill(channel, queue, 6)
    taken = [channel.basic_get(queue)[0] for _ in range(4)]
    tags = [one.delivery_tag for one in taken if one is not None]
    assert tags == [1, 2, 3, 4]
    if how == "nack":
        for tag in (3, 1, 4, 2):
            channel.basic_nack(tag)
    elif how == "nack multiple":
        channel.basic_nack(4, multiple=True)
    elif how == "reject":
        for tag in (2, 4, 1, 3):
            channel.basic_reject(tag)
    elif how == "recover":
        channel.basic_recover(requeue=True)
    elif how == "close":
        channel.close()
    else:
        connection.close()
    other = amqp.channel()
    found = [other.basic_get(queue) for _ in range(6)]
    assert [one[2] for one in found] == bodies
    assert [one[0].redelivered for one in found if one[0]] == [True] * 4 + [False] * 2


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_order_of_settling(url: str, data: st.DataObject) -> None:
    with Amqp(url) as amqp:
        channel = amqp.channel(confirm=True)
        queue = amqp.queue(channel, exclusive=True)
        count = data.draw(st.integers(1, 8))
        bodies = fill(channel, queue, count)
        unsettled: dict[int, bytes] = {}
        waiting = list(bodies)
        redelivered: set[bytes] = set()
        for _ in range(data.draw(st.integers(1, 12))):
            action = data.draw(st.sampled_from(["get", "ack", "requeue", "drop", "multiple"]))
            if action == "get":
                method, _, body = channel.basic_get(queue)
                assert body == (waiting.pop(0) if waiting else None)
                if method is not None:
                    assert body is not None
                    assert method.redelivered == (body in redelivered)
                    unsettled[method.delivery_tag] = body
            elif unsettled:
                tag = data.draw(st.sampled_from(sorted(unsettled)))
                settled = {tag}
                if action == "ack":
                    channel.basic_ack(tag)
                elif action == "drop":
                    channel.basic_reject(tag, requeue=False)
                else:
                    if action == "multiple":
                        settled = {one for one in unsettled if one <= tag}
                    channel.basic_nack(tag, multiple=action == "multiple")
                    back = [unsettled[one] for one in settled]
                    redelivered.update(back)
                    waiting = sorted(waiting + back, key=bodies.index)
                for one in settled:
                    del unsettled[one]
        assert drain(channel, queue) == waiting


def test_a_rejected_message_comes_back_to_its_consumer(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_qos(prefetch_count=1)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 2)
    until(channel.connection, lambda: inbox.tags == [1])
    channel.basic_reject(1)
    until(channel.connection, lambda: inbox.tags == [1, 2])
    channel.basic_ack(2)
    until(channel.connection, lambda: inbox.tags == [1, 2, 3])
    assert (inbox.bodies, inbox.redelivered) == ([b"0", b"0", b"1"], [False, True, False])


def test_cancelling_keeps_what_was_delivered(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_qos(prefetch_count=2)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 3)
    until(channel.connection, lambda: len(inbox.bodies) == 2)
    channel.basic_cancel(inbox.tag)
    assert ready(channel, queue) == 1
    channel.basic_ack(1)
    channel.basic_nack(2)
    assert drain(channel, queue) == [b"1", b"2"]


def test_tags(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    inbox = Inbox(channel, queue, consumer_tag="mine")
    assert inbox.tag == "mine"
    fill(channel, queue, 1)
    until(channel.connection, lambda: inbox.bodies)
    other = channel.connection.channel()
    queue = amqp.queue(other, exclusive=True)
    other.basic_publish("", queue, b"tags are a channel's own")
    method = other.basic_get(queue)[0]
    assert method is not None
    assert method.delivery_tag == 1


def test_expired_in_a_consumers_hands_is_not_expired(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_publish("", queue, b"x", BasicProperties(expiration="50"))
    assert channel.basic_get(queue)[2] == b"x"
    pause(channel.connection, 0.2)
    channel.basic_ack(1)
    assert channel.is_open
