"""What the tests share: a real RabbitMQ, and the captures and the specification when present.

The tests of one process follow one another on one RabbitMQ; `-n` gives every process its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import resource_tracker
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cbsim.bus.provider import provide
from cbsim.errors import BrokerError

pytest.register_assert_rewrite("tests.support")

from tests.support.descendants import LASTING, descendants, lasting  # noqa: E402
from tests.support.patience import until  # noqa: E402

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("cbsim", deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


def pytest_configure() -> None:
    """Ctrl-C is for the processes that tests start, too; what they share is there.

    Who runs in the background of a shell is started with SIGINT ignored, as are its children.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # It lasts as long as we do; whichever test needs it first would seem to have left it.
    resource_tracker.ensure_running()


def pytest_xdist_auto_num_workers() -> int | None:
    """One process where all would share one broker; else as many as the machine runs at once."""
    return 0 if os.environ.get("CBSIM_BROKER_URL") else os.cpu_count()


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends what a test started and did not end, which fails then."""
    if request.node.get_closest_marker("restarts"):
        yield
        return
    before = descendants()
    yield
    # A moment for those that are about to end.
    with suppress(AssertionError):
        until(lambda: not descendants(but=before | LASTING), patience=2)
    left = descendants(but=before | LASTING)
    commands = [process.command for process in left]
    for process in left:
        process.kill()
    assert not left, f"left running: {commands}"


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether a test shall run in its long form."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The URL of a RabbitMQ; without one the test is skipped, or fails where CI requires it."""
    try:
        with lasting():
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
