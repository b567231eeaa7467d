"""pytest's fixtures: a broker, a simulated server for each test, messages, certificates.

A page over `cbsim.testing`, which works without pytest. Nothing is imported before it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cbsim.bus.provider import Broker
    from cbsim.testing import CbServer, Certificates, Deliveries, Example

__all__ = [
    "cb_certificates",
    "cb_deliver",
    "cb_messages",
    "cb_server",
    "cbsim_broker",
    "cbsim_broker_choice",
]

_OF_MESSAGES = ("server", "dialect", "seed")
_OF_A_SERVER = (*_OF_MESSAGES, "exchanges", "persistent", "tls")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the ini options, that choose the broker and the names of its exchanges."""
    said = "embedded, local, docker, a URL, or auto: CBSIM_BROKER_URL, else embedded"
    names = "whose names the exchanges have: server, or own; own on a URL, where others may be"
    group = parser.getgroup("cbsim", "a simulated Carbon Black EDR server")
    group.addoption("--cbsim-broker", metavar="BROKER", help=f"{said} [default: auto]")
    group.addoption("--cbsim-exchanges", choices=("server", "own"), help=names)
    parser.addini("cbsim_broker", said, default="auto")
    parser.addini("cbsim_exchanges", names, default="")


def pytest_configure(config: pytest.Config) -> None:
    """The marker that says what server a test wants."""
    config.addinivalue_line(
        "markers",
        "cbsim(server='5.2', dialect='observed', seed=1, tls='good', exchanges='server', "
        "persistent=False): what `cb_server` simulates; of what is left out, a run takes what its "
        "scenario says. tls: 'good', 'expired' or 'wrong-name'",
    )


@pytest.fixture(scope="session")
def cbsim_broker_choice(pytestconfig: pytest.Config) -> str:
    """Which broker tests have, as `--cbsim-broker` says; override it to say so in a conftest.py,
    with host, port and credentials: `embedded://cb:secret@127.0.0.1:5004`.
    """
    asked = pytestconfig.getoption("--cbsim-broker") or pytestconfig.getini("cbsim_broker")
    return str(os.environ.get("CBSIM_BROKER_URL") or "embedded" if asked == "auto" else asked)


@pytest.fixture(scope="session")
def cbsim_broker(cbsim_broker_choice: str) -> Iterator[Broker]:
    """The broker of all tests; its `url` may be given to consumers.

    With an embedded one, `cb_server` does not use it, but has another for each test.
    """
    from cbsim.bus.provider import provide

    with ExitStack() as stack:
        with _sentences():
            broker = stack.enter_context(provide(cbsim_broker_choice, exchanges=()))
        yield broker


@pytest.fixture
def cb_server(cbsim_broker_choice: str, request: pytest.FixtureRequest) -> Iterator[CbServer]:
    """A simulated server on the broker, clean for each test.

    An embedded broker is started for each test, with the port and credentials that
    `cbsim_broker_choice` has. On a URL, where others may be, exchanges have names of their own.
    `@pytest.mark.cbsim(server="6.x", dialect="documented", tls="expired")` says what it is, and
    `cb_server.run` takes the rest from the scenario.
    """
    from cbsim.testing import CbServer

    wanted = _marked(request, _OF_A_SERVER)
    if "tls" in wanted:
        with _sentences():
            made: Certificates = request.getfixturevalue("cb_certificates")
            wanted["certificate"] = made.of(wanted.pop("tls"))
    config = request.config
    names = config.getoption("--cbsim-exchanges") or config.getini("cbsim_exchanges") or None
    if names is not None:
        wanted.setdefault("exchanges", names)
    broker: str | Broker = cbsim_broker_choice
    if cbsim_broker_choice.partition(":")[0] != "embedded" and "certificate" not in wanted:
        broker = request.getfixturevalue("cbsim_broker")
    with ExitStack() as stack:
        with _sentences():
            server = stack.enter_context(CbServer(broker, **wanted))
        yield server


@pytest.fixture(scope="session")
def cb_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for a broker on this machine: a good one, an expired one, one for another host;
    and the file with the authority to trust.
    """
    from cbsim.testing import certificates

    with _sentences():
        return certificates(tmp_path_factory.mktemp("cbsim-certificates"))


@pytest.fixture
def cb_messages(request: pytest.FixtureRequest) -> list[Example]:
    """An example of every type; for parametrized tests there is `cbsim.testing.examples`."""
    from cbsim.testing import examples

    wanted = _marked(request, _OF_A_SERVER)
    with _sentences():
        return examples(**{name: wanted[name] for name in _OF_MESSAGES if name in wanted})


@pytest.fixture
def cb_deliver() -> Callable[..., Deliveries]:
    """`cb_deliver(callback, messages)`: calls a pika-style callback with no broker at all."""
    from cbsim.testing import deliver

    return deliver


def _marked(request: pytest.FixtureRequest, known: tuple[str, ...]) -> dict[str, Any]:
    """What the markers of a test say, the nearest last; a word they do not know fails the test."""
    from difflib import get_close_matches

    wanted: dict[str, Any] = {}
    for marker in reversed([*request.node.iter_markers("cbsim")]):
        if marker.args:
            pytest.fail(f"@pytest.mark.cbsim({marker.args[0]!r}): expected {known[0]}=", False)
        for name in marker.kwargs:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f": did you mean {near[0]!r}?" if near else f"; it takes {', '.join(known)}"
                pytest.fail(f"@pytest.mark.cbsim({name}=...): no such argument{hint}", False)
        wanted |= marker.kwargs
    return wanted


@contextmanager
def _sentences() -> Iterator[None]:
    """What cbsim refuses fails the test with its sentence alone."""
    import logging

    from cbsim.errors import CbsimError

    said = ""
    # pika logs a page for a connection that is refused; the error says it in a sentence.
    log = logging.getLogger("pika")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except CbsimError as error:
        said = str(error)
    finally:
        log.setLevel(before)
    if said:
        pytest.fail(said, pytrace=False)
