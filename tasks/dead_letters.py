"""Dead letters: the tasks that failed for good, over all tenants, grouped by what went wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from tasks.audit import By
from tasks.blobs import Blobs, results_folder
from tasks.clock import rfc3339
from tasks.dead_facts import DeadFacts, Fact
from tasks.errors import IdempotencyMismatch, IllegalMove, NotFound, RecordChanged
from tasks.fingerprints import fingerprint_of
from tasks.keys import Keys
from tasks.ledger import Idempotency, Moved
from tasks.lifecycle import State
from tasks.reader import Page, Reader, seq_range
from tasks.record import SEQ_PER_MS, Task, compact_json
from tasks.service import TaskService

GROUPED_AT_MOST = 10_000
"""The newest dead letters, which groups are made of."""
LOOKED_AT_MOST = 10_000
"""For one page."""
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
    failed_until_ms: int | None = None
    before_seq: int | None = None
    limit: int = 50

    def accepts(self, letter: Fact) -> bool:
        if self.queue not in (None, letter.queue) or self.task_name not in (None, letter.name):
            return False
        if self.error_type not in (None, letter.error_type):
            return False
        if self.failed_until_ms is not None and (letter.ended_ms or 0) > self.failed_until_ms:
            return False
        return self.fingerprint in (None, letter.fingerprint)

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

    def add(self, letter: Fact) -> None:
        at = letter.ended_ms or letter.seq // SEQ_PER_MS
        self.count += 1
        self.first_ms = min(self.first_ms or at, at)
        self.last_ms = max(self.last_ms, at)
        if len(self.task_ids) < NAMED_IN_A_GROUP:
            self.task_ids.append(letter.task_id)

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
        self._facts = DeadFacts(tasks)
        self._blobs = blobs

    async def filter(self, **wishes: Any) -> DeadFilter:
        """A filter over all tenants that there are now."""
        return DeadFilter(tuple(await self._reader.tenants()), **wishes)

    async def page(self, wanted: DeadFilter) -> Page:
        """One page, newest first. Where few of many fit it may have less than it could, with a next one."""
        found: list[Fact] = []
        looked_at, last = 0, None
        async for some in self._facts.newest(wanted):
            for letter in some:
                last = letter.seq
                if wanted.accepts(letter):
                    found.append(letter)
                if len(found) == wanted.limit:
                    return Page(await self._records(found), last)
            looked_at += len(some)
            if looked_at >= LOOKED_AT_MOST:
                return Page(await self._records(found), last)
        return Page(await self._records(found), None)

    async def _records(self, letters: Sequence[Fact]) -> tuple[Task, ...]:
        tasks = await self._reader.tasks([letter.task_id for letter in letters])
        return tuple(task for task in tasks if task.status is State.FAILED)

    async def groups(self, wanted: DeadFilter) -> tuple[list[Group], bool]:
        """By fingerprint, the largest first; and whether all dead letters were looked at, or the newest alone."""
        groups: dict[str, Group] = {}
        letters, is_all = await self._newest(wanted, GROUPED_AT_MOST, with_versions=False)
        for letter in letters:
            _group_of(groups, letter).add(letter)
        return _largest_first(groups), is_all

    async def newest(self, wanted: DeadFilter, most: int) -> tuple[list[Fact], bool]:
        """The newest that fit, with their versions, and whether those are all."""
        return await self._newest(wanted, most, with_versions=True)

    async def _newest(self, wanted: DeadFilter, most: int, *, with_versions: bool) -> tuple[list[Fact], bool]:
        found: list[Fact] = []
        async for some in self._facts.newest(wanted, with_versions=with_versions):
            found += filter(wanted.accepts, some)
            if len(found) > most:
                return found[:most], False
        return found, True

    async def replay(self, task_id: str, seen: str, by: By, idempotency: Idempotency = Idempotency()) -> Moved:
        """Run one again, with fresh attempts. Raises `NotFound`; `IllegalMove` for what is no dead letter;
        `RecordChanged`; `IdempotencyMismatch`."""
        return await self._tasks.replay_dead_letter(task_id, seen=seen, idempotency=idempotency, by=by)

    async def replay_all(self, wanted: DeadFilter, by: By) -> int:
        """Run all again that the filter means; returns how many. One that fails again meanwhile isn't met again: the
        way leads from the newest to the oldest, and a replayed task keeps its age."""
        return sum([replayed async for replayed in self._replayed(wanted, by)])

    async def replay_all_once(
        self, wanted: DeadFilter, by: By, tenant: str, idempotency: Idempotency
    ) -> tuple[int, bool]:
        """The same for a request that may be sent again; and whether it had been answered before. One that was cut
        short goes on with what had failed when it first came. Raises `IdempotencyMismatch`."""
        who = (tenant, *idempotency.arguments())
        is_over, began_ms, replayed = _progress(await self._tasks.call("note_replay", *who, 0, ""))
        if is_over:
            return replayed, True
        async for more in self._replayed(replace(wanted, failed_until_ms=began_ms), by):
            await self._tasks.call("note_replay", *who, more, "")
        return _progress(await self._tasks.call("note_replay", *who, 0, "1"))[2], False

    async def _replayed(self, wanted: DeadFilter, by: By) -> AsyncIterator[int]:
        async for some in self._facts.newest(wanted, with_versions=True):
            fitting = list(filter(wanted.accepts, some))
            for start in range(0, len(fitting), AT_ONCE):
                each = fitting[start : start + AT_ONCE]
                yield sum(await asyncio.gather(*(self._is_replayed(letter, by) for letter in each)))

    async def _is_replayed(self, letter: Fact, by: By) -> bool:
        try:
            await self.replay(letter.task_id, letter.version, by)
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


def _progress(answer: Sequence[bytes]) -> tuple[bool, int, int]:
    """Whether a replay of many is over, when it began, and how many were replayed."""
    verdict, *rest = answer
    if verdict == b"mismatch":
        raise IdempotencyMismatch
    return verdict == b"over", int(rest[0]), int(rest[1])


def _group_of(groups: dict[str, Group], letter: Fact) -> Group:
    known = letter.fingerprint
    if known not in groups:
        groups[known] = Group(known, letter.error_type, letter.message, letter.name, letter.queue)
    return groups[known]


def _largest_first(groups: Mapping[str, Group]) -> list[Group]:
    return sorted(groups.values(), key=lambda group: (-group.count, group.fingerprint))
