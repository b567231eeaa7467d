"""The protocol below what clients show: handshakes, frames out of place, and ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from pamqp import commands, encode

from tests.support.amqp import Amqp
from tests.support.raw import HEADER, Closed, Raw, content

PUBLISH = commands.Basic.Publish(exchange="", routing_key="nix")
QOS = commands.Basic.Qos()
GET, PUBLISHED, NONE = (60, 70), (60, 40), (0, 0)
NOT_HEADER = (505, "UNEXPECTED_FRAME - expected content header for class 60, got non content "
                   "header frame instead", *PUBLISHED)  # fmt: skip
NOT_BODY = (505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead",
            *PUBLISHED)  # fmt: skip
NOT_METHOD = (505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0, 0)
RUNNING = "CHANNEL_ERROR - unexpected method in connection state running"

Steps = Callable[[Raw], object]

WRONG: dict[str, tuple[Steps, tuple[int, str, int, int]]] = {
    "a frame without its end": (
        lambda raw: raw.frame(1, 1, b"\0\x3c\0\x0a", b"\0"),
        (501, "FRAME_ERROR - type 1, all octets = <<0,60,0,10>>: {invalid_frame_end_marker,0}",
         0, 0)),
    "a frame of no type": (
        lambda raw: raw.frame(9, 1, b'a"b\n'),
        (501, 'FRAME_ERROR - type 9, all octets = <<"a\\"b\\n">>: unknown_frame', 0, 0)),
    "a long frame of no type": (
        lambda raw: raw.frame(9, 1, b"abcdefghijklmnopqrs"),
        (501, 'FRAME_ERROR - type 9, first 16 octets = <<"abcdefghijklmnop">>: unknown_frame',
         0, 0)),
    "a frame of no type on channel 0": (
        lambda raw: raw.frame(9, 0, b""),
        (501, "FRAME_ERROR - type 9, all octets = <<>>: unknown_frame", 0, 0)),
    "a frame that is too large": (
        lambda raw: raw.frame(3, 1, b"x" * 131073),
        (501, "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}", 0, 0)),
    "a heartbeat with a payload": (
        lambda raw: raw.frame(8, 0, b"abc"),
        (501, 'FRAME_ERROR - type 8, all octets = <<"abc">>: unknown_frame', 0, 0)),
    "a heartbeat on a channel": (
        lambda raw: raw.frame(8, 1, b""),
        (505, "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0, 0)),
    "an empty method": (
        lambda raw: raw.frame(1, 1, b""),
        (501, "FRAME_ERROR - type 1, all octets = <<>>: unknown_frame", 0, 0)),
    "a method that is cut short": (
        lambda raw: raw.frame(1, 1, b"\0\x3c\0\x0a\0\0"),
        (501, "FRAME_ERROR - cannot decode <<0,0>>", 60, 10)),
    "a string that is cut short": (
        lambda raw: raw.frame(1, 1, b"\0\x32\0\x0a\0\0\x09abc"),
        (501, "FRAME_ERROR - cannot decode <<0,0,9,97,98,99>>", 50, 10)),
    "a publish that is cut short": (
        lambda raw: raw.frame(1, 1, b"\0\x3c\0\x28\0\0\x02ab"),
        (501, "FRAME_ERROR - cannot decode <<0,0,2,97,98>>", *PUBLISHED)),
    "an ack that is cut short": (
        lambda raw: raw.frame(1, 1, b"\0\x3c\0\x50\0\0\0\x01"),
        (501, "FRAME_ERROR - cannot decode <<0,0,0,1>>", 60, 80)),
    "a name that is no UTF-8": (
        lambda raw: raw.frame(1, 1, b"\0\x32\0\x0a\0\0\x02\xff\xfe\x08\0\0\0\0"),
        (501, "FRAME_ERROR - Malformed UTF-8 in shortstr", 0, 0)),
    "a content header alone": (lambda raw: raw.frame(2, 1, content(3)), NOT_METHOD),
    "a content body alone": (lambda raw: raw.frame(3, 1, b"abc"), NOT_METHOD),
    "a content header on channel 0": (
        lambda raw: raw.frame(2, 0, content(3)),
        (505, "UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,3,0,0>>", 0, 0)),
    "a content header on no channel": (lambda raw: raw.frame(2, 7, content(3)), NOT_METHOD),
    "a method for a header": (lambda raw: (raw.send(1, PUBLISH), raw.send(1, QOS)), NOT_HEADER),
    "a publish for a header": (
        lambda raw: (raw.send(1, PUBLISH), raw.send(1, PUBLISH)), NOT_HEADER),
    "an ack for a header": (
        lambda raw: (raw.send(1, PUBLISH), raw.send(1, commands.Basic.Ack(1))), NOT_HEADER),
    "a body for a header": (
        lambda raw: (raw.send(1, PUBLISH), raw.frame(3, 1, b"abc")), NOT_HEADER),
    "a method for a body": (
        lambda raw: (raw.send(1, PUBLISH), raw.frame(2, 1, content(3)), raw.send(1, QOS)),
        NOT_BODY),
    "a header for a body": (
        lambda raw: (raw.send(1, PUBLISH), raw.frame(2, 1, content(3)),
                     raw.frame(2, 1, content(3))), NOT_BODY),
    "a body that is too long": (
        lambda raw: (raw.send(1, PUBLISH), raw.frame(2, 1, content(3)), raw.frame(3, 1, b"abcd"),
                     raw.send(1, QOS)), NOT_BODY),
    "a header of another class": (
        lambda raw: (raw.send(1, PUBLISH), raw.frame(2, 1, content(3, class_id=50))),
        (505, "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 "
              "instead", *PUBLISHED)),
    "a header that is too short": (
        lambda raw: (raw.send(1, PUBLISH), raw.frame(2, 1, b"\0\x3c\0\0")),
        (501, "FRAME_ERROR - type 2, all octets = <<0,60,0,0>>: unknown_frame", 0, 0)),
    "headers that are no table": (
        lambda raw: (raw.send(1, PUBLISH), raw.send(1, QOS) if not raw.frame(
            2, 1, content(0, flags=1 << 13, properties=b"\0\0\0\x04\x01aZ\0")) else None),
        (541, "INTERNAL_ERROR", 0, 0)),
    "a channel that is not open": (
        lambda raw: raw.send(7, QOS), (504, "CHANNEL_ERROR - expected 'channel.open'", 60, 10)),
    "closing a channel that is not open": (
        lambda raw: raw.send(7, commands.Channel.Close(0, "", 0, 0)),
        (504, "CHANNEL_ERROR - expected 'channel.open'", 20, 40)),
    "a channel that is open": (
        lambda raw: raw.send(1, commands.Channel.Open()),
        (504, "CHANNEL_ERROR - second 'channel.open' seen", 20, 10)),
    "a channel's method on channel 0": (lambda raw: raw.send(0, QOS), (504, RUNNING, 60, 10)),
    "opening channel 0": (
        lambda raw: raw.send(0, commands.Channel.Open()), (504, RUNNING, 20, 10)),
    "opening the connection twice": (
        lambda raw: raw.send(0, commands.Connection.Open("/")), (504, RUNNING, 10, 40)),
    "a connection's method on a channel": (
        lambda raw: raw.send(1, commands.Connection.Open("/")),
        (503, "COMMAND_INVALID - unimplemented method", 10, 40)),
    "a server's method": (
        lambda raw: raw.send(1, commands.Basic.QosOk()),
        (503, "COMMAND_INVALID - unimplemented method", 60, 11)),
    "immediate": (
        lambda raw: raw.bytes(raw.frames(1, commands.Basic.Publish(immediate=True), b"")),
        (540, "NOT_IMPLEMENTED - immediate=true", *PUBLISHED)),
    "a consumer tag twice": (
        lambda raw: (raw.send(1, commands.Queue.Declare(exclusive=True)),
                     raw.send(1, commands.Basic.Consume(consumer_tag="t")),
                     raw.send(1, commands.Basic.Consume(consumer_tag="t"))),
        (530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", 60, 20)),
    "recovering without requeue": (
        lambda raw: raw.send(1, commands.Basic.Recover(requeue=False)),
        (540, "NOT_IMPLEMENTED - requeue=false", 60, 110)),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_frames(url: str, case: str) -> None:
    steps, wanted = WRONG[case]
    with Raw(url) as raw:
        raw.open().channel()
        steps(raw)
        assert raw.closed() == Closed(*wanted)


def amqplain(user: str, password: str) -> str:
    return encode.field_table({"LOGIN": user, "PASSWORD": password})[4:].decode()


def test_plain_and_amqplain(url: str) -> None:
    for mechanism in ("PLAIN", "AMQPLAIN"):
        with Raw(url) as raw:
            start = raw.start()
            assert mechanism in start.mechanisms.split()
            assert start.locales == "en_US"
            raw.log_in(
                mechanism, amqplain(raw.user, raw.password) if mechanism == "AMQPLAIN" else None
            )
            raw.tune()
            raw.enter()
            assert isinstance(raw.method(), commands.Connection.OpenOk)


@pytest.mark.parametrize("mechanism", ["PLAIN", "AMQPLAIN"])
@pytest.mark.parametrize(("user", "password"), [("", ""), ("nix", "x"), (None, "x"), (None, "")])
def test_refused_logins(url: str, mechanism: str, user: str | None, password: str) -> None:
    with Raw(url) as raw:
        raw.start()
        name = raw.user if user is None else user
        plain = mechanism == "PLAIN"
        raw.log_in(mechanism, f"\0{name}\0{password}" if plain else amqplain(name, password))
        assert raw.closed() == Closed(
            403,
            f"ACCESS_REFUSED - Login was refused using authentication mechanism {mechanism}. For "
            "details see the broker logfile.",
            0,
            0,
        )


def test_another_virtual_host(url: str) -> None:
    with Raw(url) as raw:
        raw.start()
        raw.log_in()
        raw.tune()
        raw.enter("nix")
        assert raw.closed() == Closed(530, "NOT_ALLOWED - vhost nix not found", 10, 40)


SILENT: dict[str, Steps] = {
    "a refused login of a client that knows no close": lambda raw: raw.log_in(
        response="\0nix\0x", capabilities={}
    ),
    "a mechanism of our own": lambda raw: raw.log_in("OURS"),
    "a small frame": lambda raw: (raw.log_in(), raw.tune(frame_max=4095)),
    "a large frame": lambda raw: (raw.log_in(), raw.tune(frame_max=131073)),
    "many channels": lambda raw: (raw.log_in(), raw.tune(channel_max=2048)),
    "open before login": lambda raw: raw.enter(),
    "more than 4,096 bytes before the login": lambda raw: raw.log_in(
        capabilities={f"{number:0100}": True for number in range(50)}
    ),
}


def test_handshakes_that_end_without_a_word(url: str) -> None:
    with ExitStack() as stack:
        # All at once: RabbitMQ takes three seconds to say nothing.
        clients = {case: stack.enter_context(Raw(url)) for case in SILENT}
        for case, raw in clients.items():
            raw.start()
            SILENT[case](raw)
        assert {case: raw.closed() for case, raw in clients.items()} == dict.fromkeys(SILENT)


@pytest.mark.parametrize(
    "greeting",
    [b"AMQP\x00\x00\x0a\x00", b"AMQP\x00\x01\x00\x00", b"GET / HTTP/1.1\r\n\r\n"],
    ids=repr,
)
def test_another_protocol(url: str, greeting: bytes) -> None:
    with Raw(url) as raw:
        raw.bytes(greeting)
        assert raw.read() == (0, HEADER)


def test_the_limits_offered(url: str) -> None:
    with Raw(url) as raw:
        raw.start()
        raw.log_in()
        tune = raw.method()
        assert (tune.channel_max, tune.frame_max, tune.heartbeat) == (2047, 131072, 60)


def test_what_the_broker_says_it_can(url: str) -> None:
    with Raw(url) as raw:
        assert (raw.start().server_properties["capabilities"].items()) >= {
            "publisher_confirms": True,
            "exchange_exchange_bindings": True,
            "basic.nack": True,
            "consumer_cancel_notify": True,
            "connection.blocked": True,
            "consumer_priorities": True,
            "authentication_failure_close": True,
            "per_consumer_qos": True,
        }.items()


def test_too_many_channels(url: str) -> None:
    with Raw(url) as raw:
        raw.start()
        raw.log_in()
        raw.tune(channel_max=2)
        raw.enter()
        assert isinstance(raw.method(), commands.Connection.OpenOk)
        raw.channel(1).channel(2)
        raw.send(3, commands.Channel.Open())
        assert raw.closed() == Closed(
            530,
            "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max "
            "(2)",
            0,
            0,
        )


def test_a_closed_channel_hears_nothing_until_it_is_opened_again(url: str) -> None:
    with Raw(url) as raw:
        raw.open().channel()
        raw.send(1, commands.Queue.Purge(queue="nix"))
        raw.send(1, QOS)
        raw.bytes(raw.frames(1, PUBLISH, b"ignored"))
        assert raw.closed() == Closed(404, "NOT_FOUND - no queue 'nix' in vhost '/'", 50, 30)
        raw.send(1, commands.Channel.CloseOk())
        raw.channel(1).channel(2)


def test_both_close_a_channel_at_once(url: str) -> None:
    with Raw(url) as raw:
        raw.open().channel()
        raw.send(1, commands.Queue.Purge(queue="nix"))
        raw.send(1, commands.Channel.Close(0, "", 0, 0))
        assert raw.closed() is not None
        assert isinstance(raw.method(), commands.Channel.CloseOk)
        raw.send(1, commands.Channel.CloseOk())
        raw.channel(1)


def test_closing_a_channel_and_the_connection(url: str) -> None:
    with Raw(url) as raw:
        raw.open().channel()
        raw.send(1, commands.Channel.Close(0, "", 0, 0))
        assert isinstance(raw.method(), commands.Channel.CloseOk)
        raw.channel()
        raw.send(0, commands.Connection.Close(200, "bye", 0, 0))
        assert isinstance(raw.method(), commands.Connection.CloseOk)


def test_nobody_waits_for_who_does_not_wait(amqp: Amqp) -> None:
    queue, exchange = amqp.name(), amqp.name()
    with Raw(amqp.url) as raw:
        raw.open().channel()
        for method in (
            commands.Exchange.Declare(exchange=exchange, exchange_type="topic", nowait=True),
            commands.Queue.Declare(queue=queue, exclusive=True, nowait=True),
            commands.Queue.Bind(queue=queue, exchange=exchange, routing_key="#", nowait=True),
            commands.Confirm.Select(nowait=True),
            commands.Basic.Consume(queue=queue, consumer_tag="t", no_ack=True, nowait=True),
            commands.Basic.Cancel(consumer_tag="t", nowait=True),
            commands.Queue.Purge(queue=queue, nowait=True),
            commands.Queue.Delete(queue=queue, nowait=True),
            commands.Exchange.Delete(exchange=exchange, nowait=True),
        ):
            raw.send(1, method)
        raw.send(1, QOS)
        assert isinstance(raw.method(), commands.Basic.QosOk)


def test_heartbeats_come_in_time(url: str) -> None:
    with Raw(url) as raw:
        raw.open(heartbeat=1)
        raw.socket.settimeout(2)
        for _ in range(2):
            raw.frame(8, 0, b"")
            channel, made = raw.read() or (None, None)
            assert (channel, getattr(made, "name", None)) == (0, "Heartbeat")


def test_a_silent_client_is_cut_off(url: str) -> None:
    with Raw(url) as raw:
        raw.open(heartbeat=1)
        assert raw.closed() is None
