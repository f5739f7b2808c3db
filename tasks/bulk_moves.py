"""Cancels or retries all tasks of a tenant that a filter means, a page at a time: each as if asked for alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tasks.audit import By
from tasks.errors import IllegalMove, NotFound, RecordChanged
from tasks.lifecycle import MOVES, Move, State
from tasks.reader import CHUNK, TaskFilter
from tasks.record import Task
from tasks.service import TaskService

AT_ONCE = 50

MoveOne = Callable[[Task, By], Awaitable[object]]


class BulkMoves:
    """Both methods return how many tasks they moved themselves. One that moved meanwhile by other hands isn't among
    them, nor is a child that its batch took along. What was queued later than the call is not met: the way leads from
    the newest to the oldest. Called again where it was cut short, it goes on with the rest. They raise `Unavailable`
    when Redis is away."""

    def __init__(self, tasks: TaskService) -> None:
        self._tasks = tasks

    async def cancel(self, wanted: TaskFilter, by: By) -> int:
        """Those that run are told to stop, and end soon."""
        return await self._move_all(wanted, Move.CANCEL, self._cancel_one, by)

    async def retry(self, wanted: TaskFilter, by: By) -> int:
        """Those that failed or were cancelled run again, with fresh attempts."""
        return await self._move_all(wanted, Move.REQUEUE, self._retry_one, by)

    async def _cancel_one(self, task: Task, by: By) -> object:
        # Without a condition: each progress is a change.
        return await self._tasks.cancel_task(task.task_id, tenant=task.tenant, by=by)

    async def _retry_one(self, task: Task, by: By) -> object:
        return await self._tasks.retry_task(task.task_id, tenant=task.tenant, seen=task.version, by=by)

    async def _move_all(self, wanted: TaskFilter, move: Move, move_one: MoveOne, by: By) -> int:
        movable, moved = MOVES[move][0], 0
        chosen = tuple(state for state in wanted.statuses or State if state in movable)
        if not chosen:
            return 0
        rest: TaskFilter | None = replace(wanted, statuses=chosen, limit=CHUNK)
        while rest is not None:
            page = await self._tasks.reader.page(rest)
            for start in range(0, len(page.tasks), AT_ONCE):
                each = page.tasks[start : start + AT_ONCE]
                moved += sum(await asyncio.gather(*(_is_moved(move_one, task, by) for task in each)))
            rest = None if page.next_seq is None else rest.before(page.next_seq)
        return moved


async def _is_moved(move_one: MoveOne, task: Task, by: By) -> bool:
    try:
        await move_one(task, by)
    except (NotFound, IllegalMove, RecordChanged):
        # Somebody else was faster.
        return False
    return True
