"""The families of values that fields hold: identities, hashes, times, paths, indicators."""

from __future__ import annotations

from typing import Any, Literal, overload

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from cbsim.catalog import ServerVersion
from cbsim.catalog import domain as domains
from cbsim.errors import StrategyError
from cbsim.strategies import form, value
from cbsim.strategies.argument import DialectName, IocType, dialect_of, drawn, whole
from cbsim.strategies.cast import Cast, Given
from cbsim.strategies.form import JsonObject
from cbsim.strategies.value import Draw
from cbsim.wire.clock import TICKS
from cbsim.wire.identity import UNKNOWN_PARENT_MD5, process_key
from cbsim.wire.identity import unique_id as joined

__all__ = [
    "command_line",
    "digital_signature",
    "filetime",
    "hostname",
    "ioc",
    "md5",
    "parent_md5",
    "posix_path",
    "process_guid",
    "registry_path",
    "sensor_id",
    "unique_id",
    "windows_path",
]

_UPPER = str(domains.MD5_UPPER.example)
_LOWER = str(domains.MD5_LOWER.example)


def sensor_id() -> SearchStrategy[int]:
    """A sensor's id: 0 to 2**31 - 1."""
    return st.integers(0, 2**31 - 1)


def process_guid(*, sensor_id: int | None = None, pid: int | None = None) -> SearchStrategy[str]:
    """A process key of 36 characters: sensor id, pid, create time. Raises StrategyError.

    >>> from hypothesis import find
    >>> find(process_guid(sensor_id=1, pid=44988), lambda key: True)
    '00000001-0000-afbc-01ca-8a755c6e0000'
    """
    sensor = value.ID if sensor_id is None else st.just(whole("sensor_id", sensor_id))
    process = value.ID if pid is None else st.just(whole("pid", pid, 0, 2**32 - 1))
    return st.builds(process_key, sensor, process, filetime())


def unique_id(
    *, sensor_id: int | None = None, pid: int | None = None, digits: Literal[8, 12] = 8
) -> SearchStrategy[str]:
    """A process key with its segment, in 8 digits or, from server 6.x on, 12.

    Raises StrategyError.
    """
    if digits not in (8, 12):
        raise StrategyError(f"digits={digits!r}: expected 8 or, from server 6.x on, 12")
    return st.builds(joined, process_guid(sensor_id=sensor_id, pid=pid), value.ID, st.just(digits))


@overload
def md5(form: Literal["upper", "lower"] = "upper") -> SearchStrategy[str]: ...
@overload
def md5(form: Literal["raw"]) -> SearchStrategy[bytes]: ...
def md5(form: str = "upper") -> SearchStrategy[Any]:
    """An MD5: 32 hex digits as `upper` (binaries) or `lower` (processes), or 16 bytes as `raw`."""
    if form not in value.DIGEST_CASES:
        raise StrategyError(f"form={form!r}: expected upper, lower or raw")
    if form == "raw":
        return st.binary(min_size=16, max_size=16)
    return _md5(form)


@st.composite
def _md5(draw: DrawFn, form: str) -> str:
    return value.hex_digest(draw, _UPPER if form == "upper" else _LOWER)


def parent_md5() -> SearchStrategy[str]:
    """The MD5 of a parent: lower case, or 30 zeros when it is not known."""
    return st.just(UNKNOWN_PARENT_MD5) | md5("lower")


def filetime() -> SearchStrategy[int]:
    """A FILETIME from 2010, when the product began, to 2023: 100 ns ticks since 1601."""
    return st.integers(value.FIRST, value.FIRST + 14 * 365 * 86_400 * TICKS)


def hostname() -> SearchStrategy[str]:
    """The name of an endpoint, non-ASCII ones too; never with a bar, which `endpoint` splits at."""
    return value.HOST


def windows_path() -> SearchStrategy[str]:
    """A full path on Windows: local, of a share or of a device."""
    return _path("windows")


def posix_path() -> SearchStrategy[str]:
    """A full path on Linux or macOS."""
    return _path("posix")


def registry_path() -> SearchStrategy[str]:
    r"""A registry key as sensors write it: `\registry\machine\...`."""
    return _path("registry")


@st.composite
def _path(draw: DrawFn, kind: str) -> str:
    return value.path(draw, kind)


def command_line() -> SearchStrategy[str]:
    """A command line: quotes, pipes, any Unicode."""
    return value.COMMAND


def ioc(ioc_type: IocType | Literal["query"]) -> SearchStrategy[str]:
    """An indicator of that type: an MD5, a domain name, an IPv4 address or a query."""
    if ioc_type not in ("md5", "dns", "ipv4", "query"):
        raise StrategyError(f"ioc_type={ioc_type!r}: expected md5, dns, ipv4 or query")
    return _ioc(ioc_type)


@st.composite
def _ioc(draw: DrawFn, ioc_type: str) -> str:
    return value.ioc_value(draw, ioc_type)


def digital_signature(*, dialect: DialectName = "observed") -> SearchStrategy[JsonObject]:
    """The fields of a binary's signature, which agree with each other. Raises StrategyError.

    >>> from hypothesis import find
    >>> find(digital_signature(), lambda fields: fields["digsig_result"] == "Unsigned")
    {'digsig_result': 'Unsigned', 'digsig_result_code': '2148204800', 'signed': 'Unsigned'}
    """
    plan = form.plan("watchlist.hit.binary", ServerVersion.V5_2, dialect_of(dialect))
    slots = tuple(slot for slot in plan.documents if slot.name.startswith(("digsig", "signed")))

    def draw_one(draw: Draw) -> JsonObject:
        return form.fields_of(Cast(draw, Given(), plan.version), slots)

    return drawn("digital_signature", draw_one, dialect=dialect)
