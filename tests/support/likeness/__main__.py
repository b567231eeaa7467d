"""`python -m tests.support.likeness SCENARIO`: each figure of its messages beside the captured."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import orjson

from tests.support.likeness import ROWS, differences, measure, presence
from tests.support.runs import runs


@click.command()
@click.argument("scenario")
@click.option("--count", default=20_000, show_default=True, help="Messages.")
@click.option("--seed", type=int, help="Another than the scenario's own.")
@click.option("--captured", type=click.Path(exists=True, path_type=Path),
              help="A presence.json to compare with, too.")  # fmt: skip
def main(scenario: str, count: int, seed: int | None, captured: Path | None) -> None:
    """Compare the messages of SCENARIO with real ones; `!` marks what is out of bounds."""
    _, messages = next(runs(scenario, count, seed=seed))
    samples, wrong = measure(messages), 0
    for row in ROWS:
        sample = samples.get(row.name)
        values = "-" if sample is None else " / ".join(f"{value:.4g}" for value in sample.values)
        sentence = row.judge(sample)
        wrong += bool(sentence)
        said = " / ".join(f"{value:.4g}" for value in row.captured)
        number = 0 if sample is None else sample.count
        click.echo(
            f"{'!' if sentence else ' '} {row.name}: {values} (captured {said}; of {number})"
        )
    if captured is not None:
        for sentence in differences(orjson.loads(captured.read_bytes()), presence(messages)):
            wrong += 1
            click.echo(f"! {sentence}")
    click.echo(f"{scenario}: {len(messages)} messages, {wrong} out of bounds")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
