"""Reports: kept by the actor that writes them, listed and read by the gateway."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, cast

import redis
from pydantic_core import from_json

from tasks.clock import now_ms
from tasks.connection import AsyncRedis
from tasks.errors import NotFound
from tasks.keys import Keys
from tasks.lifecycle import State
from tasks.record import compact_json
from tasks.redis_faults import redis_faults
from tasks.settings import Settings
from tasks.statistics import Figures, aggregate

KEPT = 1_000
READ_AT_ONCE = 1_440
TTL_S = 400 * 86_400


class ReportBook:
    """Gathers the figures of a period and keeps the report that is made of them."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    def figures(self, first_ms: int, last_ms: int) -> tuple[dict[str, Figures], dict[str, Figures]]:
        """What happened in a period, by queue and by task name, over all tenants. Counters are kept for 8 days."""
        return aggregate(self._minutes(range(first_ms // 60_000, last_ms // 60_000 + 1)))

    def _minutes(self, minutes: range) -> Iterator[dict[bytes, bytes]]:
        for tenant, start in itertools.product(self._tenants(), minutes[::READ_AT_ONCE]):
            pipe = self._client.pipeline(transaction=False)
            for minute in range(start, min(start + READ_AT_ONCE, minutes.stop)):
                pipe.hgetall(self._keys.of("stats", tenant=tenant, minute=str(minute)))
            with redis_faults():
                yield from cast(list[dict[bytes, bytes]], pipe.execute())

    def statuses(self) -> dict[str, int]:
        """How many tasks are in which state now, over all tenants."""
        tenants = self._tenants()
        counts = {}
        for status in State:
            names = [self._keys.of("by_status", tenant=tenant, status=status) for tenant in tenants]
            with redis_faults():
                counts[status.value] = sum(int(self._client.zcard(name)) for name in names)
        return counts

    def content(self, report_id: str, form: str) -> bytes | None:
        """A kept report in one of its forms (`json`, `html`), as bytes; `None` where it isn't kept any more."""
        with redis_faults():
            return cast(bytes | None, self._client.hget(self._keys.of("report", id=report_id), form))

    def _tenants(self) -> list[str]:
        with redis_faults():
            members = cast(set[bytes], self._client.smembers(self._keys.of("tenants")))
        return sorted(member.decode() for member in members)

    def keep(self, report_id: str, report: dict[str, Any], html: str) -> None:
        """Store a report; the oldest ones go when there are too many."""
        name, index = self._keys.of("report", id=report_id), self._keys.of("reports")
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name, mapping={"json": compact_json(report), "html": html, "at": str(now_ms())})
        pipe.expire(name, TTL_S)
        pipe.zadd(index, {report_id: now_ms()})
        pipe.zremrangebyrank(index, 0, -KEPT - 1)
        with redis_faults():
            pipe.execute()


class ReportShelf:
    """Lists and reads reports for the gateway."""

    def __init__(self, client: AsyncRedis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    async def list(self, limit: int = 100) -> list[str]:
        """The ids, newest first."""
        with redis_faults():
            members = await self._client.zrevrange(self._keys.of("reports"), 0, limit - 1)
        return [member.decode() for member in members]

    async def read(self, report_id: str) -> tuple[dict[str, Any], str]:
        """The report as data and as a page. Raises `NotFound`."""
        with redis_faults():
            data, html = await self._client.hmget(self._keys.of("report", id=report_id), ["json", "html"])
        if data is None:
            raise NotFound("there is no such report")
        return from_json(data), html.decode()


def period_ms(until_ms: int | None, days: int) -> tuple[int, int]:
    """First and last ms of the `days` days that end at `until_ms`, or now."""
    last = until_ms if until_ms is not None else now_ms()
    return last - days * 86_400_000, last
