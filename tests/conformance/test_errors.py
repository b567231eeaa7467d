"""Errors: the same codes and the same texts, and whether the channel or the connection goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from tests.support.amqp import Amqp


class There(NamedTuple):
    """What the operations find: q and e are plain, limited has arguments."""

    channel: BlockingChannel
    q: str
    e: str
    limited: str
    new: str


Operation = Callable[[There], object]


def publish(
    exchange: str, properties: BasicProperties | None = None, key: str = "nix"
) -> Operation:
    def operation(there: There) -> None:
        there.channel.basic_publish(
            exchange.format(*there, **there._asdict()), key, b"", properties
        )
        there.channel.basic_qos()

    return operation


def settle(how: Callable[[BlockingChannel], object]) -> Operation:
    def operation(there: There) -> None:
        how(there.channel)
        there.channel.basic_qos()

    return operation


def declared(queue: str, **settings: Any) -> Operation:
    return lambda it: it.channel.queue_declare(getattr(it, queue), **settings)


def with_argument(name: str, value: object) -> Operation:
    return declared("new", arguments={name: value})


def consumed(it: There) -> None:
    it.channel.basic_consume(it.q, print)


def internal(it: There) -> None:
    it.channel.exchange_declare(it.new, "fanout", internal=True)
    it.channel.basic_publish(it.new, "", b"")
    it.channel.exchange_delete(it.new)


def bound(it: There) -> None:
    it.channel.queue_bind(it.q, it.e, "x")
    it.channel.exchange_delete(it.e, if_unused=True)


def filled(it: There) -> None:
    it.channel.basic_publish("", it.q, b"x")
    it.channel.queue_delete(it.q, if_empty=True)


def in_use(it: There) -> None:
    consumed(it)
    it.channel.queue_delete(it.q, if_unused=True)


def exclusive_after(it: There) -> None:
    consumed(it)
    it.channel.basic_consume(it.q, print, exclusive=True)


def after_exclusive(it: There) -> None:
    it.channel.basic_consume(it.q, print, exclusive=True)
    consumed(it)


def acked_twice(it: There) -> None:
    it.channel.basic_publish("", it.q, b"x")
    it.channel.basic_get(it.q)
    it.channel.basic_ack(1)
    it.channel.basic_ack(1)
    it.channel.basic_qos()


Q, E, NEW = "queue '{q}' in vhost '/'", "exchange '{e}' in vhost '/'", "queue '{new}' in vhost '/'"
INVALID = "PRECONDITION_FAILED - invalid arg '%s' for " + NEW + ": %s"
DEFAULT = "ACCESS_REFUSED - operation not permitted on the default exchange"
NO_NIX = "NOT_FOUND - no %s 'nix' in vhost '/'"
OTHER = "PRECONDITION_FAILED - inequivalent arg '%s' for %s: received %s but current is %s"
TAG = "PRECONDITION_FAILED - unknown delivery tag %d"
EXPIRATION = "PRECONDITION_FAILED - invalid expiration '%s': %s"

CHANNEL_ERRORS: dict[str, tuple[Operation, int, str]] = {
    # Exchanges.
    "declare the default exchange": (
        lambda it: it.channel.exchange_declare("", "direct"), 403, DEFAULT),
    "declare it passively": (
        lambda it: it.channel.exchange_declare("", "direct", passive=True), 403, DEFAULT),
    "a reserved exchange": (
        lambda it: it.channel.exchange_declare("amq.mine", "direct"),
        403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"),
    "a missing exchange": (
        lambda it: it.channel.exchange_declare("nix", passive=True), 404, NO_NIX % "exchange"),
    "another type": (
        lambda it: it.channel.exchange_declare(it.e, "fanout"),
        406, OTHER % ("type", E, "'fanout'", "'topic'")),
    "another durability": (
        lambda it: it.channel.exchange_declare(it.e, "topic", durable=True),
        406, OTHER % ("durable", E, "'true'", "'false'")),
    "another auto-delete": (
        lambda it: it.channel.exchange_declare(it.e, "topic", auto_delete=True),
        406, OTHER % ("auto_delete", E, "'true'", "'false'")),
    "another internal": (
        lambda it: it.channel.exchange_declare(it.e, "topic", internal=True),
        406, OTHER % ("internal", E, "'true'", "'false'")),
    "another alternate": (
        lambda it: it.channel.exchange_declare(it.e, "topic",
                                               arguments={"alternate-exchange": "a"}),
        406, OTHER % ("alternate-exchange", E, "the value 'a' of type 'longstr'", "none")),
    "an alternate of another type": (
        lambda it: it.channel.exchange_declare(it.new, "topic",
                                               arguments={"alternate-exchange": 3}),
        406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in "
             "exchange '{new}' in vhost '/'"),
    "delete the default exchange": (lambda it: it.channel.exchange_delete(""), 403, DEFAULT),
    "delete a standard exchange": (
        lambda it: it.channel.exchange_delete("amq.direct"),
        403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed"),
    "delete a bound exchange": (bound, 406, "PRECONDITION_FAILED - " + E + " in use"),
    "publish to a missing exchange": (publish("nix"), 404, NO_NIX % "exchange"),
    "publish to an internal exchange": (
        internal, 403,
        "ACCESS_REFUSED - cannot publish to internal exchange '{new}' in vhost '/'"),
    # Queues.
    "a reserved queue": (
        lambda it: it.channel.queue_declare("amq.mine"),
        403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"),
    "a missing queue": (
        lambda it: it.channel.queue_declare("nix", passive=True), 404, NO_NIX % "queue"),
    "no queue's name": (
        lambda it: it.channel.connection.channel().queue_declare("", passive=True),
        404, "NOT_FOUND - no queue '' in vhost '/'"),
    "another queue durability": (
        declared("q", durable=True), 406, OTHER % ("durable", Q, "'true'", "'false'")),
    "another queue auto-delete": (
        declared("q", auto_delete=True), 406, OTHER % ("auto_delete", Q, "'true'", "'false'")),
    "another exclusivity": (
        declared("q", exclusive=True), 405,
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{q}' in vhost '/'. It "
        "could be originally declared on another connection or the exclusive property value does "
        "not match that of the original declaration."),
    "one argument more": (
        declared("q", arguments={"x-max-length": 5}),
        406, OTHER % ("x-max-length", Q, "the value '5' of type 'signedint'", "none")),
    "another argument": (
        declared("limited", arguments={"x-message-ttl": 7000, "x-overflow": "drop-head"}),
        406, OTHER % ("x-message-ttl", "queue '{limited}' in vhost '/'", "'7000'", "'60000'")),
    "one argument less": (
        declared("limited", arguments={"x-message-ttl": 60000}),
        406, OTHER % ("x-overflow", "queue '{limited}' in vhost '/'", "none",
                      "the value 'drop-head' of type 'longstr'")),
    "negative": (with_argument("x-message-ttl", -1),
                 406, INVALID % ("x-message-ttl", "{{value_negative,-1}}")),
    "no number": (with_argument("x-message-ttl", "5"),
                  406, INVALID % ("x-message-ttl", '"expected integer, got longstr"')),
    "too long": (with_argument("x-message-ttl", 315_360_000_001),
                 406, INVALID % ("x-message-ttl", "{{value_too_large,315360000001}}")),
    "zero": (with_argument("x-expires", 0), 406, INVALID % ("x-expires", "{{value_zero,0}}")),
    "negative length": (with_argument("x-max-length", -1),
                        406, INVALID % ("x-max-length", "{{value_negative,-1}}")),
    "a dead-letter key alone": (
        with_argument("x-dead-letter-routing-key", "a"),
        406, INVALID % ("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")),
    "a dead-letter exchange of another type": (
        with_argument("x-dead-letter-exchange", 5), 406,
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in "
        + NEW),
    "an overflow of our own": (with_argument("x-overflow", "burst"),
                               406, INVALID % ("x-overflow", "invalid_overflow")),
    "a type of queue of our own": (
        with_argument("x-queue-type", "ours"),
        406, INVALID % ("x-queue-type", "\"unsupported queue type 'ours'\"")),
    "delete a full queue": (filled, 406, "PRECONDITION_FAILED - " + Q + " not empty"),
    "delete a used queue": (in_use, 406, "PRECONDITION_FAILED - " + Q + " in use"),
    "purge a missing queue": (lambda it: it.channel.queue_purge("nix"), 404, NO_NIX % "queue"),
    # Bindings.
    "bind a missing queue": (
        lambda it: it.channel.queue_bind("nix", it.e, "a"), 404, NO_NIX % "queue"),
    "bind to a missing exchange": (
        lambda it: it.channel.queue_bind(it.q, "nix", "a"), 404, NO_NIX % "exchange"),
    "bind both missing": (
        lambda it: it.channel.queue_bind("none", "nix", "a"), 404, NO_NIX % "exchange"),
    "bind to the default exchange": (
        lambda it: it.channel.queue_bind(it.q, "", "a"), 403, DEFAULT),
    "unbind from the default exchange": (
        lambda it: it.channel.queue_unbind(it.q, "", "a"), 403, DEFAULT),
    "bind no queue": (
        lambda it: it.channel.connection.channel().queue_bind("", "amq.topic", "a"),
        404, "NOT_FOUND - no previously declared queue"),
    "a match of our own": (
        lambda it: it.channel.queue_bind(it.q, "amq.headers", arguments={"x-match": "some"}),
        406, 'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any, '
             "all-with-x, or any-with-x"),
    "a match of another type": (
        lambda it: it.channel.queue_bind(it.q, "amq.headers", arguments={"x-match": 4}),
        406, "PRECONDITION_FAILED - Invalid x-match field type signedint (value 4); expected "
             "longstr"),
    "bind a missing exchange": (
        lambda it: it.channel.exchange_bind("nix", it.e, "a"), 404, NO_NIX % "exchange"),
    "bind an exchange to a missing one": (
        lambda it: it.channel.exchange_bind(it.e, "nix", "a"), 404, NO_NIX % "exchange"),
    "bind the default exchange": (
        lambda it: it.channel.exchange_bind("", it.e, "a"), 403, DEFAULT),
    # Messages.
    "get from a missing queue": (lambda it: it.channel.basic_get("nix"), 404, NO_NIX % "queue"),
    "consume from a missing queue": (
        lambda it: it.channel.basic_consume("nix", print), 404, NO_NIX % "queue"),
    "consume exclusively, too late": (
        exclusive_after, 403, "ACCESS_REFUSED - " + Q + " in exclusive use"),
    "consume what is exclusively consumed": (
        after_exclusive, 403, "ACCESS_REFUSED - " + Q + " in exclusive use"),
    "a priority of another type": (
        lambda it: it.channel.basic_consume(it.q, print, arguments={"x-priority": "high"}),
        406, "PRECONDITION_FAILED - invalid arg 'x-priority' for " + Q +
             ': "expected integer, got longstr"'),
    "ack what was not delivered": (settle(lambda c: c.basic_ack(7)), 406, TAG % 7),
    "ack what was not delivered, and all before": (
        settle(lambda c: c.basic_ack(7, multiple=True)), 406, TAG % 7),
    "ack zero": (settle(lambda c: c.basic_ack(0)), 406, TAG % 0),
    "ack twice": (acked_twice, 406, TAG % 1),
    "nack what was not delivered": (settle(lambda c: c.basic_nack(7)), 406, TAG % 7),
    "reject what was not delivered": (settle(lambda c: c.basic_reject(3)), 406, TAG % 3),
    "an expiration in words": (
        publish("", BasicProperties(expiration="soon")), 406, EXPIRATION % ("soon", "no_integer")),
    "an expiration with a unit": (
        publish("", BasicProperties(expiration="5s")),
        406, EXPIRATION % ("5s", '{{leftover_string,"s"}}')),
    "a negative expiration": (
        publish("", BasicProperties(expiration="-1")),
        406, EXPIRATION % ("-1", "{{value_negative,-1}}")),
    "an expiration that is too long": (
        publish("", BasicProperties(expiration="315360000001")),
        406, EXPIRATION % (315360000001, "{{value_too_large,315360000001}}")),
    "someone else's user": (
        publish("", BasicProperties(user_id="bob")), 406,
        "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was '{user}'"),
    "copies that are no list": (
        publish("", BasicProperties(headers={"CC": 3})), 406,
        'PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,"CC",signedint}}'),
}  # fmt: skip

CONNECTION_ERRORS: dict[str, tuple[Operation, int, str]] = {
    "a kind of exchange of our own": (
        lambda it: it.channel.exchange_declare(it.new, "ours"),
        503, "COMMAND_INVALID - unknown exchange type 'ours'"),
    "qos by size": (
        lambda it: it.channel.basic_qos(prefetch_size=3),
        540, "NOT_IMPLEMENTED - prefetch_size!=0 (3)"),
    "flow that stops": (
        lambda it: it.channel.flow(False), 540, "NOT_IMPLEMENTED - active=false"),
}  # fmt: skip


@pytest.fixture
def there(amqp: Amqp) -> There:
    channel = amqp.channel()
    limited = {"x-message-ttl": 60000, "x-overflow": "drop-head"}
    exchange = amqp.exchange(channel)
    limited_queue = amqp.queue(channel, arguments=limited)
    return There(channel, amqp.queue(channel), exchange, limited_queue, amqp.name())


@pytest.mark.parametrize("case", CHANNEL_ERRORS)
def test_channel_errors(amqp: Amqp, there: There, case: str) -> None:
    operation, code, text = CHANNEL_ERRORS[case]
    with pytest.raises(ChannelClosedByBroker) as closed:
        operation(there)
    user = there.channel.connection._impl.params.credentials.username
    wanted = text.format(user=user, **there._asdict())
    assert (closed.value.reply_code, closed.value.reply_text) == (code, wanted)
    there.channel.connection.channel().basic_qos()


@pytest.mark.parametrize("case", CONNECTION_ERRORS)
def test_connection_errors(amqp: Amqp, there: There, case: str) -> None:
    operation, code, text = CONNECTION_ERRORS[case]
    with pytest.raises(ConnectionClosedByBroker) as closed:
        operation(there)
    assert (closed.value.reply_code, closed.value.reply_text) == (code, text)


def test_what_is_no_error(amqp: Amqp, there: There) -> None:
    channel = there.channel
    channel.exchange_delete("nix")
    assert channel.queue_delete("nix").method.message_count == 0
    channel.queue_unbind(there.q, there.e, "never bound")
    channel.queue_unbind(there.q, "nix", "a")
    channel.queue_unbind("nix", there.e, "a")
    channel.exchange_unbind("nix", there.e, "a")
    channel.exchange_declare(there.e, "topic", arguments={"unknown": "argument"})
    channel.queue_declare(there.q, arguments={"unknown": "argument"})
    channel.exchange_declare("amq.direct", "direct", durable=True)
    channel.basic_ack(0, multiple=True)
    channel.basic_nack(0, multiple=True)
    channel.basic_cancel("nobody")
    channel.flow(True)
    channel.queue_declare(arguments={"x-message-ttl": 315_360_000_000}, queue="", exclusive=True)
    channel.basic_publish("", "nix", b"", BasicProperties(expiration="315360000000"))
    channel.basic_qos()


def test_a_channel_error_leaves_the_other_channels(amqp: Amqp) -> None:
    connection = amqp.connect()
    good, bad = connection.channel(), connection.channel()
    good.confirm_delivery()
    queue = amqp.queue(good)
    good.basic_publish("", queue, b"x")
    bad.basic_get(queue)
    with pytest.raises(ChannelClosedByBroker):
        bad.queue_purge("nix")
    method = good.basic_get(queue)[0]
    assert method is not None
    assert method.redelivered
