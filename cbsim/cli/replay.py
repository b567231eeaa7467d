"""`cbsim replay`: recorded messages again, byte for byte."""

from __future__ import annotations

import time
from pathlib import Path

import click

from cbsim.bus.publisher import Publisher, Topology
from cbsim.bus.recording import recorded
from cbsim.bus.sink import Sink, brokerless
from cbsim.cli.options import broker_options, broker_url, tls_of
from cbsim.errors import CbsimError

__all__ = ["command"]


@click.command("replay", short_help="Publish recorded messages again, byte for byte.")
@click.argument("recording", type=click.Path(path_type=Path))
@broker_options
@click.option("--sink", default="amqp", metavar="amqp|ndjson:PATH|null", help="[default: amqp]")
@click.option("--speed", default="1x", metavar="2x|max", help="Relative to the recording's times.")
@click.option("--passive", is_flag=True, help="Declare nothing; the exchanges must be there.")
def command(
    recording: Path,
    broker: str | None,
    ca_file: str | None,
    client_cert: str | None,
    client_key: str | None,
    sink: str,
    speed: str,
    passive: bool,
) -> None:
    """Publish RECORDING again: NDJSON as `--sink ndjson:` writes it, or a folder of captures.

    A folder holds one subfolder a routing key; its messages have no times and go at once.
    """
    factor = _factor(speed)
    if not recording.exists():
        raise CbsimError(f"there is no recording {recording}")
    target: Sink
    if sink == "amqp":
        url = broker_url(broker)
        target = Publisher(url, Topology(passive=passive), tls_of(ca_file, client_cert, client_key))
    else:
        target = brokerless(sink)
    sent, first, began = 0, None, time.monotonic()
    try:
        for message in recorded(recording):
            if factor is not None and message.timestamp:
                first = message.timestamp if first is None else first
                ahead = (message.timestamp - first) / factor - (time.monotonic() - began)
                if ahead > 0:
                    time.sleep(ahead)
            target.publish(message)
            sent += 1
        target.flush()
    except KeyboardInterrupt:
        target.flush()
    finally:
        target.close()
    click.echo(f"{sent:,} sent, {target.confirmed:,} confirmed", err=True)


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise CbsimError(f"speed {speed!r}: expected a factor above 0 such as 2x, or max")
    return factor
