"""Streams of messages: a scenario in which everything is said, and what its messages say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cbsim.catalog import name_of
from cbsim.scenario.loader import parse
from cbsim.scenario.model import Scenario
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.message import Message
from cbsim.wire.reading import read

__all__ = ["everything", "readings", "sent"]

EVERYTHING = """
server: {{version: {version}, dialect: {dialect},
  latency: {{store: 0.1, storage: 0.2, watchlist: 0.4, query: 0.6}}}}
estate: {{sensors: 15, groups: 3, os: {{windows: 5, linux: 2, osx: 1}}, spread: 3}}
seed: {seed}
phases:
  - {{count: {count}, rate: 500/s, cover: true, mix: {{"ingress.event.*": 60, "feed.*": 15,
     "watchlist.*": 8, "binaryinfo.*": 8, "binarystore.*": 3, "cmd.*": 1{more}}}}}
"""


def everything(
    version: str = "5.2", dialect: str = "observed", seed: int = 4, count: int = 4000
) -> Scenario:
    more = {"4.2": "", "5.2": ', "alert.*": 5'}.get(version, ', "alert.*": 5, "events.*": 1')
    more += ', "task.*": 1' if version == "7.x" else ""
    text = EVERYTHING.format(version=version, dialect=dialect, seed=seed, count=count, more=more)
    if version == "4.2":
        text = text.replace(', "cmd.*": 1', "")
    return parse(text)


def sent(scenario: Scenario) -> list[Message]:
    return [message for _, message, _, _ in messages(scenario, FIXED_START)]


def readings(stream: list[Message]) -> Iterator[tuple[str, dict[str, Any]]]:
    for message in stream:
        for reading in read(message):
            yield name_of(reading.routing_key), reading.fields
