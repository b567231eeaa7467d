"""Records of files: lines of JSON or LEEF, items of an array, rows of CSV, raw events, bundles.

Files are read as a stream: a record at a time, whatever their size.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import ijson

from cbsim.bus.recording import headers_beside, in_order
from cbsim.bus.sink import from_fields
from cbsim.checks.line import parsed
from cbsim.checks.shallow import Shallow
from cbsim.errors import InputError, WireError
from cbsim.printable import printable
from cbsim.wire import bundle
from cbsim.wire.json_text import parse_json
from cbsim.wire.line import lines_of
from cbsim.wire.message import PROTOBUF_TYPE, RAW_EXCHANGE, ZIP_TYPE, Message

__all__ = ["Record", "files", "of_lines", "records"]

_SUFFIXES = (".json", ".ndjson", ".jsonl", ".csv", ".tsv", ".log", ".leef", ".gz", ".bin", ".pb",
             ".protobuf", ".zip")  # fmt: skip
_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b\x08"
_HEAD = 1 << 14
"""Bytes by which a file's format is told."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that a file holds. Exactly one of `message`, `fields` and `fault` says what."""

    file: str
    line: int
    """From 1; 0 where the file has no lines."""
    part: str = ""
    """Which one of several on that line or in that file, such as `event 3`."""
    message: Message | None = None
    """A message of the bus: an envelope, or a raw event or bundle (then without routing key)."""
    fields: dict[str, Any] | None = None
    """A JSON object, or a row of CSV."""
    envelope: dict[str, Any] | None = None
    """What stood around the message, `received` for one."""
    fault: str | None = None
    """Why it cannot be read."""

    @property
    def where(self) -> str:
        """File, line and part, for a person."""
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}" + (f" ({self.part})" if self.part else "")


def files(path: str) -> list[str]:
    """The files under a folder in order, or the file itself; raises InputError."""
    if path == "-" or not Path(path).is_dir():
        return [path]
    found = in_order(Path(path), _SUFFIXES)
    if not found:
        raise InputError(f"{path}: expected files that end in {', '.join(_SUFFIXES)}")
    return [*map(str, found)]


def records(path: str, shown: str | None = None) -> Iterator[Record]:
    """The records of a file, or of standard input for `-`; raises InputError.

    `shown` is what records call the file.

    What the file is shows in its first bytes, those of gzip aside: `{` begins NDJSON (or JSON
    objects over several lines each), `[` a JSON array, `PK` a zipped bundle. Other text is lines of
    LEEF or of JSON behind a prefix, as of syslog, or else CSV with a header row, by its name or its
    first line. What is no text is one raw event, or a run of them, each behind its length.
    """
    try:
        if path == "-":
            yield from _stream(path, sys.stdin.buffer)
            return
        with Path(path).open("rb") as file:
            yield from _stream(shown or path, file)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {said}") from None


def _stream(path: str, file: IO[bytes]) -> Iterator[Record]:
    head = file.read(_HEAD)
    rest = _joined(head, file)
    if head.startswith(_GZIP):
        unzipped = io.BufferedReader(gzip.GzipFile(fileobj=rest))
        yield from _stream(path.removesuffix(".gz"), cast(IO[bytes], unzipped))
    elif head.startswith(_ZIP):
        body = rest.read(bundle.BUNDLE_LIMIT)
        yield Record(path, 0, message=_bundle(path, ZIP_TYPE, body))
    elif not _is_text(head):
        yield from _events(path, rest)
    elif head.lstrip()[:1] == b"[":
        yield from _values(path, rest, "item")
    elif (delimiter := _delimiter(path, head)) is not None:
        yield from _csv(path, rest, delimiter)
    else:
        yield from _lines(path, rest)


def _is_text(head: bytes) -> bool:
    """Whether bytes are no event's first, nor its length: the tag of its header is a new line, and
    what follows says how long the header is, and that its version is 4.
    """
    start = head[:64]
    plain = all(byte >= 0x20 or byte in b"\t\n\r\x1b" for byte in start)
    if not plain or start.lstrip()[:1] in (b"{", b"[", b""):
        return plain
    try:
        start.decode()
    except UnicodeDecodeError as error:
        # A character may be cut there.
        return error.start > len(start) - 4 and len(start) == 64
    return True


