"""How long tasks wait for a worker: the figure that decides how many workers there should be.

What waits for something else is not in it: a task with its time ahead, a retry, one that a limit or a breaker holds
back (all of them are delayed and stand in no lane), a child that its batch holds back, and a queue that is paused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import redis

from tasks.catalog import CATALOG, Catalog
from tasks.keys import Keys
from tasks.lifecycle import LANES, lane_name
from tasks.redis_faults import redis_faults
from tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Load:
    """`age_s`: how long the oldest task at the head of a lane has waited that a worker could take now; 0: none does.
    `running`: how many runs have begun and not ended, on all machines."""

    age_s: float
    running: int


class Backlog:
    """Reads it in two round trips. Raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings, catalog: Catalog = CATALOG) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._lanes = [(queue, lane_name(queue, priority)) for queue in catalog.queues for priority in LANES]

    def look(self) -> Load:
        pipe = self._client.pipeline(transaction=False)
        pipe.time()
        pipe.hkeys(self._keys.of("paused"))
        for _, lane in self._lanes:
            pipe.lindex(self._keys.of("lane", lane=lane), 0)
            pipe.llen(self._keys.of("lane", lane=lane))
            pipe.hlen(self._keys.of("messages", lane=lane))
        with redis_faults():
            (seconds, micros), paused, *told = pipe.execute()
        heads, waiting, messages = told[::3], told[1::3], told[2::3]
        takeable = [
            head for (queue, _), head in zip(self._lanes, heads, strict=True) if head and queue.encode() not in paused
        ]
        running = sum(max(0, all_ - some) for all_, some in zip(messages, waiting, strict=True))
        return Load(self._age_s(takeable, seconds + micros / 1e6), running)

    def _age_s(self, ids: Sequence[bytes], now_s: float) -> float:
        if not ids:
            return 0.0
        pipe = self._client.pipeline(transaction=False)
        for task_id in ids:
            pipe.hget(self._keys.of("task", id=task_id.decode()), "queued")
        with redis_faults():
            told = cast(list[bytes | None], pipe.execute())
        since = [int(queued) / 1_000 for queued in told if queued]
        return max(0.0, now_s - min(since)) if since else 0.0
