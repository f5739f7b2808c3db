"""Reports: kept by the actor that makes them, listed and read by the gateway. Of a report its data is kept; the table
and the pages are made of it when they are asked for."""

from __future__ import annotations

from typing import Any, cast

import redis
from pydantic_core import from_json

from tasks.clock import now_ms
from tasks.connection import AsyncRedis
from tasks.errors import NotFound
from tasks.keys import Keys
from tasks.record import compact_json
from tasks.redis_faults import redis_faults
from tasks.settings import Settings

KEPT = 1_000
TTL_S = 400 * 86_400
_ENTRY = ("kind", "from", "until")


class ReportBook:
    """Keeps reports, and reads them for those who send them. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    def read(self, report_id: str) -> dict[str, Any] | None:
        """The data of a report; `None` where it isn't kept any more."""
        with redis_faults():
            data = cast(bytes | None, self._client.hget(self._keys.of("report", id=report_id), "json"))
        return None if data is None else cast(dict[str, Any], from_json(data))

    def is_told(self, report_id: str) -> bool:
        """Whether what sends the report was queued."""
        with redis_faults():
            return bool(self._client.hexists(self._keys.of("report", id=report_id), "told"))

    def note_told(self, report_id: str) -> None:
        with redis_faults():
            self._client.hset(self._keys.of("report", id=report_id), "told", str(now_ms()))

    def keep(self, report_id: str, report: dict[str, Any]) -> None:
        """Store a report; the oldest ones go when there are too many."""
        name, index = self._keys.of("report", id=report_id), self._keys.of("reports")
        entry = [(field, str(report[field])) for field in _ENTRY]
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name, mapping=dict([*entry, ("json", compact_json(report)), ("at", str(now_ms()))]))
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

    async def list(self, limit: int = 100) -> list[dict[str, Any]]:
        """What each is of (`None` where an older release wrote it), newest first."""
        with redis_faults():
            members = await self._client.zrevrange(self._keys.of("reports"), 0, limit - 1)
            ids = [member.decode() for member in members]
            pipe = self._client.pipeline(transaction=False)
            for report_id in ids:
                pipe.hmget(self._keys.of("report", id=report_id), _ENTRY)
            entries = await pipe.execute() if ids else []
        told = ([value.decode() if value else None for value in entry] for entry in entries)
        return [{"report_id": each, **dict(zip(_ENTRY, of, strict=True))} for each, of in zip(ids, told, strict=True)]

    async def read(self, report_id: str) -> dict[str, Any]:
        """The data of a report. Raises `NotFound`."""
        with redis_faults():
            data = await self._client.hget(self._keys.of("report", id=report_id), "json")
        if data is None:
            raise NotFound("there is no such report")
        return cast(dict[str, Any], from_json(data))
