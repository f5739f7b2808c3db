"""The plot of docs/scaling.md: how late tasks end at growing loads, a line per number of servers. Both scales are
logarithmic; each line carries its name, and ends at a mark where its servers no longer keep up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 36, 64, 52
X_TICKS = (1, 2, 5, 10, 20, 50, 100, 200)
STYLE = """
svg { --ground: #ffffff; --text: #1f2933; --quiet: #5f6b7a; --grid: #e3e8ee;
      --a: #0b6e4f; --b: #2f6db3; --c: #b5651d; --d: #8a4fa3; --e: #b03a4a; }
@media (prefers-color-scheme: dark) {
  svg { --ground: #161b22; --text: #e6edf3; --quiet: #9aa7b4; --grid: #2b333d;
        --a: #3fb68b; --b: #6aa9ef; --c: #e0a15c; --d: #c490dc; --e: #ef7f8d; }
}
.ground { fill: var(--ground); } text { fill: var(--text); } .quiet { fill: var(--quiet); font-size: 11.5px; }
.grid { stroke: var(--grid); } .strong { font-weight: 600; } .line { fill: none; stroke-width: 2.5; }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """`points` are (load, ms); `wall` is the first load that was not kept up with, `None` where all were."""

    name: str
    points: Sequence[tuple[float, float]]
    wall: float | None


def draw_lines(lines: Sequence[Line]) -> str:
    """The whole plot, as the text of an SVG file."""
    times = [ms for line in lines for _, ms in line.points]
    scale = _Scale(_one_of_125_below(min(times)), _one_of_125_above(max(times) * 1.4))
    drawn = [*_grid(scale), *(part for i, line in enumerate(lines) for part in _line("abcde"[i % 5], line, scale))]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">',
            "<title>How late tasks end at larger loads, by the number of servers</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
            _text(LEFT, 24, "Triages: submit to end, 95th percentile, simulated", "strong"),
            _text(
                LEFT, 42, "ms, by load (1x: what one machine of two cores takes); x: no longer kept up with", "quiet"
            ),
            *drawn,
            "</svg>\n",
        ]
    )


class _Scale:
    """Where a load and a time lie on the picture."""

    def __init__(self, least_ms: float, most_ms: float) -> None:
        self.least_ms, self.most_ms = least_ms, most_ms

    def x(self, load: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(load) / math.log(X_TICKS[-1])

    def y(self, ms: float) -> float:
        share = math.log(ms / self.least_ms) / math.log(self.most_ms / self.least_ms)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def times(self) -> list[float]:
        steps = [step * 10.0**power for power in range(-1, 6) for step in (1, 2, 5)]
        return [step for step in steps if self.least_ms <= step <= self.most_ms]


def _grid(scale: _Scale) -> list[str]:
    parts = []
    for ms in scale.times():
        y = scale.y(ms)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{ms:g}", "quiet", "end"))
    loads = [_text(scale.x(load), HEIGHT - BOTTOM + 22, f"{load}x", "quiet", "middle") for load in X_TICKS]
    return [*parts, *loads]


def _line(colour: str, line: Line, scale: _Scale) -> list[str]:
    if not line.points:
        return []
    path = " ".join(f"{scale.x(load):.1f},{scale.y(ms):.1f}" for load, ms in line.points)
    style = f'style="stroke: var(--{colour})"'
    parts = [f'<polyline class="line" {style} points="{path}"/>']
    last_load, last_ms = line.points[-1]
    x, y = scale.x(last_load), scale.y(last_ms)
    if line.wall is not None:
        x, top = scale.x(line.wall), scale.y(scale.most_ms)
        parts.append(
            f'<line class="line" {style} stroke-dasharray="3 4" x1="{scale.x(last_load):.1f}" y1="{y:.1f}" '
            f'x2="{x:.1f}" y2="{top:.1f}"/>'
        )
        parts.append(f'<path class="line" {style} d="M{x - 4:.1f} {top - 4:.1f}l8 8m0 -8l-8 8"/>')
        y = top
    parts.append(_text(x - 30, y + 18, line.name, "", "end", f"fill: var(--{colour})"))
    return parts


def _one_of_125_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (1, 2, 5) if step * power <= value)


def _one_of_125_above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start", style: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    look = f' style="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{name}{look} text-anchor="{anchor}">{escape(text)}</text>'
