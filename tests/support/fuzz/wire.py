"""Targets: encodings, and the frames of a broker's peer."""

from __future__ import annotations

from contextlib import suppress

from pamqp import commands

from cbsim.bus.embedded import table
from cbsim.bus.embedded.error import AmqpError
from cbsim.bus.embedded.frame import UnknownMethodError, arguments_of, method, method_frame
from cbsim.bus.embedded.login import MECHANISMS, Doorkeeper
from cbsim.bus.embedded.login import read as read_login
from cbsim.checks.moment import moment
from cbsim.wire import bundle
from cbsim.wire.clock import exact_time, parse_display_time, parse_iso_time
from cbsim.wire.legible import legible
from cbsim.wire.message import JSON_TYPE, RAW_EXCHANGE, ZIP_TYPE, Message
from cbsim.wire.reading import read
from tests.support.fuzz.outputs import bundles, stream
from tests.support.fuzz.target import Target, allowed

__all__ = ["WIRE"]


def _bundle(data: bytes) -> None:
    with allowed():
        for run in bundle.members(data):
            list(bundle.split(run))


def _message(data: bytes) -> None:
    headers = {"sensorId": 3}
    for key, content_type in (("feed.synchronized", JSON_TYPE), ("ingress.event.filemod", "x")):
        with allowed():
            list(read(Message("api.events", key, content_type, data)))
    with allowed():
        for reading in read(Message(RAW_EXCHANGE, "", ZIP_TYPE, data, headers)):
            legible(reading.fields)


def _time(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for parse in (parse_iso_time, parse_display_time, moment):
        with allowed():
            ticks = parse(text)
            if ticks > 0:
                exact_time(ticks)


def _table(data: bytes) -> None:
    with suppress(ValueError):
        decoded, _ = table.decode(data)
        assert table.decode(table.encode(decoded))[0].keys() == decoded.keys()


def _method(data: bytes) -> None:
    with suppress(AmqpError, UnknownMethodError):
        asked = method(data)
        if any(asked.amqp_type(name) == "table" for name in asked.attributes()):
            arguments_of(asked, data)


def _login(data: bytes) -> None:
    for mechanism in MECHANISMS.split():
        with suppress(AmqpError):
            login = read_login(mechanism, data)
            assert not Doorkeeper("cb", "a secret", 20, lambda: 0.0).admits(login)


def _events() -> list[bytes]:
    return [it.body for it in stream() if it.content_type != JSON_TYPE][:20]


def _notifications() -> list[bytes]:
    return [it.body for it in stream() if it.content_type == JSON_TYPE][:20]


def _methods() -> list[bytes]:
    arguments = {"x-max-length": 3, "deep": {"a": [1, {"b": "c"}]}, "t": True, "d": 1.5}
    made = (
        commands.Connection.StartOk(arguments, "PLAIN", "\0cb\0secret", "en_US"),
        commands.Connection.TuneOk(0, 131072, 60),
        commands.Queue.Declare(queue="q", arguments=arguments),
        commands.Basic.Publish(exchange="api.events", routing_key="feed.synchronized"),
        commands.Basic.Nack(3, True, True),
    )
    return [method_frame(0, it)[7:-1] for it in made]


_TABLE = table.encode({
    "deep": table.Field("F", {"a": table.Field("A", [table.Field("I", 1)])}),
    "text": table.Field("S", b"x"), "flag": table.Field("t", True),
})  # fmt: skip
_AMQPLAIN = table.encode(
    {"LOGIN": table.Field("S", b"cb"), "PASSWORD": table.Field("S", b"wrong")}
)[4:]

WIRE = (
    Target("bundle", _bundle, bundles),
    Target("message", _message, lambda: [*_events(), *_notifications(), *bundles()]),
    Target("time", _time, lambda: [b"2014-08-08T15:15:42.193Z", b"1704067200.12", b"1e18",
                                   b"Aug 9, 2014 5:27:56 PM", b"2014-08-08 15:15:42,1 +02:00"]),
    Target("table", _table, lambda: [_TABLE]),
    Target("method", _method, _methods),
    Target("login", _login, lambda: [b"\0cb\0wrong", _AMQPLAIN]),
)  # fmt: skip
