"""All measures of one peer's queue, once: `python -m benchmarks.one_round`."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable
from dataclasses import asdict
from time import monotonic_ns, perf_counter, process_time, sleep

import redis

from benchmarks.child import answer, told
from benchmarks.figures import QueueFigures
from benchmarks.marks import Marks
from benchmarks.peers import NAME, PROCESSES, Peer, load, redis_url
from benchmarks.plan import Plan
from benchmarks.processes import Workers, cpu_s, machine_busy_s
from benchmarks.warm import READY_WITHIN_S, until_all_work

RESULTS_PER_S = 100
LAST_ACKS_S = 0.3
POLL_S = 0.0002


class Round:
    """One peer with its workers running."""

    def __init__(self, peer: Peer, plan: Plan, marks: Marks, workers: Workers) -> None:
        self._peer = peer
        self._plan = plan
        self._marks = marks
        self._workers = workers
        self._server = redis.Redis.from_url(redis_url())

    def figures(self) -> QueueFigures:
        self._warm_up()
        round_trips, commands, others = self._idle()
        pick_ups = [self._pick_up_ms() for _ in range(self._plan.pick_ups)]
        results = self._results_ms() if self._peer.keeps_results else []
        before = self._marks.count()
        self._workers.freeze()
        gc.collect()
        singles = [_ms(self._peer.submit) for _ in range(self._plan.single)]
        bulk_ms = _ms(lambda: self._peer.submit_many(self._plan.drain))
        drained = self._drain(before, self._plan.single + self._plan.drain)
        bulk_per_s = self._plan.drain / bulk_ms * 1e3
        return QueueFigures(*drained, round_trips, commands, pick_ups, singles, bulk_per_s, results, others)

    def _warm_up(self) -> None:
        """A busy moment after the first bodies loads what is loaded late."""
        sent = until_all_work(self._peer.submit, self._marks)
        self._peer.submit_many(200)
        self._marks.wait_for(sent + 200, READY_WITHIN_S)
        sleep(0.5)

    def _idle(self) -> tuple[float, float, float]:
        """Calls and commands a second of a process with nothing to do, and what other work took of the machine."""
        trips, commands, busy, own = *self._calls(), machine_busy_s(), self._own_cpu_s()
        sleep(self._plan.idle_s)
        others_s = machine_busy_s() - busy - (self._own_cpu_s() - own)
        trips_after, commands_after = self._calls()
        # One INFO of our own is within each count.
        share = self._plan.idle_s * PROCESSES
        return (
            (trips_after - trips - 1) / share,
            (commands_after - commands - 1) / share,
            max(0.0, others_s) / self._plan.idle_s / (os.cpu_count() or 1) * 100,
        )

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
        return self._calls()[1]

    def _calls(self) -> tuple[float, float]:
        """What clients have sent so far, a pipeline as one; and all commands, those within scripts included."""
        stats = self._server.info("stats")
        return float(stats["total_reads_processed"]), float(stats["total_commands_processed"])


def _ms(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1e3


def main() -> None:
    plan, folder = told()
    peer = load(os.environ[NAME])
    workers = Workers(peer.worker_commands(), folder / "workers.log")
    try:
        answer(asdict(Round(peer, plan, Marks(folder / "marks"), workers).figures()))
    finally:
        workers.stop()


if __name__ == "__main__":
    main()
