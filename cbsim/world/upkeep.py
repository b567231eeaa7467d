"""The server's own affairs: partitions of its event store that come and go, tasks that fail.

Nobody published what is said of them; the fields are a guess (catalog: guessed).
"""

from __future__ import annotations

from cbsim.wire.clock import TICKS, from_filetime
from cbsim.wire.document import text
from cbsim.world.agenda import Step, Story
from cbsim.world.facts import Known
from cbsim.world.happening import Happening
from cbsim.world.hits import Teller, ticks

__all__ = ["FailedTask", "Partition"]

_KEPT = 30 * 86_400 * TICKS
"""How long events are kept."""
_TASKS = (
    ("feed_synchronization", "HTTP 503 from the feed's server"),
    ("sensor_upgrade", "the package's signature does not match"),
    ("event_purge", "not enough disk space"),
)


class Partition(Story):
    """A partition of the event store is made and mounted; the oldest is unmounted and deleted."""

    __slots__ = ("_begun", "_teller")

    def __init__(self, teller: Teller, now: int) -> None:
        self._teller, self._begun = teller, now

    @staticmethod
    def steps() -> Step:
        """What becomes of the new partition, then of the oldest."""
        deleted = Step("events.partition.deleted", ticks(0.1), Partition._deleted)
        purged = Step("events.partition.purged", ticks(0.1), Partition._purged, (deleted,))
        unmounted = Step("events.partition.unmounted", ticks(0.1), Partition._unmounted, (purged,))
        mounted = Step("events.partition.mounted", ticks(0.1), Partition._mounted, (unmounted,))
        created = Step("events.partition.created", ticks(0.1), Partition._created, (mounted,))
        return Step("events.partition.creating", 0, Partition._creating, (created,))

    def _creating(self, now: int) -> Happening:
        return self._say("creating", now, self._begun)

    def _created(self, now: int) -> Happening:
        return self._say("created", now, self._begun)

    def _mounted(self, now: int) -> Happening:
        return self._say("mounted", now, self._begun)

    def _unmounted(self, now: int) -> Happening:
        return self._say("unmounted", now, self._begun - _KEPT)

    def _purged(self, now: int) -> Happening:
        return self._say("purged", now, self._begun - _KEPT)

    def _deleted(self, now: int) -> Happening:
        return self._say("deleted", now, self._begun - _KEPT)

    def _say(self, state: str, now: int, begun: int) -> Happening:
        said: Known = {"partition": text(f"cbevents_{from_filetime(begun):%Y_%m_%d_%H%M}")}
        return self._teller.voice.say(f"events.partition.{state}", now, said)


class FailedTask(Story):
    """A task of the server fails."""

    __slots__ = ("_teller",)

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    @staticmethod
    def steps() -> Step:
        """The one message."""
        return Step("task.error.logged", 0, FailedTask._failed)

    def _failed(self, now: int) -> Happening:
        name, teller = "task.error.logged", self._teller
        task, error = teller.rng.choice(_TASKS)
        said: Known = {"type": text(name), "task": text(task), "error": text(error)}
        return teller.voice.say(name, now, said)
