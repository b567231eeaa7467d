"""How a run stands, as a few lines that fit in a terminal of 80 columns, and as one plain line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cbsim.load.timeline import Moment, Standing
from cbsim.printable import printable

__all__ = ["line", "view"]

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.-:=+*#"
_TREND = 28
"""How many moments a trend line shows at most."""
_QUEUES = 6
"""How many queues are shown at most: the deepest."""
_LATE = 0.1


def view(moments: Sequence[Moment], *, ascii_only: bool = False) -> RenderableType:
    """The last of these moments, with the trend of those before; at most 80 columns wide."""
    recent = [*moments][-_TREND:]
    last = recent[-1]
    rates = Table.grid(padding=(0, 2))
    rates.add_column(style="dim", width=9)
    rates.add_column(justify="right", width=12, no_wrap=True)
    rates.add_column(width=_TREND, no_wrap=True)

    def row(name: str, value: str, trend: Iterable[float | None] = (), style: str = "") -> None:
        rates.add_row(name, Text(value, style), Text(_trend(trend, ascii_only), "cyan"))

    row("asked", _rate(last.asked) if last.asked is not None else "max",
        (moment.asked for moment in recent))  # fmt: skip
    row("sent", _rate(last.sent), (moment.sent for moment in recent))
    row("confirmed", _rate(last.confirmed), (moment.confirmed for moment in recent))
    if last.consumed is not None:
        row("consumed", _rate(last.consumed), (moment.consumed for moment in recent))
    if last.behind > _LATE:
        row("behind", f"{last.behind:.1f} s", (moment.behind for moment in recent), "yellow")
    parts: list[RenderableType] = [_head(last), rates]
    if last.confirms is not None:
        parts.append(Text.assemble(("confirmed in ", "dim"), _confirms(last.confirms)))
    if last.queues:
        parts.append(_queues(recent, ascii_only))
    return Group(*parts)


def line(moment: Moment) -> str:
    """The same in one plain line, without the queues."""
    asked = "" if moment.asked is None else f" of {moment.asked:,.0f}/s"
    text = f"{printable(moment.phase)}: {moment.total_sent:,} sent, "
    text += f"{moment.total_confirmed:,} confirmed, {moment.sent:,.0f}/s{asked}"
    if moment.confirms is not None:
        text += f", in {_confirms(moment.confirms)}"
    if moment.behind > _LATE:
        text += f", {moment.behind:.1f} s behind schedule"
    if moment.left is not None:
        text += f", {_clock(moment.left)} left"
    return text


def _head(last: Moment) -> RenderableType:
    head = Table.grid(padding=(0, 2))
    done = None if last.left is None else last.seconds / ((last.seconds + last.left) or 1.0)
    left = f"{_clock(last.seconds)}" + ("" if last.left is None else f", {_clock(last.left)} left")
    bar = ProgressBar(total=1.0, completed=done or 0.0, width=_TREND)
    head.add_row(
        Text(printable(last.phase, limit=20), "bold", no_wrap=True),
        Text(f"{last.total_sent:,} sent", no_wrap=True),
        bar if done is not None else "",
        Text(left, no_wrap=True),
    )
    return head


def _queues(recent: Sequence[Moment], ascii_only: bool) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("queue", no_wrap=True, max_width=24, overflow="ellipsis")
    for name in ("depth", "behind", "consumed", "cons."):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("depth over time", no_wrap=True, max_width=16)
    standings = sorted(recent[-1].queues.items(), key=lambda item: -item[1].depth)
    for name, queue in standings[:_QUEUES]:
        depths = [_depth(moment.queues.get(name)) for moment in recent[-16:]]
        table.add_row(
            Text(printable(name, limit=60)),
            f"{queue.depth:,}",
            "-" if queue.lag is None else f"{queue.lag:.1f} s",
            "-" if queue.consumed is None else _rate(queue.consumed),
            Text(f"{queue.consumers:,}", "" if queue.consumers else "bold red"),
            Text(_trend(depths, ascii_only), "cyan"),
        )
    if (more := len(standings) - _QUEUES) > 0:
        table.add_row(Text(f"and {more:,} more", "dim"))
    return table


def _depth(queue: Standing | None) -> float | None:
    return None if queue is None else queue.depth


def _trend(values: Iterable[float | None], ascii_only: bool) -> str:
    """A bar for each value, from nothing to the highest; a gap where there is none."""
    known = list(values)
    most = max((value for value in known if value is not None), default=0.0)
    bars = _ASCII if ascii_only else _BLOCKS
    return "".join(
        " " if value is None else bars[min(7, int(8 * value / most))] if most else bars[0]
        for value in known
    )


def _confirms(times: Sequence[float]) -> str:
    shown = "/".join(f"{seconds * 1000:.3g}" for seconds in times)
    return f"{shown} ms (p50/p95/p99)"


def _rate(value: float) -> str:
    return f"{value:,.0f}/s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
