"""How messages are published: what `run`, `replay` and `serve` may be asked for alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cbsim.bus.topology import Topology
from cbsim.cli.group import grouped
from cbsim.cli.options import passive_option
from cbsim.errors import InputError
from cbsim.quantity import parse_duration

if TYPE_CHECKING:
    from cbsim.scenario.model import BusModel

__all__ = ["Publishing", "publishing_options"]

_SHORTEST = 1.0
"""Seconds; heartbeats count whole ones."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """How messages are to be published."""

    passive: bool
    persistent: bool
    patience: float
    """Seconds that the broker may be away."""

    def topology(self, bus: BusModel | None = None) -> Topology:
        """The server's exchanges, or those of a scenario, with what was asked for besides."""
        if bus is None:
            return Topology(passive=self.passive, persistent=self.persistent)
        return Topology(
            bus.events,
            bus.raw,
            bus.durable,
            bus.passive or self.passive,
            bus.persistent or self.persistent,
        )


def _length(ctx: click.Context, param: click.Parameter, value: str) -> float:
    seconds = parse_duration(value)
    if seconds < _SHORTEST:
        raise InputError(f"--give-up-after {value}: expected {_SHORTEST:g}s or more")
    return seconds


publishing_options = grouped(
    "publishing",
    Publishing,
    passive_option,
    click.option(
        "--persistent",
        is_flag=True,
        help="Send messages that outlive the broker in durable queues; those of real servers do "
        "not.",
    ),
    click.option(
        "--give-up-after",
        "patience",
        metavar="TIME",
        default="30s",
        show_default=True,
        callback=_length,
        help="How long the broker may be away, silent or without room for more: 30s, 5m.",
    ),
)
"""`--passive`, `--persistent` and `--give-up-after`, as the argument `publishing`."""
