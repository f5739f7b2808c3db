"""Which schedulers live: each says so again and again. Whether one also does what is due is told by its slots
(`tasks/schedules.py`)."""

from __future__ import annotations

import redis

from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

KEPT_S = 3_600
AT_MOST = 1_000


class SchedulerBeats:
    """Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._name = Keys(settings.namespace).of("schedulers")
        self._timeout_ms = int(settings.heartbeat_timeout_s * 1_000)

    def beat(self, scheduler: str) -> None:
        """Say that this one lives, by the server's clock."""
        with redis_faults():
            seconds, micros = self._client.time()
            now = seconds * 1_000 + micros // 1_000
            pipe = self._client.pipeline()
            pipe.zadd(self._name, {scheduler: now})
            pipe.zremrangebyscore(self._name, "-inf", now - KEPT_S * 1_000)
            pipe.zremrangebyrank(self._name, 0, -AT_MOST - 1)
            pipe.expire(self._name, KEPT_S)
            pipe.execute()

    def living(self, now_ms: int) -> int:
        """How many have said so within the timeout of heartbeats."""
        with redis_faults():
            return self._client.zcount(self._name, now_ms - self._timeout_ms, "+inf")
