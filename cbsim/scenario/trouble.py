"""The faults of the broker that a scenario asks for, each right before its moment's messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cbsim.bus.sink import Relay, Sink
from cbsim.errors import CbsimError, InputError
from cbsim.scenario.fault import BrokerFault
from cbsim.scenario.model import Scenario
from cbsim.wire.clock import TICKS, filetime
from cbsim.wire.message import Message

if TYPE_CHECKING:
    from cbsim.bus.embedded import Faults

__all__ = ["Trouble"]


class Trouble(Relay):
    """A sink before another that strikes when the clock inside messages comes to a fault's moment.

    What came before is confirmed by then, and the ledger knows of each fault. Raises InputError for
    a scenario that asks for what the broker cannot have: it has no `faults` then.
    """

    def __init__(
        self, sink: Sink, scenario: Scenario, start: datetime, faults: Faults | None
    ) -> None:
        super().__init__(sink)
        origin = filetime(start)
        self._pending = sorted(
            (
                (origin + int(fault.at * TICKS), fault.broker)
                for fault in scenario.faults
                if fault.broker is not None and fault.at is not None
            ),
            key=lambda trouble: trouble[0],
        )
        """When (FILETIME), and what."""
        if self._pending:
            if faults is None:
                raise InputError(
                    "the scenario has faults of the broker: expected --broker embedded, and no "
                    "--workers"
                )
            # It takes long to import for those who have no broker of their own.
            from cbsim.bus.embedded.consumer_faults import ConsumerFaults

            self._faults = ConsumerFaults(faults)
        self.missed: list[str] = []
        """A sentence for each fault that found nothing to strike."""

    def publish_many(self, messages: Sequence[Message]) -> None:
        """Publish them, with the faults whose moment it is in between."""
        while self._pending:
            due, fault = self._pending[0]
            before = next((place for place, it in enumerate(messages) if it.moment >= due), None)
            if before is None:
                break
            if before:
                super().publish_many(messages[:before])
                messages = messages[before:]
            self.flush()
            self._strike(fault)
            del self._pending[0]
        super().publish_many(messages)

    def _strike(self, fault: BrokerFault) -> None:
        self.note(f"the broker had a fault on purpose: {fault}")
        try:
            self._faults.apply(fault.name, **fault.arguments)
        except CbsimError as error:
            self.missed.append(f"fault {error}")
