"""Exchanges: which queues a message reaches."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pika import BasicProperties

from cbsim.bus.embedded.exchange import Binding, exchange_of
from tests.support.amqp import Amqp, drain

WORDS = st.sampled_from(["a", "b", "feed", "", "*", "#"])
KEYS = st.lists(WORDS, max_size=5).map(".".join)


def matches(pattern: Sequence[str], key: Sequence[str]) -> bool:
    """The specification of topic exchanges, word by word."""
    if not pattern:
        return not key
    if pattern[0] == "#":
        return any(matches(pattern[1:], key[at:]) for at in range(len(key) + 1))
    return bool(key) and pattern[0] in ("*", key[0]) and matches(pattern[1:], key[1:])


def words(key: str) -> list[str]:
    return key.split(".") if key else []


@given(
    patterns=st.lists(KEYS, max_size=8, unique=True), keys=st.lists(KEYS, min_size=1, max_size=8)
)
@settings(max_examples=300, deadline=None)
def test_topic_index_follows_the_specification(patterns: list[str], keys: list[str]) -> None:
    exchange = exchange_of("topic")("e")
    targets = {pattern: exchange_of("fanout")(pattern) for pattern in patterns}
    for half in (patterns, patterns[::2]):
        for pattern in half:
            exchange.bind(Binding(targets[pattern], pattern, {}))
        for key in keys:
            found = {one.name for one in exchange.match(key, dict)}
            assert found == {p for p in half if matches(words(p), words(key))}
        for pattern in half:
            exchange.unbind(Binding(targets[pattern], pattern, {}))


@given(patterns=st.lists(KEYS, min_size=1, max_size=5, unique=True),
       keys=st.lists(KEYS, min_size=1, max_size=6, unique=True))  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_topic(url: str, patterns: list[str], keys: list[str]) -> None:
    with Amqp(url) as amqp:
        channel = amqp.channel(confirm=True)
        exchange = amqp.exchange(channel)
        queues = {pattern: amqp.queue(channel, exclusive=True) for pattern in patterns}
        for pattern, queue in queues.items():
            channel.queue_bind(queue, exchange, pattern)
        for key in keys:
            channel.basic_publish(exchange, key, key.encode())
        for pattern, queue in queues.items():
            wanted = [key.encode() for key in keys if matches(words(pattern), words(key))]
            assert drain(channel, queue) == wanted, pattern


def test_direct_and_fanout(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue, other = amqp.queue(channel, exclusive=True), amqp.queue(channel, exclusive=True)
    direct, fanout = amqp.exchange(channel, "direct"), amqp.exchange(channel, "fanout")
    for key in ("a", "b", "#"):
        channel.queue_bind(queue, direct, key)
    channel.queue_bind(other, direct, "a")
    for key in ("a", "b", "a.b", "", "#"):
        channel.basic_publish(direct, key, key.encode())
    assert drain(channel, queue) == [b"a", b"b", b"#"]
    assert drain(channel, other) == [b"a"]
    channel.queue_bind(queue, fanout, "ignored")
    channel.queue_bind(queue, fanout, "too")
    channel.basic_publish(fanout, "whatever", b"once")
    assert drain(channel, queue) == [b"once"]


def test_default_exchange_reaches_queues_by_name(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    queue = amqp.queue(channel, exclusive=True)
    channel.basic_publish("", queue, b"one")
    channel.basic_publish("", queue + ".", b"nowhere")
    assert drain(channel, queue) == [b"one"]


HEADERS = st.dictionaries(
    st.sampled_from(["a", "b", "x-c"]),
    st.one_of(st.sampled_from(["1", "", "é"]), st.integers(-1, 1), st.booleans(), st.none()),
    max_size=3,
)


def headers_match(wanted: dict[str, object], match: str | None, given: dict[str, object]) -> bool:
    """The specification of headers exchanges, with RabbitMQ's rules for `x-`."""
    match = match or "all"
    asked = [
        name in given and (value is None or (type(value) is type(given[name])
                                             and value == given[name]))
        for name, value in wanted.items()
        if match.endswith("with-x") or not name.startswith("x-")
    ]  # fmt: skip
    return all(asked) if match.startswith("all") else any(asked)


