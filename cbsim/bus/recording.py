"""Recorded messages: NDJSON of our envelope, or a folder with one subfolder a routing key."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from cbsim.bus.sink import from_fields
from cbsim.errors import CbsimError, WireError
from cbsim.wire.json_text import parse_json
from cbsim.wire.line import lines_of
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
    server_headers,
)

__all__ = ["Recorded", "headers_beside", "in_order", "recorded", "timed"]

_TYPES = {".json": JSON_TYPE, ".bin": PROTOBUF_TYPE, ".protobuf": PROTOBUF_TYPE, ".zip": ZIP_TYPE}
_LARGEST = 1 << 20
"""Bytes of a file of headers."""


class Recorded(NamedTuple):
    """A message of a recording."""

    message: Message
    received: float
    """When a consumer got it, seconds since 1970; 0 where the recording does not say."""


def recorded(path: Path) -> Iterator[Message]:
    """The messages of a recording, in order; raises CbsimError naming file and line."""
    return (found.message for found in timed(path))


def timed(path: Path) -> Iterator[Recorded]:
    """The messages of a file or folder with their times, in order; raises CbsimError.

    In a folder, `.../watchlist.hit.process/0.json` is a JSON message with that routing key,
    `.../ingress.event.filemod/0.bin` a raw event, and `.zip` or anything under
    `api.rawsensordata` a bundle, whose headers may stand beside it (see `headers_beside`).
    """
    if path.is_dir():
        yield from (Recorded(message, 0.0) for message in _folder(path))
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(lines_of(file), 1):
                if line.strip():
                    try:
                        yield _of_line(line)
                    except WireError as error:
                        raise CbsimError(f"{path}:{number}: {error}") from None
    except OSError as error:
        raise CbsimError(f"cannot read {path}: {error.strerror}") from None


def _of_line(line: bytes) -> Recorded:
    fields = parse_json(line)
    message = from_fields(fields)
    received = fields.get("received") if isinstance(fields, dict) else None
    return Recorded(message, float(received) if isinstance(received, int | float) else 0.0)


def in_order(folder: Path, suffixes: Container[str]) -> list[Path]:
    """The files under a folder that end in one of the suffixes: `2.json` before `10.json`."""

    def order(file: Path) -> tuple[str, int, str]:
        return str(file.parent), int(file.stem) if file.stem.isdigit() else 0, file.name

    found = [file for file in folder.rglob("*") if file.suffix in suffixes and file.is_file()]
    return sorted(found, key=order)


def headers_beside(file: Path) -> Mapping[str, int | str]:
    """The headers of a captured bundle, from `3.txt` beside `3.zip`; empty without such a file.

    It holds a JSON object, or the properties of the message as pika prints them, with Python 2's
    marks of long numbers and Unicode too.
    """
    beside = file.with_suffix(".txt")
    if not beside.is_file():
        return {}
    with beside.open("rb") as opened:
        text = opened.read(_LARGEST).decode("utf-8", "replace")
    try:
        said = parse_json(text)
    except WireError:
        found = _PRINTED.findall(text)
        said = {name: int(number) if number else words for name, number, words in found}
    headers = said.get("headers", said) if isinstance(said, dict) else {}
    if not isinstance(headers, dict):
        return {}
    own = server_headers(headers)
    return {name: value for name, value in own.items() if isinstance(value, int | str)}


_PRINTED = re.compile(r"""['"](\w+)['"]: (?:(\d{1,18})L?|u?['"]([^'"]*)['"])""")


def _folder(path: Path) -> Iterator[Message]:
    files = in_order(path, _TYPES)
    if not files:
        raise CbsimError(f"{path}: expected folders named by routing key with .json, .bin or .zip")
    for file in files:
        content_type, key = _TYPES[file.suffix], file.parent.name
        bundled = content_type == ZIP_TYPE or key == RAW_EXCHANGE
        exchange = RAW_EXCHANGE if bundled else EVENTS_EXCHANGE
        headers = headers_beside(file) if bundled else {}
        yield Message(exchange, "" if bundled else key, content_type, file.read_bytes(), headers)
