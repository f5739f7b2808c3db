"""What a task was given, opened again for those who may read payloads. It changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from tasks.case_keys import AsyncCaseKeys, Keyring
from tasks.connection import AsyncRedis
from tasks.errors import NotFound, PayloadErased
from tasks.keys import Keys
from tasks.record import Task
from tasks.redis_faults import redis_faults
from tasks.sealed_tasks import open_part, open_payload, seal_of
from tasks.sealing import SealBroken, is_sealed
from tasks.settings import Settings

OPENED_AT_ONCE = 200
"""Texts of a batch's cases: nobody else is served by this process while so many keys are unwrapped."""

Parts = Mapping[str, bytes]
"""The texts of other cases, by their ids, sealed."""


class PayloadReads:
    """Reads payloads for the gateway. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: AsyncRedis, settings: Settings, case_keys: AsyncCaseKeys) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._case_keys = case_keys

    async def of(self, task: Task) -> dict[str, Any]:
        """The arguments of a task by their names, as they were checked; what was left out isn't there. A case of a
        batch that was erased since is told by its id alone. Raises `NotFound` for a task that is gone, and
        `PayloadErased`."""
        with redis_faults():
            kept = await self._client.hget(self._keys.of("task", id=task.task_id), "payload")
        if kept is None:
            raise NotFound("there is no such task")
        try:
            given, parts = await self._opened(task, kept)
        except SealBroken:
            raise PayloadErased from None
        return given | {"cases": await self._whole(task, given["cases"], parts)} if parts else given

    async def _opened(self, task: Task, kept: bytes) -> tuple[dict[str, Any], Parts]:
        if not is_sealed(kept):
            # One that says nothing, or that an older release queued in clear.
            return from_json(kept), {}
        if task.case_id:
            await self._case_keys.ask([(task.tenant, task.case_id)])
        return open_payload(kept, seal_of(task, self._case_keys.ring, kept))

    async def _whole(self, task: Task, cases: Sequence[Any], parts: Parts) -> list[Any]:
        told: dict[str, Any] = {}
        ids = list(parts)
        for start in range(0, len(ids), OPENED_AT_ONCE):
            some = {case_id: parts[case_id] for case_id in ids[start : start + OPENED_AT_ONCE]}
            await self._case_keys.ask([(task.tenant, case_id) for case_id in some])
            told |= await asyncio.to_thread(_texts, task, some, self._case_keys.ring)
        return [told.get(case["case_id"], case) if isinstance(case, dict) else case for case in cases]


def _texts(task: Task, parts: Parts, ring: Keyring) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for case_id, part in parts.items():
        known = ring.known((task.tenant, case_id))
        try:
            if known is not None:
                found[case_id] = from_json(open_part(part, known.data, task.tenant, case_id, task.task_id))
        except SealBroken:
            continue
    return found
