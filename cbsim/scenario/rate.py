"""Rates: how a scenario writes them, and the moments at which messages are due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, repeat
from math import pi, sin
from operator import truediv
from random import Random

__all__ = [
    "MAX",
    "NOMINAL",
    "Profile",
    "constant",
    "poisson",
    "varying",
]

MAX = "max"
"""As fast as the sink takes it."""
NOMINAL = 10_000.0
"""Messages a second by which the clock inside messages moves when the rate is `max`."""

Profile = Callable[[Random], Iterator[float]]
"""Yields when each message is due: seconds since the phase began, never backwards, without end."""


def constant(rate: float) -> Profile:
    """Evenly spaced; the n-th message is due at n / rate, so that nothing adds up."""

    def moments(_: Random) -> Iterator[float]:
        return map(truediv, count(), repeat(rate))

    return moments


def poisson(rate: float) -> Profile:
    """Random arrivals that do not know of each other, `rate` a second on average."""

    def moments(rng: Random) -> Iterator[float]:
        at = 0.0
        while True:
            yield at
            at += rng.expovariate(rate)

    return moments


def varying(rate_at: Callable[[float], float]) -> Profile:
    """A rate that depends on the seconds since the phase began; where it is 0, time passes."""

    def moments(_: Random) -> Iterator[float]:
        yield 0.0
        at, share = 0.0, 1.0
        while True:
            # What is left of a message's share comes due in steps of at most 10 ms.
            rate = rate_at(at)
            step = min(0.01, share / rate) if rate > 0 else 0.01
            share -= rate_at(at + step / 2) * step
            at += step
            while share <= 1e-9:
                yield at
                share += 1.0

    return moments


def ramp(start: float, end: float, seconds: float) -> Callable[[float], float]:
    """From one rate to another in a straight line, then on at the second."""
    return lambda at: start + (end - start) * min(at / seconds, 1.0) if seconds else end


def sine(mean: float, amplitude: float, period: float) -> Callable[[float], float]:
    """Around a mean, up first."""
    return lambda at: mean + amplitude * sin(2 * pi * at / period)


def burst(base: float, peak: float, every: float, length: float) -> Callable[[float], float]:
    """A base rate with a burst of some seconds at the start of each period."""
    return lambda at: peak if at % every < length else base


def steps(stairs: list[tuple[float, float]]) -> Callable[[float], float]:
    """(seconds, rate) one after the other; the last one goes on."""

    def rate_at(at: float) -> float:
        for seconds, rate in stairs:
            if at < seconds:
                return rate
            at -= seconds
        return stairs[-1][1]

    return rate_at
