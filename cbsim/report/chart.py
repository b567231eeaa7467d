"""Line charts for the page of a report, as SVG that stands in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from cbsim.report.html import Markup, text

__all__ = ["Mark", "Points", "line_chart"]

_WIDTH, _HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 8, 24
_COLOURS = 6

Points = Sequence[tuple[float, float | None]]
"""Pairs of x and y in the order of x; None where nothing was measured: the line has a gap."""


class Mark(NamedTuple):
    """Something that happened at a moment: a line across the chart, with its name."""

    x: float
    name: str
    bad: bool = False


def line_chart(
    title: str,
    series: Mapping[str, Points],
    *,
    x_text: Callable[[float], str] = lambda x: f"{x:g} s",
    y_text: Callable[[float], str] = lambda y: f"{y:,.6g}",
    logarithmic: bool = False,
    marks: Sequence[Mark] = (),
) -> Markup:
    """A chart of up to six lines over one axis; `logarithmic` is its y axis, for what is above 0.

    `x_text` and `y_text` write the values at the axes and in the notes that show under a pointer.
    """
    points = [(x, y) for line in series.values() for x, y in line if y is not None]
    if not points:
        return Markup("")
    plane = _Plane(points, logarithmic)
    grid = [_y_mark(plane, y, y_text(y)) for y in plane.y_ticks()]
    grid += [_x_mark(plane, x, x_text(x)) for x in plane.x_ticks()]
    seen = [mark for mark in marks if plane.x_low <= mark.x <= plane.x_high]
    events = [_event(plane, number, mark) for number, mark in enumerate(sorted(seen))]
    lines = [_line(plane, number, line) for number, line in enumerate(series.values())]
    legend = "".join(
        f'<span><i style="background:var({_colour(number)})"></i>{text(name)}</span>'
        for number, name in enumerate(series)
    )
    return Markup(
        f'<figure><figcaption>{text(title)}</figcaption><div class="legend">{legend}</div>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(title)}">'
        f"{''.join(grid)}{''.join(events)}{''.join(lines)}"
        f"{_notes(plane, series, x_text, y_text)}</svg></figure>"
    )


class _Plane:
    """Where a value stands in the picture."""

    def __init__(self, points: Sequence[tuple[float, float]], logarithmic: bool) -> None:
        self.x_low, self.x_high = min(x for x, _ in points), max(x for x, _ in points)
        values = [y for _, y in points]
        self.logarithmic = logarithmic and min(values) > 1e-9
        if self.logarithmic:
            self.y_low = 10.0 ** floor(log10(min(values)))
            self.y_high = 10.0 ** ceil(log10(max(values)) + 1e-9)
        else:
            self.y_low, self.y_high = min(0.0, *values), max(0.0, *values)
            # What is too small to be told from nothing is drawn as nothing.
            self.y_high = max(self.y_high, 1e-9)
            step = _step(self.y_high - self.y_low)
            self.y_high = ceil(self.y_high / step - 1e-9) * step
        if self.y_high == self.y_low:
            self.y_high *= 10

    def x(self, value: float) -> float:
        share = (value - self.x_low) / ((self.x_high - self.x_low) or 1)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        if self.logarithmic:
            share = log10(value / self.y_low) / log10(self.y_high / self.y_low)
        else:
            share = (value - self.y_low) / (self.y_high - self.y_low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def x_ticks(self) -> list[float]:
        return _ticks(self.x_low, self.x_high, _step(self.x_high - self.x_low, 8))

    def y_ticks(self) -> list[float]:
        if not self.logarithmic:
            return _ticks(self.y_low, self.y_high, _step(self.y_high - self.y_low))
        decades = round(log10(self.y_high / self.y_low))
        return [self.y_low * 10**number for number in range(0, decades + 1, max(1, decades // 5))]


def _step(span: float, count: int = 5) -> float:
    """A round distance of ticks: 1, 2 or 5 times a power of ten."""
    if span <= 0:
        return 1.0
    rough = span / count
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _ticks(low: float, high: float, step: float) -> list[float]:
    first = ceil(low / step - 1e-9)
    return [number * step for number in range(first, floor(high / step + 1e-9) + 1)]


def _y_mark(plane: _Plane, value: float, said: str) -> str:
    y = plane.y(value)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{text(said)}</text>'
    )


def _x_mark(plane: _Plane, value: float, said: str) -> str:
    x = plane.x(value)
    anchor = "end" if x > _WIDTH - _RIGHT - 30 else "middle"
    return f'<text x="{x}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{text(said)}</text>'


def _event(plane: _Plane, number: int, mark: Mark) -> str:
    x, kind = plane.x(mark.x), " bad" if mark.bad else ""
    # The names of neighbours stand one below the other.
    y, left = _TOP + 12 + 13 * (number % 4), x < _WIDTH * 0.75
    return (
        f'<line class="event{kind}" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text class="event{kind}" x="{x + (4 if left else -4)}" y="{y}" '
        f'text-anchor="{"start" if left else "end"}">{text(mark.name, 40)}</text>'
    )


def _line(plane: _Plane, number: int, points: Points) -> str:
    path, drawn = [], False
    for x, y in points:
        if y is None or (plane.logarithmic and y <= 0):
            drawn = False
            continue
        path.append(f"{'L' if drawn else 'M'}{plane.x(x)} {plane.y(y)}")
        # A point alone is drawn too: the ends of its line are round.
        path += [] if drawn else ["h0"]
        drawn = True
    return f'<path class="line" style="stroke:var({_colour(number)})" d="{"".join(path)}"/>'


def _notes(
    plane: _Plane,
    series: Mapping[str, Points],
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
) -> str:
    """Stripes that say, under a pointer, what every line has there."""
    said: dict[float, list[str]] = {}
    for name, line in series.items():
        for x, y in line:
            if y is not None:
                said.setdefault(x, []).append(f"{name} {y_text(y)}")
    width = round(max(2.0, (_WIDTH - _LEFT - _RIGHT) / max(1, len(said))), 1)
    return "".join(
        f'<rect class="hit" x="{round(plane.x(x) - width / 2, 1)}" y="{_TOP}" width="{width}" '
        f'height="{_HEIGHT - _TOP - _BOTTOM}"><title>{text(x_text(x))}: {text(", ".join(values))}'
        "</title></rect>"
        for x, values in sorted(said.items())
    )


def _colour(number: int) -> str:
    return f"--line{number % _COLOURS + 1}"
