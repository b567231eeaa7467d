"""Icons are files that an imaging library opens."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cbsim.world.vocabulary import ico, png


@given(st.integers(min_value=0), st.sampled_from([16, 32, 48, 256]))
def test_icons_open_as_what_they_are(seed: int, size: int) -> None:
    for kind, data in (("PNG", png(seed, size)), ("ICO", ico(seed, size))):
        with Image.open(BytesIO(data)) as picture:
            picture.load()
            assert (picture.format, picture.size, picture.mode) == (kind, (size, size), "RGBA")


def test_a_seed_has_its_own_icon() -> None:
    assert png(1) == png(1)
    assert len({png(seed) for seed in range(50)}) == 50
