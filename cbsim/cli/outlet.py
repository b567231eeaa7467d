"""Where the messages of a run go: what `--sink`, the broker and `--ledger` say, for any process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cbsim.bus.connection import PLAIN, Tls
from cbsim.bus.publisher import Publisher, Topology
from cbsim.bus.sink import Sink, brokerless
from cbsim.errors import CbsimError, InputError

__all__ = ["Outlet"]


@dataclass(frozen=True, slots=True)
class Outlet:
    """Says where messages go, and opens a sink there; a worker gets it through a pipe."""

    sink: str
    """`amqp`, `ndjson:PATH` or `null`."""
    topology: Topology
    url: str = field(default="", repr=False)
    tls: Tls = PLAIN
    ledger: str | None = None
    """One that is there already."""

    def __call__(self) -> Sink:
        """A sink of one's own; raises CbsimError."""
        if self.ledger is None:
            return self._open(None)
        # Only those who ask for a ledger wait for what it needs.
        from cbsim.checks.ledger import Ledger, LedgerSink

        book = Ledger.join(self.ledger)
        return LedgerSink(self._open(book.confirm), book, counted=self.sink != "amqp")

    def _open(self, on_confirmed: Callable[[int, int], None] | None) -> Sink:
        if self.sink == "amqp":
            return Publisher(self.url, self.topology, self.tls, on_confirmed=on_confirmed)
        try:
            return brokerless(self.sink)
        except CbsimError as error:
            raise InputError(str(error)) from None
