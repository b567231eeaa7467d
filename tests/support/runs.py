"""Runs of a shipped scenario, one after another with new seeds, until there is enough of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as numbers
from itertools import islice

from cbsim.scenario.loader import load
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.message import Message

__all__ = ["runs"]


def runs(name: str, count: int) -> Iterator[tuple[int, list[Message]]]:
    """So many messages of a scenario's world, by the run, each with its seed.

    What phases of strategies draw is left out: those messages belong to no estate.
    """
    scenario = load(name)
    worlds = {phase.name for phase in scenario.phases if phase.source == "world"}
    for seed in numbers(scenario.seed):
        stream = messages(scenario.model_copy(update={"seed": seed}), FIXED_START)
        made = [message for _, message, _, phase in islice(stream, count) if phase in worlds]
        yield seed, made
        count -= len(made)
        if count <= 0 or not made:
            return
