"""`cbsim learn`: the profile of one's own server, from a recording."""

from __future__ import annotations

from pathlib import Path

import click

from cbsim.bus.recording import timed
from cbsim.cli.verdict import beginning
from cbsim.errors import InputError

__all__ = ["command"]


@click.command("learn", short_help="Write a server's profile, from a recording of it.")
@click.argument("recording", type=click.Path(path_type=Path))
def command(recording: Path) -> None:
    """Write to standard output what RECORDING shows of the server it was taken from.

    RECORDING is NDJSON of `cbsim tap`, or a folder of captures. The profile has the server's
    version, which fields it writes and in what form, what its routing keys carry, its mix and how
    much it says a minute, and the size of its estate: nothing that names a person, a host, an
    address or a file. A scenario takes it as `server: {profile: FILE}`.
    """
    from cbsim.profile import Learner

    if not recording.exists():
        raise InputError(f"there is no recording {recording}")
    learner = Learner()
    with beginning():
        for message, received in timed(recording):
            learner.take(message, received)
        learned = learner.learned()
    click.echo(learned.profile.text(), nl=False)
    for sentence in learned.left_out:
        click.echo(f"left out: {sentence}", err=True)
