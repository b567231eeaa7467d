"""Messages as the broker delivers them: exchange, routing key, properties and the body's bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import orjson
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, ServerVersion, names, routing_key
from cbsim.errors import StrategyError
from cbsim.strategies import form, value
from cbsim.strategies.argument import (
    DialectName,
    Docs,
    dialect_of,
    drawn,
    given,
    matching,
    server_of,
    whole,
)
from cbsim.strategies.cast import Cast
from cbsim.strategies.event import event, event_names, plans
from cbsim.strategies.form import JsonObject
from cbsim.strategies.value import Draw
from cbsim.wire import bundle as runs
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
)

__all__ = ["bundle", "bundle_of", "message", "message_of", "notification_message"]

_NAMES = (*NOTIFICATIONS, *RAW_EVENTS)


def message(
    *names: str,
    server: str | None = None,
    dialect: DialectName = "observed",
    sensor_id: int | SearchStrategy[int] | None = None,
    docs: Docs | None = None,
) -> SearchStrategy[Message]:
    """Any message of `api.events`, or those of the given names or patterns, as it is delivered.

    JSON is spelled as any encoder might: compact or not, escaped or not, fields in any order.
    Without a `server`, 5.2 or the first that sends it. Raises StrategyError.

    >>> message("watchlist.*", "ingress.event.netconn", server="6.x")
    message('watchlist.*', 'ingress.event.netconn', server='6.x')
    """
    version, wanted = _wanted(names, server)
    spoken, fixed = dialect_of(dialect), given(sensor_id=sensor_id, docs=docs)
    for name in wanted:
        if name not in NOTIFICATIONS:
            plans(name, version)

    which = st.sampled_from(wanted)

    def draw_one(draw: Draw) -> Message:
        name = wanted[0] if len(wanted) == 1 else draw(which)
        return message_of(Cast(draw, fixed, version), name, spoken)

    return drawn(
        "message", draw_one, *names, server=server, dialect=dialect, sensor_id=sensor_id, docs=docs
    )  # fmt: skip


def bundle(
    *names: str,
    server: str = "5.2",
    sensor_id: int | SearchStrategy[int] | None = None,
    hostname: str | SearchStrategy[str] | None = None,
    events: int | tuple[int, int] = (0, 4),
    zipped: bool | None = None,
) -> SearchStrategy[Message]:
    """A bundle of raw events as `api.rawsensordata` delivers it: a zip of one to three files or,
    unless `zipped`, such a file bare.

    Its events, of the given names or of any, carry no `env`: the headers say which sensor sent
    them. Raises StrategyError.

    >>> bundle("filemod", events=2, zipped=True)
    bundle('filemod', events=2, zipped=True)
    """
    version, wanted = event_names(names, server)
    fixed = given(sensor_id=sensor_id, hostname=hostname)
    least, most = _range("events", events)
    for name in wanted:
        plans(name, version)

    which, count = st.sampled_from(wanted), st.integers(least, most)

    def draw_one(draw: Draw) -> Message:
        cast = Cast(draw, fixed, version)
        bodies = []
        for _ in range(draw(count)):
            one = Cast(draw, fixed, version, {"endpoint": cast.endpoint})
            name = draw(which)
            bodies.append(event(one, name, env=False, sparse=None).SerializeToString())
        return bundle_of(cast, bodies, draw(value.BOOLEAN) if zipped is None else zipped)

    shown = events if events != (0, 4) else None
    return drawn("bundle", draw_one, *names, server=server, sensor_id=sensor_id,
                 hostname=hostname, events=shown, zipped=zipped)  # fmt: skip


def message_of(cast: Cast, name: str, dialect: str) -> Message:
    """A message of that name about who is in `cast`."""
    if name in NOTIFICATIONS:
        plan = form.plan(name, cast.version, dialect)
        return notification_message(
            cast, name, form.notification(cast.draw, plan, cast.given, cast)
        )
    body = event(cast, name, sparse=None).SerializeToString()
    return Message(EVENTS_EXCHANGE, name, PROTOBUF_TYPE, body)


def notification_message(cast: Cast, name: str, fields: JsonObject) -> Message:
    """A notification under its routing key, its JSON spelled one way or another."""
    entry = NOTIFICATIONS[name]
    key = routing_key(entry, cast.version, cast.feed_id if entry.database_id == "feed_id" else 0)
    return Message(EVENTS_EXCHANGE, key, JSON_TYPE, cast.draw(_SPELLINGS)(fields))


def bundle_of(cast: Cast, bodies: list[bytes], zipped: bool) -> Message:
    """A bundle of these events of the endpoint in `cast`."""
    draw, endpoint = cast.draw, cast.endpoint
    content_type, body = PROTOBUF_TYPE, runs.join(bodies)
    if zipped:
        # Older servers called the same bytes protobuf (wire: Broker).
        content_type = draw(_ZIP_TYPES)
        files = draw(_FILES)
        body = _zip([runs.join(bodies[number::files]) for number in range(files)])
    headers: dict[str, int | str] = {
        "sensorId": endpoint.sensor_id,
        "hostId": 0,
        "nodeId": draw(_NODES),
        "sensorHostName": endpoint.hostname,
    }
    return Message(RAW_EXCHANGE, "", content_type, body, headers)


def _wanted(asked: tuple[str, ...], server: str | None) -> tuple[ServerVersion, tuple[str, ...]]:
    entry = None
    if len(asked) == 1 and asked[0] in _NAMES:
        entry = NOTIFICATIONS.get(asked[0]) or RAW_EVENTS[asked[0]]
    version = server_of(server, entry)
    return version, matching(asked, _NAMES, version) if asked else names(version)


def _range(name: str, asked: object) -> tuple[int, int]:
    pair = asked if isinstance(asked, tuple) else (asked, asked)
    if len(pair) != 2:
        raise StrategyError(f"{name}={asked!r}: expected how many, or (least, most)")
    least, most = whole(name, pair[0], 0, 1000), whole(name, pair[1], 0, 1000)
    if least > most:
        raise StrategyError(f"{name}={asked!r}: expected (least, most)")
    return least, most


def _compact(fields: JsonObject) -> bytes:
    return orjson.dumps(fields)


def _spaced(fields: JsonObject) -> bytes:
    return json.dumps(fields).encode()


def _reversed(fields: JsonObject) -> bytes:
    turned = dict(reversed(fields.items()))
    return json.dumps(turned, ensure_ascii=False, indent=1).encode()


_SPELLINGS: SearchStrategy[Callable[[JsonObject], bytes]] = value.choice(
    (_compact, _spaced, _reversed)
)
_ZIP_TYPES = value.choice((ZIP_TYPE, PROTOBUF_TYPE))
_FILES = value.number(1, 3)
_NODES = value.number(0, 15)


def _zip(files: list[bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(files):
            info = zipfile.ZipInfo(f"EventLog_{number}.log", (2017, 1, 19, 4, 11, 10))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return body.getvalue()
