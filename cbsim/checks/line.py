"""Lines as consumers write them: JSON, JSON behind a prefix such as syslog's, and LEEF."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable
from typing import NamedTuple

import orjson

from cbsim.errors import WireError
from cbsim.wire.json_text import parse_json
from cbsim.wire.line import LONGEST

__all__ = ["Tapped", "parsed", "tapped"]


class Tapped(NamedTuple):
    """What stands in a line of `cbsim tap`, of a message without headers."""

    exchange: str
    routing_key: str
    content_type: str
    body: bytes
    received: float
    """Seconds since 1970; 0 where the line does not say."""


def tapped(line: bytes) -> Tapped | None:
    """A line of `cbsim tap` in which nothing is unusual, quickly; None for any other, which is for
    `parsed` to read.
    """
    try:
        fields = orjson.loads(line)
        text = fields.get("body")
        if text is None:
            body = a2b_base64(fields["body_base64"], strict_mode=True)
        else:
            body = text.encode()
        exchange, key, kind = fields["exchange"], fields["routing_key"], fields["content_type"]
        received = fields.get("received", 0.0)
        usual = (
            type(exchange) is type(key) is type(kind) is str
            and type(fields["timestamp"]) is type(received) is float
            and exchange and not fields["headers"] and 0.0 <= received < 1e11
        )  # fmt: skip
        return Tapped(exchange, key, kind, body, received) if usual else None
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def parsed(line: bytes) -> object:
    """What a line says: its JSON value, or the attributes of LEEF; raises WireError.

    >>> parsed(b'<6> 2021-09-15T17:20:11Z host forwarder[7]: {"type": "feed.synchronized"}')
    {'type': 'feed.synchronized'}
    >>> parsed(b"LEEF:1.0|CB|CB|5.1|feed.synchronized|sensor_id=3")
    {'type': 'feed.synchronized', 'sensor_id': '3'}
    """
    try:
        return parse_json(line)
    except WireError as error:
        why = str(error)
    first = line[:100].lstrip()[:1]
    if len(line) <= LONGEST and first not in (b"{", b"["):
        for mark, read in _BEHIND_A_PREFIX:
            at = line.find(mark)
            if at >= 0:
                try:
                    return read(line[at:])
                except ValueError as error:
                    why = str(error)
                    break
    raise WireError(why)


def _leef(text: bytes) -> dict[str, str]:
    version, _, rest = text.decode("utf-8", "replace").strip().partition("|")
    # Vendor, product, its version, the event; from LEEF 2 on the delimiter of the attributes.
    head = rest.split("|", 5 if version == "LEEF:2.0" else 4)
    if len(head) < 5:
        raise ValueError("LEEF is cut short: expected vendor|product|version|event|attributes")
    delimiter = "\t"
    if version == "LEEF:2.0" and len(head) == 6 and "=" not in head[4]:
        said = head[4]
        number = re.fullmatch(r"(?:0?x)([0-9A-Fa-f]{1,4})", said)
        delimiter = chr(int(number[1], 16)) if number else said or "\t"
    fields = {"type": head[3]}
    for pair in head[-1].split(delimiter):
        name, equals, value = pair.partition("=")
        if equals:
            fields[name] = _ESCAPE.sub(_unescaped, value)
    return fields


_ESCAPE = re.compile(r"\\([\\nrt=])")
_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t"}


def _unescaped(match: re.Match[str]) -> str:
    return _CHARACTERS.get(match[1], match[1])


_BEHIND_A_PREFIX: tuple[tuple[bytes, Callable[[bytes], object]], ...] = (
    (b"LEEF:", _leef),
    (b"{", parse_json),
)
