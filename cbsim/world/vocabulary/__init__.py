"""Hand-made words of the simulated estate: what runs, what it does, and what looks for threats.

>>> from cbsim.world.vocabulary import load
>>> notepad = next(p for p in load("windows").programs if p.path.endswith("notepad.exe"))
>>> notepad.description, notepad.connections
('Notepad', ())
"""

from cbsim.world.vocabulary.icons import ico, png
from cbsim.world.vocabulary.model import (
    OSES,
    PLACEHOLDERS,
    Arrival,
    Connection,
    Feed,
    IocType,
    Lifetime,
    Mainly,
    Program,
    Publisher,
    Report,
    Vocabulary,
    Watchlist,
)
from cbsim.world.vocabulary.table import load, parse
from cbsim.world.vocabulary.threats import feeds, watchlists

__all__ = [
    "OSES",
    "PLACEHOLDERS",
    "Arrival",
    "Connection",
    "Feed",
    "IocType",
    "Lifetime",
    "Mainly",
    "Program",
    "Publisher",
    "Report",
    "Vocabulary",
    "Watchlist",
    "feeds",
    "ico",
    "load",
    "parse",
    "png",
    "watchlists",
]
