"""The peers of generation: protobuf's Python API and `json.dumps`, as fast as they can be written.

For each shape of an event or a notification, a function is written out that builds exactly that
shape from a flat list of values: attribute by attribute, without loops, look-ups by name or calls
of ours. That is what a careful author would write by hand, for every shape there is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from cbsim.wire.event import decode
from cbsim.wire.message import JSON_TYPE, Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["Work", "captured", "perform"]

Work = list[tuple[Callable[[list[Any]], Any], list[Any]]]
"""For each message a function, and the values that it builds the message from."""


def captured(messages: Iterable[Message]) -> Work:
    """The peers' way to make the same messages; what they make is compared with ours once."""
    builders: dict[object, Callable[[list[Any]], Any]] = {}
    work: Work = []
    for message in messages:
        values: list[Any] = []
        shape: object
        if message.content_type == JSON_TYPE:
            notification = json.loads(message.body)
            shape = _shape_of(notification, values)
            if shape not in builders:
                builders[shape] = _compiled(f"return dumps({_literal(shape, [0])})")
            if json.loads(builders[shape](values)) != notification:
                raise AssertionError(f"the peer makes another {message.routing_key}")
        else:
            shape = _fields_of(decode(message.body), values)
            if shape not in builders:
                builders[shape] = _compiled("\n    ".join(_statements(shape)))
            if builders[shape](values) != message.body:
                raise AssertionError(f"the peer makes another {message.routing_key}")
        work.append((builders[shape], values))
    return work


def perform(work: Work) -> None:
    """Make them all."""
    for build, values in work:
        build(values)


def _compiled(body: str) -> Callable[[list[Any]], Any]:
    space: dict[str, Any] = {"CbEventMsg": CbEventMsg, "dumps": json.dumps}
    exec(f"def build(v):\n    {body}", space)
    build: Callable[[list[Any]], Any] = space["build"]
    return build


def _fields_of(message: Any, values: list[Any]) -> object:
    """The names of the fields that are set, nested; their values go to the list."""
    shape: list[object] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            values.append(value)
            shape.append((field.name, None))
        elif hasattr(value, "ListFields"):
            shape.append((field.name, "one", _fields_of(value, values)))
        else:
            shape.append((field.name, "many", tuple(_fields_of(one, values) for one in value)))
    return tuple(shape)


def _statements(shape: Any) -> list[str]:
    lines, numbers = ["m0 = CbEventMsg()"], [0, 0]

    def assign(variable: str, fields: Any) -> None:
        for name, *nested in fields:
            if nested == [None]:
                lines.append(f"{variable}.{name} = v[{numbers[0]}]")
                numbers[0] += 1
                continue
            many = nested[0] == "many"
            for one in nested[1] if many else [nested[1]]:
                numbers[1] += 1
                inner = f"m{numbers[1]}"
                lines.append(f"{inner} = {variable}.{name}" + (".add()" if many else ""))
                assign(inner, one)

    assign("m0", shape)
    return [*lines, "return m0.SerializeToString()"]


def _shape_of(value: Any, values: list[Any]) -> object:
    if isinstance(value, dict):
        return "{", tuple((name, _shape_of(one, values)) for name, one in value.items())
    if isinstance(value, list):
        return "[", tuple(_shape_of(one, values) for one in value)
    values.append(value)
    return None


def _literal(shape: Any, number: list[int]) -> str:
    if shape is None:
        number[0] += 1
        return f"v[{number[0] - 1}]"
    kind, members = shape
    if kind == "{":
        return "{" + ", ".join(f"{name!r}: {_literal(one, number)}" for name, one in members) + "}"
    return "[" + ", ".join(_literal(one, number) for one in members) + "]"
