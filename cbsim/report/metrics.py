"""How a run stands, for Prometheus: an endpoint that answers scrapes while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cbsim import __version__
from cbsim.errors import InputError
from cbsim.load.timeline import Moment, Timeline

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["exposed"]


@contextmanager
def exposed(timeline: Timeline, scenario: str, host: str, port: int) -> Iterator[str]:
    """Answer scrapes with the last that the timeline was told, as long as the context lasts.

    Yields the URL; port 0 is any free one. Raises InputError where the port cannot be had, or
    prometheus-client is missing.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise InputError(
            "--metrics-port: the Python package prometheus-client is missing: "
            "pip install 'cbsim[metrics]'"
        ) from None
    registry = CollectorRegistry()
    registry.register(_Collector(timeline, scenario))
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"metrics endpoint at {host}:{port}: {why}") from None
    try:
        yield f"http://{host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Collector:
    def __init__(self, timeline: Timeline, scenario: str) -> None:
        self._timeline, self._scenario = timeline, scenario

    def collect(self) -> Iterator[Metric]:
        """What the client library asks for at each scrape."""
        from prometheus_client.metrics_core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        yield InfoMetricFamily("cbsim", "What runs.", {"version": __version__,
                                                       "scenario": self._scenario})  # fmt: skip
        if not self._timeline.recent:
            return
        last = self._timeline.recent[-1]
        yield CounterMetricFamily(
            "cbsim_messages_sent", "Messages handed to the broker.", last.total_sent
        )
        yield CounterMetricFamily(
            "cbsim_messages_confirmed", "Messages that the broker confirmed.", last.total_confirmed
        )
        times = self._timeline.confirms
        yield HistogramMetricFamily(
            "cbsim_confirm_duration_seconds",
            "From when a message was sent until the broker confirmed it.",
            [(str(bound), count) for bound, count in times.buckets()],
            times.sum,
        )
        phase = GaugeMetricFamily("cbsim_phase", "1 for the phase of the run.", labels=["phase"])
        phase.add_metric([last.phase], 1.0)
        yield phase
        for name, about, value in _of_run(last):
            if value is not None:
                yield GaugeMetricFamily(name, about, value)
        yield from self._of_queues(last)

    @staticmethod
    def _of_queues(last: Moment) -> Iterator[Metric]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        for what, name, about in (
            ("depth", "cbsim_queue_messages", "Messages that consumers are not done with."),
            ("consumers", "cbsim_queue_consumers", "Consumers of a queue."),
            ("lag", "cbsim_queue_lag_seconds", "How long the oldest message has been there."),
        ):
            gauge = GaugeMetricFamily(name, about, labels=["queue"])
            for queue, standing in last.queues.items():
                if (value := getattr(standing, what)) is not None:
                    gauge.add_metric([queue], value)
            yield gauge


def _of_run(last: Moment) -> Iterator[tuple[str, str, float | None]]:
    yield "cbsim_asked_messages_per_second", "The rate that the scenario asks for.", last.asked
    yield "cbsim_behind_schedule_seconds", "How far sending is behind schedule.", last.behind
    yield "cbsim_left_seconds", "Until the run is over, about.", last.left
