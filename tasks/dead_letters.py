"""Dead letters: the tasks that failed for good, over all tenants, grouped by what went wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from tasks.audit import By
from tasks.blobs import Blobs, results_folder
from tasks.clock import rfc3339
from tasks.errors import IllegalMove, NotFound, RecordChanged
from tasks.fingerprints import fingerprint_of
from tasks.keys import Keys
from tasks.lifecycle import State
from tasks.reader import CHUNK, Page, Reader, seq_range
from tasks.record import Task, compact_json
from tasks.service import TaskService

GROUPED_AT_MOST = 10_000
"""The newest dead letters, which groups are made of."""
NAMED_IN_A_GROUP = 5
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class DeadFilter:
    """Which dead letters of these tenants are meant. Times are in ms; `before_seq` is where the last page ended."""

    tenants: tuple[str, ...]
    queue: str | None = None
    task_name: str | None = None
    error_type: str | None = None
    fingerprint: str | None = None
    created_after_ms: int | None = None
    created_before_ms: int | None = None
    before_seq: int | None = None
    limit: int = 50

    def accepts(self, task: Task) -> bool:
        wanted = (
            (self.queue, task.queue),
            (self.task_name, task.name),
            (self.error_type, (task.error or {}).get("type")),
            (self.fingerprint, fingerprint_of(task)),
        )
        return task.status is State.FAILED and all(wish in (None, have) for wish, have in wanted)

    def indexes(self, keys: Keys) -> list[str]:
        return [keys.of("by_status", tenant=tenant, status=State.FAILED) for tenant in self.tenants]

    @property
    def listed(self) -> str:
        """Names the list that is asked for, whichever page of it."""
        return "dead" + compact_json(astuple(replace(self, tenants=(), before_seq=None, limit=0)))

    def before(self, seq: int) -> DeadFilter:
        return replace(self, before_seq=seq)

    @property
    def range(self) -> tuple[str, str]:
        return seq_range(self.created_after_ms, self.created_before_ms, self.before_seq)


@dataclass(slots=True)
class Group:
    """The dead letters of one fingerprint, with the ids of the newest."""

    fingerprint: str
    error_type: str
    message: str
    task_name: str
    queue: str
    count: int = 0
    first_ms: int = 0
    last_ms: int = 0
    task_ids: list[str] = field(default_factory=list)

    def add(self, task: Task) -> None:
        at = task.finished_ms or task.created_ms
        self.count += 1
        self.first_ms = min(self.first_ms or at, at)
        self.last_ms = max(self.last_ms, at)
        if len(self.task_ids) < NAMED_IN_A_GROUP:
            self.task_ids.append(task.task_id)

    def as_json(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "error_type": self.error_type,
            "message": self.message,
            "task_name": self.task_name,
            "queue": self.queue,
            "count": self.count,
            "first_at": rfc3339(self.first_ms),
            "last_at": rfc3339(self.last_ms),
            "task_ids": self.task_ids,
        }


def as_dead_letter(task: Task) -> dict[str, Any]:
    """A dead letter as operators of all tenants may see it: nothing that a client sent is in it."""
    error: Mapping[str, Any] = task.error or {}
    return {
        "task_id": task.task_id,
        "tenant": task.tenant,
        "task_name": task.name,
        "queue": task.queue,
        "priority": str(task.priority),
        "parent_id": task.parent_id,
        "attempt": task.attempt,
        "created_at": rfc3339(task.created_ms),
        "finished_at": None if task.finished_ms is None else rfc3339(task.finished_ms),
        "fingerprint": fingerprint_of(task),
        "error_type": str(error.get("type", "")),
        "message": str(error.get("message", "")),
        "retryable": bool(error.get("retryable")),
    }


class DeadLetters:
    """Lists, groups, replays and discards dead letters. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, tasks: TaskService, blobs: Blobs) -> None:
        self._tasks = tasks
        self._reader: Reader = tasks.reader
        self._blobs = blobs

    async def filter(self, **wishes: Any) -> DeadFilter:
        """A filter over all tenants that there are now."""
        return DeadFilter(tuple(await self._reader.tenants()), **wishes)

    async def page(self, wanted: DeadFilter) -> Page:
        """One page, newest first."""
        return await self._reader.page(wanted)

    async def groups(self, wanted: DeadFilter) -> tuple[list[Group], bool]:
        """By fingerprint, the largest first; and whether all dead letters were looked at, or the newest alone."""
        groups: dict[str, Group] = {}
        seen = 0
        async for some in self._pages(wanted):
            for task in some:
                _group_of(groups, task).add(task)
            seen += len(some)
            if seen >= GROUPED_AT_MOST:
                return _largest_first(groups), False
        return _largest_first(groups), True

    async def newest(self, wanted: DeadFilter, most: int) -> tuple[list[Task], bool]:
        """The newest that fit, and whether those are all."""
        found: list[Task] = []
        async for some in self._pages(wanted):
            found += some
            if len(found) > most:
                return found[:most], False
        return found, True

    async def replay(self, task_id: str, seen: str, by: By) -> None:
        """Run one again, with fresh attempts. Raises `NotFound`; `IllegalMove` for what is no dead letter;
        `RecordChanged`."""
        await self._tasks.replay_dead_letter(task_id, seen=seen, by=by)

    async def replay_all(self, wanted: DeadFilter, by: By) -> int:
        """Run all again that the filter means; returns how many. One that fails again meanwhile isn't met again: the
        way leads from the newest to the oldest, and a replayed task keeps its age."""
        replayed = 0
        async for some in self._pages(wanted):
            for start in range(0, len(some), AT_ONCE):
                each = some[start : start + AT_ONCE]
                replayed += sum(await asyncio.gather(*(self._is_replayed(task, by) for task in each)))
        return replayed

    async def _is_replayed(self, task: Task, by: By) -> bool:
        try:
            await self.replay(task.task_id, task.version, by)
        except (NotFound, IllegalMove, RecordChanged):
            # Somebody else was faster: it runs again, has failed anew, or is gone.
            return False
        return True

    async def discard(self, task_id: str, seen: str, by: By) -> None:
        """Forget one for good. Raises as `replay` does, and `OnHold`."""
        tenant = await self._tasks.give_up(task_id, seen=seen, by=by)
        # A kill between these steps leaves a record that is found again, not a file that nobody knows of.
        await asyncio.to_thread(self._blobs.delete_folder, results_folder(tenant, task_id))
        await self._tasks.forget_ended(task_id)

    async def _pages(self, wanted: DeadFilter) -> AsyncIterator[Sequence[Task]]:
        wanted = replace(wanted, limit=CHUNK)
        while True:
            page = await self._reader.page(wanted)
            yield page.tasks
            if page.next_seq is None:
                return
            wanted = wanted.before(page.next_seq)


def _group_of(groups: dict[str, Group], task: Task) -> Group:
    known = fingerprint_of(task)
    if known not in groups:
        error = task.error or {}
        newest = (str(error.get("type", "")), str(error.get("message", "")), task.name, task.queue)
        groups[known] = Group(known, *newest)
    return groups[known]


def _largest_first(groups: Mapping[str, Group]) -> list[Group]:
    return sorted(groups.values(), key=lambda group: (-group.count, group.fingerprint))
