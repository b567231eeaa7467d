"""What a scenario's faults do to its messages: some twice, some late, some with a wrong time.

Which messages are struck depends on the seed and on their bytes alone: they are the same in every
run, and for any number of workers. Each says itself what was done to it (`Message.broken`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from heapq import heappop, heappush
from typing import TYPE_CHECKING
from zlib import crc32

from cbsim.errors import WireError
from cbsim.scenario import rate as rates
from cbsim.scenario.corpus import Corpus
from cbsim.scenario.fault import FaultModel, Skew
from cbsim.scenario.model import Phase, Scenario
from cbsim.wire import bundle
from cbsim.wire.clock import TICKS, from_filetime
from cbsim.wire.event import decode
from cbsim.wire.fault import EXPECTED, SPARED
from cbsim.wire.message import JSON_TYPE, ZIP_TYPE, Message

if TYPE_CHECKING:
    from cbsim.scenario.stream import Batch
    from cbsim.wire.sensor_events_pb2 import CbEventMsg

__all__ = ["Impairment", "Inserted"]

_DRAWN = 25
"""Messages of each kind that is inserted."""
_WORD = 0xFFFFFFFF


class Inserted:
    """What is inserted into a scenario's messages, drawn ahead; raises ScenarioError."""

    def __init__(self, scenario: Scenario) -> None:
        kinds = {kind for fault in scenario.faults for kind in fault.insert or ()}
        self._corpora = {kind: _corpus(kind, scenario) for kind in sorted(kinds)}

    def drawn(self, kind: str, number: int) -> tuple[str, Message]:
        """One of a kind, by any number; and the name of its kind to the letter."""
        return self._corpora[kind].at(number)


class Impairment:
    """Strikes the messages of a stream, of which `origin` is the beginning (FILETIME)."""

    def __init__(self, scenario: Scenario, inserted: Inserted, origin: int) -> None:
        self._inserted, self._origin = inserted, origin
        self._strikes = [
            _Strike(fault, f"{scenario.seed}:fault:{number}")
            for number, fault in enumerate(scenario.faults)
            if fault.broker is None
        ]
        self._held: list[tuple[int, int, Message, str]] = []
        """Until when (FILETIME), a number of its own, the message and its name."""
        self._count = 0

    def applied(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches with what the faults make of them."""
        if not self._strikes:
            yield from batches
            return
        for batch in batches:
            messages: list[Message] = []
            names: list[str] = []
            dues: list[float] | None = None if batch.dues is None else []
            for place, (message, name) in enumerate(zip(batch.messages, batch.names, strict=True)):
                for struck, called in self._struck(message, name):
                    messages.append(struck)
                    names.append(called)
                if dues is not None and batch.dues is not None:
                    dues += [batch.dues[place]] * (len(messages) - len(dues))
            if messages:
                yield batch._replace(dues=dues, messages=messages, names=names)

    def rest(self) -> tuple[list[Message], list[str]]:
        """The messages that are still held back, and their names."""
        left = [heappop(self._held) for _ in range(len(self._held))]
        return [message for _, _, message, _ in left], [name for _, _, _, name in left]

    def _struck(self, message: Message, name: str) -> Iterator[tuple[Message, str]]:
        """What goes out at the moment of a message."""
        while self._held and self._held[0][0] <= message.moment:
            _, _, held, called = heappop(self._held)
            yield held, called
        at, mark = (message.moment - self._origin) / TICKS, crc32(message.body)
        delay, copies = 0.0, 0
        between: list[tuple[Message, str]] = []
        for strike in self._strikes:
            fault = strike.fault
            if not fault.start <= at < strike.end:
                continue
            if fault.skew is not None:
                message = strike.skewed(message, fault.skew)
            elif fault.late is not None:
                delay = max(delay, fault.late.by * strike.hits(mark, fault.late.share))
            elif fault.duplicate is not None:
                copies += strike.hits(mark, fault.duplicate)
            for kind, share in (fault.insert or {}).items():
                if strike.hits(mark, share, kind):
                    called, drawn = self._inserted.drawn(kind, mark)
                    between.append((drawn._replace(moment=message.moment), called))
        copy = _labelled(message, f"{SPARED}duplicate", "of another message")
        if delay:
            message = _labelled(message, f"{EXPECTED}late", f"by {delay:g} s")
            for held in (message, *[copy] * copies):
                self._hold(held, name, message.moment + int(delay * TICKS))
        else:
            yield message, name
            yield from [(copy, name)] * copies
        yield from between

    def _hold(self, message: Message, name: str, until: int) -> None:
        self._count += 1
        heappush(self._held, (until, self._count, message, name))


class _Strike:
    """A fault, and what it strikes."""

    def __init__(self, fault: FaultModel, salt: str) -> None:
        self.fault, self._salt = fault, salt
        self.end = float("inf") if fault.until is None else fault.until
        self._skewed: dict[int, bool] = {}
        self._mixers: dict[str, tuple[int, int]] = {}

    def hits(self, mark: int, share: float, kind: str = "") -> bool:
        """Whether it strikes what has this mark (32 bits), for a share of all."""
        if kind not in self._mixers:
            drawn = blake2b(f"{self._salt}:{kind}".encode(), digest_size=12).digest()
            self._mixers[kind] = int.from_bytes(drawn[:4]), int.from_bytes(drawn[4:]) | 1
        added, factor = self._mixers[kind]
        return (mark + added) * factor >> 20 & _WORD < share * (_WORD + 1)

    def skewed(self, message: Message, skew: Skew) -> Message:
        """A message with the time that its sensor's clock shows; JSON has the server's."""
        if message.content_type == JSON_TYPE:
            return message
        try:
            if message.routing_key:
                event = decode(message.body)
                if not self._is_skewed(event.env.endpoint.SensorId, skew.share):
                    return message
                body = _shifted(event, skew.seconds)
            else:
                if not self._is_skewed(int(message.headers.get("sensorId", 0)), skew.share):
                    return message
                body = _shifted_bundle(message, skew.seconds)
        except WireError:
            # It is broken already.
            return message
        way = "ahead" if skew.seconds > 0 else "behind"
        changed = message._replace(body=body)
        return _labelled(changed, f"{EXPECTED}clock-skew", f"{abs(skew.seconds):g} s {way}")

    def _is_skewed(self, sensor: int, share: float) -> bool:
        if sensor not in self._skewed:
            self._skewed[sensor] = self.hits(crc32(b"%d" % sensor), share)
        return self._skewed[sensor]


def _corpus(kind: str, scenario: Scenario) -> Corpus:
    phase = Phase(name="faults", source="strategies", mix={kind: 1.0}, corpus=_DRAWN, count=1,
                  rate=rates.MAX)  # fmt: skip
    return Corpus(phase, scenario.server, scenario.seed)


def _labelled(message: Message, kind: str, detail: str) -> Message:
    # What a consumer need not put out stays so, whatever else is done to it.
    if message.broken is not None and not message.broken.startswith(EXPECTED):
        return message
    return message._replace(broken=f"{kind}: {detail}")


def _shifted(event: CbEventMsg, seconds: float) -> bytes:
    event.header.timestamp += int(seconds * TICKS)
    return event.SerializeToString(deterministic=True)


def _shifted_bundle(message: Message, seconds: float) -> bytes:
    (run,) = bundle.members(message.body)
    shifted = bundle.join(_shifted(decode(event), seconds) for event in bundle.split(run))
    if message.content_type != ZIP_TYPE:
        return shifted
    at = from_filetime(message.moment)
    return bundle.zipped(f"EventLog_{message.moment & _WORD:08x}.log", shifted, at)
