"""What is promised of the figures, and whether it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["TARGETS", "Outcome", "Target", "outcomes"]


@dataclass(frozen=True, slots=True)
class Target:
    """One figure, found by its path in what the pieces measure, and the bound it must keep."""

    what: str
    path: tuple[str, ...]
    bound: float
    unit: str = ""
    at_most: bool = False

    def kept(self, figure: float) -> bool:
        """Whether the figure is within the bound."""
        return figure <= self.bound if self.at_most else figure >= self.bound


@dataclass(frozen=True, slots=True)
class Outcome:
    """A target and what was measured; None where it was not, for the reason in `missing`."""

    target: Target
    figure: float | None
    missing: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether it is kept; None where it was not measured."""
        return None if self.figure is None else self.target.kept(self.figure)


GROWTH = "growth"
"""In a path: the most of the figures there less the least."""
_CPU = "CPU at 10,000 a second, % of a core"
_HALF = "at half of the broker's limit"

TARGETS = (
    Target("raw events with confirms, to prebuilt frames on a socket without",
           ("publishing", "ratios to prebuilt frames", "cbsim"), 0.95, "x"),
    Target("the same, to RabbitMQ PerfTest with confirms",
           ("publishing", "ratio to PerfTest"), 1.0, "x"),
    Target("events a second in zipped bundles, to single messages",
           ("publishing", "ratio of events in bundles to single"), 5, "x"),
    Target("CPU of `cbsim run` at 10,000 messages a second",
           ("running", _CPU, "cbsim run"), 35, "% of a core", at_most=True),
    Target("rate held in every second, at half of the broker's limit",
           ("running", _HALF, "most off in a second, %"), 0.5, "% off", at_most=True),
    Target("lag behind schedule, p99", ("running", _HALF, "lag p99, ms"), 5, "ms", at_most=True),
    Target("`cbsim --help`", ("running", "start, seconds", "cbsim --help"), 0.25, "s",
           at_most=True),
    Target("first message, 1,000 sensors", ("running", "start, seconds", "first message"), 1.5,
           "s", at_most=True),
    Target("`cbsim run` through the embedded broker to one pika consumer",
           ("embedded", "to one pika consumer, messages a second"), 10_000, "/s"),
    Target("`cbsim serve` is ready", ("embedded", "serve ready, seconds"), 1, "s", at_most=True),
    Target("generation, realistic mix, to protobuf's API and json.dumps",
           ("generation", "mix", "ratio"), 2, "x"),
    Target("generation of JSON notifications, to json.dumps of the same dicts",
           ("generation", "json", "ratio"), 3, "x"),
    Target("cost with 100,000 sensors and 1,000,000 binaries, to 100 and 1,000",
           ("generation", "estates", "ratio"), 1.2, "x", at_most=True),
    Target("memory that a longer run takes more", ("generation", "memory_mib", GROWTH), 20, "MiB",
           at_most=True),
    Target("validation of notifications, to jsonschema",
           ("validation", "notifications", "ratio to jsonschema"), 20, "x"),
    Target("validation of raw events, to jsonschema",
           ("validation", "raw events", "ratio to jsonschema"), 20, "x"),
)  # fmt: skip


def outcomes(results: Mapping[str, Any]) -> list[Outcome]:
    """What became of each target whose piece was measured."""
    found = []
    for target in TARGETS:
        piece = results.get(target.path[0])
        if piece is None:
            continue
        figure: Any = piece
        for name in target.path[1:]:
            if not isinstance(figure, Mapping):
                figure = None
            elif name == GROWTH:
                figure = max(figure.values()) - min(figure.values())
            else:
                figure = figure.get(name)
        missing = "" if figure is not None else _missing(piece, target)
        found.append(Outcome(target, None if figure is None else float(figure), missing))
    return found


def _missing(piece: Any, target: Target) -> str:
    peers = piece.get("peers", {}) if isinstance(piece, Mapping) else {}
    return next(
        (f"no {peer}: {said['missing']}" for peer, said in peers.items()
         if "missing" in said and peer in target.what), "not measured",
    )  # fmt: skip
