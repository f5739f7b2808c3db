"""The table: one line per peer and measure, as the median over the rounds, and beside it its ratio to Despacho's."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.one_round import RESULTS_PER_S, Figures, Plan
from benchmarks.peers import PROCESSES, THREADS

BASE = "despacho"
Found = Mapping[str, Sequence[Figures]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One column: how to read it from the rounds of one peer; `None` where the peer has no such thing."""

    title: str
    unit: str
    value: Callable[[Sequence[Figures]], float | None]
    more_is_better: bool = False


def percentile(samples: Sequence[float], percent: float) -> float | None:
    """The nearest rank of all samples together."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else None


def _median(name: str) -> Callable[[Sequence[Figures]], float | None]:
    return lambda rounds: median(getattr(figures, name) for figures in rounds) if rounds else None


def _percentile(name: str, percent: float) -> Callable[[Sequence[Figures]], float | None]:
    return lambda rounds: percentile([x for figures in rounds for x in getattr(figures, name)], percent)


MEASURES = (
    Measure("drain", "tasks/s", _median("drain_per_s"), more_is_better=True),
    Measure("worker CPU", "µs/task", _median("worker_us")),
    Measure("server CPU", "µs/task", _median("server_us")),
    Measure("commands", "per task", _median("commands")),
    Measure("idle cost", "commands/s", _median("idle_commands_per_s")),
    Measure("pick-up p50", "ms", _percentile("pick_up_ms", 50)),
    Measure("pick-up p95", "ms", _percentile("pick_up_ms", 95)),
    Measure("submit p50", "ms", _percentile("submit_ms", 50)),
    Measure("submit p99", "ms", _percentile("submit_ms", 99)),
    Measure("bulk submit", "tasks/s", _median("bulk_per_s"), more_is_better=True),
    Measure("to result p50", "ms", _percentile("result_ms", 50)),
    Measure("to result p99", "ms", _percentile("result_ms", 99)),
)


def render(found: Found, plan: Plan) -> str:
    """Measures down, peers across; in brackets, the peer's figure divided by Despacho's."""
    header = ["measure", "unit", *found]
    rows = [header, *(_row(measure, found) for measure in MEASURES)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), row[1].ljust(widths[1]), *map(str.rjust, row[2:], widths[2:])])
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], "", _notes(found, plan)])


def _row(measure: Measure, found: Found) -> list[str]:
    base = measure.value(found.get(BASE, ()))
    return [measure.title, measure.unit, *(_cell(measure.value(rounds), base) for rounds in found.values())]


def _cell(value: float | None, base: float | None) -> str:
    if value is None:
        return "-"
    ratio = f" ({value / base:.2f})" if base else ""
    return f"{short(value)}{ratio}"


def short(value: float) -> str:
    """Three digits or so, which is all that such figures are worth."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _notes(found: Found, plan: Plan) -> str:
    rounds = ", ".join(f"{name} {len(figures)}" for name, figures in found.items())
    return "\n".join(
        [
            f"{machine()} {_others(found)}",
            f"Rounds: {rounds}. Medians over the rounds, percentiles over all samples; (x) = divided by {BASE}'s.",
            f"{PROCESSES} processes x {THREADS} threads (taskiq, saq: coroutines) on one Valkey without persistence.",
            f"Drain: {plan.single + plan.drain:,} no-ops, first body to last. Commands: those within scripts count.",
            f"To result: {RESULTS_PER_S} submits a second, each polled for until its result is visible.",
        ]
    )


def _others(found: Found) -> str:
    shares = [figures.others_percent for rounds in found.values() for figures in rounds]
    if not shares:
        return "Nothing was measured."
    return f"Other work took {median(shares):.0f} % of it (at most {max(shares):.0f} %) while the peers were idle."


def machine() -> str:
    """What it ran on, and how busy that was: other work on the machine moves every figure."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    cores = len(os.sched_getaffinity(0))
    return (
        f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}, load {load}."
    )
