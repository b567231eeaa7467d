"""Identities: process keys, unique ids and module store paths (wire: Identities)."""

from __future__ import annotations

import re
from typing import NamedTuple

from cbsim.errors import WireError

__all__ = [
    "UNKNOWN_PARENT_MD5",
    "ProcessKey",
    "parse_process_key",
    "parse_unique_id",
    "process_key",
    "store_path",
    "unique_id",
]

UNKNOWN_PARENT_MD5 = "0" * 30
"""What `parent_md5` holds when the parent is not known: 30 zeros, not 32."""

_KEY = re.compile(
    r"([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})([0-9a-f]{8})"
)


class ProcessKey(NamedTuple):
    """The three parts of a process key."""

    sensor_id: int
    """0 to 2**32 - 1."""
    pid: int
    """0 to 2**32 - 1."""
    create_time: int
    """FILETIME, 0 to 2**64 - 1."""


def process_key(sensor_id: int, pid: int, create_time: int) -> str:
    """The 36 characters that name a process; `create_time` is a FILETIME.

    Raises WireError when a part is out of range.

    >>> process_key(1, 44988, 130519845421938559)
    '00000001-0000-afbc-01cf-b31b9e83777f'
    """
    if not (0 <= sensor_id < 1 << 32 and 0 <= pid < 1 << 32 and 0 <= create_time < 1 << 64):
        raise WireError(
            f"no process key holds {(sensor_id, pid, create_time)}: a part is too large"
        )
    return (
        f"{sensor_id:08x}-{pid >> 16:04x}-{pid & 0xFFFF:04x}-{create_time >> 48:04x}"
        f"-{create_time >> 32 & 0xFFFF:04x}{create_time & 0xFFFFFFFF:08x}"
    )


def parse_process_key(text: str) -> ProcessKey:
    """The inverse of `process_key`; raises WireError for anything else."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise WireError(f"{text!r} is no process key: expected 8-4-4-4-12 lower-case hex digits")
    sensor, high, low, a, b, c = match.groups()
    return ProcessKey(int(sensor, 16), int(high + low, 16), int(a + b + c, 16))


def unique_id(key: str, segment: int, digits: int = 8) -> str:
    """A process key with its segment, in 8 hex digits (12 from 6.x on)."""
    if not 0 <= segment < 16**digits:
        raise WireError(f"segment {segment} does not fit {digits} hex digits")
    return f"{key}-{segment:0{digits}x}"


def parse_unique_id(text: str) -> tuple[ProcessKey, int]:
    """The key and the segment of a unique id of either length; raises WireError."""
    key, dash, segment = text[:36], text[36:37], text[37:]
    if dash != "-" or not re.fullmatch("[0-9a-f]{8}|[0-9a-f]{12}", segment):
        raise WireError(
            f"{text!r} is no unique id: expected a process key, `-`, 8 or 12 hex digits"
        )
    return parse_process_key(key), int(segment, 16)


def store_path(md5: str) -> str:
    """Where the server keeps its zipped copy of a binary.

    >>> store_path("FE2AFACC396DC37F51421DE4A08DA8A7")
    '/var/cb/data/modulestore/FE2/AFA/FE2AFACC396DC37F51421DE4A08DA8A7.zip'
    """
    return f"/var/cb/data/modulestore/{md5[:3]}/{md5[3:6]}/{md5}.zip"
