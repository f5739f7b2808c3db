"""Reads tasks, queues and workers for the asynchronous world of the gateway. It changes nothing.

A list is read from the narrowest index that a filter names, newest first; what no index knows is checked on the
records, within a bound, so that no question costs more than a page.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from heapq import merge
from typing import Any, Protocol, Self

from pydantic_core import from_json

from tasks.blobs import Blobs
from tasks.case_keys import AsyncCaseKeys, Keyring
from tasks.catalog import CATALOG, Catalog
from tasks.clock import now_ms, rfc3339
from tasks.connection import AsyncRedis
from tasks.errors import NotFound
from tasks.keys import Keys
from tasks.last_hour import MINUTES, LastHourReader
from tasks.lifecycle import LANES, State, lane_name
from tasks.record import RECORD_FIELDS, SEQ_PER_MS, Event, Task, compact_json, parse_message, parse_task
from tasks.redis_faults import redis_faults
from tasks.sealed_tasks import open_file_of, opened, sealed_values
from tasks.sealing import SealBroken
from tasks.settings import Settings
from tasks.statistics import Figures

FIRST_EVENTS = 200
"""What a stream of all tasks begins with for who has seen none of them."""
EVENTS_AT_ONCE = 500
CASE_TASKS_AT_MOST = 1_000
"""Tasks of one case whose events a stream can tell: the newest of them."""
SCANNED_AT_MOST = 2_000
CHUNK = 200


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks of a tenant a list shows. Times are in ms; `before_seq` is where the last page ended."""

    tenant: str
    statuses: tuple[State, ...] = ()
    task_name: str | None = None
    queue: str | None = None
    priority: str | None = None
    case_id: str | None = None
    parent_id: str | None = None
    created_after_ms: int | None = None
    created_before_ms: int | None = None
    before_seq: int | None = None
    limit: int = 50

    def accepts(self, task: Task) -> bool:
        wanted = (
            (self.task_name, task.name),
            (self.queue, task.queue),
            (self.priority, task.priority),
            (self.case_id, task.case_id),
            (self.parent_id, task.parent_id),
        )
        if any(wish is not None and wish != have for wish, have in wanted):
            return False
        return task.tenant == self.tenant and (not self.statuses or task.status in self.statuses)

    @property
    def listed(self) -> str:
        """Names the list that is asked for, whichever page of it."""
        chosen = replace(self, before_seq=None, limit=0, statuses=tuple(sorted(set(self.statuses))))
        return compact_json(astuple(chosen))

    def before(self, seq: int) -> TaskFilter:
        return replace(self, before_seq=seq)

    @property
    def range(self) -> tuple[str, str]:
        return seq_range(self.created_after_ms, self.created_before_ms, self.before_seq)

    def indexes(self, keys: Keys) -> list[str]:
        of, tenant = keys.of, self.tenant
        if self.parent_id:
            return [of("children", id=self.parent_id)]
        if self.case_id:
            return [of("by_case", tenant=tenant, case=self.case_id)]
        if self.statuses:
            return [of("by_status", tenant=tenant, status=status) for status in dict.fromkeys(self.statuses)]
        if self.task_name:
            return [of("by_name", tenant=tenant, task_name=self.task_name)]
        return [of("by_status", tenant=tenant, status=status) for status in State]


class Wanted(Protocol):
    """Which tasks a page shows: how many, out of which indexes, within which range of sequence numbers."""

    @property
    def limit(self) -> int: ...

    @property
    def range(self) -> tuple[str, str]: ...

    def indexes(self, keys: Keys) -> list[str]: ...

    def accepts(self, task: Task) -> bool: ...

    def before(self, seq: int) -> Self:
        """The same, further on."""
        ...


