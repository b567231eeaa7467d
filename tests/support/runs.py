"""Runs of a shipped scenario, one after another with new seeds, until there is enough of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as numbers
from itertools import islice

from cbsim.scenario.loader import load
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.message import Message

__all__ = ["runs"]


def runs(
    name: str, count: int, most: int | None = None, *, seed: int | None = None
) -> Iterator[tuple[int, list[Message]]]:
    """So many messages of a scenario's world, by the run, each with its seed; `most`: runs.

    The first has the scenario's own seed, if none is given. What phases of strategies draw is left
    out: those messages belong to no estate.
    """
    scenario = load(name)
    worlds = tuple(phase for phase in scenario.phases if phase.source == "world")
    for number in islice(numbers(scenario.seed if seed is None else seed), most):
        run = scenario.model_copy(update={"seed": number, "phases": worlds})
        made = [message for _, message, _, _ in islice(messages(run, FIXED_START), count)]
        yield number, made
        count -= len(made)
        if count <= 0 or not made:
            return
