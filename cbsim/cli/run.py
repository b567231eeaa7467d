"""`cbsim run`: a scenario, a sink, and how it goes."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import yaml

from cbsim.bus.sink import NullSink
from cbsim.cli.broker import BrokerChoice
from cbsim.cli.changes import Changes, lasting_options
from cbsim.cli.completion import scenarios
from cbsim.cli.judging import Following, Judging, judging_options
from cbsim.cli.metrics import metrics_option, scraped
from cbsim.cli.options import moment
from cbsim.cli.outlet import refused
from cbsim.cli.publishing import Publishing
from cbsim.cli.target import Destination, Target, opened, target_options
from cbsim.cli.verdict import Remarks, strict_option
from cbsim.cli.watching import Watching, watch_options
from cbsim.errors import CbsimError, InputError
from cbsim.interrupt import taken
from cbsim.load.account import Origin
from cbsim.load.judge import Judge
from cbsim.report.terminal import Console
from cbsim.scenario.loader import load
from cbsim.scenario.model import Scenario
from cbsim.scenario.portion import check
from cbsim.scenario.runner import Progress, Report, run
from cbsim.scenario.stream import FIXED_START
from cbsim.scenario.trouble import Trouble

__all__ = ["command"]


@click.command("run", short_help="Run a scenario against a broker or into a file.")
@click.argument("scenario", envvar="CBSIM_SCENARIO", shell_complete=scenarios)
@target_options
@lasting_options
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
@watch_options
@judging_options
@click.option(
    "--report",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="RUN.html",
    help="Write a page with charts of the run, RUN.json beside it for `cbsim report`, and RUN.csv.",
)
@metrics_option
@strict_option
def command(
    scenario: str,
    broker: BrokerChoice,
    to: Destination,
    publishing: Publishing,
    changes: Changes,
    start: datetime | None,
    workers: int | None,
    watching: Watching,
    judging: Judging,
    page: Path | None,
    metrics: tuple[str, int] | None,
    strict: bool,
) -> None:
    """Run SCENARIO, a YAML file or the name of one that comes with cbsim (`cbsim scenarios`).

    The same seed, scenario and --start give the same messages, byte for byte. With --workers they
    are others than without, and the same of every sensor, in the same order, for any N. Ctrl-C ends
    the run cleanly. Exit code 1 when a message was not confirmed; what was is said in any case.
    """
    wanted, count = changes.of(load(scenario)), changes.count
    topology = publishing.topology(wanted.bus)
    remarks = Remarks(strict=strict)
    for sentence in wanted.unreached:
        remarks.say(sentence)
    begin = start or (datetime.now(UTC) if to.sink == "amqp" else FIXED_START)
    if workers is not None:
        _check_workers(workers, wanted, to.sink)
    about = {"scenario": scenario, "seed": str(wanted.seed), "start": begin.isoformat(),
             "server": wanted.server.version,
             **({} if workers is None else {"workers": str(workers)})}  # fmt: skip
    thresholds = judging.of(wanted, watched=bool(watching.watch))
    if to.sink != "amqp":
        watching.refuse(f"--sink {to.sink}: it goes to no broker, which has no queues")
    with (
        taken(),
        opened(to, broker, publishing, topology, about, watched=bool(watching.watch)) as target,
    ):
        with watching.over(target.broker, topology) as watch:
            console = Console(sys.stderr, scenario, target.shown, watch)
            origin = _origin(scenario, wanted, target.shown, workers)
            following = Following(console, Judge(thresholds, watch))
            with scraped(following.timeline, scenario, metrics):
                if workers is None:
                    report = _alone(wanted, target, following, begin, count, remarks)
                else:
                    report = _shared(wanted, target, following, begin, count, workers)
            console.summary(report, ended=following.ended)
            if not report.interrupted:
                target.drain()
        console.queues()
    if page is not None:
        from cbsim.report.run_page import write_run

        write_run(following.account(origin, report), page)
    following.end(report, remarks)
    refused(report.sent, report.confirmed)
    if late := console.late(report):
        remarks.say(late)
    remarks.end()


def _origin(name: str, scenario: Scenario, shown: str, workers: int | None) -> Origin:
    document = scenario.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"thresholds"}
    )
    return Origin(
        name, yaml.safe_dump(document, sort_keys=False), scenario.seed,
        str(scenario.server.version), shown, datetime.now(UTC).replace(microsecond=0), workers,
    )  # fmt: skip


def _alone(
    wanted: Scenario, target: Target, following: Following, begin: datetime, count: int | None,
    remarks: Remarks,
) -> Report:  # fmt: skip
    into, console = target.open(), following.console
    if console.watch is not None:
        console.watch.published = lambda: into.confirmed
    began = time.monotonic()
    try:
        with closing(into), console:
            faults = None if target.broker is None else target.broker.faults
            trouble = Trouble(into, wanted, begin, faults)
            report = run(wanted, trouble, begin, count=count, on_progress=following.progress)
            for sentence in trouble.missed:
                remarks.say(sentence)
            return report
    except CbsimError as error:
        if into.sent or not isinstance(error, InputError):
            seconds = time.monotonic() - began
            console.failed(
                max(into.sent, into.confirmed), into.confirmed, seconds, into.republished
            )
        raise


def _shared(
    wanted: Scenario, target: Target, following: Following, begin: datetime, count: int | None,
    workers: int,
) -> Report:  # fmt: skip
    # Processes take long to import for those who want none.
    from cbsim.scenario import crew

    console, last = following.console, list[tuple[float, Progress]]()

    def tell(progress: Progress) -> None:
        last[:] = [(time.monotonic(), progress)]
        following.progress(progress)

    def confirmed() -> int:
        # Workers tell once a second; in between they go on as they did.
        return sum(one.confirmed + int(one.rate * (time.monotonic() - at)) for at, one in last)

    if console.watch is not None:
        console.watch.published = confirmed

    try:
        with console:
            return crew.run(wanted, target.outlet, begin, workers, count=count, on_progress=tell)
    except CbsimError:
        for _, progress in last:
            console.failed(progress.sent, progress.confirmed)
        raise


def _check_workers(workers: int, scenario: Scenario, sink: str) -> None:
    if sink not in ("amqp", "null"):
        raise InputError(
            f"--workers with --sink {sink}: expected --sink amqp or null; the lines of a file have "
            "one order, and one process writes them"
        )
    check(scenario, workers)
    Trouble(NullSink(), scenario, FIXED_START, None)
