"""How a command ends: 2 is for what could not begin, 1 for a remark where that is strict, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from cbsim.errors import CbsimError, InputError
from cbsim.printable import printable_lines

__all__ = ["Remarks", "beginning", "strict_option"]

strict_option = click.option(
    "--strict", is_flag=True, help="What would only be remarked on ends with exit code 1."
)


@contextmanager
def beginning() -> Iterator[None]:
    """What fails within could not begin: raises InputError instead of any other CbsimError."""
    try:
        yield
    except InputError:
        raise
    except CbsimError as error:
        raise InputError(str(error)) from None


class Remarks:
    """What somebody ought to hear of who did not ask for it: nothing was sent, say."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._first: str | None = None

    def say(self, text: str) -> None:
        """Remark on something now; what is strict ends with it."""
        if self._first is None and self._strict:
            self._first = text
            return
        click.echo(printable_lines(text), err=True)

    def end(self) -> None:
        """Raise CbsimError for the first remark, where that is strict."""
        if self._first is not None:
            raise CbsimError(f"{self._first} (--strict)")
