"""What many watchers cost one gateway process: `python -m benchmarks.watchers`.

They are connections of this process, read as they come, without a library between: so it is the gateway that is
measured. On the page `one stream` all of them watch the same task, and every event goes to all; on `a stream each`
every one watches another case, and every event goes to one. From just before an event is written to Redis to the
read that brings it, in ms. Every watcher must have got every event once, or there is no answer.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic, perf_counter
from typing import cast

import uvloop

from benchmarks.child import answer, told
from benchmarks.figures import WatchersFigures
from benchmarks.http_round import until_it_listens
from benchmarks.measures import percentile
from benchmarks.peers import NAME, python_module, redis_url
from benchmarks.plan import Plan
from benchmarks.processes import Workers, free_port
from tasks.api_keys import ApiKeys
from tasks.catalog import CATALOG
from tasks.connection import connect
from tasks.ledger import Appetite, Hold, Ledger
from tasks.settings import Settings
from tasks.submission import Order, check

ONE_STREAM, A_STREAM_EACH = "one stream", "a stream each"
PAGES = (ONE_STREAM, A_STREAM_EACH)
WORKER = "w-bench"
ALL_CONNECT_WITHIN_S = 60.0
ALL_HEAR_WITHIN_S = 10.0
PAUSE_S = 0.1
"""Between two events that all watch."""
EVENTS_PER_S = 400
"""Of those that each go to one watcher."""
_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


class Watch(asyncio.Protocol):
    """One connection; `ids` are the numbers of the events that it got, `heard_s` when the last bytes came."""

    def __init__(self, request: bytes, hall: Hall) -> None:
        self._request = request
        self._hall = hall
        self._rest = b""
        self.ids: list[int] = []
        self.heard_s = 0.0
        self.is_cut = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own transport, which is none of asyncio's classes.
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self.heard_s = perf_counter()
        events, mark, self._rest = (self._rest + data).rpartition(b"\n\n")
        if mark:
            found = _ID.findall(events)
            self.ids += map(int, found)
            self._hall.count(len(found))

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_cut = True


class Hall:
    """All watchers, and how many events they have got together."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self._got = 0
        self._wanted = 0
        self._all_got = asyncio.Event()

    def count(self, events: int) -> None:
        self._got += events
        if self._got >= self._wanted:
            self._all_got.set()

    async def join(self, port: int, paths: Sequence[str], token: str) -> None:
        loop = asyncio.get_running_loop()
        for path in paths:
            request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            watch = Watch(request, self)
            self.watches.append(watch)
            await loop.create_connection(lambda watch=watch: watch, "127.0.0.1", port)

    async def until_got(self, wanted: int, within_s: float) -> None:
        """Until so many events have come, over all watchers. Raises `TimeoutError`."""
        self._wanted = wanted
        self._all_got.clear()
        self.count(0)
        async with asyncio.timeout(within_s):
            await self._all_got.wait()


class Stage:
    """Tasks under way, whose progress is what the watchers are told."""

    def __init__(self, settings: Settings) -> None:
        self._ledger = Ledger(connect(settings), settings)
        self._holds: list[Hold] = []
        self._told = 0

    def begin(self, count: int) -> None:
        """So many tasks, each of a case of its own, all running."""
        orders = [
            Order("triage.process_async", kwargs={"case_id": f"case-{number}", "user_message": "Fui demitida."})
            for number in range(count)
        ]
        tasks = [check(order, CATALOG) for order in orders]
        for at in range(0, count, 500):
            self._ledger.submit(tasks[at : at + 500])
        while len(self._holds) < count:
            self._holds += [started.hold for started in self._ledger.fetch(Appetite(WORKER, CATALOG.queues, 500))]

    @property
    def task_id(self) -> str:
        return self._holds[0].task_id

    def tell(self, number: int) -> float:
        """Write the next event of this task; when that began."""
        self._told += 1
        start = perf_counter()
        self._ledger.progress(self._holds[number], self._told % 100, "Lendo a conversa")
        return start


async def _measure(
    plan: Plan, page: str, port: int, token: str, settings: Settings, gateway: Workers
) -> WatchersFigures:
    stage, hall = Stage(settings), Hall()
    stage.begin(plan.watchers if page == A_STREAM_EACH else 1)
    idle_mb = gateway.resident_mb()
    start = monotonic()
    await hall.join(port, _paths(page, plan.watchers, stage), token)
    # What each is told at first: that its task was queued, and that it runs.
    await hall.until_got(2 * plan.watchers, ALL_CONNECT_WITHIN_S)
    connected_s = monotonic() - start
    cpu_s = gateway.cpu_s()
    times = await (_all_at_once if page == ONE_STREAM else _one_by_one)(plan, stage, hall)
    cpu_us = (gateway.cpu_s() - cpu_s) / len(times) * 1e6
    _check(hall, 2 + len(times) // plan.watchers)
    return WatchersFigures(
        watchers=plan.watchers,
        connected_s=connected_s,
        p50_ms=percentile(times, 50) or 0,
        p99_ms=percentile(times, 99) or 0,
        most_ms=max(times),
        idle_mb=idle_mb,
        resident_mb=gateway.resident_mb(),
        cpu_us=cpu_us,
    )


def _paths(page: str, count: int, stage: Stage) -> list[str]:
    if page == ONE_STREAM:
        return [f"/api/tasks/{stage.task_id}/events"] * count
    return [f"/api/v2/triage/stream/case-{number}" for number in range(count)]


async def _all_at_once(plan: Plan, stage: Stage, hall: Hall) -> list[float]:
    times, count = [], len(hall.watches)
    for number in range(plan.watched_events):
        start = stage.tell(0)
        await hall.until_got((3 + number) * count, ALL_HEAR_WITHIN_S)
        times += [(watch.heard_s - start) * 1e3 for watch in hall.watches]
        await asyncio.sleep(PAUSE_S)
    return times


async def _one_by_one(_plan: Plan, stage: Stage, hall: Hall) -> list[float]:
    """At a steady rate, whoever has heard by then."""
    count, starts, begin = len(hall.watches), [], perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, begin + number / EVENTS_PER_S - perf_counter()))
        starts.append(stage.tell(number))
    await hall.until_got(3 * count, ALL_HEAR_WITHIN_S)
    return [(watch.heard_s - start) * 1e3 for watch, start in zip(hall.watches, starts, strict=True)]


def _check(hall: Hall, events: int) -> None:
    """Raises `RuntimeError` where a watcher was cut, or got other than each event once and in order."""
    for watch in hall.watches:
        if watch.is_cut or len(watch.ids) != events or watch.ids != sorted(set(watch.ids)):
            raise RuntimeError(f"a watcher got {len(watch.ids)} of {events} events")


def main() -> None:
    plan, folder = told()
    page, port = os.environ[NAME], free_port()
    settings = Settings(redis_url=redis_url(), data_dir=folder / "data")
    _, token = ApiKeys(connect(settings), settings).create("bench", "default", ("tasks:read",))
    gateway = _gateway(port, folder)
    # A look for garbage among all these watchers would be taken for a late event.
    gc.disable()
    try:
        until_it_listens(port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            answer(asdict(runner.run(_measure(plan, page, port, token, settings, gateway))))
    finally:
        gateway.stop()


def _gateway(port: int, folder: Path) -> Workers:
    environment = {
        "DESPACHO_REDIS_URL": redis_url(),
        "DESPACHO_PORT": str(port),
        "DESPACHO_DATA_DIR": str(folder / "data"),
    }
    return Workers([python_module("cli.main", "gateway")], folder / "workers.log", environment)


if __name__ == "__main__":
    main()
