"""Records that are asked for at about the same moment are read in one go.

A stream that tells thousands of results would otherwise wait for one round trip after the other, and fall behind
through no fault of its client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.shared_reads import look_at_error
from tasks.errors import Unavailable
from tasks.reader import Reader
from tasks.record import Task

AT_ONCE = 200


class RecordReads:
    """`await records.get(task_id)`: what was read after it was asked for; `None` where there is no record."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._wanted: dict[str, asyncio.Future[Task | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def get(self, task_id: str) -> Task | None:
        """Raises `Unavailable` when Redis is away."""
        if not self._wanted:
            self._begin()
        future = self._wanted.get(task_id)
        if future is None:
            future = self._wanted[task_id] = asyncio.get_running_loop().create_future()
            future.add_done_callback(look_at_error)
        # Whoever gives up leaves the answer to the others.
        return await asyncio.shield(future)

    def _begin(self) -> None:
        reading = asyncio.create_task(self._read_all())
        self._under_way.add(reading)
        reading.add_done_callback(self._under_way.discard)

    async def _read_all(self) -> None:
        """Read what is wanted by now: all who came before this task got its turn."""
        wanted, self._wanted = self._wanted, {}
        ids = list(wanted)
        for at in range(0, len(ids), AT_ONCE):
            some = ids[at : at + AT_ONCE]
            await self._read({task_id: wanted[task_id] for task_id in some}, some)

    async def _read(self, wanted: dict[str, asyncio.Future[Task | None]], ids: Sequence[str]) -> None:
        try:
            found = {task.task_id: task for task in await self._reader.tasks(ids)}
        except Unavailable as error:
            _fail(wanted, error)
        except BaseException:
            # Also where this task is cancelled: who waits for it would else wait for ever.
            _fail(wanted, Unavailable("the records could not be read"))
            raise
        else:
            for task_id, future in wanted.items():
                if not future.done():
                    future.set_result(found.get(task_id))


def _fail(wanted: dict[str, asyncio.Future[Task | None]], error: Unavailable) -> None:
    for future in wanted.values():
        if not future.done():
            future.set_exception(error)
