"""`python -m tests.support.fuzz TARGET... --seconds N`: fuzz for as long as you like.

Exits with 1 when a reader did not refuse something as it should; the input is kept in the folder
`.fuzz`, from where it goes into tests/corpus with the fix.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
import traceback
from hashlib import sha256
from pathlib import Path
from random import Random
from types import FrameType

from tests.support.fuzz.mutation import mutated
from tests.support.fuzz.target import Target
from tests.support.fuzz.targets import TARGETS

_PATIENCE = 5.0
"""Seconds of CPU time after which a reader hangs."""
_GROWTH = 500 << 20


class HangError(Exception):
    """A reader took too long."""


def main() -> int:
    """Fuzz what the command line names, everything by default."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.support.fuzz")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target [60]")
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="at most, for each target")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="of the mutations")
    asked = parser.parse_args()
    signal.signal(signal.SIGVTALRM, _hung)
    print(f"seed {asked.seed}")
    clean = True
    for name in asked.targets or TARGETS:
        clean &= _fuzz(TARGETS[name], asked.seconds, asked.inputs, asked.seed)
    return 0 if clean else 1


def _fuzz(target: Target, seconds: float, inputs: int, seed: int) -> bool:
    until, count, before = time.monotonic() + seconds, 0, _memory()
    random, seeds, clean = Random(seed), target.beginnings, True
    while time.monotonic() < until and count < inputs:
        data = mutated(seeds, random)
        count += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
        try:
            target.read(data)
        except Exception:
            clean = False
            traceback.print_exc(limit=-6)
            kept = Path(".fuzz", target.name, sha256(data).hexdigest()[:12])
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(data)
            print(f"{target.name}: {kept}: {data[:200]!r}", flush=True)
            break
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    grown = _memory() - before
    print(f"{target.name}: {count:,} inputs, {grown >> 20} MiB more memory", flush=True)
    return clean and grown < _GROWTH


def _hung(signum: int, frame: FrameType | None) -> None:
    raise HangError(f"over {_PATIENCE} s")


def _memory() -> int:
    """The most that this process has taken, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


if __name__ == "__main__":
    sys.exit(main())