@given(
    wanted=HEADERS,
    match=st.sampled_from([None, "all", "any", "all-with-x", "any-with-x"]),
    messages=st.lists(HEADERS, min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_headers(
    url: str, wanted: dict[str, object], match: str | None, messages: list[dict[str, object]]
) -> None:
    with Amqp(url) as amqp:
        channel = amqp.channel(confirm=True)
        exchange = amqp.exchange(channel, "headers")
        queue = amqp.queue(channel, exclusive=True)
        arguments = wanted | ({} if match is None else {"x-match": match})
        channel.queue_bind(queue, exchange, "", arguments=arguments)
        for at, message in enumerate(messages):
            channel.basic_publish(exchange, "", b"%d" % at, BasicProperties(headers=message))
        assert drain(channel, queue) == [
            b"%d" % at
            for at, message in enumerate(messages)
            if headers_match(wanted, match, message)
        ]


def test_a_binding_counts_once_and_goes_by_all_it_is_made_of(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    exchange, queue = amqp.exchange(channel), amqp.queue(channel, exclusive=True)
    for key in ("a.#", "a.#", "*.b"):
        channel.queue_bind(queue, exchange, key)
    channel.basic_publish(exchange, "a.b", b"1")
    channel.queue_unbind(queue, exchange, "a.#", arguments={"other": "arguments"})
    channel.basic_publish(exchange, "a.c", b"2")
    channel.queue_unbind(queue, exchange, "a.#")
    channel.basic_publish(exchange, "a.c", b"gone")
    channel.basic_publish(exchange, "a.b", b"3")
    channel.queue_unbind(queue, exchange, "*.b")
    channel.basic_publish(exchange, "a.b", b"gone")
    assert drain(channel, queue) == [b"1", b"2", b"3"]


def test_exchanges_bound_to_exchanges(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    source, middle, queue = (amqp.exchange(channel), amqp.exchange(channel, "fanout"),
                             amqp.queue(channel, exclusive=True))  # fmt: skip
    channel.exchange_bind(middle, source, "a.*")
    channel.exchange_bind(source, middle, "#")
    channel.queue_bind(queue, middle)
    channel.basic_publish(source, "a.b", b"through")
    channel.basic_publish(source, "b", b"not")
    channel.exchange_unbind(middle, source, "a.*")
    channel.basic_publish(source, "a.b", b"not any more")
    assert drain(channel, queue) == [b"through"]


def test_alternate_exchange_takes_what_matches_nothing(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    alternate = amqp.exchange(channel, "fanout")
    exchange = amqp.exchange(channel, arguments={"alternate-exchange": alternate})
    queue, rest = amqp.queue(channel, exclusive=True), amqp.queue(channel, exclusive=True)
    channel.queue_bind(queue, exchange, "a")
    channel.queue_bind(rest, alternate)
    channel.basic_publish(exchange, "a", b"a", mandatory=True)
    channel.basic_publish(exchange, "b", b"b", mandatory=True)
    assert (drain(channel, queue), drain(channel, rest)) == ([b"a"], [b"b"])


def test_copies_go_where_cc_and_bcc_say(amqp: Amqp) -> None:
    channel = amqp.channel(confirm=True)
    first, second, third = (amqp.queue(channel, exclusive=True) for _ in range(3))
    headers = {"CC": [second], "BCC": [third], "kept": 1}
    channel.basic_publish("", first, b"x", BasicProperties(headers=headers))
    for queue in (first, second, third):
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        assert method is not None
        assert properties is not None
        assert (method.routing_key, body) == (first, b"x")
        assert properties.headers == {"CC": [second], "kept": 1}


@pytest.mark.parametrize(
    "name", ["amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic"]
)
def test_standard_exchanges_are_there(amqp: Amqp, name: str) -> None:
    amqp.channel().exchange_declare(name, passive=True)
