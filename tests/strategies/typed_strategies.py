"""What a type checker must see of the strategies and the test double; mypy reads it in a test."""

from __future__ import annotations

from typing import Any, assert_type

from hypothesis.strategies import SearchStrategy

from cbsim import strategies as cb
from cbsim.checks import Comparison
from cbsim.testing import CbQueue, CbServer, Deliveries, deliver
from cbsim.wire.message import Message
from cbsim.wire.sensor_events_pb2 import CbEventMsg

assert_type(cb.watchlist_hit_process(docs=(1, 3)), SearchStrategy[dict[str, Any]])
assert_type(cb.feed_storage_hit_binary(ioc_type="md5"), SearchStrategy[dict[str, Any]])
assert_type(cb.notification("feed.*"), SearchStrategy[dict[str, Any]])
assert_type(cb.raw_event("filemod"), SearchStrategy[CbEventMsg])
assert_type(cb.message(dialect="mixed"), SearchStrategy[Message])
assert_type(cb.bundle(zipped=True), SearchStrategy[Message])
assert_type(cb.sequence(), SearchStrategy[tuple[Message, ...]])
assert_type(cb.malformed("zip-bomb"), SearchStrategy[cb.Malformed])
assert_type(cb.md5("raw"), SearchStrategy[bytes])
assert_type(cb.md5(), SearchStrategy[str])
assert_type(cb.process_guid(pid=4), SearchStrategy[str])
assert_type(cb.filetime(), SearchStrategy[int])

cb.watchlist_hit_process(dialect="observd")  # type: ignore[arg-type]
cb.watchlist_hit_process(ioc_type="md5")  # type: ignore[call-arg]
cb.binarystore_file_added(sensor_id=3)  # type: ignore[call-arg]
cb.feed_ingress_hit_host(ioc_type="sha256")  # type: ignore[arg-type]
cb.malformed("zip-bom")  # type: ignore[arg-type]


def consumer(server: CbServer) -> None:
    queue = server.queue("#")
    assert_type(queue, CbQueue)
    assert_type(queue.expect(3), list[Message])
    assert_type(server.emit("feed.synchronized"), Message)
    assert_type(server.assert_consumed([b"{}"]), Comparison)
    assert_type(deliver(lambda *_: None, queue.expect(1)), Deliveries)
