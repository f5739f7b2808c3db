"""Celery as the system that Despacho replaces runs it: result backend, started state, late acks, events.

Two workers with eight threads each; its default pool of processes has no threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import sleep
from typing import Any

from celery import Celery

from benchmarks.endings import SLOW_S, note_end
from benchmarks.marks import mark
from benchmarks.peers import PROCESSES, THREADS, python_module, redis_url

app = Celery("bench", broker=redis_url(), backend=redis_url())
app.conf.update(
    task_acks_late=True,
    task_track_started=True,
    worker_send_task_events=True,
    task_send_sent_event=True,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.noop")  # type: ignore[untyped-decorator]
def noop() -> int:
    return mark()


@app.task(name="bench.slow")  # type: ignore[untyped-decorator]
def slow(number: int) -> int:
    sleep(SLOW_S)
    note_end(number)
    return number


class CeleryPeer:
    keeps_results = True

    def worker_commands(self) -> Sequence[Sequence[str]]:
        pool = ["--pool", "threads", "--concurrency", str(THREADS), "--loglevel", "ERROR"]
        return [
            python_module("celery", "-A", __name__, "worker", "-n", f"bench{number}@%h", *pool)
            for number in range(PROCESSES)
        ]

    def submit(self) -> Any:
        return noop.delay()

    def submit_many(self, count: int) -> None:
        """A `group` sends one by one too, and keeps a record of the group besides."""
        for _ in range(count):
            noop.delay()

    def submit_slow(self, number: int) -> None:
        slow.delay(number)

    def is_done(self, ticket: Any) -> bool:
        return bool(ticket.state == "SUCCESS")


PEER = CeleryPeer()
