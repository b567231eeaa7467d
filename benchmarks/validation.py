"""Validators on our schemas: the one that cbsim uses beside the two others there are in Python.

`python -m benchmarks.validation` prints messages a second of CPU time, medians of runs in turn.
fastjsonschema knows no draft after 7, where whatever stands beside a `$ref` is passed over: it is
given the schema's documents to check, and does less than the others.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import fastjsonschema
import jsonschema
import referencing

from cbsim.catalog import RAW_EVENTS, name_of
from cbsim.checks import Validator
from cbsim.checks.schema import BASE, schema_of, schemas
from cbsim.scenario.loader import load
from cbsim.scenario.stream import FIXED_START, messages
from cbsim.wire.reading import read

Check = Callable[[Any], bool]


def measure(short: bool) -> dict[str, object]:
    """Messages a second that each validator takes, and what cbsim's does relative to the others."""
    corpus: defaultdict[str, list[Any]] = defaultdict(list)
    for _, message, _, _ in messages(load("quickstart"), FIXED_START, 300 if short else 1000):
        for reading in read(message):
            corpus[name_of(reading.routing_key)].append(reading.fields)
    result: dict[str, object] = {}
    for kind, names in (
        ("notifications", [name for name in corpus if name not in RAW_EVENTS]),
        ("raw events", [name for name in corpus if name in RAW_EVENTS]),
    ):
        peers = {"jsonschema-rs (cbsim)": _cbsim, "jsonschema": _jsonschema,
                 "fastjsonschema": _fastjsonschema}  # fmt: skip
        checks = {peer: {name: make(name) for name in names} for peer, make in peers.items()}
        rates: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(3 if short else 7):
            for peer, made in checks.items():
                rates[peer].append(_rate(made, corpus, 10 if peer != "jsonschema" else 1))
        figures = {peer: median(found) for peer, found in rates.items()}
        ours = figures["jsonschema-rs (cbsim)"]
        result[kind] = {
            "messages a second": {peer: round(rate) for peer, rate in figures.items()},
            "ratio to jsonschema": round(ours / figures["jsonschema"], 1),
            "ratio to fastjsonschema": round(ours / figures["fastjsonschema"], 1),
        }
    return result


def _rate(checks: dict[str, Check], corpus: dict[str, list[Any]], times: int) -> float:
    count = 0
    began = time.process_time()
    for name, check in checks.items():
        for _ in range(times):
            for message in corpus[name]:
                if not check(message):
                    raise AssertionError(f"{name}: a generated message is invalid")
                count += 1
    return count / (time.process_time() - began)


def _cbsim(name: str) -> Check:
    return Validator(name).is_valid


def _jsonschema(name: str) -> Check:
    resources = [
        (BASE + path, referencing.Resource.from_contents(schema))
        for path, schema in schemas().items()
    ]
    registry: Any = referencing.Registry().with_resources(resources)
    return jsonschema.Draft202012Validator(schema_of(name), registry=registry).is_valid


def _fastjsonschema(name: str) -> Check:
    schema = json.loads(json.dumps(schema_of(name)))
    validate = fastjsonschema.compile(
        schema, handlers={"https": lambda uri: schemas()[uri.removeprefix(BASE)]}, use_default=False
    )

    def check(message: Any) -> bool:
        validate(message)
        return True

    return check


def main() -> None:
    """Print the figures."""
    print(json.dumps(measure(short=False), indent=2))


if __name__ == "__main__":
    main()
