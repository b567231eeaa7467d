"""What must hold of a run: `--threshold` and `--end-at-breach`, beside the scenario's own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click

from cbsim.cli.group import grouped
from cbsim.cli.verdict import Remarks
from cbsim.errors import CbsimError, InputError
from cbsim.load.account import Account, Origin, account_of
from cbsim.load.judge import Judge
from cbsim.load.timeline import Timeline
from cbsim.report.terminal import Console
from cbsim.scenario.model import Scenario
from cbsim.scenario.runner import Progress, Report
from cbsim.scenario.threshold import METRICS, Threshold, parse_threshold

__all__ = ["Following", "Judging", "judging_options"]


@dataclass(frozen=True, slots=True)
class Judging:
    """What was asked to be judged."""

    threshold: tuple[str, ...]
    end_at_breach: bool

    def of(self, scenario: Scenario, *, watched: bool) -> tuple[Threshold, ...]:
        """The thresholds of a run; raises InputError for one that nothing can be known of."""
        asked = [*map(parse_threshold, self.threshold)]
        for threshold in asked:
            if threshold.metric.watched and not watched:
                raise InputError(
                    f"threshold {threshold.text}: it is of queues; expected --watch QUEUE or auto"
                )
        every = (*scenario.thresholds, *asked)
        return tuple(replace(one, ends=one.ends or self.end_at_breach) for one in every)


class Following:
    """Shows how a run stands and judges it; `progress` ends it with a KeyboardInterrupt when a
    threshold is broken that says so.
    """

    def __init__(self, console: Console, judge: Judge) -> None:
        self.console, self._judge = console, judge
        self.timeline = Timeline(judge.watch)
        self.ended = False
        """Whether a broken threshold ended the run."""

    def progress(self, progress: Progress) -> None:
        """Show and judge how it stands."""
        self.timeline.note(progress)
        self.console.show(self.timeline)
        found = self._judge.note(progress)
        for breach in found:
            self.console.say(str(breach))
        if not self.ended and any(breach.threshold.ends for breach in found):
            self.ended = True
            raise KeyboardInterrupt

    def account(self, origin: Origin, report: Report) -> Account:
        """All that is kept of a run that is over."""
        return account_of(origin, report, self.timeline, self._judge.end(report))

    def end(self, report: Report, remarks: Remarks) -> None:
        """Say what became of each threshold; raises CbsimError for the first that was broken, and
        for one of which nothing was measured where something should have been.
        """
        for verdict in self._judge.end(report):
            if verdict.value is not None:
                self.console.say(str(verdict))
            elif verdict.threshold.metric.watched and self._judge.watch is not None:
                raise CbsimError(f"{verdict}: no such queue was there")
            else:
                unwatched = ": no queue is watched (--watch)"
                remarks.say(f"{verdict}{unwatched if verdict.threshold.metric.watched else ''}")
        for breach in self._judge.breaches.values():
            raise CbsimError(str(breach))


judging_options = grouped(
    "judging",
    Judging,
    click.option(
        "--threshold",
        multiple=True,
        metavar="THRESHOLD",
        help="What must hold, or the exit code is 1: 'depth < 10000', 'lag_p99 < 2s', 'lost == 0', "
        f"'confirm_p95 < 50ms'; of {', '.join(METRICS)}. May be given more than once.",
    ),
    click.option(
        "--end-at-breach", is_flag=True, help="End the run when a threshold does not hold."
    ),
)
"""`--threshold` and `--end-at-breach`, as the argument `judging`."""
