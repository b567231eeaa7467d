"""The one family of exceptions: each message is a sentence a user can act on."""

from __future__ import annotations

__all__ = [
    "BrokerError",
    "CatalogError",
    "CbsimError",
    "InputError",
    "ScenarioError",
    "StrategyError",
    "UnknownKeyError",
    "WireError",
]


class CbsimError(Exception):
    """Whatever cbsim refuses to do. The text says what, where and what was expected, no secrets."""


class InputError(CbsimError):
    """Something that was asked for, or a file that was given, with which nothing can be begun."""


class CatalogError(InputError):
    """A name, server version, dialect or event type that the catalog does not know."""


class UnknownKeyError(CatalogError):
    """A routing key, or what a raw event carries, of no kind that is known: a newer server's."""


class WireError(CbsimError, ValueError):
    """Bytes or a value that an encoding of the bus does not allow."""


class ScenarioError(InputError):
    """A scenario that cannot be run as written."""


class BrokerError(CbsimError):
    """A broker that cannot be reached, refuses us, or went away."""


class StrategyError(CbsimError, ValueError):
    """An argument that no strategy can honour."""
