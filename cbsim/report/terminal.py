"""A run in the terminal: a live view where there is a screen, a plain line a second where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich import console as rich_console
from rich.markup import escape
from rich.table import Table

from cbsim.printable import printable
from cbsim.report.live import line, view
from cbsim.report.queues import beside, last_words

if TYPE_CHECKING:
    from rich.live import Live

    from cbsim.load.timeline import Timeline
    from cbsim.load.watch import Watch
    from cbsim.scenario.runner import Report

__all__ = ["Console"]

_LATE = 0.1


class Console:
    """Shows a run on a stream. Use it as a context manager around the run."""

    def __init__(
        self, stream: TextIO, scenario: str, where: str, watch: Watch | None = None
    ) -> None:
        self._console = rich_console.Console(file=stream, highlight=False)
        self._scenario, self._where, self.watch = scenario, where, watch
        self._live: Live | None = None

    def __enter__(self) -> Console:
        shown = f"[bold]{escape(printable(self._scenario))}[/] → {escape(printable(self._where))}"
        self._console.print(shown, soft_wrap=True)
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, timeline: Timeline) -> None:
        """Show how the run stands, which is the last that the timeline was told."""
        moments = timeline.recent
        if self._live is not None:
            ascii_only = not self._console.encoding.startswith("utf")
            self._live.update(view(moments, ascii_only=ascii_only), refresh=True)
            return
        text = line(moments[-1])
        if self.watch is not None and (queues := beside(self.watch)):
            text += f"; {queues}"
        self._console.print(text, soft_wrap=True, markup=False)

    def say(self, sentence: str) -> None:
        """Show a sentence, above what is live."""
        self._console.print(sentence, soft_wrap=True, markup=False)

    def summary(self, report: Report, *, ended: bool = False) -> None:
        """Show what the run did; `ended` if a threshold that was broken ended it."""
        table = Table(box=None, pad_edge=False)
        table.add_column("message")
        table.add_column("sent", justify="right")
        for name, count in sorted(report.per_name.items()):
            table.add_row(name, f"{count:,}")
        self._console.print(table)
        text = _outcome(report.sent, report.confirmed, report.seconds, report.republished)
        if report.interrupted:
            text += "; ended early" if ended else "; interrupted"
        self._console.print(text, soft_wrap=True)

    def queues(self) -> None:
        """Show what became of the queues that were watched."""
        if self.watch is not None:
            for sentence in last_words(self.watch):
                self._console.print(sentence, soft_wrap=True, markup=False)

    @staticmethod
    def late(report: Report) -> str | None:
        """A sentence on a run that did not keep up with its schedule."""
        if report.behind <= _LATE and report.lag <= 1.0:
            return None
        return (
            f"could not keep up: {report.behind:.1f} s behind schedule at the end, "
            f"{report.lag:.1f} s at worst"
        )

    def failed(
        self, sent: int, confirmed: int, seconds: float | None = None, republished: int = 0
    ) -> None:
        """Show what a run did that failed; without its seconds, what was last known of it."""
        text = _outcome(sent, confirmed, seconds, republished)
        text += "; it failed" if seconds is not None else " when it was last heard of; it failed"
        self._console.print(text, soft_wrap=True)


def _outcome(sent: int, confirmed: int, seconds: float | None, republished: int) -> str:
    text = f"{sent:,} sent, {confirmed:,} confirmed"
    if seconds is not None:
        text += f" in {seconds:.1f} s ({sent / seconds if seconds else 0.0:,.0f}/s)"
    if republished:
        text += f"; {republished:,} were sent again after a lost connection"
    return text
