"""All measures of one peer, once, in a process of its own: `python -m benchmarks.one_round`, told what to do by its
environment and one line of JSON; it answers with one line of JSON.

A process of its own, so that no peer pays for the memory, threads and event loops of another.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic_ns, perf_counter, process_time, sleep

import redis

from benchmarks.marks import FOLDER, Marks
from benchmarks.peers import NAME, PROCESSES, Peer, load, redis_url
from benchmarks.processes import Workers, cpu_s, machine_busy_s

READY_WITHIN_S = 30.0
RESULTS_PER_S = 100
LAST_ACKS_S = 0.3
POLL_S = 0.0002


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured in one round."""

    drain: int = 10_000
    pick_ups: int = 20
    single: int = 1_000
    results: int = 300
    idle_s: float = 3.0
    server_pid: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round found. Lists hold one sample per task, in ms."""

    drain_per_s: float
    worker_us: float
    server_us: float
    commands: float
    idle_commands_per_s: float
    pick_up_ms: list[float]
    submit_ms: list[float]
    bulk_per_s: float
    result_ms: list[float]
    others_percent: float
    """What the rest of the machine's work took of all its cores while this peer was idle."""


class Round:
    """One peer with its workers running."""

    def __init__(self, peer: Peer, plan: Plan, marks: Marks, workers: Workers) -> None:
        self._peer = peer
        self._plan = plan
        self._marks = marks
        self._workers = workers
        self._server = redis.Redis.from_url(redis_url())

    def figures(self) -> Figures:
        self._warm_up()
        idle, others = self._idle()
        pick_ups = [self._pick_up_ms() for _ in range(self._plan.pick_ups)]
        results = self._results_ms() if self._peer.keeps_results else []
        before = self._marks.count()
        self._workers.freeze()
        gc.collect()
        singles = [_ms(self._peer.submit) for _ in range(self._plan.single)]
        bulk_ms = _ms(lambda: self._peer.submit_many(self._plan.drain))
        drained = self._drain(before, self._plan.single + self._plan.drain)
        bulk_per_s = self._plan.drain / bulk_ms * 1e3
        return Figures(*drained, idle, pick_ups, singles, bulk_per_s, results, others)

    def _warm_up(self) -> None:
        """Until each process has run something; a busy moment afterwards loads what is loaded late."""
        deadline = perf_counter() + READY_WITHIN_S
        sent = 0
        while self._marks.look_for_processes() < PROCESSES:
            if perf_counter() > deadline:
                raise TimeoutError("the workers did not start")
            self._peer.submit()
            sent += 1
            sleep(0.05)
        self._peer.submit_many(200)
        self._marks.wait_for(sent + 200, READY_WITHIN_S)
        sleep(0.5)

    def _idle(self) -> tuple[float, float]:
        """Commands a second of workers with nothing to do, and what other work took of the machine meanwhile."""
        before, busy, own = self._commands(), machine_busy_s(), self._own_cpu_s()
        sleep(self._plan.idle_s)
        others_s = machine_busy_s() - busy - (self._own_cpu_s() - own)
        # The first INFO is within the count.
        commands_per_s = (self._commands() - before - 1) / self._plan.idle_s
        return commands_per_s, max(0.0, others_s) / self._plan.idle_s / (os.cpu_count() or 1) * 100

    def _own_cpu_s(self) -> float:
        return self._workers.cpu_s() + cpu_s(self._plan.server_pid) + process_time()

    def _pick_up_ms(self) -> float:
        """From before the submit to the first line of the body, on workers that were idle for a while."""
        sleep(random.uniform(0.2, 0.6))
        seen, start = self._marks.count(), monotonic_ns()
        self._peer.submit()
        self._marks.wait_for(seen + 1, READY_WITHIN_S)
        return (self._marks.last_ns() - start) / 1e6

    def _results_ms(self) -> list[float]:
        """At a steady rate, from the moment that a submit was due (not from when it was sent: a late answer delays
        the next one, and that counts) to the poll that sees the result."""
        step, begin = 1 / RESULTS_PER_S, perf_counter() + 0.1
        return [self._result_ms(begin + number * step) for number in range(self._plan.results)]

    def _result_ms(self, due: float) -> float:
        sleep(max(0.0, due - perf_counter()))
        # The sleep's own lateness is the measuring process's, where no earlier answer caused it.
        start = max(due, min(perf_counter(), due + 0.001))
        ticket = self._peer.submit()
        while not self._peer.is_done(ticket):
            if perf_counter() > start + READY_WITHIN_S:
                raise TimeoutError("a result never came")
            sleep(POLL_S)
        return (perf_counter() - start) * 1e3

    def _drain(self, before: int, count: int) -> tuple[float, float, float, float]:
        self._marks.restart()
        cost = self._costs()
        self._workers.thaw()
        self._marks.wait_for(before + count, 60 + count / 50, pause_s=0.01)
        sleep(LAST_ACKS_S)
        worker, server, commands = (after - b for after, b in zip(self._costs(), cost, strict=True))
        return count / self._marks.span_s(), worker / count * 1e6, server / count * 1e6, commands / count

    def _costs(self) -> tuple[float, float, float]:
        return self._workers.cpu_s(), cpu_s(self._plan.server_pid), self._commands()

    def _commands(self) -> float:
        return float(self._server.info("stats")["total_commands_processed"])


def _ms(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1e3


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    folder = Path(os.environ[FOLDER])
    peer = load(os.environ[NAME])
    workers = Workers(peer.worker_commands(), folder.parent / "workers.log")
    try:
        print(json.dumps(asdict(Round(peer, plan, Marks(folder), workers).figures())))
    finally:
        workers.stop()


if __name__ == "__main__":
    main()
