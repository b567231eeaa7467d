"""`cbsim tap`: a reference consumer that keeps everything."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import click

from cbsim.bus.connection import redacted
from cbsim.bus.sink import as_line
from cbsim.bus.subscriber import subscribe
from cbsim.cli.options import broker_options, broker_url, tls_of
from cbsim.errors import CbsimError

__all__ = ["command"]

_FLUSH = 0.25


@click.command("tap", short_help="Record everything on the bus, with receive times.")
@broker_options
@click.option("--out", required=True, metavar="FILE", help="NDJSON; `-` is standard output.")
@click.option("--bind", "keys", multiple=True, metavar="KEY", help="Routing key.  [default: #]")
@click.option("--count", type=click.IntRange(1), help="Stop after that many messages.")
@click.option("--idle", type=float, metavar="SECONDS", help="Stop when nothing came for that long.")
@click.option("--passive", is_flag=True, help="Declare nothing; the exchanges must be there.")
def command(
    broker: str | None,
    ca_file: str | None,
    client_cert: str | None,
    client_key: str | None,
    out: str,
    keys: tuple[str, ...],
    count: int | None,
    idle: float | None,
    passive: bool,
) -> None:
    """Write what arrives to FILE, a line a message: what `--sink ndjson:` writes, and `received`.

    `cbsim verify` compares it with a ledger, `cbsim replay` publishes it again. It says on
    standard error when it is subscribed; Ctrl-C ends it cleanly.
    """
    url, tls = broker_url(broker), tls_of(ca_file, client_cert, client_key)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    written, flushed = 0, time.monotonic()
    try:
        with sys.stdout.buffer if out == "-" else Path(out).open("wb") as file:
            try:
                for message in subscribe(url, keys or ("#",), tls, idle=idle, passive=passive):
                    if message is None:
                        click.echo(f"subscribed to {redacted(url)}", err=True)
                        continue
                    file.write(as_line(message, time.time()))
                    written += 1
                    if written == count:
                        break
                    if time.monotonic() - flushed > _FLUSH:
                        file.flush()
                        flushed = time.monotonic()
            except KeyboardInterrupt:
                pass
    except OSError as error:
        raise CbsimError(f"cannot write {out}: {error.strerror}") from None
    click.echo(f"{written:,} messages", err=True)
