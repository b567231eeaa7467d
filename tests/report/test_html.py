"""Pages of reports: whatever stands in one, it acts on nothing and loads nothing."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from cbsim.printable import printable
from cbsim.report.chart import line_chart
from cbsim.report.html import GOOD, Tile, page, section, table, tiles
from tests.support.pages import Seen

ANYTHING = st.text(st.characters(), max_size=40)


@given(words=st.lists(ANYTHING, min_size=6, max_size=6))
def test_nothing_from_outside_acts_in_a_page(words: list[str]) -> None:
    evil = [f"<script>alert(1)</script>\x1b[2J{word}" for word in words]
    chart = line_chart(evil[5], {evil[0]: [(0, 1.0), (1, None), (2, 3.5)]})
    shown = page(
        evil[0], evil[1], GOOD,
        [tiles([Tile(evil[2], evil[3], evil[4])]), section(evil[0], chart),
         section(evil[1], table(evil[:2], [evil[2:4]]))],
        {evil[0]: evil[1]},
    )  # fmt: skip
    seen = Seen()
    seen.feed(shown)
    assert seen.open == []
    assert "script" not in seen.tags
    assert "\x1b" not in shown
    shown.encode()  # no lone surrogate


@given(st.text(st.characters()) | st.binary())
def test_printable_text_is_one_line_that_prints(value: str | bytes) -> None:
    shown = printable(value, limit=50)
    assert shown.isprintable()
    assert len(shown) <= 50
    if isinstance(value, str) and value.isprintable() and len(value) <= 50:
        assert shown == value


@given(
    st.lists(
        st.tuples(st.integers(0, 1000), st.none() | st.floats(0, 1e9, allow_subnormal=False)),
        min_size=1, max_size=30, unique_by=lambda point: point[0],
    ),
    st.booleans(),
)  # fmt: skip
def test_a_chart_stays_in_its_picture(
    points: list[tuple[int, float | None]], logarithmic: bool
) -> None:
    chart = line_chart("rate", {"messages": sorted(points)}, logarithmic=logarithmic)
    if all(value is None for _, value in points):
        assert chart == ""
        return
    picture = ElementTree.fromstring(chart).find(".//svg")
    assert picture is not None
    for line in picture.iter("line"):
        assert 0 <= float(line.get("y1", "")) <= 240
    assert len([*picture.iter("rect")]) == sum(value is not None for _, value in points)
