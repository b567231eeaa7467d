"""`cbsim serve`: a Carbon Black server's bus, until stopped."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from cbsim.bus.certificate import Certificate
from cbsim.bus.connection import redacted
from cbsim.bus.embedded.consumer_faults import ConsumerFaults
from cbsim.bus.gauge import AUTO
from cbsim.bus.provider import Broker
from cbsim.cli.broker import BrokerChoice, broker_options, given_password
from cbsim.cli.changes import Changes, changes_options
from cbsim.cli.completion import scenarios
from cbsim.cli.group import given
from cbsim.cli.metrics import metrics_option, scraped
from cbsim.cli.options import HEALTH_PORT
from cbsim.cli.outlet import refused
from cbsim.cli.publishing import Publishing, publishing_options
from cbsim.cli.verdict import beginning
from cbsim.cli.watching import Watching, watch_options
from cbsim.errors import CbsimError, InputError
from cbsim.interrupt import taken
from cbsim.report.endpoint import Endpoint, Health

if TYPE_CHECKING:
    from cbsim.load.watch import Watch
    from cbsim.scenario.runner import Progress

__all__ = ["command"]

_PORT = 5004
_TICK = 0.5
_NOTHING = "none"
"""Instead of a scenario: only the bus."""


@click.command("serve", short_help="Be a server's bus: broker, exchanges and a scenario.")
@click.argument(
    "scenario",
    envvar="CBSIM_SCENARIO",
    default="steady-state",
    required=False,
    shell_complete=scenarios,
)
@broker_options
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="Port of a broker of our own; 0 is any free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address of the embedded broker and the health endpoint.",
)
@click.option(
    "--tls-cert",
    metavar="FILE",
    help="Certificate of the embedded broker (PEM, with its chain): it speaks TLS then, and its "
    "URL is amqps://; --host is to be a name that the certificate has.",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    help="The certificate's key, unless that is in the same file (PEM, without passphrase).",
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    default=HEALTH_PORT,
    show_default=True,
    help="Port of the health endpoint; 0 is any free one.",
)
@click.option(
    "--token",
    envvar="CBSIM_TOKEN",
    metavar="TOKEN",
    help="Wanted from whom asks for faults.  [env: CBSIM_TOKEN]",
)
@changes_options
@publishing_options
@watch_options
@metrics_option
def command(
    scenario: str,
    broker: BrokerChoice,
    port: int,
    host: str,
    tls_cert: str | None,
    tls_key: str | None,
    health_port: int,
    token: str | None,
    changes: Changes,
    publishing: Publishing,
    watching: Watching,
    metrics: tuple[str, int] | None,
) -> None:
    """Be a Carbon Black server's bus until stopped: a broker, its exchanges, SCENARIO on and on.

    The broker is the embedded one on port 5004, unless --broker says otherwise. SCENARIO is as for
    `cbsim run`; its phases repeat, the clock in its messages goes on; `none` is only the bus, for
    `cbsim run` and others to publish on. `GET /health` at the health
    endpoint answers 200 once consumers can bind; `cbsim fault` asks it for faults.
    """
    from cbsim.bus.publisher import Publisher
    from cbsim.load.timeline import Timeline
    from cbsim.report.terminal import Console
    from cbsim.scenario.endless import run_endlessly
    from cbsim.scenario.loader import load
    from cbsim.scenario.model import BusModel
    from cbsim.scenario.trouble import Trouble

    if tls_key and not tls_cert:
        raise click.UsageError("--tls-key: its certificate is missing, --tls-cert")
    if broker.existing:
        for option in ("port", "tls_cert"):
            if given(option):
                raise InputError(
                    f"--{option.replace('_', '-')} with broker {redacted(broker.broker or '')}: "
                    "that is of a broker of our own, such as --broker embedded"
                )
    hold = click.get_current_context().with_resource
    wanted = None
    if scenario == _NOTHING:
        changes.refuse(f"scenario {_NOTHING}: there is none to be changed")
    else:
        wanted = changes.of(load(scenario))
    bus = BusModel() if wanted is None else wanted.bus
    topology = publishing.topology(bus)
    try:
        at = hold(
            broker.provided(
                "embedded",
                host=host,
                port=port,
                certificate=Certificate(tls_cert, tls_key) if tls_cert else None,
                exchanges=(topology.events, topology.raw),
                watched=bool(watching.watch),
            )
        )
        health = Health("starting", scenario, redacted(at.url))
        faults = None if at.faults is None else ConsumerFaults(at.faults)
        with beginning():
            endpoint = hold(Endpoint(health, faults, host=host, port=health_port, token=token))
        # A blocked publisher would wait for its confirms without end.
        hold(taken(at.faults.clear) if at.faults is not None else taken())
        with beginning():
            publisher = Publisher(at.url, topology, at.tls, patience=publishing.patience)
        # A broker in this process is asked at no cost.
        own = (AUTO,) if at.bound is not None else ()
        watch = hold(
            watching.over(at, topology, lambda: publisher.confirmed, otherwise=own, interval=_TICK)
        )
        if watch is not None:
            watch.on_reading(lambda _: _note(health, watch))
        health.status = "ready"
        told = scenario if wanted is None else f"{scenario}, seed {wanted.seed}"
        _say(at, told, endpoint.url)

        console, timeline = Console(sys.stderr, scenario, at.shown, watch), Timeline(watch)
        hold(scraped(timeline, scenario, metrics))

        def tell(progress: Progress) -> None:
            health.sent, health.confirmed = progress.sent, progress.confirmed
            health.rate, health.behind = round(progress.rate, 1), round(progress.lag, 3)
            timeline.note(progress)
            if sys.stderr.isatty():
                console.show(timeline)

        try:
            while wanted is None:
                publisher.flush()  # says when the broker is lost
                time.sleep(_TICK)
            with console if sys.stderr.isatty() else nullcontext():
                begin = datetime.now(UTC)
                sink = Trouble(publisher, wanted, begin, at.faults)
                report = run_endlessly(wanted, sink, begin, on_progress=tell)
        except CbsimError:
            said = f"{health.sent:,} sent, {health.confirmed:,} confirmed a moment ago; it failed"
            click.echo(said, err=True)
            raise
        finally:
            publisher.close()
    except KeyboardInterrupt:
        return
    click.echo(f"{report.sent:,} sent, {report.confirmed:,} confirmed", err=True)
    refused(report.sent, report.confirmed)


def _note(health: Health, watch: Watch) -> None:
    health.queues = {
        name: {
            "ready": course.state.ready,
            "unacked": course.state.unacked,
            "consumers": course.state.consumers,
            "lag": None if course.lag is None else round(course.lag, 3),
        }
        for name, course in watch.courses.items()
        if course.there
    }


def _say(at: Broker, scenario: str, endpoint: str) -> None:
    parts = urlsplit(at.url)
    password = "as given" if at.secret else unquote(parts.password or "")
    subscribe = f"cbsim subscribe --broker {shlex.quote(at.shown)}"
    if at.tls.ca_file:
        subscribe += f" --ca-file {shlex.quote(at.tls.ca_file)}"
    if at.secret and given_password() is None:
        subscribe = f"CBSIM_PASSWORD=... {subscribe}"
    lines = {
        "broker": at.shown,
        "user": unquote(parts.username or "guest"),
        "password": password,
        "scenario": scenario,
        "health": f"{endpoint}/health",
        "subscribe": subscribe,
    }
    for name, text in lines.items():
        click.echo(f"{name:<10} {text}")
    sys.stdout.flush()
