"""The geometry of a report's plots: where bars, cells and bands lie. What they look like is the template's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STACK = ("succeeded", "cancelled", "failed")
"""From the ground up: what failed is on top, where it is seen."""
URGENCIES = ("critical", "high", "medium", "low")
SEEN = 1.2
"""In per cent of a plot: one failure beside thousands is still seen."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: its kind, and where it begins and how long it is, in per cent."""

    kind: str
    start: float
    length: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of stacked parts; `before` is the height of the same bar in the period before."""

    label: str
    title: str
    parts: tuple[Part, ...]
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars side by side, with lines at round numbers: pairs of a height in per cent and what stands there."""

    bars: Sequence[Bar]
    lines: Sequence[tuple[float, int]]
    every: int = 1
    """Each so many bars have a label."""


@dataclass(frozen=True, slots=True)
class Cell:
    column: int
    row: int
    strength: float
    title: str


@dataclass(frozen=True, slots=True)
class Band:
    """p50, p95 and p99 on a logarithmic scale, in per cent of its width."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic scale of times: marks are pairs of a place in per cent and the time in ms."""

    least: float
    most: float
    marks: Sequence[tuple[float, float]] = field(default=())

    def place(self, milliseconds: float) -> float:
        span = math.log(self.most / self.least)
        at = math.log(min(max(milliseconds, self.least), self.most) / self.least) / span
        return round(100 * at, 2)


def round_steps(most: int) -> list[int]:
    """Two to five round numbers up to at least `most`, with 0."""
    if most <= 0:
        return [0, 1]
    rough = most / 4
    size = 10.0 ** math.floor(math.log10(rough)) if rough >= 1 else 1
    step = next(int(size * each) for each in (1, 2, 5, 10) if size * each >= rough)
    return list(range(0, most + step, step))


def stacked(counts: Mapping[str, int], kinds: Iterable[str], whole: float, least: float = 0.0) -> tuple[Part, ...]:
    """The parts of a bar that has the length of its sum beside `whole`; what is there is at least `least` long."""
    parts, start = [], 0.0
    for kind in kinds:
        count = counts.get(kind, 0)
        length = max(100 * count / whole, least) if count and whole else 0.0
        if length:
            parts.append(Part(kind, round(start, 3), round(length, 3)))
        start += length
    return tuple(parts)


def columns(rows: Sequence[Mapping[str, Any]], every: int) -> Columns:
    """Each row has a label, a title, the counts of its parts, and `before` or `None`."""
    most = max((max(sum(row[kind] for kind in STACK), row["before"] or 0) for row in rows), default=0)
    steps = round_steps(most)
    top = steps[-1]
    bars = [
        Bar(
            row["label"],
            row["title"],
            stacked(row, STACK, top, SEEN),
            None if row["before"] is None else round(100 * row["before"] / top, 3),
        )
        for row in rows
    ]
    return Columns(bars, [(100 * step / top, step) for step in steps], every)


ROUND_MS = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 360_000_000)
"""Where a scale of times begins, ends and is marked: up to 10 s, then minutes and hours."""


def scale_of(times: Iterable[float | None]) -> Scale | None:
    """A scale over all of these times; `None` where there is none."""
    known = [ms for ms in times if ms is not None]
    if not known:
        return None
    least = max((mark for mark in ROUND_MS[:-1] if mark <= min(known)), default=ROUND_MS[0])
    most = min((mark for mark in ROUND_MS if mark >= max(known) and mark > least), default=ROUND_MS[-1])
    bare = Scale(least, most)
    return Scale(least, most, [(bare.place(mark), mark) for mark in ROUND_MS if least <= mark <= most])


def band(scale: Scale, times: Mapping[str, float | None]) -> Band | None:
    p50, p95, p99 = times["p50"], times["p95"], times["p99"]
    if p50 is None or p95 is None or p99 is None:
        return None
    return Band(scale.place(p50), scale.place(p95), scale.place(p99))
