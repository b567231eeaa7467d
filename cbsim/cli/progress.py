"""A progress bar over files that are read, where there is a screen to show it on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["advancing"]

_LARGE = 20_000_000


@contextmanager
def advancing(total: int) -> Iterator[Callable[[int], object]]:
    """A function that takes how many bytes more were read, with a bar for a large output."""
    if total < _LARGE or not sys.stderr.isatty():
        yield lambda _: None
        return
    with _bar() as bar:
        task = bar.add_task("reading", total=total)
        yield lambda more: bar.advance(task, more)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(30), DownloadColumn(),
               TimeRemainingColumn())  # fmt: skip
    return Progress(*columns, console=Console(stderr=True), transient=True)
