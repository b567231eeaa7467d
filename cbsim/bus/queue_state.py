"""What the queues of a broker hold, as a broker can tell that is ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["QueueState", "Reading", "Totals", "asked_of", "backlog_of", "states_of"]


class QueueState(NamedTuple):
    """How many messages wait in a queue, how many its consumers hold, and how many these are."""

    ready: int
    unacked: int
    """0 where the broker cannot tell."""
    consumers: int

    @property
    def depth(self) -> int:
        """How many messages consumers are not done with."""
        return self.ready + self.unacked


class Totals(NamedTuple):
    """How many messages ever came into a queue, were given to consumers, and were done with."""

    arrived: int
    delivered: int
    acked: int


class Reading(NamedTuple):
    """What a queue holds, and what it ever did where the broker counts."""

    state: QueueState
    totals: Totals | None = None


def asked_of(vhost: str) -> tuple[str, ...]:
    """What to ask `rabbitmqctl` for `states_of`."""
    columns = ("name", "messages_ready", "messages_unacknowledged", "consumers")
    return ("list_queues", "--vhost", vhost, "--no-table-headers", *columns)


def states_of(listed: str) -> dict[str, QueueState]:
    """The queues that `rabbitmqctl` lists, a line each."""
    lines = (line.rsplit("\t", 3) for line in listed.splitlines() if "\t" in line)
    return {name: QueueState(*map(int, numbers)) for name, *numbers in lines}


def backlog_of(states: Iterable[QueueState]) -> int:
    """How many messages are in queues that have consumers, or unacknowledged with these."""
    return sum(state.depth for state in states if state.consumers)
