"""Bundles of raw events, as a sensor uploads them and `api.rawsensordata` broadcasts them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime

from cbsim.errors import WireError
from cbsim.printable import printable

__all__ = ["BUNDLE_LIMIT", "join", "members", "split", "zipped"]

BUNDLE_LIMIT = 64 * 1024 * 1024
"""How many bytes a bundle may unpack to before `members` refuses it."""

_LEVEL = 2
"""Of deflate: half the time of the usual 6, for a tenth more bytes."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError,
               NotImplementedError, OSError, ValueError, OverflowError)  # fmt: skip
"""What zipfile raises where a bit was flipped."""
_LENGTH = struct.Struct("<I")


def join(events: Iterable[bytes]) -> bytes:
    """A run of events, each behind its length: four bytes, unsigned, little-endian."""
    pack = _LENGTH.pack
    return b"".join([part for event in events for part in (pack(len(event)), event)])


def split(run: bytes) -> Iterator[bytes]:
    """The inverse of `join`; raises WireError where a length runs past the end."""
    at = 0
    while at < len(run):
        if at + 4 > len(run):
            raise WireError(f"bundle: a length is cut short at byte {at} of {len(run)}")
        (length,) = _LENGTH.unpack_from(run, at)
        at += 4
        if at + length > len(run):
            raise WireError(
                f"bundle: an event of {length} bytes at byte {at} runs past the end ({len(run)})"
            )
        yield run[at : at + length]
        at += length


def zipped(name: str, run: bytes, moment: datetime) -> bytes:
    """A zip (deflate) with one file; `moment` is the file's time, so that bytes are repeatable."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name, moment.timetuple()[:6])
        archive.writestr(info, run, zipfile.ZIP_DEFLATED, _LEVEL)
    return body.getvalue()


def members(body: bytes) -> Iterator[bytes]:
    """The runs in a bundle: each file of a zip, or the body itself when it is bare.

    Raises WireError for a zip that is broken or unpacks to more than BUNDLE_LIMIT.
    """
    if not body.startswith(b"PK\x03\x04"):
        yield body
        return
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            total = 0
            for info in archive.infolist():
                if info.compress_type not in _METHODS:
                    raise WireError(f"bundle: compression {info.compress_type}: expected deflate")
                with archive.open(info) as member:
                    run = member.read(BUNDLE_LIMIT - total + 1)
                total += len(run)
                if total > BUNDLE_LIMIT:
                    raise WireError(f"bundle: unpacks to more than {BUNDLE_LIMIT} bytes")
                yield run
    except WireError:
        raise
    except _UNREADABLE as error:
        raise WireError(f"bundle: no readable zip: {printable(error)}") from None
