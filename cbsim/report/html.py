"""The page of a report: one HTML file that needs nothing besides itself, on paper as on a screen.

Whatever is given as `str` is escaped; only `Markup` is taken as it is. The page runs no script and
loads nothing: its own policy forbids both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from cbsim.printable import printable

__all__ = ["BAD", "GOOD", "PLAIN", "WARNING", "Markup", "Tile", "Tone", "dotted", "page", "section",
           "table", "text", "tiles"]  # fmt: skip


class Markup(str):
    """HTML that is safe to stand in a page."""

    __slots__ = ()


class Tone(str):
    """How a figure is to be taken: `good`, `bad`, `warning`, or neither (empty)."""

    __slots__ = ()


GOOD, BAD, WARNING, PLAIN = Tone("good"), Tone("bad"), Tone("warning"), Tone("")


@dataclass(frozen=True, slots=True)
class Tile:
    """One large figure."""

    label: str
    value: str
    note: str = ""
    tone: Tone = PLAIN


def page(title: str, verdict: str, tone: Tone, parts: Iterable[Markup], about: Mapping[str, str],
         ) -> str:  # fmt: skip
    """The whole page: a title, a verdict in a sentence, and its parts; `about` stands at its foot.

    `about` is what the reader needs to trust or repeat it: versions, files, times.
    """
    facts = "".join(f"<dt>{text(name)}</dt><dd>{text(said)}</dd>" for name, said in about.items())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<header><h1>{text(title)}</h1><p class="verdict {tone}">{text(verdict)}</p></header>\n'
        + "\n".join(parts)
        + f"\n<footer><dl>{facts}</dl></footer>\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: Markup, note: str = "") -> Markup:
    """A part of a page, under a heading."""
    said = f'<p class="note">{text(note)}</p>' if note else ""
    return Markup(f"<section><h2>{text(title)}</h2>{said}{''.join(parts)}</section>")


def tiles(figures: Iterable[Tile]) -> Markup:
    """The few figures that matter most."""
    shown = "".join(
        f'<div class="tile {tile.tone}"><span>{text(tile.label)}</span>'
        f"<strong>{text(tile.value)}</strong><small>{text(tile.note)}</small></div>"
        for tile in figures
    )
    return Markup(f'<div class="tiles">{shown}</div>')


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Markup]], *, words: int = 1
) -> Markup:
    """A table; its first `words` columns are text, the others are figures."""

    def cell(tag: str, number: int, value: str | Markup) -> str:
        kind = "" if number < words else ' class="figure"'
        return f"<{tag}{kind}>{text(value)}</{tag}>"

    head = "".join(cell("th", number, name) for number, name in enumerate(columns))
    body = "".join(
        f"<tr>{''.join(cell('td', number, value) for number, value in enumerate(row))}</tr>"
        for row in rows
    )
    rows_of = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return Markup(f'<div class="wide"><table>{rows_of}</table></div>')


def dotted(name: str) -> Markup:
    """A name with dots, which may go on in the next line after each."""
    return Markup(text(name).replace(".", ".<wbr>"))


def text(value: str, limit: int = 2000) -> Markup:
    """Text as it stands in a page; what is Markup already stays as it is."""
    return value if isinstance(value, Markup) else Markup(escape(printable(value, limit)))


_STYLE = """
:root{--ground:#f6f7f9;--sheet:#fff;--ink:#14181f;--soft:#5b6472;--rule:#dfe3e8;
--good:#0b7a3e;--bad:#c22b2b;--warning:#8a5a00;
--line1:#2a78d6;--line2:#1a9a6c;--line3:#c07a00;--line4:#d4502a;--line5:#8a4fc4;--line6:#5b6472}
@media (prefers-color-scheme:dark){:root{--ground:#0f1216;--sheet:#181c22;--ink:#e9ecf1;
--soft:#9aa4b2;--rule:#2c333d;--good:#4cc38a;--bad:#ff7b72;--warning:#e3b341;
--line1:#5aa2f2;--line2:#3dbd8d;--line3:#e0a63a;--line4:#f0825c;--line5:#b58be6;--line6:#9aa4b2}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 48px}
h1{font-size:26px;line-height:1.2;margin:0 0 8px;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 10px}
.verdict{font-size:18px;margin:0 0 20px;padding:10px 14px;border-left:4px solid var(--soft);
background:var(--sheet);overflow-wrap:anywhere}
.verdict.good{border-color:var(--good)}.verdict.bad{border-color:var(--bad)}
.verdict.warning{border-color:var(--warning)}
section{background:var(--sheet);border:1px solid var(--rule);border-radius:8px;
padding:18px 20px;margin:0 0 16px;break-inside:avoid-page}
.note{color:var(--soft);margin:-4px 0 12px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(124px,1fr));gap:12px;
margin:0 0 16px}
.tile{background:var(--sheet);border:1px solid var(--rule);border-radius:8px;padding:12px 14px}
.tile span,.tile small{display:block;color:var(--soft);font-size:13px}
.tile strong{display:block;font-size:24px;line-height:1.25;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
.tile.good strong{color:var(--good)}.tile.bad strong{color:var(--bad)}
.tile.warning strong{color:var(--warning)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft);vertical-align:bottom}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--rule)}
td{vertical-align:top}td:last-child{overflow-wrap:anywhere}td:last-child:not(.figure){min-width:18em}
th.figure,td.figure{text-align:right}td.figure{font-variant-numeric:tabular-nums;white-space:nowrap}
tr:last-child td{border-bottom:0}
figure{margin:0 0 12px;overflow-x:auto}
figure svg{display:block;width:100%;min-width:620px;height:auto}
figcaption,.legend{position:sticky;left:0}figcaption{font-weight:600;margin:0 0 4px}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;color:var(--soft);font-size:13px;margin:0 0 4px}
.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;
vertical-align:middle}
svg text{fill:var(--soft);font:12px system-ui,sans-serif}
svg .event{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}
svg text.event{stroke:none}svg line.bad{stroke:var(--bad)}svg text.bad{fill:var(--bad)}
svg .grid{stroke:var(--rule);stroke-width:1}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg .hit{fill:transparent}svg .hit:hover{fill:var(--soft);fill-opacity:.15}
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{margin:0;overflow-x:auto}
footer{color:var(--soft);font-size:13px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:16px 4px 0}
dd{margin:0;overflow-wrap:anywhere}
@media (max-width:560px){main{padding:18px 12px}h1{font-size:21px}section{padding:14px 12px}}
@media print{body{background:#fff}main{max-width:none;padding:0}}
"""