def seq_range(after_ms: int | None, before_ms: int | None, before_seq: int | None) -> tuple[str, str]:
    """Highest and lowest sequence number, as Redis writes bounds."""
    highest = "+inf" if before_seq is None else f"({before_seq}"
    if before_ms is not None:
        before = before_ms * SEQ_PER_MS
        highest = f"({min(before, before_seq or before)}"
    return highest, "-inf" if after_ms is None else str(after_ms * SEQ_PER_MS)


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks, and where the next page begins; `None` at the end."""

    tasks: tuple[Task, ...]
    next_seq: int | None


@dataclass(frozen=True, slots=True)
class History:
    """Events, oldest first, up to some moment after the question. What happened later is not among them, even where
    it was seen: records are read one after the other, so something older might have been missed meanwhile.

    Of those after the number `complete_after` none is missing; before it, some may no longer be kept. Where it
    `is_all`, nothing more had happened by that moment; else the next read goes on after the last one.
    """

    events: Sequence[Event]
    complete_after: int = 0
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process that was heard of lately. One that is `draining` takes nothing new, and
    neither does one that is `stuck`, for this reason."""

    worker: str
    host: str
    threads: int
    busy: int
    last_seen_ms: int
    task_names: tuple[str, ...]
    queues: tuple[str, ...]
    draining: bool
    stuck: str

    @property
    def takes_tasks(self) -> bool:
        return not self.draining and not self.stuck

    def takes(self, task: Task) -> bool:
        """Whether the worker would run such a task."""
        return self.takes_tasks and task.queue in self.queues and task.name in self.task_names

    def as_json(self) -> dict[str, Any]:
        return {
            "worker": self.worker,
            "host": self.host,
            "processes": 1,
            "threads": self.threads,
            "busy": self.busy,
            "last_seen": rfc3339(self.last_seen_ms),
        }


