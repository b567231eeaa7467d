"""What the command line says in place of a scenario: rate, seed, server and so on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cbsim.cli.completion import dialects, one_of, versions
from cbsim.cli.group import grouped, refuse
from cbsim.errors import ScenarioError

if TYPE_CHECKING:
    from cbsim.scenario.model import Scenario

__all__ = ["Changes", "changes_options", "lasting_options"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a scenario is to be instead; None: as it says itself."""

    rate: str | None
    seed: int | None
    server: str | None
    dialect: str | None
    raw: str | None
    duration: str | None = None
    count: int | None = None

    def of(self, scenario: Scenario) -> Scenario:
        """The scenario as it is then; raises CbsimError."""
        if self.rate is not None:
            scenario = scenario.at_rate(self.rate)
        if self.raw is not None:
            scenario = scenario.with_raw(self.raw)
        if self.duration is not None:
            scenario = _lasting(scenario, self.duration)
        elif self.count is not None:
            scenario = scenario.up_to(self.count)
        seed = scenario.seed if self.seed is None else self.seed
        server = scenario.server.model_copy(update=self._of_server())
        server.check()
        return scenario.model_copy(update={"seed": seed, "server": server})

    def refuse(self, why: str) -> None:
        """Raises InputError when options of this group stand on the command line."""
        refuse(self, why)

    def _of_server(self) -> dict[str, Any]:
        from cbsim.catalog import Dialect, ServerVersion

        changed: dict[str, Any] = {}
        if self.server is not None:
            changed["version"] = ServerVersion.parse(self.server)
        if self.dialect is not None:
            changed["dialect"] = Dialect.parse(self.dialect)
        return changed


def _lasting(scenario: Scenario, duration: str) -> Scenario:
    from cbsim.quantity import parse_duration

    seconds = parse_duration(duration)
    if seconds <= 0:
        raise ScenarioError(f"duration {duration!r}: expected more than 0")
    total = sum(phase.duration or 0.0 for phase in scenario.phases)
    # Phases keep their share of the whole; a phase with a count alone gets the whole.
    phases = tuple(
        phase.model_copy(
            update={
                "duration": seconds * phase.duration / total if phase.duration else seconds,
                "count": None,
            }
        )
        for phase in scenario.phases
    )
    return scenario.model_copy(update={"phases": phases})


_OPTIONS = (
    click.option(
        "--rate", metavar="RATE", help="Instead of the phases' rates: 500/s, 30/min or max."
    ),
    click.option("--seed", type=int, help="Instead of the scenario's seed."),
    click.option(
        "--server",
        metavar="VERSION",
        shell_complete=versions,
        help="4.2, 5.2, 6.x or 7.x.",
    ),
    click.option("--dialect", shell_complete=dialects, help="documented or observed."),
    click.option(
        "--raw",
        metavar="single|bundles|both",
        shell_complete=one_of("single", "bundles", "both"),
        help="Raw events one by one on api.events, as bundles on api.rawsensordata, or both.",
    ),
)
changes_options = grouped("changes", Changes, *_OPTIONS)
"""As the argument `changes`, for what goes on and on."""
lasting_options = grouped(
    "changes",
    Changes,
    *_OPTIONS,
    click.option(
        "--duration", metavar="TIME", help="Instead of the phases' durations, in all: 30s."
    ),
    click.option("--count", type=click.IntRange(1), help="Stop after that many messages."),
)
"""The same, for what ends."""
