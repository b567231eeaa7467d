"""Processes that share what is to be read, a piece each at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

__all__ = ["mapped"]

_LARGE = 100_000
"""Below so many messages, other processes are not worth their start."""

_T = TypeVar("_T")


def mapped(
    work: Callable[[Any], _T], over: Sequence[Any], size: int, here: Callable[[Any], _T],
    apart: bool,
) -> Iterator[_T]:  # fmt: skip
    """What `work` makes of each, in order: in processes of their own where that pays, or `here`.

    `size` is about how many messages there are, and `apart` says whether they can be read there.
    """
    count = min(len(os.sched_getaffinity(0)), len(over))
    if not apart or size < _LARGE or count < 2:
        yield from map(here, over)
        return
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        yield from pool.map(work, over)