class Reader:
    """Every method raises `Unavailable` when Redis is away."""

    def __init__(
        self,
        client: AsyncRedis,
        settings: Settings,
        catalog: Catalog = CATALOG,
        case_keys: AsyncCaseKeys | None = None,
    ) -> None:
        self.client = client
        self._case_keys = case_keys or AsyncCaseKeys(client, settings, Keyring(settings))
        self.keys = Keys(settings.namespace)
        self._last_hour = LastHourReader(client, self.keys)
        self.catalog = catalog
        self._retention_ms = settings.retention_s * 1_000
        self._heartbeat_timeout_ms = int(settings.heartbeat_timeout_s * 1_000)

    # ------------------------------------------------------------------------------------------- tasks

    async def task(self, task_id: str, tenant: str | None = None) -> Task | None:
        """One record; `None` where there is none, or another tenant's."""
        with redis_faults():
            values = await self.client.hmget(self.keys.of("task", id=task_id), list(RECORD_FIELDS))
        task = parse_task(task_id, values)
        if task is None or tenant not in (None, task.tenant):
            return None
        (task,) = await self.opened([task])
        return task

    async def opened(self, tasks: Sequence[Task]) -> list[Task]:
        """These records with what is sealed in them, as far as their keys are there."""
        ring = self._case_keys.ring
        await self._case_keys.ask(ring.unknown(sealed_values(tasks)))
        return [opened(task, ring) for task in tasks]

    async def tasks(self, task_ids: Sequence[str]) -> list[Task]:
        """The records of these ids, in their order; those that are gone are left out."""
        pipe = self.client.pipeline(transaction=False)
        for task_id in task_ids:
            pipe.hmget(self.keys.of("task", id=task_id), list(RECORD_FIELDS))
        with redis_faults():
            rows = await pipe.execute()
        found = (parse_task(task_id, row) for task_id, row in zip(task_ids, rows, strict=True))
        return await self.opened([task for task in found if task is not None])

    async def open_blob(self, task: Task, blobs: Blobs, place: str) -> Iterator[bytes]:
        """What a task left in the blob store, a piece at a time. Raises `NotFound` where it is not there, or not to
        be read, any more."""
        if task.case_id:
            await self._case_keys.ask([(task.tenant, task.case_id)])
        try:
            chunks = blobs.chunks(place)
            return await asyncio.to_thread(open_file_of, task, self._case_keys.ring, chunks, place)
        except (FileNotFoundError, SealBroken):
            raise NotFound("the result is older than what is kept") from None

    async def page(self, wanted: Wanted) -> Page:
        """One page of the tasks that a filter accepts, newest first."""
        found: list[Task] = []
        # Mostly the index accepts just what the filter does; where it doesn't, larger steps follow.
        scanned, chunk, last = 0, min(wanted.limit, CHUNK), None
        while scanned < SCANNED_AT_MOST:
            ids = await self._newest(wanted, chunk)
            for task in await self.tasks(ids):
                last, wanted = task.seq, wanted.before(task.seq)
                if wanted.accepts(task):
                    found.append(task)
                if len(found) == wanted.limit:
                    return Page(tuple(found), task.seq)
            if len(ids) < chunk:
                return Page(tuple(found), None)
            scanned += len(ids)
            chunk = CHUNK
        return Page(tuple(found), last)

    async def _newest(self, wanted: Wanted, count: int) -> list[str]:
        highest, lowest = wanted.range
        # In one step: a task that moves from one status to another is in one of the two.
        pipe = self.client.pipeline(transaction=True)
        for index in wanted.indexes(self.keys):
            pipe.zrange(index, highest, lowest, desc=True, byscore=True, offset=0, num=count, withscores=True)
        with redis_faults():
            rows = await pipe.execute()
        newest = merge(*rows, key=lambda pair: pair[1], reverse=True)
        return [member.decode() for member, _ in itertools.islice(newest, count)]

    async def children(self, parent_id: str) -> list[str]:
        """The ids of a parent's children, oldest first."""
        with redis_faults():
            members = await self.client.zrange(self.keys.of("children", id=parent_id), 0, -1)
        return [member.decode() for member in members]

    async def ended_children(self, parent_id: str, after: int, most: int) -> list[str]:
        """The ids of a parent's children in the order in which they first ended, after so many of them. One that was
        run again since stands where it stood; one that was forgotten leaves its id."""
        with redis_faults():
            members = await self.client.zrange(self.keys.of("ended", id=parent_id), after, after + most - 1)
        return [member.decode() for member in members]

    # ------------------------------------------------------------------------------------------ events

    async def newest_seq(self) -> int:
        """The highest number that any event was given."""
        with redis_faults():
            return int(await self.client.get(self.keys.of("seq")) or 0)

    async def events_of_task(self, task_id: str) -> History:
        task = await self.task(task_id)
        return History(task.events(), task.trimmed_seq) if task else History(())

    async def events_of_case(self, tenant: str, case_id: str) -> History:
        """What the newest tasks of a case went through. None is missing since the time from which on tasks are kept,
        unless there are too many of them."""
        moment = await self.newest_seq()
        tasks, is_all = await self._tasks_of_case(tenant, case_id)
        found = (event for task in tasks for event in task.events() if event.seq <= moment)
        events = sorted(found, key=lambda event: event.seq)
        complete_after = max((task.trimmed_seq for task in tasks), default=0)
        complete_after = max(complete_after, (now_ms() - self._retention_ms) * SEQ_PER_MS)
        if not is_all:
            # An older task may have gone on at any time.
            complete_after = events[-1].seq if events else moment
        return History(events, complete_after)

    async def _tasks_of_case(self, tenant: str, case_id: str) -> tuple[list[Task], bool]:
        """The newest tasks of a case, and whether those are all."""
        tasks, wanted = list[Task](), TaskFilter(tenant=tenant, case_id=case_id, limit=CHUNK)
        while len(tasks) < CASE_TASKS_AT_MOST:
            page = await self.page(wanted)
            tasks += page.tasks
            if page.next_seq is None:
                return tasks, True
            wanted = replace(wanted, before_seq=page.next_seq)
        return tasks, False

    async def recent_events(self, tenants: Sequence[str], after_seq: int) -> History:
        """The next events of these tenants after a number, as far back as they are kept; to who has none yet (0), the
        latest."""
        moment = await self.newest_seq()
        pipe = self.client.pipeline(transaction=False)
        for tenant in tenants:
            key = self.keys.of("recent", tenant=tenant)
            if after_seq:
                pipe.xrange(key, min=f"({after_seq}-0", max=f"{moment}-0", count=EVENTS_AT_ONCE)
            else:
                pipe.xrevrange(key, max=f"{moment}-0", count=FIRST_EVENTS)
        with redis_faults():
            streams = await pipe.execute()
        found = [parse_message(entry[b"e"]) for entries in streams for _, entry in entries]
        found = sorted(found, key=lambda event: event.seq)[: EVENTS_AT_ONCE if after_seq else None]
        events = [event async for event in self._with_outcome(found)]
        is_all = not after_seq or len(events) < EVENTS_AT_ONCE
        return History(events, await self._kept_since(tenants, after_seq) if after_seq else 0, is_all)

    async def _kept_since(self, tenants: Sequence[str], after_seq: int) -> int:
        """The number of the oldest event that is kept of a tenant some of whose events after this one no longer are;
        0, where all are."""
        pipe = self.client.pipeline(transaction=False)
        for tenant in tenants:
            pipe.xrange(self.keys.of("recent", tenant=tenant), count=1)
        with redis_faults():
            oldest = [int(entries[0][0].partition(b"-")[0]) if entries else 0 for entries in await pipe.execute()]
        late = [(tenant, seq) for tenant, seq in zip(tenants, oldest, strict=True) if seq > after_seq]
        return max([seq for tenant, seq in late if await self._is_trimmed(tenant)], default=0)

    async def _is_trimmed(self, tenant: str) -> bool:
        """Whether fewer entries are there than were ever added (Redis 7)."""
        with redis_faults():
            told = await self.client.xinfo_stream(self.keys.of("recent", tenant=tenant))
        return bool(told["entries-added"] > told["length"])

    async def _with_outcome(self, events: list[Event]) -> AsyncIterator[Event]:
        ends = list(dict.fromkeys(e.task_id for e in events if e.status in (State.SUCCEEDED, State.FAILED)))
        records = {task.task_id: task for task in await self.tasks(ends)} if ends else {}
        for event in events:
            record = records.get(event.task_id)
            if record is None or event.task_id not in records:
                yield event
            elif event.event == State.SUCCEEDED:
                yield replace(event, result=record.result)
            elif event.event == State.FAILED:
                yield replace(event, error=record.error)
            else:
                yield event

    # -------------------------------------------------------------------------------- queues, workers

    async def tenants(self) -> list[str]:
        with redis_faults():
            members = await self.client.smembers(self.keys.of("tenants"))
        return sorted(member.decode() for member in members)

    async def workers(self) -> list[Worker]:
        """The workers whose heartbeat is not too old."""
        with redis_faults():
            beats = await self.client.zrangebyscore(
                self.keys.of("heartbeats"), now_ms() - self._heartbeat_timeout_ms, "+inf", withscores=True
            )
        names = [raw.decode() for raw, _ in beats]
        pipe = self.client.pipeline(transaction=False)
        for name in names:
            pipe.get(self.keys.of("worker", worker=name))
            for lane in self.catalog.lanes:
                pipe.scard(self.keys.of("acks", worker=name, lane=lane))
        with redis_faults():
            told = iter(await pipe.execute())
        each = 1 + len(self.catalog.lanes)
        rows = [list(itertools.islice(told, each)) for _ in names]
        return [self._worker(name, int(beat[1]), *row) for name, beat, row in zip(names, beats, rows, strict=True)]

    def _worker(self, worker: str, last_seen_ms: int, description: bytes | None, *held: int) -> Worker:
        told = from_json(description) if description else {}
        return Worker(
            worker=worker,
            host=told.get("host", ""),
            threads=told.get("threads", 0),
            busy=sum(held),
            last_seen_ms=last_seen_ms,
            task_names=tuple(told.get("task_names", ())),
            # One of an older release reads all queues and doesn't say so.
            queues=tuple(told.get("queues", self.catalog.queues)),
            draining=told.get("draining", False),
            stuck=told.get("stuck", ""),
        )

    async def memory(self) -> tuple[int, int]:
        """Bytes that the server uses, and how many it may use at most; 0 where it has no limit."""
        with redis_faults():
            told = await self.client.info("memory")
        return int(told["used_memory"]), int(told["maxmemory"])

    async def figures_by_queue(self, tenant: str) -> dict[str, Figures]:
        """What a tenant's tasks came to in the last hour."""
        return (await self._last_hour.read([tenant])).by_queue()

    async def stats(self, tenants: Sequence[str]) -> dict[str, Any]:
        """The figures of the last hour over these tenants, whole and by minute, and how the queues stand now."""
        statuses = await self._status_counts(tenants)
        hour = await self._last_hour.read(tenants)
        by_queue, by_name = hour.by_queue(), hour.by_name()
        workers = await self.workers()
        return {
            "statuses": statuses,
            "queues": {
                queue: await self.queue(queue, by_queue.get(queue, Figures())) for queue in self.catalog.queues
            },
            "tasks": {name: figures.as_json() for name, figures in sorted(by_name.items())},
            "throughput_per_minute": hour.throughput_per_minute(),
            "workers": [worker.as_json() for worker in workers],
            "window_s": MINUTES * 60,
            "tenants": list(tenants),
            "minutes": hour.as_json(),
        }

    async def _status_counts(self, tenants: Sequence[str]) -> dict[str, int]:
        pipe = self.client.pipeline(transaction=False)
        for tenant, status in itertools.product(tenants, State):
            pipe.zcard(self.keys.of("by_status", tenant=tenant, status=status))
        with redis_faults():
            counts = await pipe.execute()
        totals = dict.fromkeys((str(status) for status in State), 0)
        for (_, status), count in zip(itertools.product(tenants, State), counts, strict=True):
            totals[status] += count
        return totals

    async def queue(self, queue: str, figures: Figures) -> dict[str, Any]:
        """How one queue stands: its lanes, what is delayed, running and dead, and who waits longest."""
        pipe = self.client.pipeline(transaction=False)
        for priority in LANES:
            lane = lane_name(queue, priority)
            pipe.llen(self.keys.of("lane", lane=lane))
            pipe.hlen(self.keys.of("messages", lane=lane))
            pipe.hlen(self.keys.of("delayed_messages", lane=lane))
            pipe.zcard(self.keys.of("dead", lane=lane))
            pipe.lindex(self.keys.of("lane", lane=lane), 0)
        pipe.hget(self.keys.of("paused"), queue)
        with redis_faults():
            *rows, paused = await pipe.execute()
        pause = from_json(paused) if paused else {}
        lanes = [rows[i : i + 5] for i in range(0, len(rows), 5)]
        return {
            "waiting": {priority.value: lane[0] for priority, lane in zip(LANES, lanes, strict=True)},
            "scheduled": sum(lane[2] for lane in lanes),
            "running": sum(max(0, lane[1] - lane[0]) for lane in lanes),
            "dead": sum(lane[3] for lane in lanes),
            "paused": paused is not None,
            "paused_by": pause.get("by"),
            "paused_at": rfc3339(pause.get("at")),
            "oldest_waiting_ms": await self._oldest_waiting_ms([lane[4] for lane in lanes]),
            **figures.as_json(),
        }

    async def _oldest_waiting_ms(self, heads: Sequence[bytes | None]) -> int | None:
        waiting = await self.tasks([head.decode() for head in heads if head])
        since = [task.queued_ms for task in waiting if task.queued_ms is not None]
        return max(0, now_ms() - min(since)) if since else None
