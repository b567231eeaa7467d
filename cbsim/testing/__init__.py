"""A server beside your consumer, for any test framework: `CbServer`, `deliver` and `examples`.

pytest's fixtures (`cb_server`, `cb_messages`, `cb_deliver`, ...) are a page over these.
"""

from __future__ import annotations

from cbsim.testing.certificate import Certificates, certificates
from cbsim.testing.delivery import Deliveries, deliver
from cbsim.testing.example import Example, examples
from cbsim.testing.queue import CbQueue
from cbsim.testing.server import CbServer

__all__ = [
    "CbQueue",
    "CbServer",
    "Certificates",
    "Deliveries",
    "Example",
    "certificates",
    "deliver",
    "examples",
]
