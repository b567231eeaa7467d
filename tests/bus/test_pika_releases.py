"""The publisher takes a connection over from pika: each release of pika must let it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

LOWEST = next(
    found[1] for one in requires("cbsim") or () if (found := re.fullmatch(r"pika>=([\d.]+)", one))
)

CHECK = """
import gc, sys, time, uuid
import pika
from cbsim.bus.connection import connect
from cbsim.bus.publisher import Publisher
from cbsim.wire.message import Message

url = sys.argv[1]
assert pika.__file__.startswith(sys.argv[2]), pika.__file__
stream = [
    Message("api.events", "ingress.event.filemod", "application/protobuf", b"%d." % number * 20,
            {"sensorId": number, "sensorHostName": "H"})
    for number in range(3000)
] + [Message("api.events", "a", "b", bytes(500_000))]
publisher = Publisher(url + "?heartbeat=2")
connection = connect(url)
channel = connection.channel()
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, "api.events", "#")
publisher.publish_many(stream[:1000])
publisher._link._socket.shutdown(2)
publisher.publish_many(stream[1000:])
publisher.flush()
assert publisher.confirmed == len(stream)
link = publisher._link
gc.collect()
time.sleep(3)
publisher.publish(stream[0])
publisher.flush()
assert publisher._link is link, "the heartbeat was not kept"
publisher.close()
arrived = {channel.basic_get(queue, auto_ack=True)[2]}
for _, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=1):
    if body is None:
        break
    arrived.add(body)
assert arrived == {message.body for message in stream}
channel.cancel()
connection.close()
print("fine with pika", pika.__version__)
"""


@pytest.mark.parametrize("release", [f"pika=={LOWEST}", "pika"])
def test_the_publisher_works_with(release: str, broker: str, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-deps", "--target", str(tmp_path), release]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        if os.environ.get("CBSIM_REQUIRE_BROKER"):
            pytest.fail(f"cannot install {release}")
        pytest.skip(f"cannot install {release}")
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", CHECK, broker, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fine with pika ")
    assert not done.stderr
