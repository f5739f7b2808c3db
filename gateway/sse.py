"""Server-sent events as the browser's EventSource reads them (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tasks.errors import Unavailable
from tasks.record import Event, compact_json

KEEP_ALIVE_S = 15.0
CANCEL_AGAIN_AFTER_S = 0.5
KEEP_ALIVE = b": keep-alive\n\n"
RETRY = b"retry: 1000\n\n"
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}

TRIMMED, UNKNOWN = "trimmed", "unknown"
_RESETS = {
    TRIMMED: "Events after this one are no longer kept. Forget what this stream told: what is still known follows.",
    UNKNOWN: "No event has this id, or it was lost. Forget what this stream told: what is known follows.",
}

_CASE_WORDS = {
    "running": "processing",
    "progress": "processing",
    "succeeded": "completed",
    "scheduled": "queued",
    "recovered": "queued",
}


def encode(event: Event, name: str, *, with_payload: bool = True) -> bytes:
    """One event. JSON has no raw line breaks, so its data is one line."""
    data = compact_json(event.as_json(with_payload=with_payload))
    return f"id: {event.seq}\nevent: {name}\ndata: {data}\n\n".encode()


def end(seq: int) -> bytes:
    """What follows the final event of a task, under its number: who comes back with that has everything."""
    return f"id: {seq}\nevent: end\ndata: {{}}\n\n".encode()


def reset(seq: int, reason: str) -> bytes:
    """Tells a client that what followed the event it has can't be told any more: a snapshot comes next. Its id is 0,
    so that a client that comes back before the snapshot gets that."""
    data = compact_json({"reason": reason, "last_event_id": str(seq), "detail": _RESETS[reason]})
    return f"id: 0\nevent: reset\ndata: {data}\n\n".encode()


def case_event_name(event: Event) -> str:
    """The name of an event on a case's stream: `triage_processing`, `documents_completed` and so on."""
    kind = event.task_name.partition(".")[0]
    return f"{kind}_{_CASE_WORDS.get(event.event, event.event)}"


class EventStream(Response):
    """Sends chunks as they come, and stops at once when the client goes away."""

    def __init__(self, chunks: AsyncIterator[bytes], headers: Mapping[str, str] = HEADERS) -> None:
        super().__init__(None, 200, headers)
        self._chunks = chunks

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        told = (headers or {}).items()
        self.raw_headers = [(name.lower().encode(), value.encode()) for name, value in told]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_client_leaves(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(leaving)
            await _end(sending)

    async def _send_all(self, send: Send) -> None:
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: before Python 3.12, `asyncio.wait_for`, in which redis-py sends, swallows a
    cancellation that comes with what it waits for."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_AFTER_S)
    # A stream whose source is away just ends: its client comes back with the id of the last event.
    with suppress(asyncio.CancelledError, Unavailable):
        task.result()


async def _client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
