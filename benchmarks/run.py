"""The whole run: every part over all its peers, in rounds that are interleaved."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis

from benchmarks.child import run_round
from benchmarks.costs import KINDS
from benchmarks.figures import (
    CostFigures,
    HttpFigures,
    MeaningFigures,
    QueueFigures,
    RecordFigures,
    RecoveryFigures,
    Report,
    SizeFigures,
    WatchersFigures,
)
from benchmarks.measures import BASE
from benchmarks.plan import Plan
from benchmarks.processes import server
from benchmarks.table import machine
from benchmarks.watchers import PAGES
from benchmarks.web import ENDPOINTS
from benchmarks.wrk import is_installed

PARTS = ("queue", "http", "recovery", "size", "embeddings", "watchers", "costs")
ROUND_WITHIN_S = 600.0


def run(parts: Sequence[str], peers: Sequence[str], plan: Plan) -> Report:
    """Measure these parts of these peers."""
    report = Report(machine=machine())
    _say(report.machine)
    steps: dict[str, Callable[[Report, Sequence[str], Plan], None]] = {
        "queue": _queue,
        "http": _http,
        "recovery": _recovery,
        "size": _size,
        "embeddings": _embeddings,
        "watchers": _watchers,
        "costs": _costs,
    }
    for part in parts:
        steps[part](report, peers, plan)
    return report


def _queue(report: Report, peers: Sequence[str], plan: Plan) -> None:
    for name, found in _rounds("benchmarks.one_round", peers, [plan.rounds] * len(peers), plan):
        report.queue.setdefault(name, []).append(QueueFigures(**found))
    _in_order(report.queue, peers)


def _http(report: Report, peers: Sequence[str], plan: Plan) -> None:
    if not is_installed():
        _say("HTTP is left out: wrk is not installed (apt-get install wrk)")
        return
    names = [name for name in ENDPOINTS if name != BASE or BASE in peers]
    for name, found in _rounds("benchmarks.http_round", names, [plan.rounds] * len(names), plan):
        report.http.setdefault(name, []).append(HttpFigures(**found))
    _in_order(report.http, names)


def _recovery(report: Report, peers: Sequence[str], plan: Plan) -> None:
    rounds = [plan.recoveries if name == BASE else 1 for name in peers]
    for name, found in _rounds("benchmarks.recovery", peers, rounds, plan):
        report.recovery.setdefault(name, []).append(RecoveryFigures(**found))
    _in_order(report.recovery, peers)


def _size(report: Report, peers: Sequence[str], plan: Plan) -> None:
    if BASE not in peers:
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, server(Path(folder)) as (_, port):
        _say(f"size: {plan.records:,} records")
        url = f"redis://127.0.0.1:{port}/0"
        found = run_round("benchmarks.size", BASE, url, plan, Path(folder) / "size", 120 + plan.records / 200)
    if found is not None:
        report.size.update({name: [SizeFigures(**row)] for name, row in found["size"].items()})
        report.record.update({name: [RecordFigures(**row)] for name, row in found["record"].items()})


def _embeddings(report: Report, peers: Sequence[str], plan: Plan) -> None:
    names = [BASE] if BASE in peers else []
    for name, found in _rounds("benchmarks.meaning", names, [plan.rounds] * len(names), plan):
        report.meaning.setdefault(name, []).append(MeaningFigures(**found))


def _watchers(report: Report, peers: Sequence[str], plan: Plan) -> None:
    names = PAGES if BASE in peers else ()
    for name, found in _rounds("benchmarks.watchers", names, [plan.rounds] * len(names), plan):
        report.watchers.setdefault(name, []).append(WatchersFigures(**found))
    _in_order(report.watchers, names)


def _costs(report: Report, peers: Sequence[str], plan: Plan) -> None:
    names = KINDS if BASE in peers else ()
    for name, found in _rounds("benchmarks.costs", names, [plan.rounds] * len(names), plan):
        report.costs.setdefault(name, []).append(CostFigures(**found))
    _in_order(report.costs, names)


def _rounds(
    module: str, names: Sequence[str], rounds: Sequence[int], plan: Plan
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each round of each of these found. All run on one server, each in a database of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, server(Path(folder)) as (pid, port):
        plan = replace(plan, server_pid=pid)
        for number in range(max(rounds, default=0)):
            turn = [name for name, wanted in zip(names, rounds, strict=True) if number < wanted]
            # Rotated, so that no peer always follows the same other.
            for name in turn[number % len(turn) :] + turn[: number % len(turn)]:
                _say(f"{module}, round {number + 1}: {name}")
                url = f"redis://127.0.0.1:{port}/{names.index(name)}"
                redis.Redis.from_url(url).flushall()
                own = Path(folder) / f"{number}-{names.index(name)}"
                found = run_round(module, name, url, plan, own, ROUND_WITHIN_S)
                if found is not None:
                    yield name, found


def _in_order(found: dict[str, list[Any]], names: Sequence[str]) -> None:
    """As they are named, whoever got through first."""
    ordered = {name: found.get(name, []) for name in names}
    found.clear()
    found.update(ordered)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
