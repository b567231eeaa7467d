"""Bundles that are broken on purpose: their lengths, their zip, their size."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import lru_cache

from hypothesis import strategies as st

from cbsim.strategies import value
from cbsim.strategies.cast import Cast
from cbsim.strategies.delivery import bundle_of
from cbsim.strategies.event import event
from cbsim.strategies.fault import Malformed
from cbsim.strategies.value import Draw
from cbsim.wire import bundle as runs
from cbsim.wire.fault import Fault
from cbsim.wire.message import ZIP_TYPE

__all__ = ["BOMB_SIZE", "BUNDLE_FAULTS"]

BOMB_SIZE = runs.BUNDLE_LIMIT + 1
"""Bytes that a zip bomb unpacks to: one more than `cbsim.wire.bundle` takes."""


def _wrong_length(draw: Draw, cast: Cast) -> Malformed:
    bodies = _events(draw, cast)
    run = bytearray(runs.join(bodies))
    right = len(bodies[0])
    wrong = draw(st.sampled_from((2**32 - 1, len(run) + 1, 0x80000000)))
    run[:4] = wrong.to_bytes(4, "little")
    message = bundle_of(cast, bodies, zipped=False)._replace(body=bytes(run))
    return Malformed(message, Fault.WRONG_LENGTH, f"the first length is {wrong}, not {right}")


def _corrupt_zip(draw: Draw, cast: Cast) -> Malformed:
    whole = bundle_of(cast, _events(draw, cast), zipped=True)
    body = bytearray(whole.body)
    if draw(value.BOOLEAN):
        cut = draw(st.integers(5, len(body) - 23))
        detail = f"cut after {cut} of {len(body)} bytes"
        body = body[:cut]
    else:
        # The checksum of the directory's first entry: the data no longer fits it.
        at = body.index(b"PK\x01\x02") + 16
        body[at] ^= 1 << draw(st.integers(0, 7))
        detail = f"a bit of the checksum at byte {at} is flipped"
    return Malformed(whole._replace(body=bytes(body)), Fault.CORRUPT_ZIP, detail)


def _bomb(_: Draw, cast: Cast) -> Malformed:
    message = bundle_of(cast, [], zipped=False)
    message = message._replace(content_type=ZIP_TYPE, body=_bomb_body())
    return Malformed(message, Fault.ZIP_BOMB, f"unpacks to {BOMB_SIZE} bytes")


def _events(draw: Draw, cast: Cast) -> list[bytes]:
    made = []
    for _ in range(draw(st.integers(1, 2))):
        one = Cast(draw, cast.given, cast.version, {"endpoint": cast.endpoint})
        made.append(event(one, "ingress.event.filemod", env=False).SerializeToString())
    return made


@lru_cache(maxsize=1)
def _bomb_body() -> bytes:
    """A zip of one file, which says that all it unpacks to is one event."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as it:
        info = zipfile.ZipInfo("EventLog_0.log", (2017, 1, 19, 4, 11, 10))
        info.compress_type = zipfile.ZIP_DEFLATED
        it.writestr(info, (BOMB_SIZE - 4).to_bytes(4, "little") + bytes(BOMB_SIZE - 4))
    return body.getvalue()


BUNDLE_FAULTS: dict[Fault, Callable[[Draw, Cast], Malformed]] = {
    Fault.WRONG_LENGTH: _wrong_length,
    Fault.CORRUPT_ZIP: _corrupt_zip,
    Fault.ZIP_BOMB: _bomb,
}
"""How a bundle gets each of its faults."""
