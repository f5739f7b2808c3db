"""What one task costs, step by step, in CPU time and bytes: `python -m benchmarks.costs`. The ground of the capacity
model in docs/scaling.md.

CPU times hardly move with what else the machine does, so these figures hold also where rates and latencies don't. The
server keeps its append-only file, as it would in earnest.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import NamedTuple

from benchmarks.child import answer, told
from benchmarks.figures import CostFigures
from benchmarks.measures import percentile
from benchmarks.peers import NAME, PROCESSES, THREADS, python_module, redis_url
from benchmarks.plan import Plan
from benchmarks.processes import Workers, machine_busy_s
from tasks.catalog import CATALOG, Catalog
from tasks.connection import connect
from tasks.ledger import Appetite, Ledger
from tasks.record import Task
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.submission import DEFAULT_TENANT, NewTask, Order, check

NOOP, TRIAGE = "no-op", "triage"
KINDS = (NOOP, TRIAGE)
MESSAGE = (
    "Trabalhei quatro anos numa padaria e fui mandada embora ontem, por mensagem. Estou grávida de três meses, a "
    "dona sabia. Não me pagaram o mês, nem as férias, e dizem que só pagam se eu assinar que pedi demissão. E agora?"
)
AT_ONCE = 500
HELD = 100
READS = 500
READY_WITHIN_S = 60.0
DONE_WITHIN_S = 300.0
SHARE_OF_DRAIN = 0.5
STEADY_S = 8.0
POLL_S = 0.05
"""Seldom enough that being asked costs the server nothing that shows."""


class Store:
    """One kind of task on one server, with workers that can be frozen."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self.settings = Settings(redis_url=redis_url(), data_dir=folder / "data")
        self._catalog = _catalog(kind)
        self.ledger = Ledger(connect(self.settings), self.settings, self._catalog)
        self.submitted = 0

    def worker_commands(self) -> Sequence[Sequence[str]]:
        module = ("benchmarks.peers.despacho",) if self._kind == NOOP else ("cli.main", "worker")
        return [python_module(*module)] * PROCESSES

    def worker_environment(self) -> dict[str, str]:
        return {
            "DESPACHO_REDIS_URL": self.settings.redis_url,
            "DESPACHO_DATA_DIR": str(self.settings.data_dir),
            "DESPACHO_THREADS": str(THREADS),
        }

    def submit(self, count: int, at_once: int = 1) -> list[str]:
        ids: list[str] = []
        for start in range(0, count, at_once):
            many = [self._order(number) for number in range(start, min(start + at_once, count))]
            ids += self.ledger.submit(many).task_ids
        self.submitted += count
        return ids

    def _order(self, number: int) -> NewTask:
        if self._kind == NOOP:
            return check(Order("bench.noop"), self._catalog)
        told = {"case_id": f"case-{number}", "user_message": f"{MESSAGE} ({number})"}
        return check(Order("triage.process_async", kwargs=told), self._catalog)

    def wait_until_done(self) -> None:
        """Until all that was submitted has ended well."""
        name = self.ledger.keys.of("by_status", tenant=DEFAULT_TENANT, status="succeeded")
        deadline = monotonic() + DONE_WITHIN_S
        while int(self.ledger.client.zcard(name)) < self.submitted:
            if monotonic() > deadline:
                raise TimeoutError("not all tasks ended")
            sleep(POLL_S)

    def wait_for_workers(self) -> None:
        deadline = monotonic() + READY_WITHIN_S
        while int(self.ledger.client.zcard(self.ledger.keys.of("heartbeats"))) < PROCESSES:
            if monotonic() > deadline:
                raise TimeoutError("the workers did not start")
            sleep(0.05)

    def keep_a_file(self) -> None:
        client = self.ledger.client
        # What a rewrite saves would count as not written.
        client.config_set("auto-aof-rewrite-percentage", 0)
        client.config_set("appendonly", "yes")
        while client.info("persistence")["aof_rewrite_in_progress"]:
            sleep(0.05)

    def used(self) -> Used:
        client = self.ledger.client
        cpu, stats, file = client.info("cpu"), client.info("stats"), client.info("persistence")
        return Used(
            server_us=(cpu["used_cpu_user"] + cpu["used_cpu_sys"]) * 1e6,
            in_bytes=stats["total_net_input_bytes"],
            out_bytes=stats["total_net_output_bytes"],
            file_bytes=file["aof_current_size"],
        )


def _catalog(kind: str) -> Catalog:
    if kind == TRIAGE:
        return CATALOG
    # Only where its server is known.
    from benchmarks.peers import despacho

    return despacho.CATALOG


