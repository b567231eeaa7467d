"""Where the messages of a run go: what `--sink`, the broker and `--ledger` say, for any process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cbsim.bus.connection import PLAIN, Tls
from cbsim.bus.publisher import GIVE_UP_AFTER, Publisher, Topology
from cbsim.bus.sink import Relay, Sink, brokerless
from cbsim.bus.witness import Witness
from cbsim.errors import CbsimError, InputError
from cbsim.wire.message import Message

__all__ = ["Counted", "Outlet", "refused"]


@dataclass(frozen=True, slots=True)
class Outlet:
    """Says where messages go, and opens a sink there; a worker gets it through a pipe."""

    sink: str
    """`amqp`, `ndjson:PATH` or `null`."""
    topology: Topology
    url: str = field(default="", repr=False)
    tls: Tls = PLAIN
    patience: float = GIVE_UP_AFTER
    """Seconds that the broker may be away."""
    ledger: str | None = None
    """One that is there already."""

    def __call__(self) -> Sink:
        """A sink of one's own; raises CbsimError."""
        if self.ledger is None:
            return self._open(None)
        # Only those who ask for a ledger wait for what it needs.
        from cbsim.checks.ledger import Ledger
        from cbsim.checks.ledger_sink import LedgerSink

        book = Ledger.join(self.ledger)
        return LedgerSink(self._open(book), book, counted=self.sink != "amqp")

    def _open(self, witness: Witness | None) -> Sink:
        if self.sink == "amqp":
            return Publisher(
                self.url, self.topology, self.tls, patience=self.patience, witness=witness
            )
        try:
            return brokerless(self.sink)
        except CbsimError as error:
            raise InputError(str(error)) from None


class Counted(Relay):
    """A sink that counts what it is given: a run that fails has no report. Raises CbsimError where
    a file raises OSError.
    """

    def __init__(self, sink: Sink, shown: str) -> None:
        super().__init__(sink)
        self._shown = shown.removeprefix("ndjson:")
        self.sent = 0

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Count them once the sink has them."""
        with self._sentences():
            super().publish_many(messages)
        self.sent += len(messages)

    def flush(self) -> None:
        """As the sink does."""
        with self._sentences():
            super().flush()

    def close(self) -> None:
        """As the sink does."""
        with self._sentences():
            super().close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CbsimError(f"cannot write {self._shown}: {error.strerror or error}") from None


def refused(sent: int, confirmed: int) -> None:
    """Raises CbsimError for what was sent to its end and not confirmed."""
    if confirmed < sent:
        one = sent - confirmed == 1
        raise CbsimError(
            f"{sent - confirmed:,} {'message was' if one else 'messages were'} refused by the "
            "broker: a queue is full and rejects, for one"
        )
