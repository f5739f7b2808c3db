"""What is read from the figures: one `Measure` per line of the tables, grouped into the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.figures import Report

BASE = "despacho"
Rounds = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """One line: how to read it from the rounds of one column; `None` where there is no such thing."""

    title: str
    unit: str
    value: Callable[[Rounds], float | None]
    more_is_better: bool = False

    def spread(self, rounds: Rounds) -> tuple[float, float] | None:
        """The least and the most that a single round found."""
        values = [value for figures in rounds if (value := self.value([figures])) is not None]
        return (min(values), max(values)) if values else None


@dataclass(frozen=True, slots=True)
class Table:
    """Measures down, columns across, each figure also as a multiple of the base's."""

    title: str
    base: str
    columns: Mapping[str, Rounds]
    measures: Sequence[Measure]

    def value(self, column: str, title: str) -> float | None:
        measure = next(measure for measure in self.measures if measure.title == title)
        return measure.value(self.columns.get(column, ()))

    def worst(self, column: str, title: str) -> float | None:
        measure = next(measure for measure in self.measures if measure.title == title)
        spread = measure.spread(self.columns.get(column, ()))
        return spread[1] if spread else None


def percentile(samples: Sequence[float], percent: float) -> float | None:
    """The nearest rank of all samples together."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else None


def _median(name: str) -> Callable[[Rounds], float | None]:
    def value(rounds: Rounds) -> float | None:
        values = [found for figures in rounds if (found := getattr(figures, name)) is not None]
        return median(values) if values else None

    return value


def _most(name: str) -> Callable[[Rounds], float | None]:
    return lambda rounds: max((getattr(figures, name) for figures in rounds), default=None)


def _percentile(name: str, percent: float) -> Callable[[Rounds], float | None]:
    return lambda rounds: percentile([x for figures in rounds for x in getattr(figures, name)], percent)


def _seconds(rounds: Rounds) -> float | None:
    """The median, where all were done every time."""
    values = [figures.seconds for figures in rounds]
    return median(values) if values and None not in values else None


QUEUE = (
    Measure("drain", "tasks/s", _median("drain_per_s"), more_is_better=True),
    Measure("worker CPU", "µs/task", _median("worker_us")),
    Measure("server CPU", "µs/task", _median("server_us")),
    Measure("commands", "per task", _median("commands")),
    Measure("idle round trips", "/s, process", _median("idle_round_trips")),
    Measure("idle commands", "/s, process", _median("idle_commands")),
    Measure("pick-up p50", "ms", _percentile("pick_up_ms", 50)),
    Measure("pick-up p95", "ms", _percentile("pick_up_ms", 95)),
    Measure("submit p50", "ms", _percentile("submit_ms", 50)),
    Measure("submit p99", "ms", _percentile("submit_ms", 99)),
    Measure("bulk submit", "tasks/s", _median("bulk_per_s"), more_is_better=True),
    Measure("to result p50", "ms", _percentile("result_ms", 50)),
    Measure("to result p99", "ms", _percentile("result_ms", 99)),
)
HTTP = (
    Measure("HTTP submit", "req/s", _median("per_s"), more_is_better=True),
    Measure("HTTP p50", "ms", _median("p50_ms")),
    Measure("HTTP p99", "ms", _median("p99_ms")),
    Measure("gateway CPU", "µs/req", _median("server_us")),
    Measure("failed", "requests", _most("failed")),
    Measure("HTTP bulk", "tasks/s", _median("bulk_per_s"), more_is_better=True),
)
RECOVERY = (
    Measure("all done after", "s", _seconds),
    Measure("not done", "tasks", _most("missing")),
    Measure("done twice", "tasks", _most("twice")),
)
SIZE = (
    Measure("status", "ms", _median("status_ms")),
    Measure("page", "ms", _median("page_ms")),
    Measure("page of succeeded", "ms", _median("page_of_status_ms")),
    Measure("submit", "ms", _median("submit_ms")),
)
MEANING = (
    Measure("embeddings", "texts/s", _median("embeddings_per_s"), more_is_better=True),
    Measure("embeddings, one a task", "texts/s", _median("single_per_s"), more_is_better=True),
    Measure("similar p50", "ms", _median("similar_p50_ms")),
    Measure("similar p95", "ms", _median("similar_p95_ms")),
)
WATCHERS = (
    Measure("watchers", "", _most("watchers")),
    Measure("all connected", "s", _median("connected_s")),
    Measure("heard p50", "ms", _median("p50_ms")),
    Measure("heard p99", "ms", _median("p99_ms")),
    Measure("heard by the last", "ms", _most("most_ms")),
    Measure("idle gateway", "MB", _most("idle_mb")),
    Measure("gateway memory", "MB", _most("resident_mb")),
    Measure("gateway CPU", "µs/event", _median("cpu_us")),
)
COSTS = (
    Measure("server: submit", "µs", _median("submit_us")),
    Measure("server: submit, many", "µs/task", _median("bulk_us")),
    Measure("server: run", "µs", _median("run_us")),
    Measure("server: progress", "µs", _median("progress_us")),
    Measure("server: status read", "µs", _median("read_us")),
    Measure("server: idle worker", "µs/s", _median("idle_us")),
    Measure("worker", "µs/task", _median("worker_us")),
    Measure("to the server", "bytes/task", _median("in_bytes")),
    Measure("from the server", "bytes/task", _median("out_bytes")),
    Measure("append-only file", "bytes/task", _median("file_bytes")),
    Measure("drain", "tasks/s", _median("drain_per_s"), more_is_better=True),
    Measure("steady rate", "tasks/s", _median("steady_per_s")),
    Measure("to end p50", "ms", _median("end_p50_ms")),
    Measure("to end p95", "ms", _median("end_p95_ms")),
    Measure("other work", "% of machine", _median("others_percent")),
)
RECORD = (Measure("one finished task", "bytes", _median("bytes")),)


def tables(report: Report) -> dict[str, Table]:
    """All tables by the name of their part."""
    smallest = next(iter(report.size), "")
    return {
        "queue": Table("Workers and queue", BASE, report.queue, QUEUE),
        "http": Table("Submit over HTTP", BASE, report.http, HTTP),
        "recovery": Table("Killed and restarted", BASE, report.recovery, RECOVERY),
        "size": Table("Despacho with many finished tasks", smallest, report.size, SIZE),
        "meaning": Table("Embeddings and similar cases", BASE, report.meaning, MEANING),
        "watchers": Table("Watchers of one gateway", "", report.watchers, WATCHERS),
        "costs": Table("Costs of one task, CPU and bytes", "", report.costs, COSTS),
        "record": Table("Memory of Despacho's records", "", report.record, RECORD),
    }
