"""An AMQP 0-9-1 broker in our own process, with faults on demand."""

from cbsim.bus.embedded.broker import EmbeddedBroker
from cbsim.bus.embedded.faults import FAULTS, Fault, Faults, Parameter

__all__ = ["FAULTS", "EmbeddedBroker", "Fault", "Faults", "Parameter"]
