"""Dead letters: a message that left its queue unconsumed, with the account of it in its headers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal

from cbsim.bus.embedded.message import Message, Properties
from cbsim.bus.embedded.table import Field

__all__ = ["Reason", "dead_letter", "went_round"]

Reason = Literal["rejected", "expired", "maxlen"]


def dead_letter(
    message: Message, queue: str, exchange: str, key: str | None, reason: Reason
) -> tuple[Message, list[str]]:
    """The message as it is published to the dead-letter exchange, and the keys that route it.

    Without a key of the queue's own it keeps its routing key, and those in its CC header.
    """
    properties = Properties.parse(message.header)
    headers = properties.headers
    copies = _texts(headers.get("CC"))
    keys = [message.routing_key, *copies] if key is None else [key]
    died_with = [message.routing_key, *copies, *_texts(headers.get("BCC"))]
    if key is not None:
        headers.pop("CC", None)
    headers.pop("BCC", None)
    expiration = properties.expiration
    del properties.expiration
    deaths = [one.value for one in _array(headers.get("x-death"))]
    same = next((one for one in deaths if _names(one) == (queue, reason)), None)
    if same is None:
        same = {
            "count": Field("l", 1),
            "reason": _longstr(reason),
            "queue": _longstr(queue),
            "time": Field("T", int(time.time())),
            "exchange": _longstr(message.exchange),
            "routing-keys": Field("A", [_longstr(one) for one in died_with]),
        }
        if expiration is not None:
            same["original-expiration"] = _longstr(expiration)
    else:
        deaths.remove(same)
        same["count"] = Field("l", (same["count"].number or 0) + 1)
    headers["x-death"] = Field("A", [Field("F", one) for one in [same, *deaths]])
    if "x-first-death-reason" not in headers:
        headers["x-first-death-exchange"] = _longstr(message.exchange)
        headers["x-first-death-queue"] = _longstr(queue)
        headers["x-first-death-reason"] = _longstr(reason)
    properties.headers = headers
    body = message.body
    return Message.of(exchange, keys[0], properties.build(len(body)), body), keys


def went_round(message: Message, queue: str) -> bool:
    """Whether the message was in the queue before and nobody rejected it since: a cycle."""
    for death in _array(Properties.parse(message.header).headers.get("x-death")):
        name, reason = _names(death.value)
        if reason == "rejected":
            return False
        if name == queue:
            return True
    return False


def _names(death: dict[str, Field]) -> tuple[str | None, str | None]:
    return death["queue"].text, death["reason"].text


def _array(field: Field | None) -> Iterable[Field]:
    return field.value if field is not None and field.kind == "A" else ()


def _texts(field: Field | None) -> list[str]:
    return [one.text for one in _array(field) if one.text is not None]


def _longstr(text: str) -> Field:
    return Field("S", text.encode("utf-8", "surrogateescape"))
