"""Where scrapes are answered: `--metrics-port`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import click

from cbsim.load.timeline import Timeline

__all__ = ["metrics_option", "scraped"]

_FORM = re.compile(r"(?:(?P<host>\[[0-9a-f:]+\]|[\w.-]+):)?(?P<port>\d{1,5})", re.ASCII)


def _address(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    if value is None:
        return None
    match = _FORM.fullmatch(value)
    if match is None or int(match["port"]) > 65535:
        raise click.BadParameter("expected a port such as 9100, or 0.0.0.0:9100")
    return (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])


metrics_option = click.option(
    "--metrics-port",
    "metrics",
    metavar="[HOST:]PORT",
    callback=_address,
    help="Answer Prometheus there, on 127.0.0.1 unless a host is given; 0 is any free port.",
)
"""As the argument `metrics`: host and port, or None."""


@contextmanager
def scraped(timeline: Timeline, scenario: str, metrics: tuple[str, int] | None) -> Iterator[None]:
    """Answer scrapes meanwhile, if that was asked for; raises InputError where it cannot be."""
    if metrics is None:
        yield
        return
    from cbsim.report.metrics import exposed

    with exposed(timeline, scenario, *metrics) as url:
        click.echo(f"metrics {url}", err=True)
        yield
