"""The strategies: examples a second of each, and what Hypothesis itself takes of that.

`python -m benchmarks.strategies` prints examples a second of CPU time, medians of runs in turn. The
yardstick is a dictionary of as many plain fields as a watchlist hit with one document has, drawn
by Hypothesis' own `fixed_dictionaries`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cbsim import strategies as cb
from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS
from cbsim.strategies import Fault

YARDSTICK = "fixed_dictionaries of 34 integers"


def measured() -> dict[str, SearchStrategy[Any]]:
    """Every public strategy of messages, by the call that makes it."""
    found: dict[str, SearchStrategy[Any]] = {
        YARDSTICK: st.fixed_dictionaries({str(one): st.integers(0, 2**31) for one in range(34)})
    }
    for name in NOTIFICATIONS:
        found[name] = getattr(cb, name.replace(".", "_"))()
    for name in RAW_EVENTS:
        found[name] = cb.raw_event(name)
    found |= {
        "notification()": cb.notification(),
        "message()": cb.message(),
        "bundle()": cb.bundle(),
        "sequence()": cb.sequence(),
        "process_document()": cb.process_document(),
        "binary_document()": cb.binary_document(),
    }
    return found | {f"malformed({fault.value!r})": cb.malformed(fault) for fault in Fault}


def measure(short: bool) -> dict[str, object]:
    """Examples a second for each strategy, at Hypothesis' default settings for health."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    strategies = measured()
    for _ in range(1 if short else 3):
        for name, strategy in strategies.items():
            rates[name].append(_rate(strategy, 30 if short else 100))
    figures = {name: median(found) for name, found in rates.items()}
    hit = figures["watchlist.hit.process"]
    return {
        "examples a second": {name: round(rate) for name, rate in figures.items()},
        "slowest": min(figures, key=lambda name: figures[name]),
        "watchlist.hit.process to the yardstick": round(hit / figures[YARDSTICK], 2),
    }


def _rate(strategy: SearchStrategy[Any], count: int) -> float:
    drawn = 0

    @settings(
        max_examples=count, database=None, deadline=None, derandomize=True, phases=[Phase.generate]
    )
    @given(strategy)
    def draw(_: Any) -> None:
        nonlocal drawn
        drawn += 1

    began = time.process_time()
    draw()
    return drawn / (time.process_time() - began)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer examples, once")
    figures = measure(parser.parse_args().short)
    rates = figures.pop("examples a second")
    assert isinstance(rates, Mapping)
    for name, rate in rates.items():
        print(f"{rate:8} {name}")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
