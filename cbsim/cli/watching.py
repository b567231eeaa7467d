"""Which queues are watched during a run: `--watch` and `--management`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import click

from cbsim.bus.gauge import AUTO, gauge_of
from cbsim.bus.provider import Broker
from cbsim.bus.topology import Topology
from cbsim.cli.group import grouped, refuse
from cbsim.cli.verdict import beginning
from cbsim.load.watch import INTERVAL, Watch

__all__ = ["Watching", "management_option", "watch_options"]


@dataclass(frozen=True, slots=True)
class Watching:
    """What was asked to be watched."""

    watch: tuple[str, ...]
    management: str | None = field(repr=False)

    def refuse(self, why: str) -> None:
        """Raises InputError when options of this group stand on the command line."""
        refuse(self, why)

    @contextmanager
    def over(
        self,
        broker: Broker | None,
        topology: Topology,
        published: Callable[[], int] | None = None,
        *,
        otherwise: Sequence[str] = (),
        interval: float = INTERVAL,
    ) -> Iterator[Watch | None]:
        """The watch over what was asked for, `otherwise` over these queues, or None over nothing;
        raises InputError when it cannot be kept.
        """
        queues = self.watch or otherwise
        if not queues or broker is None:
            yield None
            return
        # Of a broker that has just been started, consumers know only now.
        named = () if broker.own else tuple(name for name in queues if name != AUTO)
        with ExitStack() as stack:
            with beginning():
                gauge = gauge_of(broker, queues, (topology.events, topology.raw), self.management)
                watch = stack.enter_context(Watch(gauge, named, published, interval=interval))
            yield watch


management_option = click.option(
    "--management",
    metavar="URL",
    envvar="CBSIM_MANAGEMENT_URL",
    help="RabbitMQ's management API, http://user:password@host:15672, to ask what consumers hold "
    "and which queues are bound; without a login, that of the broker.  [env: CBSIM_MANAGEMENT_URL]",
)
watch_options = grouped(
    "watching",
    Watching,
    click.option(
        "--watch",
        multiple=True,
        metavar="QUEUE|auto",
        help="Follow a queue: how much waits in it, and how long; auto: every queue that is bound. "
        "May be given more than once.",
    ),
    management_option,
)
"""`--watch` and `--management`, as the argument `watching`."""
