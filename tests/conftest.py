"""What the tests share: a real RabbitMQ, and the captures and the specification when present."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cbsim.bus.provider import provide
from cbsim.errors import BrokerError

pytest.register_assert_rewrite("tests.support")

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("cbsim", deadline=None)
settings.load_profile("cbsim")

# Programs of their own, and what only the type checker reads.
collect_ignore = [
    *(f"clients/{language}" for language in ("go", "java", "node", "python")),
    "planted",
    "strategies/typed_strategies.py",
]

SHARED = Path(os.environ.get("CBSIM_SHARED", Path(__file__).parents[2] / "shared"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: what takes minutes to show is shown in its long form."""
    parser.addoption("--long", action="store_true", help="the long forms of tests that have one")


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether a test shall run in its long form."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The URL of a RabbitMQ; without one the test is skipped, or fails where CI requires it."""
    try:
        context = provide(os.environ.get("CBSIM_BROKER_URL") or "local")
        url = context.__enter__().url
    except BrokerError as error:
        if os.environ.get("CBSIM_REQUIRE_BROKER"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield url
    context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the specification, the wire facts and the captures."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED}: set CBSIM_SHARED to the folder with spec, wire and captures")
    return SHARED
