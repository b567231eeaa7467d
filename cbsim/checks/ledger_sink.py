"""A sink that writes down in a ledger what another sink gets."""

from __future__ import annotations

from collections.abc import Sequence

from cbsim.bus.sink import Relay, Sink
from cbsim.checks.ledger import Ledger
from cbsim.wire.message import Message

__all__ = ["LedgerSink"]


class LedgerSink(Relay):
    """A sink that writes messages down before another sink gets them.

    A publisher tells the ledger itself what was confirmed (`witness=ledger`); of other sinks, which
    confirm in order, `counted` takes note.
    """

    def __init__(self, sink: Sink, ledger: Ledger, *, counted: bool) -> None:
        super().__init__(sink)
        self._ledger, self._counted = ledger, counted
        self._noted = 0

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Write them down, then publish them."""
        self._ledger.record(messages)
        super().publish_many(messages)
        self._count()

    def note(self, said: str) -> None:
        """Write it down."""
        self._ledger.note(said)

    def flush(self) -> None:
        """As the sink does."""
        super().flush()
        self._count()

    def close(self) -> None:
        """Close both."""
        super().close()
        self._ledger.close()

    def _count(self) -> None:
        if self._counted and self._sink.confirmed > self._noted:
            self._ledger.confirm(self._noted, self._sink.confirmed - 1)
            self._noted = self._sink.confirmed
