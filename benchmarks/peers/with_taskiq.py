"""taskiq on a Redis stream, its broker with acks, and its Redis result backend. Tasks are coroutines, its native
kind; at most eight at a time per process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.endings import SLOW_S, note_end
from benchmarks.marks import mark
from benchmarks.peers import PROCESSES, THREADS, python_module, redis_url

AT_ONCE = 100

broker = RedisStreamBroker(redis_url()).with_result_backend(
    RedisAsyncResultBackend[Any](redis_url(), result_ex_time=600)
)


@broker.task(task_name="bench.noop")
async def noop() -> int:
    return mark()


@broker.task(task_name="bench.slow")
async def slow(number: int) -> int:
    await asyncio.sleep(SLOW_S)
    note_end(number)
    return number


class TaskiqPeer:
    keeps_results = True

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._started = False

    def worker_commands(self) -> Sequence[Sequence[str]]:
        size = ["--workers", str(PROCESSES), "--max-async-tasks", str(THREADS), "--log-level", "ERROR"]
        return [python_module("taskiq", "worker", f"{__name__}:broker", *size)]

    def submit(self) -> Any:
        return self._run(noop.kiq())

    def submit_many(self, count: int) -> None:
        """There is no bulk API; a hundred calls at a time are under way."""
        self._run(_submit_many(count))

    def submit_slow(self, number: int) -> None:
        self._run(slow.kiq(number))

    def is_done(self, ticket: Any) -> bool:
        return bool(self._run(ticket.is_ready()))

    def _run(self, call: Any) -> Any:
        if not self._started:
            self._started = True
            self._loop.run_until_complete(broker.startup())
        return self._loop.run_until_complete(call)


async def _submit_many(count: int) -> None:
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(noop.kiq() for _ in range(min(AT_ONCE, count - start))))


PEER = TaskiqPeer()
