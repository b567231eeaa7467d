"""A RabbitMQ that tells of its queues, and the brokers on which watching is tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cbsim.bus.local import Node, node
from cbsim.bus.provider import Broker, provide
from cbsim.errors import BrokerError
from tests.support.descendants import lasting


@pytest.fixture(scope="session")
def managed() -> Iterator[Node]:
    """A RabbitMQ of our own with its management API."""
    try:
        with lasting():
            context = node(management=True)
            found = context.__enter__()
    except BrokerError as error:
        pytest.skip(str(error))
    yield found
    context.__exit__(None, None, None)


@pytest.fixture(params=["embedded", "declared", "managed"])
def told(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker that tells of its queues directly, by passive declares, or through its API."""
    if request.param == "embedded":
        with provide("embedded") as broker:
            yield broker
    elif request.param == "declared":
        yield Broker(request.getfixturevalue("broker"))
    else:
        found: Node = request.getfixturevalue("managed")
        yield Broker(found.url, management=found.management)
