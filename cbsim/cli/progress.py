"""A progress bar over files that are read, where there is a screen to show it on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["advancing", "reading"]

_T = TypeVar("_T")
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


Read = Callable[[str, Callable[[IO[bytes]], IO[bytes]]], Iterator[_T]]


def reading(paths: Sequence[str], read: Read[_T]) -> Iterator[_T]:
    """What `read` gives for each file in turn, with a bar on standard error for large files."""
    sizes = [Path(path).stat().st_size if Path(path).is_file() else 0 for path in paths]
    if sum(sizes) < _LARGE or not sys.stderr.isatty():
        for path in paths:
            yield from read(path, lambda file: file)
        return
    with _bar() as bar:
        for path, size in zip(paths, sizes, strict=True):
            task = bar.add_task(path, total=size or None)

            def watch(file: IO[bytes], task: int = task) -> IO[bytes]:
                return cast(IO[bytes], bar.wrap_file(file, task_id=task))  # type: ignore[arg-type]

            yield from read(path, watch)
