"""What a store full of finished tasks costs: `python -m benchmarks.size`.

The same calls go, in turns, to a small store and to a large one on the same server, so that a machine whose speed
swings moves both alike. Every record was made as any other is: submitted, run by a worker, and kept.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import redis
import uvloop

from benchmarks.child import answer, told
from benchmarks.figures import RecordFigures, SizeFigures
from benchmarks.marks import FOLDER, Marks
from benchmarks.peers import REDIS_URL, redis_url
from benchmarks.peers.despacho import AT_ONCE, CATALOG, PEER
from benchmarks.plan import Plan
from benchmarks.processes import Workers
from benchmarks.warm import until_all_work
from tasks.connection import connect
from tasks.ledger import Ledger
from tasks.lifecycle import State
from tasks.reader import TaskFilter
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.submission import DEFAULT_TENANT, Order, check

AHEAD = 20_000
"""How many tasks may wait while a store is filled."""
KNOWN_OF_BATCH = 100
READS, PAGES, SUBMITS = 1_000, 200, 500
PAGE = 50
MESSAGE = "Fui demitida ontem e não me pagaram as verbas da rescisão."


def noop(_number: int) -> Order:
    return Order("bench.noop")


def triage(number: int) -> Order:
    return Order("bench.triage", kwargs={"case_id": f"case-{number:07}", "user_message": MESSAGE})


class Store:
    """One Redis database with Despacho's tasks in it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.settings = Settings(redis_url=url, max_waiting=1_000_000_000)
        self.ids: list[str] = []
        self._folder = folder
        self._ledger = Ledger(connect(self.settings), self.settings, CATALOG)
        (folder / "marks").mkdir(parents=True)

    @contextmanager
    def at_work(self) -> Iterator[Marks]:
        """With its workers running."""
        environment = {REDIS_URL: self.settings.redis_url, FOLDER: str(self._folder / "marks")}
        workers = Workers(PEER.worker_commands(), self._folder / "workers.log", environment)
        try:
            marks = Marks(self._folder / "marks")
            until_all_work(self.submit, marks)
            sleep(0.5)
            yield marks
        finally:
            workers.stop()

    def fill(self, marks: Marks, count: int, order: Callable[[int], Order]) -> None:
        """So many more finished tasks."""
        before = marks.count()
        for start in range(0, count, AT_ONCE):
            marks.wait_for(before + start - AHEAD, timeout_s=120, pause_s=0.01)
            numbers = range(start, min(start + AT_ONCE, count))
            submitted = self._ledger.submit([check(order(number), CATALOG) for number in numbers])
            self.ids += random.sample(submitted.task_ids, min(len(numbers), KNOWN_OF_BATCH))
        marks.wait_for(before + count, timeout_s=120 + AHEAD / 50, pause_s=0.01)
        sleep(1)

    def submit(self) -> None:
        self._ledger.submit([check(noop(0), CATALOG)])

    def used_bytes(self) -> int:
        return int(self._ledger.client.info("memory")["used_memory"])


def _in_turns(plan: Plan, folder: Path) -> dict[str, Any]:
    """Fill a small and a large store, then ask both."""
    base = redis_url().rpartition("/")[0]
    small, large = (Store(f"{base}/{number}", folder / str(number)) for number in range(2))
    with small.at_work() as marks:
        small.fill(marks, plan.small_records, noop)
    with large.at_work() as marks:
        before = large.used_bytes()
        large.fill(marks, plan.records, noop)
        noop_bytes = (large.used_bytes() - before) / plan.records
    gc.collect()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        medians = runner.run(_ask([small, large]))
    sizes = {f"{count:,} records": m for count, m in zip((plan.small_records, plan.records), medians, strict=True)}
    return {"size": {name: asdict(figures) for name, figures in sizes.items()}, "noop_bytes": noop_bytes}


async def _ask(stores: list[Store]) -> list[SizeFigures]:
    services = [TaskService.connect(store.settings) for store in stores]
    everything = TaskFilter(DEFAULT_TENANT, limit=PAGE)
    succeeded = TaskFilter(DEFAULT_TENANT, statuses=(State.SUCCEEDED,), limit=PAGE)
    pairs = list(zip(services, stores, strict=True))
    columns = [
        await _medians_ms([partial(_read_one, service, store) for service, store in pairs], READS),
        await _medians_ms([partial(service.reader.page, everything) for service in services], PAGES),
        await _medians_ms([partial(service.reader.page, succeeded) for service in services], PAGES),
        await _medians_ms([partial(_submit, store) for store in stores], SUBMITS),
    ]
    for service in services:
        await service.close()
    return [SizeFigures(*column) for column in zip(*columns, strict=True)]


async def _read_one(service: TaskService, store: Store) -> None:
    task = await service.get_task_status(random.choice(store.ids))
    assert task.status is State.SUCCEEDED


async def _submit(store: Store) -> None:
    store.submit()


async def _medians_ms(calls: list[Callable[[], Awaitable[object]]], count: int) -> list[float]:
    """One median per call; they take turns, and each begins a turn equally often."""
    samples: list[list[float]] = [[] for _ in calls]
    for turn, number in itertools.product(range(count), range(len(calls))):
        chosen = (turn + number) % len(calls)
        start = perf_counter()
        await calls[chosen]()
        samples[chosen].append((perf_counter() - start) * 1e3)
    return [median(times) for times in samples]


def _triage_bytes(plan: Plan, folder: Path) -> float:
    """On the emptied server; emptied at once, for what is freed later would count as saved."""
    redis.Redis.from_url(redis_url()).flushall(asynchronous=False)
    store = Store(redis_url(), folder / "triages")
    with store.at_work() as marks:
        before = store.used_bytes()
        store.fill(marks, plan.sample, triage)
        return (store.used_bytes() - before) / plan.sample


def main() -> None:
    plan, folder = told()
    triage_bytes = _triage_bytes(plan, folder)
    redis.Redis.from_url(redis_url()).flushall(asynchronous=False)
    found = _in_turns(plan, folder)
    kinds = {"no-op": found.pop("noop_bytes"), "small triage": triage_bytes}
    record = {kind: asdict(RecordFigures(size)) for kind, size in kinds.items()}
    answer({**found, "record": record})


if __name__ == "__main__":
    main()
