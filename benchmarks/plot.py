"""The plot for the README: one small panel of bars per measure, as SVG without any library.

The scales begin at zero, so that lengths can be compared, and each bar carries its figure. The picture has a ground
of its own, and follows a reader who prefers dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.figures import Report
from benchmarks.measures import BASE, Measure, Table, tables
from benchmarks.table import short

COLUMNS = 2
PANEL_WIDTH, BAR_HEIGHT, HEAD_HEIGHT, GAP = 440, 22, 44, 28
NAME_WIDTH, FIGURE_WIDTH = 168, 86
SHORTEST = 2
"""Pixels: the least bar can still be seen."""
STYLE = """
svg { --ground: #ffffff; --text: #1f2933; --quiet: #5f6b7a; --own: #0b6e4f; --other: #aab4bf; }
@media (prefers-color-scheme: dark) {
  svg { --ground: #161b22; --text: #e6edf3; --quiet: #9aa7b4; --own: #3fb68b; --other: #57626f; }
}
.ground { fill: var(--ground); } text { fill: var(--text); } .quiet { fill: var(--quiet); font-size: 11.5px; }
.own { fill: var(--own); } .other { fill: var(--other); } .strong { font-weight: 600; }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure of one table; `absent` stands where a column has no such figure."""

    part: str
    measure: str
    title: str
    absent: str = "-"


PANELS = (
    Panel("queue", "drain", "Working off a full queue"),
    Panel("http", "HTTP submit", "Taking tasks over HTTP"),
    Panel("queue", "pick-up p50", "An idle worker takes a task up, median"),
    Panel("queue", "to result p99", "Submit to result at 100/s, p99", "keeps no results"),
    Panel("queue", "bulk submit", "Queueing many tasks"),
    Panel("recovery", "all done after", "All done after kill -9 of all workers", "not in time"),
)


def draw(report: Report) -> str:
    """The whole plot, as the text of an SVG file."""
    found = tables(report)
    panels = [panel for panel in PANELS if any(found[panel.part].columns.values())]
    rows = [panels[i : i + COLUMNS] for i in range(0, len(panels), COLUMNS)]
    drawn, y = [], GAP
    for row in rows:
        drawn += [_at(GAP + i * (PANEL_WIDTH + GAP), y, _panel(p, found[p.part])) for i, p in enumerate(row)]
        y += HEAD_HEIGHT + GAP + BAR_HEIGHT * max(len(found[panel.part].columns) for panel in row)
    width = COLUMNS * (PANEL_WIDTH + GAP) + GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
            'role="img" font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{BASE} beside its rivals</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{width}" height="{y}" rx="8"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def _at(x: int, y: int, content: str) -> str:
    return f'<g transform="translate({x},{y})">\n{content}\n</g>'


def _panel(panel: Panel, table: Table) -> str:
    measure = next(measure for measure in table.measures if measure.title == panel.measure)
    values = [measure.value(rounds) for rounds in table.columns.values()]
    head = [_text(0, 14, panel.title, "strong"), _text(0, 31, _unit(measure), "quiet")]
    rows = zip(table.columns, values, _lengths(values), strict=True)
    return "\n".join([*head, *(_bar(HEAD_HEIGHT + i * BAR_HEIGHT, panel, *row) for i, row in enumerate(rows))])


def _unit(measure: Measure) -> str:
    return f"{measure.unit}, {'more' if measure.more_is_better else 'less'} is better"


def _lengths(values: Sequence[float | None]) -> list[float]:
    """Widths of the bars; the largest takes all the room."""
    room = PANEL_WIDTH - NAME_WIDTH - FIGURE_WIDTH
    most = max((value for value in values if value is not None), default=0.0)
    if not most:
        return [0.0] * len(values)
    return [0.0 if value is None else max(SHORTEST, room * value / most) for value in values]


def _bar(y: int, panel: Panel, name: str, value: float | None, length: float) -> str:
    whose, weight = ("own", "strong") if name == BASE else ("other", "")
    figure, weight = (panel.absent, "quiet") if value is None else (short(value), weight)
    return "\n".join(
        [
            _text(0, y + 12, name, "strong" if name == BASE else ""),
            f'<rect class="{whose}" x="{NAME_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT - 6}" rx="2"/>',
            _text(math.ceil(NAME_WIDTH + length + (6 if value is not None else 0)), y + 12, figure, weight),
        ]
    )


def _text(x: int, y: int, text: str, kind: str) -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{name}>{escape(text)}</text>'
