"""The results of a batch: one line of NDJSON per case, in the order in which the cases ended.

A line is told once its case has ended, and the stream is open until the batch is final and every case is told.
The place of a case is that of its first end and never changes, so whoever lost the connection after so many lines
asks for those `after` them. A case that was run again keeps its place and shows what it came to last; while the
batch runs, the stream waits there for it.

Nothing is collected for it: each line is read from the record of its case when it is told, a few at a time, however
many there are and however slowly they are taken. What was forgotten on request is therefore in no stream any more;
its place says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs
from gateway.bridge import Item, Nudged
from gateway.connections import abort_of
from gateway.requests import query_flag, query_number, task_of
from gateway.services import Services, services
from gateway.sse import KEEP_ALIVE_S, EventStream
from gateway.tasks import read_large
from tasks.api_keys import PAYLOAD, Identity
from tasks.catalog import BATCH
from tasks.errors import NotFound, Unavailable
from tasks.lifecycle import State
from tasks.record import Task, compact_json, error_as_json

CASES_AT_MOST = 10_000
READ_AT_ONCE = 50
LOOKS_EVERY_S = 0.05
"""A line is told at most so late; what ends meanwhile is read together."""
HEADERS = {
    "Content-Type": "application/x-ndjson",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


@needs("tasks:read", PAYLOAD)
async def results(request: Request, identity: Identity) -> Response:
    """`?after=` so many lines (those that the client has), `?follow=false` for what there is just now."""
    after = query_number(request, "after", 0, CASES_AT_MOST, least=0)
    follow = query_flag(request, "follow", default=True)
    task = await task_of(request, identity)
    if task.name != BATCH:
        raise NotFound("only a batch has results; another task has its result")
    return EventStream(
        _Results(services(request), identity, task.task_id, after, follow, abort_of(request)).lines(), HEADERS
    )


@dataclass(slots=True)
class _Results:
    """One stream: `told` lines lie behind it."""

    known: Services
    identity: Identity
    batch_id: str
    told: int
    follow: bool
    abort: Callable[[], None]

    async def lines(self) -> AsyncIterator[bytes]:
        """Raises `Unavailable` where Redis is away, the gateway stops or the token holds no more: then the connection
        is cut, so that nobody takes what came until then for everything."""
        async with self._watching() as news:
            while True:
                # The batch before its cases: of one that is final, no case ends after this look.
                batch = await self.known.reader.task(self.batch_id)
                ids = await self.known.reader.ended_children(self.batch_id, self.told, READ_AT_ONCE)
                told_before = self.told
                async for line in self._of(ids, batch):
                    news.check()
                    self.told += 1
                    yield line
                if self.told == told_before + READ_AT_ONCE:
                    continue
                if not self.follow or batch is None or self._is_over(batch):
                    return
                await self._wait(news)

    async def _of(self, ids: list[str], batch: Task | None) -> AsyncIterator[bytes]:
        """The next lines, up to a case that will be waited for."""
        records = {task.task_id: task for task in await self.known.reader.tasks(ids)}
        for number, task_id in enumerate(ids, self.told + 1):
            task = records.get(task_id)
            if self.follow and task is not None and batch is not None and _runs_again(task, batch):
                return
            yield await self._line(number, task_id, task)

    def _is_over(self, batch: Task) -> bool:
        """A batch that was cancelled is final before the last of its cases is; a case that runs again by itself after
        the end of its batch was told."""
        if batch.children is None or not batch.status.final:
            return batch.status.final
        return self.told >= batch.children.total or batch.children.ended == batch.children.total

    async def _line(self, number: int, task_id: str, task: Task | None) -> bytes:
        if task is None:
            return _joined(_head(number, task_id, None, None, _FORGOTTEN), b"null")
        head = _head(number, task_id, task.case_id, task.status.value, error_as_json(task.error))
        if task.result_place is None or not task.status.final:
            return _joined(head, compact_json(task.result if task.status.final else None).encode())
        return _joined(head, await self._large(task, task.result_place))

    async def _large(self, task: Task, place: str) -> bytes:
        try:
            return await read_large(self.known, task, place)
        except NotFound:
            return b"null"

    # --------------------------------------------------------------------------------------------- waiting

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[_News]:
        """Both what the batch itself goes through and the ends of its cases, in one place."""
        bridge, queue = self.known.bridge, asyncio.Queue[Item]()
        batch, cases = (
            Nudged(bridge.keys.of(name, id=self.batch_id), queue, abort=self.abort)
            for name in ("task_events", "batch_news")
        )
        async with (
            bridge.watch_with(batch, self.identity) as of_batch,
            bridge.watch_with(cases, self.identity) as of_cases,
        ):
            yield _News((of_batch, of_cases), queue)

    async def _wait(self, news: _News) -> None:
        await news.queue.get()
        for watcher in news.watchers:
            # After a gap, only what is looked up after the new subscription is sure to be complete.
            while not await self.known.bridge.is_heard_again(watcher, KEEP_ALIVE_S):
                news.check()
        news.check()
        await asyncio.sleep(LOOKS_EVERY_S)


@dataclass(frozen=True, slots=True)
class _News:
    watchers: tuple[Nudged, ...]
    queue: asyncio.Queue[Item]

    def check(self) -> None:
        """Raises `Unavailable` where there will be no more news."""
        if any(watcher.closed for watcher in self.watchers):
            raise Unavailable("the gateway stops, or the token holds no more")


def _runs_again(case: Task, batch: Task) -> bool:
    """Whether a case that has ended once is under way again, or will be: a batch that is run again begins with
    queueing what it has not done."""
    if batch.status.final:
        return False
    return not case.status.final or (batch.requeued and case.status is not State.SUCCEEDED)


_FORGOTTEN = {"type": "CaseGone", "message": "the case was deleted, with all that was known of it"}


def _head(
    number: int, task_id: str, case_id: str | None, status: str | None, error: Mapping[str, Any] | None
) -> bytes:
    line = {"case_id": case_id, "task_id": task_id, "n": number, "status": status, "error": error}
    return compact_json(line).encode()


def _joined(head: bytes, result: bytes) -> bytes:
    """The line with its result, which is JSON already."""
    return head[:-1] + b',"result":' + result + b"}\n"


ROUTES = [Route("/api/tasks/{task_id}/results", results, methods=["GET"])]
