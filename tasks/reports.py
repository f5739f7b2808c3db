"""Reports: kept by the actor that writes them, listed and read by the gateway."""

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


class ReportBook:
    """Keeps reports, and reads them for those who send them."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)

    def content(self, report_id: str, form: str) -> bytes | None:
        """A kept report in one of its forms (`json`, `html`), as bytes; `None` where it isn't kept any more."""
        with redis_faults():
            return cast(bytes | None, self._client.hget(self._keys.of("report", id=report_id), form))

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
