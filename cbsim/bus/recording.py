"""Recorded messages: NDJSON of our envelope, or a folder with one subfolder a routing key."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

from cbsim.bus.sink import from_line
from cbsim.errors import CbsimError, WireError
from cbsim.wire.message import (
    EVENTS_EXCHANGE,
    JSON_TYPE,
    PROTOBUF_TYPE,
    RAW_EXCHANGE,
    ZIP_TYPE,
    Message,
)

__all__ = ["in_order", "recorded"]

_TYPES = {".json": JSON_TYPE, ".bin": PROTOBUF_TYPE, ".zip": ZIP_TYPE}


def recorded(path: Path) -> Iterator[Message]:
    """The messages of a file or folder, in order; raises CbsimError naming file and line.

    In a folder, `.../watchlist.hit.process/0.json` is a JSON message with that routing key,
    `.../ingress.event.filemod/0.bin` a raw event, and `.zip` or anything under
    `api.rawsensordata` a bundle.
    """
    if path.is_dir():
        yield from _folder(path)
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield from_line(line)
                    except WireError as error:
                        raise CbsimError(f"{path}:{number}: {error}") from None
    except OSError as error:
        raise CbsimError(f"cannot read {path}: {error.strerror}") from None


def in_order(folder: Path, suffixes: Container[str]) -> list[Path]:
    """The files under a folder that end in one of the suffixes: `2.json` before `10.json`."""

    def order(file: Path) -> tuple[str, int, str]:
        return str(file.parent), int(file.stem) if file.stem.isdigit() else 0, file.name

    found = [file for file in folder.rglob("*") if file.suffix in suffixes and file.is_file()]
    return sorted(found, key=order)


def _folder(path: Path) -> Iterator[Message]:
    files = in_order(path, _TYPES)
    if not files:
        raise CbsimError(f"{path}: expected folders named by routing key with .json, .bin or .zip")
    for file in files:
        content_type, key = _TYPES[file.suffix], file.parent.name
        bundled = content_type == ZIP_TYPE or key == RAW_EXCHANGE
        exchange = RAW_EXCHANGE if bundled else EVENTS_EXCHANGE
        yield Message(exchange, "" if bundled else key, content_type, file.read_bytes())
