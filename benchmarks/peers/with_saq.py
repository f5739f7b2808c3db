"""SAQ on Redis. Jobs are coroutines, its native kind; at most eight at a time per process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from saq import Queue, Status

from benchmarks.endings import SLOW_S, note_end
from benchmarks.marks import mark
from benchmarks.peers import PROCESSES, THREADS, python_module, redis_url

AT_ONCE = 100

queue = Queue.from_url(redis_url(), name="bench")


async def noop(context: Any) -> int:  # noqa: ARG001
    return mark()


async def slow(context: Any, *, number: int) -> int:  # noqa: ARG001
    await asyncio.sleep(SLOW_S)
    note_end(number)
    return number


SETTINGS = {"queue": queue, "functions": [("noop", noop), ("slow", slow)], "concurrency": THREADS}


class SaqPeer:
    keeps_results = True

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def worker_commands(self) -> Sequence[Sequence[str]]:
        return [python_module("saq", f"{__name__}.SETTINGS", "--workers", str(PROCESSES), "--quiet")]

    def submit(self) -> Any:
        return self._run(queue.enqueue("noop"))

    def submit_many(self, count: int) -> None:
        """There is no bulk API without waiting for results; a hundred calls at a time are under way."""
        self._run(_submit_many(count))

    def submit_slow(self, number: int) -> None:
        self._run(queue.enqueue("slow", number=number))

    def is_done(self, ticket: Any) -> bool:
        self._run(ticket.refresh())
        return bool(ticket.status == Status.COMPLETE)

    def _run(self, call: Any) -> Any:
        return self._loop.run_until_complete(call)


async def _submit_many(count: int) -> None:
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(queue.enqueue("noop") for _ in range(min(AT_ONCE, count - start))))


PEER = SaqPeer()