class Used(NamedTuple):
    """What the server has used so far: CPU, bytes that came in and went out, bytes of its file."""

    server_us: float
    in_bytes: float
    out_bytes: float
    file_bytes: float

    def since(self, before: Used, count: float) -> Used:
        return Used(*((after - earlier) / count for after, earlier in zip(self, before, strict=True)))


class Round:
    """All costs of one kind of task."""

    def __init__(self, store: Store, plan: Plan, workers: Workers) -> None:
        self._store = store
        self._plan = plan
        self._workers = workers

    def figures(self) -> CostFigures:
        store, count = self._store, self._plan.costs
        store.wait_for_workers()
        # What is loaded late is loaded now, and no process begins with an empty lane.
        store.submit(400, AT_ONCE)
        store.wait_until_done()
        sleep(1)
        self._workers.freeze()
        bulk = self._per(count, lambda: store.submit(count, AT_ONCE))
        single = self._per(count, lambda: store.submit(count))
        progress_us = self._progress_us()
        began, cpu, busy = perf_counter(), self._workers.cpu_s(), machine_busy_s()
        waiting = 2 * count + HELD
        run = self._per(waiting, self._drain)
        drain_s, worker_s = perf_counter() - began, self._workers.cpu_s() - cpu
        server_s = run.server_us * waiting / 1e6
        others_s = max(0.0, machine_busy_s() - busy - worker_s - server_s)
        drain_per_s = waiting / drain_s
        rate = drain_per_s * SHARE_OF_DRAIN
        times = self._times_ms(rate)
        read_us = self._read_us()
        idle = self._per(self._plan.idle_s * PROCESSES, lambda: sleep(self._plan.idle_s))
        return CostFigures(
            submit_us=single.server_us,
            bulk_us=bulk.server_us,
            run_us=run.server_us,
            progress_us=progress_us,
            read_us=read_us,
            idle_us=idle.server_us,
            worker_us=worker_s / waiting * 1e6,
            in_bytes=single.in_bytes + run.in_bytes,
            out_bytes=single.out_bytes + run.out_bytes,
            file_bytes=single.file_bytes + run.file_bytes,
            drain_per_s=drain_per_s,
            steady_per_s=rate,
            end_p50_ms=percentile(times, 50) or 0.0,
            end_p95_ms=percentile(times, 95) or 0.0,
            others_percent=others_s / drain_s / (os.cpu_count() or 1) * 100,
        )

    def _per(self, count: float, step: Callable[[], object]) -> Used:
        before = self._store.used()
        step()
        return self._store.used().since(before, count)

    def _drain(self) -> None:
        self._workers.thaw()
        self._store.wait_until_done()

    def _progress_us(self) -> float:
        """While the workers are frozen, some runs are begun from here, report, and are handed back."""
        ledger = self._store.ledger
        ledger.beat("w-costs", {"threads": HELD})
        self._store.submit(HELD, AT_ONCE)
        holds = [run.hold for run in ledger.fetch(Appetite("w-costs", ledger.catalog.queues, HELD))]

        def report() -> None:
            for number, hold in enumerate(islice(cycle(holds), READS)):
                ledger.progress(hold, number * 100 / READS, "Lendo a conversa")

        told = self._per(READS, report)
        for hold in holds:
            ledger.hand_back(hold)
        ledger.retire("w-costs")
        return told.server_us

    def _times_ms(self, rate: float) -> list[float]:
        """From submit to end, of tasks that come one by one at this rate, with the gaps of a Poisson process."""
        chance, ids, due = random.Random(1), [], perf_counter()
        end = due + min(STEADY_S, self._plan.idle_s)
        while due < end:
            sleep(max(0.0, due - perf_counter()))
            ids += self._store.submit(1)
            due += chance.expovariate(rate)
        self._store.wait_until_done()
        return [_time_ms(task) for task in self._store.ledger.tasks(ids)]

    def _read_us(self) -> float:
        ids = self._store.submit(1)
        self._store.wait_until_done()

        async def read() -> None:
            service = TaskService.connect(self._store.settings)
            for _ in range(READS):
                await service.get_task_status(ids[0])
            await service.close()

        return self._per(READS, lambda: asyncio.run(read())).server_us


def _time_ms(task: Task) -> float:
    assert task.finished_ms is not None
    assert task.queued_ms is not None
    return task.finished_ms - task.queued_ms


def main() -> None:
    plan, folder = told()
    store = Store(os.environ[NAME], folder)
    store.keep_a_file()
    workers = Workers(store.worker_commands(), folder / "workers.log", store.worker_environment())
    try:
        answer(asdict(Round(store, plan, workers).figures()))
    finally:
        workers.stop()


if __name__ == "__main__":
    main()
