"""`cbsim scrub`: a recording that may be shared."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from cbsim.bus.recording import timed
from cbsim.bus.sink import as_line
from cbsim.cli.verdict import beginning
from cbsim.errors import CbsimError, InputError
from cbsim.printable import printable

__all__ = ["command"]

_LEAST = 8
"""Bytes of a secret that nobody guesses at once."""
_TOLD = 40
"""Kinds of what was dropped that are told one by one."""


@click.command("scrub", short_help="Write a recording anew, with stand-ins for all names.")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--secret-file", type=click.Path(path_type=Path), metavar="FILE",
              help="Holds the secret that tells the stand-ins: the same gives the same ones. "
              "Without it they are new each time.")  # fmt: skip
@click.option("--out", default="-", metavar="FILE", help="NDJSON; `-` is standard output.")
def command(recording: Path, secret_file: Path | None, out: str) -> None:
    """Write RECORDING anew, so that it can be shared: `cbsim replay` takes it as it does the other.

    RECORDING is NDJSON of `cbsim tap`, or a folder of captures. Whatever names people, hosts,
    users, addresses, domains, paths, hashes or what somebody called something has a stand-in of the
    same shape, the same wherever it stands. Times, ids of sensors and processes, and numbers stay.
    What is not understood is dropped, and said on standard error.
    """
    from cbsim.scrub import Scrubber

    if not recording.exists():
        raise InputError(f"there is no recording {printable(recording)}")
    scrubber, written = Scrubber(_secret(secret_file)), 0
    with _opened(out) as file, beginning():
        for message, received in timed(recording):
            scrubbed = scrubber.scrubbed(message)
            if scrubbed is not None:
                file.write(as_line(scrubbed, received or None))
                written += 1
    click.echo(f"{written:,} messages", err=True)
    for what, count in scrubber.dropped.most_common(_TOLD):
        click.echo(f"dropped {count:,}: {printable(what)}", err=True)
    if (more := len(scrubber.dropped) - _TOLD) > 0:
        click.echo(f"dropped as well: {more:,} kinds of fields", err=True)
    if not written:
        raise CbsimError("nothing of the recording is left")


def _secret(path: Path | None) -> bytes:
    if path is None:
        return secrets.token_bytes(32)
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise InputError(f"cannot read the secret in {printable(path)}: {error.strerror}") from None
    if len(secret) < _LEAST:
        raise InputError(f"the secret in {printable(path)} is too short: {_LEAST} bytes at least")
    return secret


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes]]:
    if out == "-":
        yield sys.stdout.buffer
        return
    try:
        with Path(out).open("wb") as file:
            yield file
    except OSError as error:
        raise CbsimError(f"cannot write {printable(out)}: {error.strerror}") from None
