"""Why a watchlist or a feed's report hit: what the process did, or what the binary is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from tests.support.consistency.told import Life
from tests.support.consistency.values import whole

__all__ = ["binary_cause", "called", "process_cause", "queried"]

_NEEDS = {"filemod": "ingress.event.filemod", "regmod": "ingress.event.regmod",
          "netconn": "ingress.event.netconn", "childproc": "ingress.event.childproc"}  # fmt: skip
_TERM = re.compile(r'(-?)([a-z_0-9]+):("[^"]*"|\S+)')


def process_cause(
    matches: str, life: Life, document: Mapping[str, Any], published: frozenset[str]
) -> bool | None:
    """Whether a process did what a watchlist looks for; None where nobody can say."""
    kind, _, wanted = matches.partition(":")
    if (needed := _NEEDS.get(kind)) is not None and needed not in published:
        return None
    looks = _LOOKS.get(kind)
    if kind == "start":
        return life.told
    return None if looks is None else looks(life, document, wanted.lower())


def _cmdline(life: Life, document: Mapping[str, Any], wanted: str) -> bool:
    return wanted in (life.command or str(document.get("cmdline", ""))).lower()


def _path(life: Life, document: Mapping[str, Any], wanted: str) -> bool:
    return wanted in (life.path or str(document.get("path", ""))).lower()


def _name(life: Life, document: Mapping[str, Any], wanted: str) -> bool:
    return _last(life.path or str(document.get("path", ""))).lower() == wanted


def _last(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


_LOOKS: dict[str, Callable[[Life, Mapping[str, Any], str], bool]] = {
    "filemod": lambda life, _, wanted: any(wanted in path.lower() for path in life.files),
    "regmod": lambda life, _, wanted: any(wanted in key.lower() for key in life.keys),
    "netconn": lambda life, _, wanted: any(
        wanted in (str(call.port), str(call.local_port if not call.outbound else call.port))
        for call in life.calls
    ),
    "ipport": lambda life, _, wanted: any(wanted == str(call.port) for call in life.calls),
    "domain": lambda life, _, wanted: any(wanted in call.name.lower() for call in life.calls),
    "ipaddr": lambda life, _, wanted: any(wanted == call.remote for call in life.calls),
    "childproc": lambda life, _, wanted: any(wanted in path.lower() for path in life.children),
    "childproc_name": lambda life, _, wanted: any(
        wanted == _last(path).lower() for path in life.children
    ),
    "cmdline": _cmdline,
    "path": _path,
    "process_name": _name,
    "username": lambda life, document, wanted: (
        wanted in (life.account or str(document.get("username", ""))).lower()
    ),
    "md5": lambda life, _, wanted: life.md5.hex() == wanted,
    "process_md5": lambda life, _, wanted: life.md5.hex() == wanted,
}


def binary_cause(matches: str, document: Mapping[str, Any]) -> bool | None:
    """Whether a binary is what a watchlist looks for; None where nobody can say."""
    kind, _, wanted = matches.partition(":")
    executable = str(document.get("is_executable_image", "")).lower()
    if kind == "unsigned":
        return document.get("digsig_result") == "Unsigned"
    if kind in ("executable", "library"):
        return executable == ("true" if kind == "executable" else "false")
    if kind == "path":
        return wanted.lower() in str(document.get("observed_filename", "")).lower()
    return True if kind == "binary" else None


def queried(
    ioc_value: str, life: Life, document: Mapping[str, Any], published: frozenset[str]
) -> str:
    """The term of a feed's query that a process does not meet; empty when it meets all.

    Terms that messages cannot show are passed over.
    """
    if ioc_value.startswith("{"):
        ioc_value = orjson.loads(ioc_value).get("search_query", "")
    query = dict(parse_qsl(ioc_value)).get("q", "")
    for negated, name, value in _TERM.findall(query):
        kind = "netconn" if name in ("ipport", "domain", "ipaddr") else name
        kind = "childproc" if name == "childproc_name" else kind
        looks = _LOOKS.get(name)
        if looks is None or _NEEDS.get(kind, "") not in published | {""}:
            continue
        if looks(life, document, value.strip('"').strip("*").lower()) == bool(negated):
            return f"{negated}{name}:{value}"
    return ""


def called(life: Life, attributes: Mapping[str, Any], ioc_type: str, ioc_value: str) -> bool:
    """Whether a process made the connection of which a hit's attributes tell."""
    port, local = whole(attributes.get("remote_port")), whole(attributes.get("local_port"))
    remote = attributes.get("remote_ip")
    for call in life.calls:
        if port is not None and port not in (call.port, call.local_port):
            continue
        if local is not None and local not in (call.local_port, call.port):
            continue
        if remote and remote != call.remote:
            continue
        if ioc_type == "ipv4" and call.remote != ioc_value:
            continue
        if ioc_type == "dns" and call.name.lower() != ioc_value.lower():
            continue
        return True
    return False
