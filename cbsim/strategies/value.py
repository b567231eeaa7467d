"""The values one field may hold: a drawing for every domain of the catalog.

A drawing takes Hypothesis' `draw` and gives the value in Python's own types, before a dialect
decides how it is written. Texts shrink to the catalog's example, numbers to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim.catalog import DIGSIG_RESULTS, Domain, Kind, ServerVersion
from cbsim.catalog import domain as domains
from cbsim.wire.clock import TICKS, iso_time
from cbsim.wire.identity import UNKNOWN_PARENT_MD5, process_key, store_path, unique_id

__all__ = [
    "Draw",
    "Drawing",
    "Time",
    "choice",
    "dotted",
    "drawing",
    "hex_digest",
    "least",
    "make_ready",
    "number",
    "plain",
]


T = TypeVar("T")


class Draw(Protocol):
    """Hypothesis' `draw` of a composite strategy."""

    def __call__(self, strategy: SearchStrategy[T], /) -> T:
        """One value of a strategy."""


Drawing = Callable[[Draw], Any]

_LEAST: dict[int, tuple[SearchStrategy[Any], Any]] = {}


def least(strategy: SearchStrategy[T], to: T) -> SearchStrategy[T]:
    """A strategy that lives as long as the module, and what it shrinks to."""
    _LEAST[id(strategy)] = strategy, to
    return strategy


def choice(options: Sequence[T]) -> SearchStrategy[T]:
    """One of these, the first for choice; lives as long as the module."""
    return least(st.sampled_from(options), options[0])


def number(low: int, high: int) -> SearchStrategy[int]:
    """A whole number, 0 for choice; lives as long as the module."""
    return least(st.integers(low, high), min(max(low, 0), high))


@lru_cache(maxsize=1)
def make_ready() -> None:
    """Let Hypothesis prepare all of these now: it counts the time of a draw, and the first use of
    Unicode's tables on a machine takes seconds.
    """
    for strategy, _ in [*_LEAST.values()]:
        strategy.validate()


def plain(draw: Draw) -> Draw:
    """A `draw` that chooses nothing where it knows what a strategy shrinks to."""

    def chosen(strategy: SearchStrategy[T], /) -> T:
        known = _LEAST.get(id(strategy))
        return draw(strategy) if known is None else known[1]

    return chosen


class Time(int):
    """A moment as a FILETIME, to be written as ISO 8601 or in a person's form."""


UNICODE = st.characters(exclude_categories=["Cs"])
"""Any character but surrogates, which UTF-8 cannot hold."""
_IN_NAME = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='|/\\:*?"<>')

BOOLEAN = least(st.booleans(), False)
BITS_32 = number(0, 2**32 - 1)
BITS_64 = number(0, 2**64 - 1)
BITS_128 = number(0, 2**128 - 1)
INT_64 = number(-(2**63), 2**63 - 1)
ID = number(0, 2**31 - 1)
TEXT = least(st.text(UNICODE, max_size=40), "")
NAME = least(st.text(_IN_NAME, max_size=30), "")
_FIRST, _LAST = 1_262_304_000, 1_704_067_199
FIRST = (11_644_473_600 + _FIRST) * TICKS
"""The FILETIME of 2010-01-01: the product is no older."""
MOMENT = number(0, (_LAST - _FIRST) * TICKS)
"""Ticks since FIRST, until 2023: a fixed end, or what is drawn would depend on the day."""
MILLISECONDS = number(0, (_LAST - _FIRST) * 1000)
SEGMENT_TIME = least(st.just(1) | st.integers(_FIRST * 1000, _LAST * 1000), 1)
"""The id of a segment from 6.x on: its time in ms since 1970; now and then 1, as before."""
DIGEST_CASES = ("upper", "lower", "raw")

_FOLDERS = {
    "windows": ("c:\\windows\\system32\\", "c:\\", "c:\\users\\müller\\appdata\\local\\temp\\",
                "d:\\данные\\", "\\\\server\\share\\", "\\device\\harddiskvolume2\\"),
    "posix": ("/usr/bin/", "/", "/home/müller/.cache/", "/tmp/日本語/", "/var/lib/x y/"),
    "registry": ("\\registry\\machine\\software\\", "\\registry\\machine\\system\\setup\\",
                 "\\registry\\user\\s-1-5-21-1-2-3-1001\\", "\\registry\\"),
}  # fmt: skip
_COMMANDS = ("notepad", '"c:\\program files\\x y\\a.exe" --flag="1 2"', "sh -c 'a | b > /dev/null'",
             "powershell -enc SQBFAFgA", "cmd /c \"echo \"\"%PATH%\"\" & exit\"")  # fmt: skip
