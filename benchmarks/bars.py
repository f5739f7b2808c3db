"""The bars that Despacho has to pass, and whether a run passed them. Ratios count more than times: both sides of a
ratio ran on the same machine in the same minutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.figures import Report
from benchmarks.measures import BASE, Table, tables
from benchmarks.table import short
from benchmarks.watchers import PAGES

CELERY_ENDPOINTS = ("fastapi+celery def", "fastapi+celery async")
STOCK_ENDPOINT = "starlette+dramatiq"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `value` is `None` where the run did not measure it; an `aim` is wished for, not required."""

    name: str
    unit: str
    value: float | None
    limit: float
    at_least: bool = False
    aim: bool = False

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        verdict = {True: "met", False: "aim missed" if self.aim else "MISSED", None: "not measured"}[self.met]
        value = "-" if self.value is None else short(self.value)
        sign = ">=" if self.at_least else "<="
        kind = "aim" if self.aim else "bar"
        return f"{verdict:12}  {self.name:44}  {value:>8} {self.unit:10}  {kind} {sign} {short(self.limit)}"


def bars(report: Report) -> list[Bar]:
    found = tables(report)
    parts = (
        _queue(found["queue"]),
        _http(found["http"]),
        _recovery(found["recovery"]),
        _size(found["size"], found["record"]),
        _meaning(found["meaning"]),
        _watchers(found["watchers"]),
    )
    return [bar for part in parts for bar in part]


def _queue(queue: Table) -> Iterator[Bar]:
    def own(title: str) -> float | None:
        return queue.value(BASE, title)

    def times(title: str, rival: str) -> float | None:
        return ratio(own(title), queue.value(rival, title))

    yield Bar("idle pick-up, median", "ms", own("pick-up p50"), 2)
    yield Bar("idle pick-up, p95", "ms", own("pick-up p95"), 8)
    yield Bar("drain by Celery's", "x", times("drain", "celery"), 5, at_least=True)
    yield Bar("drain by Dramatiq's with results", "x", times("drain", "dramatiq+results"), 1, at_least=True)
    yield Bar("drain by stock Dramatiq's", "x", times("drain", "dramatiq"), 1, at_least=True, aim=True)
    yield Bar("submit to result, median", "ms", own("to result p50"), 4)
    yield Bar("submit to result, p99", "ms", own("to result p99"), 12)
    yield Bar("submit to result, median by Dramatiq's", "x", times("to result p50", "dramatiq+results"), 1)
    yield Bar("submit to result, p99 by Dramatiq's", "x", times("to result p99", "dramatiq+results"), 1)
    yield Bar("bulk submit through the ledger", "tasks/s", own("bulk submit"), 15_000, at_least=True)
    yield Bar("single submit, median", "ms", own("submit p50"), 0.25)
    yield Bar("single submit, p99", "ms", own("submit p99"), 0.5)
    yield Bar("idle commands, those in scripts included", "/s, process", own("idle commands"), 2)


def _http(http: Table) -> Iterator[Bar]:
    own = http.value(BASE, "HTTP submit")
    celery = [value for name in CELERY_ENDPOINTS if (value := http.value(name, "HTTP submit")) is not None]
    stock = http.value(STOCK_ENDPOINT, "HTTP submit")
    yield Bar("HTTP submit by FastAPI + Celery's", "x", ratio(own, max(celery, default=None)), 3, at_least=True)
    yield Bar("HTTP submit by Starlette + Dramatiq's", "x", ratio(own, stock), 1, at_least=True)
    yield Bar("HTTP submit", "req/s", own, 4_000, at_least=True, aim=True)
    yield Bar("HTTP bulk submit", "tasks/s", http.value(BASE, "HTTP bulk"), 8_000, at_least=True)
    for name in http.columns:
        yield Bar(f"failed requests, {name}", "", http.value(name, "failed"), 0)


def _recovery(recovery: Table) -> Iterator[Bar]:
    seconds = None if recovery.value(BASE, "all done after") is None else recovery.worst(BASE, "all done after")
    missing = recovery.value(BASE, "not done")
    # Tasks that were not done in time have no time: a bar that was missed, not one that was not measured.
    yield Bar("recovery, the longest of all", "s", float("inf") if missing else seconds, 25)
    yield Bar("tasks lost by a kill", "tasks", missing, 0)


def _size(size: Table, record: Table) -> Iterator[Bar]:
    for measure in size.measures:
        values = [size.value(column, measure.title) for column in size.columns]
        grown = ratio(values[-1], values[0]) if values else None
        yield Bar(f"{measure.title}, many records by few", "x", grown, 1.3)
    for kind in record.columns:
        yield Bar(f"record of a {kind}", "bytes", record.value(kind, "one finished task"), 1_500)


def _meaning(meaning: Table) -> Iterator[Bar]:
    yield Bar("embeddings by two workers", "texts/s", meaning.value(BASE, "embeddings"), 800, at_least=True)


def _watchers(watchers: Table) -> Iterator[Bar]:
    for page in PAGES:
        yield Bar(f"an event heard by its watchers, {page}, p99", "ms", watchers.value(page, "heard p99"), 100)
        yield Bar(f"memory of a watched gateway, {page}", "MB", watchers.value(page, "gateway memory"), 200)


def ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


def missed(found: list[Bar]) -> list[Bar]:
    return [bar for bar in found if bar.met is False and not bar.aim]
