"""`cbsim replay`: recorded messages again, byte for byte."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from cbsim.bus.recording import Recorded, timed
from cbsim.cli.broker import BrokerChoice
from cbsim.cli.outlet import refused
from cbsim.cli.publishing import Publishing
from cbsim.cli.target import Destination, opened, target_options
from cbsim.cli.verdict import Remarks, beginning, strict_option
from cbsim.errors import CbsimError, InputError
from cbsim.interrupt import note, taken, whole
from cbsim.wire.message import RAW_EXCHANGE, Message

__all__ = ["command"]

_BATCH = 500
_QUANTUM = 0.001
"""Seconds that are slept at least: what came due meanwhile goes out together."""


@click.command("replay", short_help="Publish recorded messages again, byte for byte.")
@click.argument("recording", type=click.Path(path_type=Path))
@target_options
@click.option("--speed", default="1x", metavar="2x|max", help="Relative to the recording's times.")
@strict_option
def command(
    recording: Path,
    broker: BrokerChoice,
    to: Destination,
    publishing: Publishing,
    speed: str,
    strict: bool,
) -> None:
    """Publish RECORDING again: NDJSON as `--sink ndjson:` writes it, or a folder of captures.

    Headers of a captured bundle are read from N.txt beside N.zip: a JSON object, or the properties
    as pika prints them.

    Messages go at the times of their recording: those of the run that wrote it, or else when `cbsim
    tap` received them. A folder holds one subfolder a routing key; its messages have no times and
    go at once. What a run broke on purpose is known as such by its recording, and so by the ledger.
    Ctrl-C ends the replay cleanly.
    """
    factor = _factor(speed)
    if not recording.exists():
        raise InputError(f"there is no recording {recording}")
    about = {"recording": str(recording)}
    with (
        taken(),
        opened(to, broker, publishing, publishing.topology(), about) as target,
        closing(target.open()) as into,
    ):
        interrupted, bare, begun = False, 0, True
        try:
            try:
                for batch in _begun(_due(timed(recording), factor)):
                    bare += sum(it.exchange == RAW_EXCHANGE and not it.headers for it in batch)
                    if whole(partial(into.publish_many, batch)):
                        raise KeyboardInterrupt
                note()
            except KeyboardInterrupt:
                interrupted = True
            except InputError:
                begun = False
                raise
            finally:
                interrupted |= whole(into.flush)
        finally:
            # A second interrupt may come while a batch is half handed over.
            sent, confirmed = max(into.sent, into.confirmed), into.confirmed
            if begun:
                click.echo(f"{sent:,} sent, {confirmed:,} confirmed", err=True)
            if bare:
                click.echo(
                    f"{bare:,} of them are bundles without headers, since the recording has none: "
                    "nothing says which sensor their events are of",
                    err=True,
                )
        if not interrupted:
            target.drain()
    refused(sent, confirmed)
    remarks = Remarks(strict=strict)
    if not sent and not interrupted:
        remarks.say(f"{recording} holds no message: nothing was published")
    remarks.end()


def _begun(batches: Iterator[list[Message]]) -> Iterator[list[Message]]:
    """The batches; raises InputError for a recording that gives none."""
    with beginning():
        first = next(batches, None)
    if first is not None:
        yield first
        yield from batches


def _due(messages: Iterator[Recorded], factor: float | None) -> Iterator[list[Message]]:
    """Messages as they come due, several at once where they are; all before one that is faulty."""
    first, began, failed = None, time.monotonic(), None
    by_receipt = False
    batch: list[Message] = []
    count = 0
    try:
        for count, (message, received) in enumerate(messages, 1):  # noqa: B007 - used below
            moment = message.timestamp
            if first is None:
                # One clock for all: a scenario's may be years from that of a tap.
                by_receipt = not moment
            at = received if by_receipt else moment
            if factor is not None and at:
                first = at if first is None else first
                ahead = (at - first) / factor - (time.monotonic() - began)
                if ahead > 0:
                    if batch:
                        yield batch
                        batch = []
                    time.sleep(max(ahead, _QUANTUM))
            batch.append(message)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    except CbsimError as error:
        failed = error
    if batch:
        yield batch
    if factor is not None and first is None and count > 1:
        click.echo("nothing in the recording has a time: it went at once", err=True)
    if failed is not None:
        raise failed


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise InputError(f"speed {speed!r}: expected a factor above 0 such as 2x, or max")
    return factor
