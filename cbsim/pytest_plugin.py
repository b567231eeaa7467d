"""pytest's fixtures: a broker, a simulated server for each test, and messages.

A page over `cbsim.testing`, which works without pytest. Nothing is imported before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cbsim.bus.provider import Broker
    from cbsim.testing import CbServer, Deliveries, Example

__all__ = ["cb_messages", "cb_server", "cbsim_broker", "deliver"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option and the ini option that choose the broker."""
    said = "embedded, local, docker, a URL, or auto: CBSIM_BROKER_URL, else embedded"
    group = parser.getgroup("cbsim", "a simulated Carbon Black EDR server")
    group.addoption("--cbsim-broker", metavar="BROKER", help=f"{said} [default: auto]")
    parser.addini("cbsim_broker", said, default="auto")


def pytest_configure(config: pytest.Config) -> None:
    """The marker that says what server a test wants."""
    config.addinivalue_line(
        "markers",
        "cbsim(server='5.2', dialect='observed', seed=1): what `cb_server` simulates; of what is "
        "left out, a run takes what its scenario says",
    )


@pytest.fixture(scope="session")
def cbsim_broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """The broker of all tests, as `--cbsim-broker` says; its `url` may be given to consumers."""
    import logging

    from cbsim.bus.provider import provide
    from cbsim.errors import BrokerError

    asked = pytestconfig.getoption("--cbsim-broker") or pytestconfig.getini("cbsim_broker")
    said = ""
    with ExitStack() as stack:
        # pika logs a page for a connection that is refused; the error says it in a sentence.
        log = logging.getLogger("pika")
        before = log.level
        log.setLevel(logging.CRITICAL)
        try:
            broker = stack.enter_context(provide(asked, exchanges=()))
        except BrokerError as error:
            said = str(error)
        finally:
            log.setLevel(before)
        if said:
            pytest.fail(said, pytrace=False)
        yield broker


@pytest.fixture
def cb_server(cbsim_broker: Broker, request: pytest.FixtureRequest) -> Iterator[CbServer]:
    """A simulated server on the broker, clean for each test.

    With an embedded broker it has one of its own, and the server's exchange names; elsewhere
    exchanges of its own. `@pytest.mark.cbsim(server="6.x", dialect="documented")` says what it is,
    and `cb_server.run` takes the rest from the scenario.
    """
    from cbsim.testing import CbServer

    wanted: dict[str, Any] = {}
    for marker in reversed([*request.node.iter_markers("cbsim")]):
        wanted |= marker.kwargs
    embedded = cbsim_broker.faults is not None
    with CbServer("embedded" if embedded else cbsim_broker, **wanted) as server:
        yield server


@pytest.fixture
def cb_messages(request: pytest.FixtureRequest) -> list[Example]:
    """An example of every type; for parametrized tests there is `cbsim.testing.examples`."""
    from cbsim.testing import examples

    wanted: dict[str, Any] = {}
    for marker in reversed([*request.node.iter_markers("cbsim")]):
        wanted |= marker.kwargs
    return examples(**wanted)


@pytest.fixture
def deliver() -> Callable[..., Deliveries]:
    """`deliver(callback, messages)`: calls a pika-style callback with no broker at all."""
    from cbsim.testing import deliver

    return deliver
