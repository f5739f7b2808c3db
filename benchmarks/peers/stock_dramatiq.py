"""Dramatiq as it comes, on its own Redis broker: without any result, or with its `Results` middleware."""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import sleep
from typing import Any

import dramatiq
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import ResultMissing, Results
from dramatiq.results.backends import RedisBackend

from benchmarks.endings import SLOW_S, note_end
from benchmarks.marks import mark
from benchmarks.peers import NAME, PROCESSES, THREADS, python_module, redis_url

KEEPS_RESULTS = os.environ[NAME] == "dramatiq+results"

broker = RedisBroker(url=redis_url())  # type: ignore[no-untyped-call]
if KEEPS_RESULTS:
    broker.add_middleware(Results(backend=RedisBackend(url=redis_url()), store_results=True))  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)


@dramatiq.actor
def noop() -> int:
    return mark()


@dramatiq.actor
def slow(number: int) -> int:
    sleep(SLOW_S)
    note_end(number)
    return number


class DramatiqPeer:
    keeps_results = KEEPS_RESULTS

    def worker_commands(self) -> Sequence[Sequence[str]]:
        size = ["-p", str(PROCESSES), "-t", str(THREADS)]
        return [python_module("dramatiq", __name__, *size)]

    def submit(self) -> Message[Any]:
        return noop.send()

    def submit_many(self, count: int) -> None:
        """There is no bulk API."""
        for _ in range(count):
            noop.send()

    def submit_slow(self, number: int) -> None:
        slow.send(number)

    def is_done(self, ticket: Message[Any]) -> bool:
        try:
            ticket.get_result()
        except ResultMissing:
            return False
        return True


PEER = DramatiqPeer()
