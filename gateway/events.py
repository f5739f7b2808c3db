"""The live streams: one task, one case, or all of a tenant.

Each tells what already happened first and what happens then, without gap or duplicate: it subscribes, waits until
the server has acknowledged that, reads the log, and from the subscription passes on only what is newer. After a cut
it does the same again, from the last number that it told. A client whose number is older than what is kept, or was
never given, is told so (`reset`) and gets a snapshot.

Thousands may come in the same moment: those that want the same log share one read of it, and its events are encoded
once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs
from gateway.bridge import Bridge, Frame, Item, LookUp, Watcher
from gateway.connections import abort_of
from gateway.requests import case_id_of, is_for_everyone, task_of
from gateway.services import Services, services
from gateway.sse import KEEP_ALIVE, KEEP_ALIVE_S, RETRY, TRIMMED, UNKNOWN, EventStream, end, reset
from tasks.api_keys import Identity
from tasks.errors import InvalidInput, Unavailable
from tasks.reader import History

READ_AGAIN_S = 1.0
TOLD_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Past:
    """What a log holds from some number on: see `tasks.reader.History`."""

    frames: Sequence[Frame]
    complete_after: int
    is_all: bool

    @classmethod
    def of(cls, history: History) -> Past:
        return cls([Frame(event) for event in history.events], history.complete_after, history.is_all)


Load = Callable[[int], Awaitable[Past]]
Encode = Callable[[Frame], bytes]


@dataclass(frozen=True, slots=True)
class Stream:
    """What is watched and on whose behalf: a channel, how its log is read from a number on, how an event is written,
    and whether the stream is over after a final one. `look_up` reads the record whose result a heard event lacks; who
    may not see results has none. `newest` reads the highest number that was given to any event; `abort` cuts the
    client's connection."""

    identity: Identity
    channel: str
    load: Load
    newest: Callable[[], Awaitable[int]]
    encode: Encode
    look_up: LookUp | None
    abort: Callable[[], None]
    ends: bool = False

    async def chunks(self, bridge: Bridge, last_seq: int) -> AsyncIterator[bytes]:
        yield RETRY
        told = _Told(last_seq, self.encode)
        async with bridge.watch(self.channel, self.identity, self.abort) as watcher:
            while not watcher.closed:
                async for chunk in self._missed(watcher, told):
                    with watcher.sending():
                        yield chunk
                async for chunk in self._live(watcher, told):
                    with watcher.sending():
                        yield chunk
                if self.ends and told.final:
                    yield end(told.seq)
                    return
                while not watcher.closed and not await bridge.is_heard_again(watcher, KEEP_ALIVE_S):
                    yield KEEP_ALIVE

    async def _missed(self, watcher: Watcher, told: _Told) -> AsyncIterator[bytes]:
        """What the log holds after the last number told. While it can't be read the stream is just silent: a client
        that was cut would come back to a 503, at which an EventSource gives up."""
        while not watcher.closed:
            try:
                past = await self.load(told.seq)
                lost = await self._lost(past, told.seq)
            except Unavailable:
                yield KEEP_ALIVE
                await asyncio.sleep(READ_AGAIN_S)
                continue
            if watcher.is_cut:
                return
            if lost:
                yield reset(told.seq, lost)
                told.forget()
                continue
            for at in range(0, len(past.frames), TOLD_AT_ONCE):
                if watcher.is_cut:
                    return
                if chunk := told.tell(past.frames[at : at + TOLD_AT_ONCE]):
                    yield chunk
            if past.is_all:
                return

    async def _lost(self, past: Past, seq: int) -> str:
        """Why what followed this number can't be told; empty, where it can."""
        if 0 < seq < past.complete_after:
            return TRIMMED
        nothing_new = not past.frames or past.frames[-1].seq <= seq
        return UNKNOWN if seq and nothing_new and seq > await self.newest() else ""

    async def _live(self, watcher: Watcher, told: _Told) -> AsyncIterator[bytes]:
        """What is heard, until the stream is over or there is a gap."""
        while not (self.ends and told.final):
            items = await watcher.take(KEEP_ALIVE_S)
            if not items:
                yield KEEP_ALIVE
                continue
            frames, signal = _up_to_signal(items, watcher)
            if not await self._have_results(frames, told.seq):
                return
            if watcher.is_cut:
                return
            if chunk := told.tell(frames):
                yield chunk
            if signal is not None:
                return

    async def _have_results(self, frames: Sequence[Frame], after_seq: int) -> bool:
        """Have the results looked up that this client may see; false where that can't be done now, so that the log
        tells these events once it can be read again."""
        if self.look_up is None:
            return True
        try:
            lacking = (frame for frame in frames if frame.lacks_result and frame.seq > after_seq)
            await asyncio.gather(*(frame.complete(self.look_up) for frame in lacking))
        except Unavailable:
            return False
        return True


