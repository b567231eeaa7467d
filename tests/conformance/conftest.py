"""The two brokers that every test of this folder runs against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cbsim.bus.embedded import EmbeddedBroker
from tests.support.amqp import Amqp


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """The URL of an embedded broker."""
    with EmbeddedBroker() as broker:
        yield broker.url


@pytest.fixture(scope="session", params=["embedded", "rabbitmq"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of each broker in turn."""
    name = {"embedded": "embedded", "rabbitmq": "broker"}[request.param]
    return str(request.getfixturevalue(name))


@pytest.fixture
def amqp(url: str) -> Iterator[Amqp]:
    """Each broker in turn."""
    with Amqp(url) as amqp:
        yield amqp
