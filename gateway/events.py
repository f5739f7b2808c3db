"""The live streams: one task, one case, or all of a tenant.

Each tells what already happened first and what happens then, without gap or duplicate: it subscribes, waits until
the server has acknowledged that, reads the log, and from the subscription passes on only what is newer. After a cut
it does the same again, from the last number that it told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs
from gateway.bridge import CLOSED, Bridge, Frame, Item, LookUp, Watcher
from gateway.requests import case_id_of, task_of
from gateway.services import Services, services
from gateway.sse import END, KEEP_ALIVE, KEEP_ALIVE_S, RETRY, EventStream
from tasks.api_keys import Identity
from tasks.errors import InvalidInput
from tasks.reader import EVENTS_AT_ONCE
from tasks.record import Event

Load = Callable[[int], Awaitable[list[Event]]]
Encode = Callable[[Frame], bytes]


@dataclass(frozen=True, slots=True)
class Stream:
    """What is watched and on whose behalf: a channel, how its log is read from a number on, how an event is written,
    where a result is looked up, and whether the stream is over after a final one."""

    identity: Identity
    channel: str
    load: Load
    encode: Encode
    look_up: LookUp | None
    ends: bool = False

    async def chunks(self, bridge: Bridge, last_seq: int) -> AsyncIterator[bytes]:
        yield RETRY
        async with bridge.watch(self.channel, self.identity) as watcher:
            told = _Told(last_seq)
            async for frame in self._frames(bridge, watcher, told):
                if frame is None:
                    yield KEEP_ALIVE
                    continue
                if self.look_up is not None:
                    await frame.complete(self.look_up)
                yield self.encode(frame)
                if self.ends and frame.event.final and await self._is_over(told.seq):
                    yield END
                    return

    async def _frames(self, bridge: Bridge, watcher: Watcher, told: _Told) -> AsyncIterator[Frame | None]:
        """The frames to tell; `None` where the silence is long enough to say so."""
        while True:
            history = await self.load(told.seq)
            while history:
                for event in history:
                    if watcher.is_cut:
                        return
                    if told.is_new(event):
                        yield Frame(event)
                history = await self.load(told.seq) if len(history) >= EVENTS_AT_ONCE else []
            async for item in _live(watcher):
                if item is None:
                    yield None
                elif isinstance(item, Frame):
                    if told.is_new(item.event):
                        yield item
                elif item is CLOSED:
                    return
                else:
                    break
            while not await bridge.is_heard_again(watcher, KEEP_ALIVE_S):
                yield None

    async def _is_over(self, seq: int) -> bool:
        """A task that was run again goes on: its old end is not the end of the stream."""
        return not await self.load(seq)


class _Told:
    """The number of the last event that a stream has told."""

    def __init__(self, seq: int) -> None:
        self.seq = seq

    def is_new(self, event: Event) -> bool:
        if event.seq <= self.seq:
            return False
        self.seq = event.seq
        return True


async def _live(watcher: Watcher) -> AsyncIterator[Item | None]:
    while True:
        yield await _next(watcher)


async def _next(watcher: Watcher) -> Item | None:
    try:
        async with asyncio.timeout(KEEP_ALIVE_S):
            return await watcher.queue.get()
    except TimeoutError:
        return None


# ------------------------------------------------------------------------------------------------ routes


@needs("tasks:read", ticket=True)
async def task_events(request: Request, identity: Identity) -> Response:
    task = await task_of(request, identity)
    last_seq = _last_seq(request)
    told_the_end = task.status.final and all(event.seq <= last_seq for event in task.events())
    if told_the_end:
        return Response(status_code=204)
    known = services(request)
    channel = known.bridge.keys.of("task_events", id=task.task_id)
    stream = Stream(identity, channel, _log_of_task(known, task.task_id), *_FOR_TASK.for_(known, identity), ends=True)
    return EventStream(stream.chunks(known.bridge, last_seq))


def _log_of_task(known: Services, task_id: str) -> Load:
    async def load(after_seq: int) -> list[Event]:
        task = await known.reader.task(task_id)
        return [event for event in task.events() if event.seq > after_seq] if task else []

    return load


@needs("tasks:read", ticket=True)
async def case_events(request: Request, identity: Identity) -> Response:
    case_id = case_id_of(request)
    known = services(request)
    channel = known.bridge.keys.of("case_events", tenant=identity.tenant, case=case_id)
    load = _log_of_case(known, identity.tenant, case_id)
    stream = Stream(identity, channel, load, *_FOR_CASE.for_(known, identity))
    return EventStream(stream.chunks(known.bridge, _last_seq(request)))


def _log_of_case(known: Services, tenant: str, case_id: str) -> Load:
    async def load(after_seq: int) -> list[Event]:
        tasks = await known.reader.case_tasks(tenant, case_id)
        events = [event for task in tasks for event in task.events() if event.seq > after_seq]
        return sorted(events, key=lambda event: event.seq)

    return load


@needs("tasks:read", ticket=True)
async def tenant_events(request: Request, identity: Identity) -> Response:
    """All tasks of the token's tenant; with `?scope=all` and the scope ops:read, those of every tenant."""
    known = services(request)
    everyone = request.query_params.get("scope") == "all"
    if everyone and not identity.may("ops:read"):
        raise HTTPException(403, "The token lacks the scope ops:read.")
    tenant = "*" if everyone else identity.tenant
    channel = known.bridge.keys.of("tenant_events", tenant=tenant)
    stream = Stream(identity, channel, _log_of_tenant(known, tenant), *_FOR_TASK.for_(known, identity))
    return EventStream(stream.chunks(known.bridge, _last_seq(request)))


def _log_of_tenant(known: Services, tenant: str) -> Load:
    async def load(after_seq: int) -> list[Event]:
        tenants = await known.reader.tenants() if tenant == "*" else [tenant]
        return await known.reader.recent_events(tenants, after_seq)

    return load


@dataclass(frozen=True, slots=True)
class _Form:
    """How events are written, for who may see payloads and for who may not."""

    whole: Encode
    without_payload: Encode

    def for_(self, known: Services, identity: Identity) -> tuple[Encode, LookUp | None]:
        """How this client's are written, and where their results are looked up."""
        if identity.sees_payload:
            return self.whole, known.reader.task
        return self.without_payload, None


_FOR_TASK = _Form(lambda frame: frame.for_task, lambda frame: frame.for_task_without_payload)
_FOR_CASE = _Form(lambda frame: frame.for_case, lambda frame: frame.for_case_without_payload)


def _last_seq(request: Request) -> int:
    """The number of the last event that the client has. Raises `InvalidInput`."""
    raw = request.headers.get("last-event-id") or request.query_params.get("last_event_id") or "0"
    if not raw.isascii() or not raw.isdigit() or len(raw) > 16:
        raise InvalidInput.of("Last-Event-ID", "must be the id of an event")
    return int(raw)


ROUTES = [
    Route("/api/tasks/{task_id}/events", task_events, methods=["GET"]),
    Route("/api/v2/triage/stream/{case_id}", case_events, methods=["GET"]),
    # Web clients of the older service have the prefix twice.
    Route("/api/api/v2/triage/stream/{case_id}", case_events, methods=["GET"]),
    Route("/api/events", tenant_events, methods=["GET"]),
]