def _up_to_signal(items: Sequence[Item], watcher: Watcher) -> tuple[Sequence[Frame], Item | None]:
    """The frames before the first signal, and that. What was heard after a gap is told after what was missed."""
    frames: list[Frame] = []
    for number, item in enumerate(items):
        if not isinstance(item, Frame):
            watcher.put_back(items[number + 1 :])
            return frames, item
        frames.append(item)
    return frames, None


class _Told:
    """How far a stream has told: the number of its last event, and whether that was final."""

    def __init__(self, seq: int, encode: Encode) -> None:
        self.seq = seq
        self.final = False
        self._encode = encode

    def tell(self, frames: Iterable[Frame]) -> bytes:
        """Those that are new, as they are sent."""
        told = []
        for frame in frames:
            if frame.seq > self.seq:
                self.seq, self.final = frame.seq, frame.final
                told.append(self._encode(frame))
        return told[0] if len(told) == 1 else b"".join(told)

    def forget(self) -> None:
        self.seq, self.final = 0, False


# ------------------------------------------------------------------------------------------------ routes


@needs("tasks:read", ticket=True)
async def task_events(request: Request, identity: Identity) -> Response:
    last_seq = _last_seq(request)
    known = services(request)
    question = ("task", identity.tenant, request.path_params["task_id"])
    task = await known.reads.get(question, lambda: task_of(request, identity))
    if last_seq and task.status.final:
        # Its numbers end here: who has the last one has been told the end.
        newest = max((event.seq for event in task.events()), default=0)
        if newest == last_seq or newest < last_seq <= await _newest(known):
            return Response(status_code=204)
    channel = known.bridge.keys.of("task_events", id=task.task_id)

    async def load(_after_seq: int) -> Past:
        return await known.reads.get(channel, lambda: _past(known.reader.events_of_task(task.task_id)))

    return _stream(request, identity, channel, load, _FOR_TASK, ends=True)


@needs("tasks:read", ticket=True)
async def case_events(request: Request, identity: Identity) -> Response:
    case_id, tenant = case_id_of(request), identity.tenant
    known = services(request)
    channel = known.bridge.keys.of("case_events", tenant=tenant, case=case_id)

    async def load(_after_seq: int) -> Past:
        return await known.reads.get(channel, lambda: _past(known.reader.events_of_case(tenant, case_id)))

    return _stream(request, identity, channel, load, _FOR_CASE)


@needs("tasks:read", ticket=True)
async def tenant_events(request: Request, identity: Identity) -> Response:
    """All tasks of the token's tenant; with `?scope=all` and the scope ops:read, those of every tenant."""
    known = services(request)
    everyone = is_for_everyone(request, identity)
    tenant = "*" if everyone else identity.tenant
    channel = known.bridge.keys.of("tenant_events", tenant=tenant)

    async def read(after_seq: int) -> History:
        tenants = await known.reader.tenants() if everyone else [tenant]
        return await known.reader.recent_events(tenants, after_seq)

    async def load(after_seq: int) -> Past:
        return await known.reads.get((channel, after_seq), lambda: _past(read(after_seq)))

    return _stream(request, identity, channel, load, _FOR_TASK)


def _stream(
    request: Request, identity: Identity, channel: str, load: Load, form: _Form, *, ends: bool = False
) -> Response:
    known = services(request)
    encode, look_up = form.for_(known, identity)
    stream = Stream(identity, channel, load, lambda: _newest(known), encode, look_up, abort_of(request), ends)
    return EventStream(stream.chunks(known.bridge, _last_seq(request)))


async def _past(history: Awaitable[History]) -> Past:
    return Past.of(await history)


async def _newest(known: Services) -> int:
    return await known.reads.get("newest", known.reader.newest_seq)


@dataclass(frozen=True, slots=True)
class _Form:
    """How events are written, for who may see payloads and for who may not."""

    whole: Encode
    without_payload: Encode

    def for_(self, known: Services, identity: Identity) -> tuple[Encode, LookUp | None]:
        """How this client's are written, and where their results are looked up."""
        if not identity.sees_payload:
            return self.without_payload, None

        return self.whole, known.records.get


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
