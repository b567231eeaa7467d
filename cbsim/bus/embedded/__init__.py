"""An AMQP 0-9-1 broker in our own process, with faults on demand."""

from cbsim.bus.embedded.broker import EmbeddedBroker
from cbsim.bus.embedded.fault import Fault, Parameter
from cbsim.bus.embedded.faults import FAULTS, Faults

__all__ = ["FAULTS", "EmbeddedBroker", "Fault", "Faults", "Parameter"]
