"""Records that are asked for together are read together, and each asker gets its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import redis

from gateway.record_reads import RecordReads
from tasks.connection import connect_async
from tasks.errors import Unavailable
from tasks.ids import new_id
from tasks.reader import Reader
from tasks.record import Task
from tasks.settings import Settings
from tests.integration.stories import a_task, ledger_for

pytestmark = pytest.mark.anyio


class CountedReads(Reader):
    asked: list[int]

    async def tasks(self, task_ids: Sequence[str]) -> list[Task]:
        self.asked.append(len(task_ids))
        return await super().tasks(task_ids)


async def test_a_burst_of_questions_is_a_few_reads(client: redis.Redis, settings: Settings) -> None:
    tasks = [a_task() for _ in range(250)]
    ledger_for(client, settings).submit(tasks)
    connection = connect_async(settings)
    reader = CountedReads(connection, settings)
    reader.asked = []
    records = RecordReads(reader)
    ids = [task.task_id for task in tasks]
    try:
        found = await asyncio.gather(*(records.get(task_id) for task_id in [*ids, ids[0], new_id()]))
        later = await records.get(ids[1])
    finally:
        await connection.aclose()

    assert [task.task_id for task in found[:251] if task is not None] == [*ids, ids[0]]
    assert found[251] is None
    assert later is not None
    assert reader.asked == [200, 51, 1]


async def test_who_asks_while_redis_is_away_is_told_so(settings: Settings) -> None:
    away = connect_async(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"}))
    records = RecordReads(Reader(away, settings))
    try:
        answers = await asyncio.gather(*(records.get(new_id()) for _ in range(3)), return_exceptions=True)
    finally:
        await away.aclose()

    assert [type(answer) for answer in answers] == [Unavailable] * 3
