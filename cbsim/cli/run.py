"""`cbsim run`: a scenario, a sink, and how it goes."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import click

from cbsim.cli.options import moment, scenario_names, tls_of, topology_of
from cbsim.cli.outlet import Counted, Outlet, refused
from cbsim.cli.target import Target, opened, target_options
from cbsim.errors import CbsimError, InputError, ScenarioError
from cbsim.interrupt import taken
from cbsim.report.terminal import Console
from cbsim.scenario import rate as rates
from cbsim.scenario.loader import load
from cbsim.scenario.model import Scenario
from cbsim.scenario.portion import check
from cbsim.scenario.runner import Progress, Report, run
from cbsim.scenario.stream import FIXED_START

__all__ = ["changed", "command"]


@click.command("run", short_help="Run a scenario against a broker or into a file.")
@click.argument("scenario", envvar="CBSIM_SCENARIO", shell_complete=scenario_names)
@target_options
@click.option("--rate", metavar="RATE", help="Instead of the phases' rates: 500/s, 30/min or max.")
@click.option("--duration", metavar="TIME", help="Instead of the phases' durations, in all: 30s.")
@click.option("--count", type=click.IntRange(1), help="Stop after that many messages.")
@click.option("--seed", type=int, help="Instead of the scenario's seed.")
@click.option("--server", metavar="VERSION", help="4.2, 5.2, 6.x or 7.x.")
@click.option("--dialect", help="documented or observed.")
@click.option(
    "--start",
    callback=moment,
    metavar="TIME",
    help="The clock inside messages.  [default: now for a broker, else 2024-01-01T00:00:00Z]",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Share the run out to N processes, 8 at most, each with sensors and a connection of its "
    "own.",
)
def command(
    scenario: str,
    broker: str | None,
    ca_file: str | None,
    client_cert: str | None,
    client_key: str | None,
    sink: str,
    passive: bool,
    persistent: bool,
    patience: float,
    ledger: str | None,
    rate: str | None,
    duration: str | None,
    count: int | None,
    seed: int | None,
    server: str | None,
    dialect: str | None,
    start: datetime | None,
    workers: int | None,
) -> None:
    """Run SCENARIO, a YAML file or the name of one that comes with cbsim (`cbsim scenarios`).

    The same seed, scenario and --start give the same messages, byte for byte. With --workers they
    are others than without, and the same of every sensor, in the same order, for any N. Ctrl-C ends
    the run cleanly. Exit code 1 when a message was not confirmed; what was is said in any case.
    """
    wanted = changed(load(scenario), rate, duration, count, seed, server, dialect)
    topology = topology_of(wanted.bus, passive=passive, persistent=persistent)
    begin = start or (datetime.now(UTC) if sink == "amqp" else FIXED_START)
    if workers is not None:
        _check_workers(workers, wanted, sink)
    tls = tls_of(ca_file, client_cert, client_key)
    about = {"scenario": scenario, "seed": str(wanted.seed), "start": begin.isoformat(),
             "server": wanted.server.version,
             **({} if workers is None else {"workers": str(workers)})}  # fmt: skip
    outlet = Outlet(sink, topology, patience=patience, ledger=ledger)
    with taken(), opened(outlet, broker, tls, about) as target:
        console = Console(sys.stderr, scenario, target.shown)
        if workers is None:
            report = _alone(wanted, target, console, begin, count)
        else:
            report = _shared(wanted, target, console, begin, count, workers)
        console.summary(report)
        if not report.interrupted:
            target.drain()
    refused(report.sent, report.confirmed)


def _alone(
    wanted: Scenario, target: Target, console: Console, begin: datetime, count: int | None
) -> Report:
    into = Counted(target.outlet(), target.shown)
    began = time.monotonic()
    try:
        with closing(into), console:
            return run(wanted, into, begin, count=count, on_progress=console.progress)
    except CbsimError as error:
        if into.sent or not isinstance(error, InputError):
            seconds = time.monotonic() - began
            console.failed(
                max(into.sent, into.confirmed), into.confirmed, seconds, into.republished
            )
        raise


def _shared(
    wanted: Scenario, target: Target, console: Console, begin: datetime, count: int | None,
    workers: int,
) -> Report:  # fmt: skip
    # Processes take long to import for those who want none.
    from cbsim.scenario import crew

    last: list[Progress] = []

    def tell(progress: Progress) -> None:
        last[:] = [progress]
        console.progress(progress)

    try:
        with console:
            return crew.run(wanted, target.outlet, begin, workers, count=count, on_progress=tell)
    except CbsimError:
        for progress in last:
            console.failed(progress.sent, progress.confirmed)
        raise


def _check_workers(workers: int, scenario: Scenario, sink: str) -> None:
    if sink not in ("amqp", "null"):
        raise InputError(
            f"--workers with --sink {sink}: expected --sink amqp or null; the lines of a file have "
            "one order, and one process writes them"
        )
    check(scenario, workers)


def changed(
    scenario: Scenario,
    rate: str | None,
    duration: str | None,
    count: int | None,
    seed: int | None,
    server: str | None,
    dialect: str | None,
) -> Scenario:
    """The scenario with what the command line says instead; raises CbsimError."""
    from cbsim.catalog import Dialect, ServerVersion

    of_server: dict[str, Any] = {}
    if server is not None:
        of_server["version"] = ServerVersion.parse(server)
    if dialect is not None:
        of_server["dialect"] = Dialect.parse(dialect)
    if rate is not None:
        scenario = scenario.at_rate(rate)
    phases = list(scenario.phases)
    if duration is not None:
        seconds = rates.parse_duration(duration)
        if seconds <= 0:
            raise ScenarioError(f"duration {duration!r}: expected more than 0")
        total = sum(phase.duration or 0.0 for phase in phases)
        # Phases keep their share of the whole; a phase with a count alone gets the whole.
        phases = [
            phase.model_copy(
                update={
                    "duration": seconds * phase.duration / total if phase.duration else seconds,
                    "count": None,
                }
            )
            for phase in phases
        ]
    elif count is not None:
        phases = list(scenario.up_to(count).phases)
    return scenario.model_copy(
        update={
            "phases": tuple(phases),
            "seed": scenario.seed if seed is None else seed,
            "server": scenario.server.model_copy(update=of_server),
        }
    )
