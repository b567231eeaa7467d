"""What Prometheus is told of a run."""

from __future__ import annotations

import socket
import subprocess
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cbsim.errors import InputError
from cbsim.load.timeline import Moment, Standing, Timeline
from cbsim.report.metrics import exposed
from cbsim.scenario.lag import Lags
from tests.support.command import CBSIM, cbsim
from tests.support.patience import until


def scrape(url: str) -> dict[str, float]:
    """Each sample, by its name and labels as they are written."""
    with urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    return {
        f"{sample.name}{[*sample.labels.values()] or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_prometheus_is_told() -> None:
    timeline = Timeline()
    with exposed(timeline, "steady", "127.0.0.1", 0) as url:
        assert "cbsim_messages_sent_total" not in scrape(url)
        for seconds in (0.001, 0.001, 3.0):
            timeline.confirms.count(seconds)
        queues = {'or"ders': Standing(12, 1, 0.5, None, None), "mail": Standing(3, 0, None, 1, 2)}
        timeline.recent.append(
            Moment(1.0, "peak", None, 5.0, 5.0, 70, 60, 0.25, None, queues, None)
        )
        told = scrape(url)
    assert told["cbsim_messages_sent_total"] == 70
    assert told["cbsim_messages_confirmed_total"] == 60
    assert told["cbsim_behind_schedule_seconds"] == 0.25
    assert told["cbsim_phase['peak']"] == 1
    assert told["cbsim_queue_messages['or\"ders']"] == 12
    assert told["cbsim_queue_lag_seconds['or\"ders']"] == 0.5
    assert "cbsim_queue_lag_seconds['mail']" not in told
    assert "cbsim_asked_messages_per_second" not in told
    assert told["cbsim_confirm_duration_seconds_count"] == 3
    assert told["cbsim_confirm_duration_seconds_sum"] == pytest.approx(3.002)


def test_buckets_are_counted_up() -> None:
    lags = Lags()
    for seconds in (0.0, 0.01, 1.0, 1e6):
        lags.count(seconds)
    bounds, counts = zip(*lags.buckets(), strict=True)
    assert counts[0] == 1
    assert counts[-2:] == (3, 4)
    assert bounds[-1] == float("inf")
    assert [*bounds] == sorted(set(bounds))
    assert [*counts] == sorted(counts)


def test_a_port_that_cannot_be_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"metrics endpoint at 127.0.0.1:{port}: "):
            exposed(Timeline(), "steady", "127.0.0.1", port).__enter__()
    done = cbsim("run", "quickstart", "--sink", "null", "--metrics-port", "99999")
    assert done.returncode == 2
    assert "expected a port such as 9100" in done.stderr


def test_a_run_can_be_scraped() -> None:
    words = ["run", "quickstart", "--sink", "null", "--rate", "100/s", "--metrics-port", "0"]
    with subprocess.Popen(
        [*CBSIM, *words, "--duration", "60s"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        until(lambda: scrape(url).get("cbsim_messages_sent_total", 0) > 50)
        process.terminate()
        process.communicate()
