"""Who is told what became of published messages: the ledger, for one."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Witness"]


class Witness(Protocol):
    """Is told by a publisher, in the publisher's thread; it must not call the publisher.

    Messages are named by their sequence numbers, 0 for the first that the publisher was given, as
    ranges of which both ends are included.
    """

    def confirm(self, first: int, last: int) -> None:
        """The broker confirmed them. Each is told of once, in order, before the publisher counts
        it; what was refused never.
        """

    def republish(self, first: int, last: int) -> None:
        """They are sent once more, over another connection, since no confirm of theirs came."""

    def outage(self, since: float, until: float, why: str) -> None:
        """The broker was last heard from `since`, and was there again, or given up, at `until`.

        Both are seconds since 1970. What was confirmed by then was so before `since`.
        """
