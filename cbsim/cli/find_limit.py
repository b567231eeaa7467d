"""`cbsim find-limit`: how many messages a second the consumers of a queue can take."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict

import click

from cbsim.bus.publisher import Publisher
from cbsim.cli.broker import BrokerChoice, broker_options
from cbsim.cli.changes import Changes, changes_options
from cbsim.cli.completion import one_of, scenarios
from cbsim.cli.group import given
from cbsim.cli.publishing import Publishing, publishing_options
from cbsim.cli.verdict import beginning
from cbsim.cli.watching import Watching, management_option
from cbsim.errors import CbsimError, InputError
from cbsim.interrupt import taken
from cbsim.load.limit import Limit, Search, find_limit
from cbsim.load.probe import Reason
from cbsim.quantity import parse_duration, parse_rate
from cbsim.scenario.loader import load

__all__ = ["command"]

_FORMATS = ("text", "json")


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    return None if value is None else parse_duration(value)


def _rate(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    return None if value is None else parse_rate(value)


@click.command("find-limit", short_help="Find how many messages a second a consumer can take.")
@click.argument("scenario", shell_complete=scenarios)
@click.option("--queue", required=True, metavar="NAME", help="Whose consumers are meant.")
@click.option(
    "--max-lag",
    metavar="TIME",
    callback=_seconds,
    help="Consumers may be so long behind, 2s say.  [default: as long as the queue does not grow]",
)
@click.option(
    "--at-least",
    metavar="RATE",
    callback=_rate,
    help="Exit code 1 for a limit below this one: 5000/s.",
)
@click.option(
    "--hold",
    metavar="TIME",
    default="5s",
    show_default=True,
    callback=_seconds,
    help="How long each rate is held; longer is more exact.",
)
@click.option(
    "--wait-for-consumer",
    metavar="TIME",
    default="30s",
    show_default=True,
    callback=_seconds,
    help="How long the first consumer may take to come.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    shell_complete=one_of(*_FORMATS),
)
@management_option
@broker_options
@changes_options
@publishing_options
def command(
    scenario: str,
    queue: str,
    max_lag: float | None,
    at_least: float | None,
    hold: float,
    wait_for_consumer: float,
    form: str,
    management: str | None,
    broker: BrokerChoice,
    changes: Changes,
    publishing: Publishing,
) -> None:
    """Find how many messages of SCENARIO a second the consumers of a queue can take.

    A ramp shows about where the limit is, then rates are held and the bounds halved until they are
    within a few percent; the queue is drained in between. The number is of messages that come to
    the queue, and the last sentence says why it is the limit: the queue grew, the lag passed
    --max-lag, or the publisher or the broker could do no more. Exit code 1 when it is below
    --at-least, or the consumer went.
    """
    if given("rate"):
        raise InputError("--rate with find-limit: the rates are what it tries")
    if hold < 1:
        raise InputError("--hold: expected 1s or more")
    wanted = changes.of(load(scenario))
    topology = publishing.topology(wanted.bus)
    search = Search(queue, max_lag, hold, wait_for_consumer)
    with (
        taken(),
        broker.provided(exchanges=(topology.events, topology.raw), watched=True) as at,
    ):
        click.echo(f"{scenario} → {at.shown}, queue {queue}", err=True)
        with beginning():
            sink = Publisher(at.url, topology, at.tls, patience=publishing.patience)
        watching = Watching((queue,), management)
        with closing(sink), watching.over(at, topology, lambda: sink.confirmed) as watch:
            assert watch is not None
            found = find_limit(wanted, sink, watch, search, lambda said: click.echo(said, err=True))
    _show(found, form)
    _judge(found, at_least)


def _show(found: Limit, form: str) -> None:
    if form == "json":
        click.echo(json.dumps({name: _rounded(value) for name, value in asdict(found).items()}))
        return
    bounds = f"{found.low:,.0f}/s to {found.high:,.0f}/s" if found.high else "or more"
    click.echo(f"{found.limit:,.0f}/s ({bounds}): {found.why}")
    if found.share is None:
        click.echo(
            "that is what was published: this broker does not tell how much came to the queue",
            err=True,
        )


def _judge(found: Limit, at_least: float | None) -> None:
    if found.reason is Reason.CONSUMER:
        raise CbsimError(f"the search ended early: {found.why}")
    if at_least is not None and found.limit < at_least:
        raise CbsimError(f"the limit is {found.limit:,.0f}/s: expected {at_least:,.0f}/s or more")


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
