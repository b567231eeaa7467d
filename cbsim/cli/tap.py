"""`cbsim tap`: a reference consumer that keeps everything."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

import click

from cbsim.bus.sink import as_line, created
from cbsim.cli.broker import BrokerChoice, broker_options
from cbsim.cli.live import arriving, nothing_came
from cbsim.cli.options import bind_option, passive_option
from cbsim.cli.verdict import Remarks, strict_option
from cbsim.errors import CbsimError

__all__ = ["command"]


@click.command("tap", short_help="Record everything on the bus, with receive times.")
@broker_options
@click.option("--out", required=True, metavar="FILE", help="NDJSON; `-` is standard output.")
@bind_option
@click.option("--count", type=click.IntRange(1), help="Stop after that many messages.")
@click.option("--idle", type=float, metavar="SECONDS", help="Stop when nothing came for that long.")
@passive_option
@strict_option
def command(
    broker: BrokerChoice,
    out: str,
    keys: tuple[str, ...],
    count: int | None,
    idle: float | None,
    passive: bool,
    strict: bool,
) -> None:
    """Write what arrives to FILE, a line a message: what `--sink ndjson:` writes, and `received`.

    `cbsim verify` compares it with a ledger, `cbsim replay` publishes it again. It says on
    standard error when it is subscribed, and touches FILE then; each line is in it at once. Ctrl-C
    ends it cleanly.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    remarks, written = Remarks(strict=strict), 0
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        files: list[IO[bytes]] = []

        def begin() -> None:
            # Not before: what stands in the file is worth more than a broker that is away.
            files.append(stack.enter_context(_opened(out)))

        for message in arriving(broker, keys, idle=idle, passive=passive, begin=begin):
            line = as_line(message, time.time())
            with _sentences(out):
                # Nobody knows whether another one comes.
                files[0].write(line)
                files[0].flush()
            written += 1
            if written == count:
                break
    click.echo(f"{written:,} messages", err=True)
    if not written:
        remarks.say(nothing_came(keys))
    remarks.end()


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes]]:
    if out == "-":
        yield sys.stdout.buffer
        return
    with _sentences(out):
        file = created(out)
    try:
        yield file
    finally:
        # What could not be written was told already.
        with suppress(OSError):
            file.close()


@contextmanager
def _sentences(out: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CbsimError(f"cannot write {out}: {error.strerror or error}") from None