_HOSTS = ("WIN8-TEST", "fs-nyc-1", "mac.local", "ip-10-0-0-1", "МОСКВА-01", "x")
_DOMAINS = ("example.com", "www.example.org", "xn--mller-kva.example", "a.b.c.d.e.example", "t.co")
_QUERIES = ("process_name:notepad.exe", "md5:9e4b0e7472b4ceba9e17f440b8cb0ab8 OR ipaddr:10.0.0.0/8",
            'path:"c:\\windows\\*" -username:SYSTEM', "müller", "")  # fmt: skip

SIGNATURE = choice([*DIGSIG_RESULTS])
HOST = least(choice(_HOSTS) | NAME, _HOSTS[0])
COMMAND = least(choice(_COMMANDS) | TEXT, _COMMANDS[0])
DNS = least(
    choice(_DOMAINS)
    | st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,10}){1,3}", fullmatch=True),
    _DOMAINS[0],
)
_FOLDER = {kind: choice(folders) for kind, folders in _FOLDERS.items()}
_FILE = least(st.just("explorer.exe") | NAME, "explorer.exe")
_QUERY = least(choice(_QUERIES) | TEXT, _QUERIES[0])
_PARTS = st.lists(number(0, 2**31 - 1), min_size=2, max_size=6)
_BUILDS = choice([version.cb_version for version in ServerVersion])
_RATING = number(0, 100_000)
_UNKNOWN = choice((False, False, False, True))


def hex_digest(draw: Draw, example: str) -> str:
    """32 hex digits, in the case of the example that they shrink to."""
    digits = f"{int(example, 16) ^ draw(BITS_128):032x}"
    return digits.upper() if example.isupper() else digits


def path(draw: Draw, kind: str) -> str:
    """A path: `windows`, `posix` or `registry`."""
    return draw(_FOLDER[kind]) + draw(_FILE)


