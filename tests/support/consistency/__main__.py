"""`python -m tests.support.consistency SCENARIO --count 200000`: what its messages break."""

from __future__ import annotations

import sys
import time
from collections import Counter

import click

from cbsim.scenario.loader import load
from tests.support.consistency import Finding, Terms, findings
from tests.support.runs import runs


@click.command()
@click.argument("scenario")
@click.option("--count", default=200_000, show_default=True, help="Messages, of runs of new seeds.")
@click.option("--show", default=3, show_default=True, help="Findings of each rule.")
def main(scenario: str, count: int, show: int) -> None:
    """Check the messages of SCENARIO, and say what cannot be true of one estate."""
    found: list[tuple[int, Finding]] = []
    terms, taken, began = Terms.of(load(scenario)), 0, time.process_time()
    for seed, messages in runs(scenario, count):
        taken += len(messages)
        found += [(seed, finding) for finding in findings(messages, terms)]
    rules = Counter(finding.rule for _, finding in found)
    for rule, number in rules.most_common():
        click.echo(f"{rule}: {number}")
        for seed, finding in [pair for pair in found if pair[1].rule == rule][:show]:
            click.echo(f"  seed {seed}, message {finding.index}: {finding.sentence}")
    click.echo(f"{scenario}: {taken} messages, {len(found)} findings, "
               f"{time.process_time() - began:.1f} s of CPU")  # fmt: skip
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
