"""The plot for the README: one small panel of bars per measure, as SVG without any library.

The scales are logarithmic, because the peers lie up to a hundred times apart; each bar carries its figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.figures import Report
from benchmarks.measures import BASE, QUEUE, Measure
from benchmarks.table import short
Found = dict
MEASURES = QUEUE

SHOWN = ("drain", "bulk submit", "pick-up p50", "pick-up p95", "to result p50", "to result p99")
COLUMNS = 2
PANEL_WIDTH, BAR_HEIGHT, HEAD_HEIGHT, GAP = 430, 22, 34, 24
NAME_WIDTH, FIGURE_WIDTH = 120, 70
OWN_COLOUR, OTHER_COLOUR, TEXT_COLOUR, PAPER = "#0b6e4f", "#9aa5b1", "#1f2933", "#ffffff"
SHORTEST = 0.04
"""Of the full width: the least bar can still be seen."""


def draw(report: Report) -> str:
    """The whole plot, as the text of an SVG file."""
    found = report.queue
    panel_height = HEAD_HEIGHT + BAR_HEIGHT * len(found) + GAP
    measures = [measure for measure in MEASURES if measure.title in SHOWN]
    width = COLUMNS * (PANEL_WIDTH + GAP) + GAP
    height = math.ceil(len(measures) / COLUMNS) * panel_height + GAP
    panels = [
        _at(GAP + i % COLUMNS * (PANEL_WIDTH + GAP), GAP + i // COLUMNS * panel_height, _panel(measure, found))
        for i, measure in enumerate(measures)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{BASE} beside its rivals</title>",
            # A ground of its own: the reader's page may be dark.
            f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
            *panels,
            "</svg>\n",
        ]
    )


def _at(x: int, y: int, content: str) -> str:
    return f'<g transform="translate({x},{y})">\n{content}\n</g>'


def _panel(measure: Measure, found: Found) -> str:
    values = [measure.value(rounds) for rounds in found.values()]
    lengths = _lengths(values)
    better = "more is better" if measure.more_is_better else "less is better"
    head = _text(0, 14, f"{measure.title}, {measure.unit} ({better}, log scale)", "bold")
    rows = zip(found, values, lengths, strict=True)
    return "\n".join([head, *(_bar(HEAD_HEIGHT + i * BAR_HEIGHT, *row) for i, row in enumerate(rows))])


def _lengths(values: Sequence[float | None]) -> list[float]:
    """Widths of the bars, by the logarithm; the largest takes all the room."""
    logs = [math.log10(value) for value in values if value]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    room, span = PANEL_WIDTH - NAME_WIDTH - FIGURE_WIDTH, high - low or 1.0
    share = (1 - SHORTEST) / span
    return [room * (SHORTEST + (math.log10(value) - low) * share) if value else 0.0 for value in values]


def _bar(y: int, name: str, value: float | None, length: float) -> str:
    colour = OWN_COLOUR if name == BASE else OTHER_COLOUR
    weight = "bold" if name == BASE else "normal"
    figure = "-" if value is None else short(value)
    return "\n".join(
        [
            _text(0, y + 11, name, weight),
            f'<rect x="{NAME_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT - 7}" fill="{colour}"/>',
            _text(round(NAME_WIDTH + length + 6), y + 11, figure, weight),
        ]
    )


def _text(x: int, y: int, text: str, weight: str) -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}" fill="{TEXT_COLOUR}">{escape(text)}</text>'