def dotted(number: int) -> str:
    """An IPv4 address from its 32 bits, big-endian."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def ioc_value(draw: Draw, ioc_type: str) -> str:
    """What an indicator of that type is: `md5`, `dns`, `ipv4` or `query`."""
    if ioc_type == "md5":
        return hex_digest(draw, str(domains.MD5_LOWER.example))
    if ioc_type == "dns":
        return draw(DNS)
    if ioc_type == "ipv4":
        return dotted(draw(BITS_32))
    return "q=" + quote(draw(_QUERY))


def _either(example: str, other: SearchStrategy[str]) -> Drawing:
    strategy = least(st.just(example) | other, example)
    return lambda draw: draw(strategy)


def _key(draw: Draw) -> str:
    return process_key(draw(ID), draw(ID), FIRST + draw(MOMENT))


def _uuid(draw: Draw) -> str:
    digits = f"{draw(BITS_128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _parent_md5(draw: Draw) -> str:
    if draw(_UNKNOWN):
        return UNKNOWN_PARENT_MD5
    return hex_digest(draw, str(domains.PARENT_MD5.example))


def _unique_id(draw: Draw) -> str:
    digits = 12 if draw(BOOLEAN) else 8
    return unique_id(_key(draw), draw(ID), digits)


def _version(draw: Draw) -> str:
    return draw(_BUILDS) if draw(BOOLEAN) else ".".join(map(str, draw(_PARTS)))


def _address(draw: Draw) -> str:
    return dotted(draw(BITS_32)) if draw(BOOLEAN) else ""


_ON_DISK = st.builds(str.__add__, choice([*_FOLDERS["windows"], *_FOLDERS["posix"]]), NAME)

# By identity: a domain holds an example, which may be no hashable thing.
_DRAWINGS: dict[int, Drawing] = {
    id(domains.HOSTNAME): lambda draw: draw(HOST),
    id(domains.PATH): _either(str(domains.PATH.example), _ON_DISK),
    id(domains.COMMAND_LINE): lambda draw: draw(COMMAND),
    id(domains.FILENAME): _either(str(domains.FILENAME.example), NAME),
    id(domains.VERSION): _version,
    id(domains.MD5_UPPER): lambda draw: hex_digest(draw, str(domains.MD5_UPPER.example)),
    id(domains.MD5_LOWER): lambda draw: hex_digest(draw, str(domains.MD5_LOWER.example)),
    id(domains.PARENT_MD5): _parent_md5,
    id(domains.RESOLVED): lambda draw: Time(FIRST + draw(MOMENT)) if draw(BOOLEAN) else "",
    id(domains.PROCESS_KEY): _key,
    id(domains.UNIQUE_ID): _unique_id,
    id(domains.UUID): _uuid,
    id(domains.TIME): lambda draw: Time(FIRST + draw(MOMENT)),
    id(domains.ENDPOINT): lambda draw: f"{draw(HOST)}|{draw(ID)}",
    id(domains.DOTTED): _address,
    id(domains.STORE_PATH): lambda draw: store_path(
        hex_digest(draw, str(domains.MD5_UPPER.example))
    ),
    id(domains.QUERY): lambda draw: ioc_value(draw, "query"),
    id(domains.EPOCH): lambda draw: (_FIRST * 1000 + draw(MILLISECONDS)) / 1000,
    id(domains.RATING): lambda draw: draw(_RATING) / 100,
    id(domains.RESULT_CODE): lambda draw: DIGSIG_RESULTS[draw(SIGNATURE)],
}


def drawing(domain: Domain) -> Drawing:
    """How a value of the domain is drawn: its own way, or by its choices, pattern or bounds."""
    known = _DRAWINGS.get(id(domain))
    if known is None:
        known = _DRAWINGS[id(domain)] = _by_declaration(domain)
    return known


def _by_declaration(domain: Domain) -> Drawing:
    strategy: SearchStrategy[Any]
    low, high = domain.minimum or 0, domain.maximum or 10**6
    if domain.choices:
        strategy = choice(domain.choices)
    elif domain.pattern is not None:
        strategy = st.from_regex(domain.pattern, fullmatch=True)
    elif domain.kind is Kind.INTEGER:
        strategy = number(low, high)
    elif domain.kind is Kind.NUMBER:
        strategy = number(low, high)
        return lambda draw: draw(strategy) / 1
    elif domain.kind is Kind.TRUTH:
        strategy = BOOLEAN
    elif domain.kind is Kind.OBJECT:
        return _object(domain)
    elif domain.kind is Kind.HIGHLIGHTS:
        return _highlights
    elif domain.kind is Kind.RECORDS:
        return _records(domain)
    elif domain.example:
        return _either(str(domain.example), TEXT)
    else:
        strategy = TEXT
    return lambda draw: draw(strategy)


_FEEDS = choice(("virustotal", "tor", "srstrust", "x"))
_WATCHLIST = number(1, 10_000)
_FEW = number(0, 2)


def family_member(draw: Draw, pattern: str) -> str:
    """A name of a family of fields, such as `watchlist_7` of `watchlist_<id>`."""
    head, _, kind = pattern.partition("<")
    return head + (str(draw(_WATCHLIST)) if kind == "id>" else draw(_FEEDS))


def _object(domain: Domain) -> Drawing:
    entries = [(name, drawing(entry), name.endswith(">")) for name, entry in domain.entries]

    def draw_object(draw: Draw) -> dict[str, Any]:
        drawn: dict[str, Any] = {}
        for name, one, family in entries:
            for _ in range(draw(_FEW) if family else draw(BOOLEAN)):
                found = one(draw)
                key = family_member(draw, name) if family else name
                drawn[key] = iso_time(found) if isinstance(found, Time) else found
        return drawn

    return draw_object


_HIGHLIGHTS = least(st.lists(st.tuples(TEXT, TEXT), max_size=2), [])


def _highlights(draw: Draw) -> list[str]:
    return [f"{before}PREPREPRE{match}POSTPOSTPOST" for before, match in draw(_HIGHLIGHTS)]


def _records(domain: Domain) -> Drawing:
    entries = [(name, drawing(entry)) for name, entry in domain.entries]

    def draw_records(draw: Draw) -> list[dict[str, Any]]:
        records = []
        for _ in range(draw(_FEW)):
            found = [(name, of_entry(draw)) for name, of_entry in entries]
            records.append(
                {name: iso_time(it) if isinstance(it, Time) else it for name, it in found}
            )
        return records

    return draw_records
