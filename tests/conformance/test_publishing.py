"""Publishing: confirms, returns, and that what arrives is what was sent."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pika.data
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pamqp import commands
from pika import BasicProperties
from pika.exceptions import UnroutableError

from cbsim.bus.embedded import table
from tests.support.amqp import Amqp, until
from tests.support.raw import Raw, content

ZONE = pika.data.decode_value(b"T" + bytes(8), 0)[0].tzinfo
"""Of the times that pika reads: before 1.4 it gave none."""
SHORT = st.text(st.characters(codec="utf-8"), max_size=20)
PROPERTIES = {
    "content_type": SHORT,
    "content_encoding": SHORT,
    "delivery_mode": st.integers(1, 2),
    "priority": st.integers(0, 255),
    "correlation_id": SHORT,
    "reply_to": SHORT,
    "expiration": st.integers(100_000, 2**32 - 1).map(str),
    "message_id": SHORT,
    "timestamp": st.integers(0, 2**63 - 1),
    "type": SHORT,
    "app_id": SHORT,
    "cluster_id": SHORT,
}
VALUES = st.recursive(
    st.one_of(
        SHORT,
        st.binary(max_size=20).filter(lambda data: not _is_text(data)),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.none(),
        st.integers(0, 2**32 - 1).map(
            lambda at: datetime.fromtimestamp(at, UTC).replace(tzinfo=ZONE)
        ),
        st.builds(lambda number: Decimal(number) / 100, st.integers(0, 10**6)),
    ),
    lambda values: st.one_of(
        st.lists(values, max_size=3), st.dictionaries(SHORT.filter(bool), values, max_size=3)
    ),
    max_leaves=8,
)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(
    properties=st.fixed_dictionaries({}, optional=PROPERTIES),
    headers=st.none() | st.dictionaries(SHORT.filter(bool), VALUES, max_size=4),
    body=st.binary(max_size=200),
)
@example(
    properties=dict.fromkeys(PROPERTIES, "x")
    | {"delivery_mode": 2, "priority": 9, "timestamp": 1, "expiration": "100000"},
    headers={},
    body=b"",
)
@settings(max_examples=60, deadline=None)
def test_properties_headers_and_body_arrive_as_sent(
    url: str, properties: dict[str, Any], headers: dict[str, Any] | None, body: bytes
) -> None:
    with Amqp(url) as amqp:
        channel = amqp.channel()
        queue = amqp.queue(channel, exclusive=True)
        sent = BasicProperties(**properties, headers=headers)
        channel.basic_publish("", queue, body, sent)
        _, got, arrived = channel.basic_get(queue, auto_ack=True)
        assert arrived == body
        assert got == sent


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_tables_keep_every_type(data: st.DataObject) -> None:
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "t": st.booleans(), "b": st.integers(-128, 127), "B": st.integers(0, 255),
        "s": st.integers(-(2**15), 2**15 - 1), "u": st.integers(0, 2**16 - 1),
        "I": st.integers(-(2**31), 2**31 - 1), "i": st.integers(0, 2**32 - 1),
        "l": st.integers(-(2**63), 2**63 - 1), "f": st.floats(width=32, allow_nan=False),
        "d": st.floats(allow_nan=False), "S": st.binary(max_size=9), "x": st.binary(max_size=9),
        "T": st.integers(0, 2**64 - 1), "V": st.none(),
        "D": st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1)),
    }  # fmt: skip
    plain = st.sampled_from(sorted(kinds)).flatmap(
        lambda kind: kinds[kind].map(lambda value: table.Field(kind, value))
    )
    fields = st.recursive(
        plain,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: table.Field("A", items)),
            st.dictionaries(SHORT, inner, max_size=3).map(lambda items: table.Field("F", items)),
        ),
        max_leaves=6,
    )
    made = data.draw(st.dictionaries(SHORT, fields, max_size=4))
    encoded = table.encode(made)
    assert table.decode(encoded) == (made, len(encoded))
    for cut in range(len(encoded)):
        with pytest.raises(ValueError, match="field table"):
            table.decode(encoded[:cut])


@pytest.mark.parametrize("size", [0, 1, 4088, 4089, 131064, 131065, 1_000_003])
def test_bodies_of_any_size_through_frames_of_any_size(amqp: Amqp, size: int) -> None:
    body = bytes(at * 7 % 251 for at in range(size % 1000)) + b"x" * (size - size % 1000)
    for sending, receiving in ((131072, 131072), (4096, 131072), (131072, 4096)):
        sender = amqp.connect(frame_max=sending).channel()
        receiver = amqp.connect(frame_max=receiving).channel()
        sender.confirm_delivery()
        queue = amqp.queue(receiver)
        sender.basic_publish("", queue, body)
        # Another channel number than the publisher's.
        assert receiver.connection.channel().basic_get(queue, auto_ack=True)[2] == body


def test_bodies_come_in_frames_as_large_as_the_consumer_takes(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel)
    channel.basic_publish("", queue, b"x" * 10_000)
    with Raw(amqp.url) as raw:
        raw.open(frame_max=4096).channel()
        raw.send(1, commands.Basic.Get(queue=queue, no_ack=True))
        assert isinstance(raw.method(), commands.Basic.GetOk)
        assert raw.method().body_size == 10_000
        assert [len(raw.method().value) for _ in range(3)] == [4088, 4088, 1824]


def test_a_body_may_come_in_any_number_of_frames_and_between_other_channels(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel)
    with Raw(amqp.url) as raw:
        raw.open().channel(1).channel(2)
        publish = commands.Basic.Publish(exchange="", routing_key=queue)
        raw.send(1, publish)
        raw.send(2, publish)
        raw.frame(2, 1, content(6))
        raw.frame(2, 2, content(0))
        raw.frame(3, 1, b"ab")
        raw.frame(8, 0, b"")
        raw.frame(3, 1, b"")
        raw.frame(3, 1, b"c")
        raw.send(2, commands.Basic.Qos())
        assert isinstance(raw.method(), commands.Basic.QosOk)
        assert channel.basic_get(queue, auto_ack=True)[2] == b""
        raw.frame(3, 1, b"def")
        raw.send(1, commands.Basic.Qos())
        assert isinstance(raw.method(), commands.Basic.QosOk)
    assert channel.basic_get(queue, auto_ack=True)[2] == b"abcdef"


def test_bytes_may_come_in_any_pieces(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel)
    with Raw(amqp.url) as raw:
        raw.open().channel()
        stream = b"".join(
            raw.frames(1, commands.Basic.Publish(exchange="", routing_key=queue), body)
            for body in (b"one", b"", b"three")
        )
        for at in range(len(stream)):
            raw.bytes(stream[at : at + 1])
        raw.send(1, commands.Basic.Qos())
        assert isinstance(raw.method(), commands.Basic.QosOk)
    bodies = [channel.basic_get(queue, auto_ack=True)[2] for _ in range(3)]
    assert bodies == [b"one", b"", b"three"]


def test_what_is_mandatory_and_reaches_no_queue_is_returned(amqp: Amqp) -> None:
    channel = amqp.channel()
    returned: list[Any] = []
    channel.add_on_return_callback(lambda *message: returned.append(message[1:]))
    properties = BasicProperties(message_id="7", headers={"a": 1})
    channel.basic_publish("amq.topic", "no.one", b"dropped", properties)
    channel.basic_publish("amq.topic", "no.one", b"body", properties, mandatory=True)
    until(channel.connection, lambda: returned)
    ((method, got, body),) = returned
    assert (method.reply_code, method.reply_text, method.exchange, method.routing_key) == (
        312, "NO_ROUTE", "amq.topic", "no.one")  # fmt: skip
    assert (got, body) == (properties, b"body")


def test_confirms_of_what_reaches_no_queue(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    channel.basic_publish("amq.topic", "no.one", b"")
    with pytest.raises(UnroutableError) as refused:
        channel.basic_publish("amq.topic", "no.one", b"body", mandatory=True)
    (message,) = refused.value.messages
    assert (message.method.reply_text, message.body) == ("NO_ROUTE", b"body")


def test_every_message_is_confirmed_and_returns_come_first(amqp: Amqp) -> None:
    channel = amqp.channel()
    queue = amqp.queue(channel)
    with Raw(amqp.url) as raw:
        raw.open().channel()
        raw.send(1, commands.Confirm.Select())
        assert isinstance(raw.method(), commands.Confirm.SelectOk)
        publish = commands.Basic.Publish(exchange="", routing_key=queue)
        lost = commands.Basic.Publish(exchange="", routing_key=queue + "?", mandatory=True)
        raw.bytes(b"".join(raw.frames(1, one, b"x") for one in [publish, publish, lost] * 100))
        confirmed: set[int] = set()
        returned = 0
        while len(confirmed) < 300:
            made = raw.method()
            if isinstance(made, commands.Basic.Return):
                returned += 1
            elif isinstance(made, commands.Basic.Ack):
                confirmed |= set(range(1, made.delivery_tag)) if made.multiple else set()
                confirmed.add(made.delivery_tag or 0)
                assert returned >= sum(tag % 3 == 0 for tag in confirmed)
        assert (max(confirmed), returned) == (300, 100)


def test_confirms_count_from_when_they_are_asked_for(amqp: Amqp) -> None:
    with Raw(amqp.url) as raw:
        raw.open().channel()
        publish = raw.frames(1, commands.Basic.Publish(exchange="", routing_key="nix"), b"x")
        raw.bytes(publish * 2)
        raw.send(1, commands.Confirm.Select())
        assert isinstance(raw.method(), commands.Confirm.SelectOk)
        raw.bytes(publish)
        ack = raw.method()
        assert (ack.name, ack.delivery_tag, ack.multiple) == ("Basic.Ack", 1, False)


def test_the_user_of_a_message_is_the_one_logged_in(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    user = channel.connection._impl.params.credentials.username
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_publish("", queue, b"", BasicProperties(user_id=user))
    properties = channel.basic_get(queue, auto_ack=True)[1]
    assert properties is not None
    assert properties.user_id == user