def _delimiter(path: str, head: bytes) -> str | None:
    """What stands between the columns of CSV; None for what is none."""
    first = head.partition(b"\n")[0].strip()
    if path.endswith(".csv"):
        counts = {first.count(mark.encode()): mark for mark in ";\t,"}
        return counts[max(counts)]
    if path.endswith(".tsv"):
        return "\t"
    if first[:1] in (b"{", b"[", b"") or b"LEEF:" in first or b"{" in first:
        return None
    for mark in ",;\t":
        columns = first.decode("utf-8", "replace").split(mark)
        if len(columns) > 1 and all(re.fullmatch(r'[\w .:/"-]+', it) for it in columns):
            return mark
    return None


def _bundle(path: str, content_type: str, body: bytes) -> Message:
    return Message(RAW_EXCHANGE, "", content_type, body, headers_beside(Path(path)))


class _Joined(io.RawIOBase):
    """Bytes that were read already, then the rest of the file."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self._head, self._file = head, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._file.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _joined(head: bytes, file: IO[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Joined(head, file))


def _lines(path: str, file: IO[bytes]) -> Iterator[Record]:
    lines = lines_of(file)
    first, second = next(lines, b""), next(lines, b"")
    if first.startswith(b"{") and not _is_object(first) and second and second[:1] != b"{":
        yield from _values(path, _joined(first + second, file), "", multiple_values=True)
        return
    yield from of_lines(path, chain((first, second), lines))


def of_lines(path: str, lines: Iterable[bytes], first: int = 1) -> Iterator[Record]:
    """The records of lines, each of which is one, counted from `first` on."""
    for number, line in enumerate(lines, first):
        if line.strip():
            try:
                value = parsed(line)
            except WireError as error:
                yield Record(path, number, fault=str(error))
            else:
                yield _record(path, number, value)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except WireError:
        return False


def _record(path: str, line: int, value: object, part: str = "") -> Record:
    if not isinstance(value, dict):
        shown = type(value).__name__
        return Record(path, line, part, fault=f"expected a JSON object, got one of type {shown}")
    if "exchange" in value and "routing_key" in value and ("body" in value or
                                                          "body_base64" in value):  # fmt: skip
        try:
            message = from_fields(value)
        except WireError as error:
            return Record(path, line, part, fault=str(error))
        around = {key: one for key, one in value.items() if not key.startswith("body")}
        return Record(path, line, part, message=message, envelope=around)
    return Record(path, line, part, fields=value)


def _values(path: str, file: IO[bytes], prefix: str, **options: bool) -> Iterator[Record]:
    """The values of a JSON document, of an array for the prefix `item`."""
    number, levels = 0, 1 if prefix else 0
    try:
        values = ijson.items(Shallow(file, levels), prefix, use_float=True, **options)
        for number, value in enumerate(values, 1):
            yield _record(path, 0, value, part=f"item {number}")
    except WireError as error:
        yield Record(path, 0, f"item {number + 1}", fault=str(error))
    except (ijson.JSONError, ValueError) as error:
        said = printable(str(error).splitlines()[0])
        yield Record(path, 0, f"item {number + 1}", fault=f"no JSON: {said}")


def _events(path: str, file: IO[bytes]) -> Iterator[Record]:
    head = file.read(4)
    length = int.from_bytes(head, "little")
    if length > bundle.BUNDLE_LIMIT or len(head) < 4:
        # A lone event: its first four bytes, read as a length, are always larger than any bundle.
        body = head + file.read(bundle.BUNDLE_LIMIT)
        yield Record(path, 0, message=Message("", "", PROTOBUF_TYPE, body))
        return
    at, number = 0, 0
    while head:
        number += 1
        length = int.from_bytes(head, "little")
        body = file.read(length) if len(head) == 4 and length <= bundle.BUNDLE_LIMIT else b""
        part = f"event {number}"
        if len(head) < 4 or len(body) < length:
            fault = f"byte {at}: an event is cut short, or what stands there is no length"
            yield Record(path, 0, part, fault=fault)
            return
        yield Record(path, 0, part, message=Message("", "", PROTOBUF_TYPE, body))
        at += 4 + length
        head = file.read(4)


def _csv(path: str, file: IO[bytes], delimiter: str) -> Iterator[Record]:
    text = (line.decode("utf-8", "replace").removeprefix("\ufeff") for line in lines_of(file))
    rows = csv.DictReader(text, strict=True, delimiter=delimiter)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Record(path, line, fault=f"no CSV: {error}")
            continue
        if row is None:
            return
        if None in row or None in row.values():
            fault = f"expected {len(rows.fieldnames or ())} columns, as in the header row"
            yield Record(path, rows.line_num, fault=fault)
        else:
            yield Record(path, rows.line_num, fields=dict(row))
