"""Feeds, their reports, and watchlists, as a server of a security team has them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from cbsim.errors import InputError
from cbsim.world.vocabulary.model import Feed, Watchlist

__all__ = ["feeds", "watchlists"]

_Rows = TypeVar("_Rows")
_SOURCE = "threats.toml"


@cache
def feeds() -> tuple[Feed, ...]:
    """Every feed, with its reports. Raises `InputError` if the table is not right."""
    return _read("feeds", TypeAdapter(tuple[Feed, ...]))


@cache
def watchlists() -> tuple[Watchlist, ...]:
    """Every watchlist. Raises `InputError` if the table is not right."""
    return _read("watchlists", TypeAdapter(tuple[Watchlist, ...]))


def _read(section: str, kind: TypeAdapter[_Rows]) -> _Rows:
    try:
        return kind.validate_python(_table()[section])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{_SOURCE}: {section}.{place}: {first['msg']}") from None


@cache
def _table() -> dict[str, object]:
    return tomllib.loads((resources.files(__package__) / _SOURCE).read_text("utf-8"))
