"""Single messages of a type, realistic, with some fields as a test wants them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cbsim.catalog import Dialect, ServerVersion, lookup
from cbsim.errors import CbsimError
from cbsim.testing.alteration import altered
from cbsim.wire.message import Message

__all__ = ["Emitter"]


class Emitter:
    """Makes messages of one type after the other, each about something else."""

    def __init__(self, version: ServerVersion, dialect: Dialect, seed: int) -> None:
        self._version, self._dialect, self._seed = version, dialect, seed
        self._streams: dict[str, Iterator[Message]] = {}

    def message(self, name: str, fields: dict[str, Any]) -> Message:
        """The next message of that name, with these fields; raises CbsimError."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self._stream(name)
        # AMQP does not carry the moment: what is emitted is what is delivered.
        message = next(stream)._replace(moment=0)
        return altered(name, message, fields) if fields else message

    def _stream(self, name: str) -> Iterator[Message]:
        from cbsim.scenario.model import Phase, Scenario
        from cbsim.scenario.stream import FIXED_START, messages
        from cbsim.world.setting import EstateSize, Server

        entry = lookup(name)
        if not entry.in_version(self._version):
            raise CbsimError(f"{entry.name} is not sent by a {self._version} server")
        scenario = Scenario(
            server=Server(version=self._version, dialect=self._dialect),
            estate=EstateSize(sensors=5, binaries=50),
            seed=self._seed,
            phases=(Phase(count=1_000_000, rate=100.0, mix={entry.name: 1.0}),),
        )
        for _, message, _, _ in messages(scenario, FIXED_START):
            yield message
