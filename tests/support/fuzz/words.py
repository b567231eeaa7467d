"""Targets: what users write, or find somewhere: scenarios, URLs, `--map`, bindings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cbsim.bus.connection import parameters, redacted
from cbsim.checks.mapped import Mapped
from cbsim.checks.record import Record
from cbsim.errors import BrokerError
from cbsim.scenario.loader import parse
from cbsim.shipped import folder
from cbsim.wire.binding import Bindings
from tests.support.fuzz.target import Target, allowed, check_text

__all__ = ["WORDS"]


def _scenario(text: str) -> None:
    parse(text, "fuzz.yaml")


def _url(text: str) -> None:
    before, after = text.partition("SECRET")[0], text.rpartition("SECRET")[2]
    if ":" not in before.partition("://")[2] or "@" not in after:
        # Nobody can tell that it is meant as a password.
        return
    secret = "s3cr3t"
    with_secret = text.replace("SECRET", secret)
    check_text(redacted(with_secret))
    assert secret not in redacted(with_secret)
    try:
        parameters(with_secret)
    except BrokerError as error:
        said = str(error)
    else:
        return
    assert secret not in said
    check_text(said)


def _bindings(text: str) -> None:
    bindings = Bindings(text)
    for exchange, _ in bindings:
        bindings.takes(exchange, "watchlist.hit.process")


def _map(text: str) -> None:
    mapped = Mapped({"guid": text, "timestamp": "t"})
    fields = {"process_guid": "a" * 40 + "!", "docs": [{"md5": "x"}, {"md5": [1]}], "t": "nan"}
    list(mapped.items(Record("out", 1, fields=fields)))


def _shipped() -> list[Path]:
    return sorted(folder("scenarios").glob("*.yaml"))


def _read(use: Callable[[str], None], data: bytes) -> None:
    with allowed():
        use(data.decode("utf-8", "replace"))


def _target(name: str, use: Callable[[str], None], seeds: Callable[[], list[bytes]]) -> Target:
    return Target(name, partial(_read, use), seeds)


WORDS = (
    _target("scenario", _scenario, lambda: [*map(Path.read_bytes, _shipped())]),
    _target("url", _url, lambda: [b"amqp://cb:SECRET@127.0.0.1:5672/", b"amqps://cb:SECRET@[::1]/%2f",
                                  b"amqp://cb:a/SECRET@host:1/vhost?heartbeat=3"]),
    _target("bindings", _bindings, lambda: [b"watchlist.#", b"api.events/feed.*", b"#"]),
    _target("map", _map, lambda: [b"$.process_guid", b"$..md5", b"$.docs[?@.md5 == 'x'].md5",
                                  b"$.docs[0:2]['md5']", b"process_guid",
                                  b"$[?match(@, 'a+')]"]),
)  # fmt: skip
