"""The routes of tasks: queue, read, list, cancel, retry, and their results."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.auth import needs
from gateway.bridge import CLOSED, GAP, Frame
from gateway.json import Json
from gateway.methods import resource
from gateway.requests import (
    LONGEST_WAIT_S,
    BulkRequest,
    TaskRequest,
    idempotency,
    preferred_wait_s,
    query_number,
    query_time_ms,
    read,
    task_of,
)
from gateway.services import Services, services
from tasks.api_keys import PAYLOAD, Identity
from tasks.blobs import EMBEDDINGS_FILE, result_place
from tasks.catalog import BATCH, TaskSpec
from tasks.clock import now_ms
from tasks.errors import InvalidInput, NotFound, Unavailable
from tasks.lifecycle import State
from tasks.reader import TaskFilter
from tasks.record import Task
from tasks.submission import check_priority

PAGE = 50
PAGE_AT_MOST = 200


def links(task_id: str, task_name: str = "") -> dict[str, str]:
    """Where a task is read, watched and cancelled; of a batch also where its cases are told as they end."""
    self = f"/api/tasks/{task_id}"
    of_batch = {"results": f"{self}/results"} if task_name == BATCH else {}
    return {"self": self, "events": f"{self}/events", "result": f"{self}/result", "cancel": self, **of_batch}


def shown(task: Task, identity: Identity) -> dict[str, Any]:
    """The record with its links. A large result is read at `result_url`. Without the scope for payloads, neither is
    there."""
    if not identity.sees_payload:
        return {**task.as_json(), "result": None, "result_url": None, "links": links(task.task_id, task.name)}
    is_large = task.status is State.SUCCEEDED and task.result_place is not None
    url = f"/api/tasks/{task.task_id}/result" if is_large else None
    return {**task.as_json(), "result_url": url, "links": links(task.task_id, task.name)}


# ---------------------------------------------------------------------------------------------- queueing


@needs("tasks:write")
async def queue(request: Request, identity: Identity) -> Response:
    wanted = await read(request, TaskRequest)
    wait_s = preferred_wait_s(request)
    known = services(request)
    (task,) = await known.tasks.prepare([wanted.order(identity.tenant)])
    submitted = await known.tasks.submit([task], await idempotency(request, identity.tenant))
    task_id = submitted.task_ids[0]
    replayed = {"Idempotent-Replayed": "true"} if submitted.replayed else {}
    if wait_s:
        ended = await wait_for_end(known, task_id, identity.tenant, wait_s)
        if ended is not None:
            return Json(shown(ended, identity), 200, {"Preference-Applied": f"wait={wait_s}", **replayed})
    if submitted.replayed:
        first = await known.tasks.get_task_status(task_id, tenant=identity.tenant)
        return _accepted(task_id, task.name, first.status, 200, replayed)
    return _accepted(task_id, task.name, task.first_status(now_ms()), 202, {})


def _accepted(task_id: str, name: str, status: State, code: int, headers: dict[str, str]) -> Response:
    body = {"task_id": task_id, "status": status.value, "links": links(task_id, name)}
    return Json(body, code, {"Location": f"/api/tasks/{task_id}", **headers})


@needs("tasks:write")
async def queue_bulk(request: Request, identity: Identity) -> Response:
    wanted = await read(request, BulkRequest)
    known = services(request)
    orders = [task.order(identity.tenant) for task in wanted.tasks]
    tasks = await known.tasks.prepare(orders, prefix="tasks[{}].")
    submitted = await known.tasks.submit(tasks, await idempotency(request, identity.tenant))
    headers = {"Idempotent-Replayed": "true"} if submitted.replayed else None
    return Json({"task_ids": submitted.task_ids}, 200 if submitted.replayed else 202, headers)


async def wait_for_end(known: Services, task_id: str, tenant: str, wait_s: float) -> Task | None:
    """The record as soon as the task has ended; `None` where it takes longer than `wait_s`."""
    try:
        async with asyncio.timeout(wait_s):
            await _until_final(known, task_id)
    except (TimeoutError, Unavailable):
        # The task is queued: whatever hinders the wait, the caller hears that.
        return None
    task = await known.tasks.get_task_status(task_id, tenant=tenant)
    return task if task.status.final else None


async def _until_final(known: Services, task_id: str) -> None:
    async with known.bridge.watch(known.bridge.keys.of("task_events", id=task_id)) as watcher:
        while True:
            # Read after the subscription was acknowledged, and again after every gap.
            task = await known.reader.task(task_id)
            if task is None or task.status.final:
                return
            item = await watcher.queue.get()
            while isinstance(item, Frame) and not item.event.final:
                item = await watcher.queue.get()
            if item is CLOSED:
                return
            if item is GAP:
                await known.bridge.is_heard_again(watcher, LONGEST_WAIT_S)


# ----------------------------------------------------------------------------------------------- reading


@needs("tasks:read")
async def get(request: Request, identity: Identity) -> Response:
    return Json(shown(await task_of(request, identity), identity))


@needs("tasks:read", PAYLOAD)
async def result(request: Request, identity: Identity) -> Response:
    task = await task_of(request, identity)
    if not task.status.final:
        raise HTTPException(409, f"The task is {task.status.value}; its result comes with its end.")
    if task.status is not State.SUCCEEDED:
        raise HTTPException(410, f"The task {_how_it_ended(task)} and has no result.")
    if task.result_place is None:
        return Json(task.result)
    return Response(await read_large(services(request), task, task.result_place), media_type="application/json")


def _how_it_ended(task: Task) -> str:
    return "was cancelled" if task.status is State.CANCELLED else "failed"


async def read_large(known: Services, task: Task, place: str) -> bytes:
    """What a task left in the blob store. Raises `NotFound`."""
    pieces = await known.reader.open_blob(task, known.blobs, place)
    return await run_in_threadpool(b"".join, pieces)


@needs("tasks:read", PAYLOAD)
async def embeddings(request: Request, identity: Identity) -> Response:
    task = await task_of(request, identity)
    known, place = services(request), result_place(task.tenant, task.task_id, EMBEDDINGS_FILE)
    if not known.blobs.exists(place):
        raise NotFound("the task has no such result, or not yet")
    return StreamingResponse(await known.reader.open_blob(task, known.blobs, place), media_type="application/json")


@needs("tasks:read")
async def log(request: Request, identity: Identity) -> Response:
    task = await task_of(request, identity)
    return Json({"events": [event.as_log_entry() for event in task.events() if event.event != "progress"]})


@needs("tasks:read")
async def page(request: Request, identity: Identity) -> Response:
    found = await services(request).reader.page(_filter(request, identity.tenant))
    cursor = None if found.next_seq is None else _cursor(found.next_seq)
    return Json({"tasks": [shown(task, identity) for task in found.tasks], "next_cursor": cursor})


def _filter(request: Request, tenant: str) -> TaskFilter:
    query = request.query_params
    unknown = sorted(set(query) - _LIST_PARAMETERS)
    if unknown:
        raise InvalidInput.of(unknown[0], f"is no filter; there are: {', '.join(sorted(_LIST_PARAMETERS))}")
    priority = query.get("priority")
    return TaskFilter(
        tenant=tenant,
        statuses=tuple(_status(text) for text in query.getlist("status")),
        task_name=query.get("task_name"),
        queue=query.get("queue"),
        priority=None if priority is None else check_priority(priority),
        case_id=query.get("case_id"),
        parent_id=query.get("parent_id"),
        created_after_ms=query_time_ms(request, "created_after"),
        created_before_ms=query_time_ms(request, "created_before"),
        before_seq=_parse_cursor(query.get("cursor")),
        limit=query_number(request, "limit", PAGE, PAGE_AT_MOST),
    )


_LIST_PARAMETERS = {
    *("status", "task_name", "queue", "priority", "case_id", "parent_id"),
    *("created_after", "created_before", "limit", "cursor"),
}


def _status(text: str) -> State:
    try:
        return State(text)
    except ValueError:
        raise InvalidInput.of("status", f"{text!r} is not one of {', '.join(State)}") from None


def _cursor(seq: int) -> str:
    return base64.urlsafe_b64encode(str(seq).encode()).decode().rstrip("=")


def _parse_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        return int(base64.urlsafe_b64decode(cursor[:64] + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise InvalidInput.of("cursor", "must be the next_cursor of an earlier page") from None


@needs("tasks:read")
async def stats(request: Request, identity: Identity) -> Response:
    return Json(await services(request).tasks.stats(tenant=identity.tenant))


# ------------------------------------------------------------------------------------------- moving them


@needs("tasks:write")
async def cancel(request: Request, identity: Identity) -> Response:
    task_id = request.path_params["task_id"]
    verdict = await services(request).tasks.cancel_task(task_id, tenant=identity.tenant)
    task = await task_of(request, identity)
    return Json(shown(task, identity), 200 if verdict == "cancelled" else 202)


@needs("tasks:write")
async def retry(request: Request, identity: Identity) -> Response:
    task_id = request.path_params["task_id"]
    await services(request).tasks.retry_task(task_id, tenant=identity.tenant)
    body = {"task_id": task_id, "status": State.QUEUED.value, "links": links(task_id)}
    return Json(body, 202, {"Location": f"/api/tasks/{task_id}"})


# ------------------------------------------------------------------------------------------------- types


@needs("tasks:read")
async def types(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    specs = services(request).tasks.catalog.specs.values()
    return Json({"task_types": [_type(spec) for spec in specs if not spec.internal]})


def _type(spec: TaskSpec) -> dict[str, Any]:
    return {
        "task_name": spec.name,
        "queue": spec.queue,
        "description": spec.description,
        "kwargs": spec.payload.model_json_schema(),
        "result": spec.result.model_json_schema(mode="serialization"),
        "retries": {
            "max_retries": spec.retry.max_retries,
            "min_backoff_s": spec.retry.min_backoff_s,
            "max_backoff_s": spec.retry.max_backoff_s,
        },
        "timeout_s": spec.timeout_s,
        "rate_limit": spec.rate_limit,
    }


ROUTES = [
    resource("/api/tasks", GET=page, POST=queue),
    Route("/api/tasks/queue", queue, methods=["POST"]),
    Route("/api/tasks/bulk", queue_bulk, methods=["POST"]),
    Route("/api/tasks/stats", stats, methods=["GET"]),
    Route("/api/tasks/retry/{task_id}", retry, methods=["POST"]),
    Route("/api/tasks/{task_id}/result", result, methods=["GET"]),
    Route("/api/tasks/{task_id}/embeddings", embeddings, methods=["GET"]),
    Route("/api/tasks/{task_id}/log", log, methods=["GET"]),
    resource("/api/tasks/{task_id}", GET=get, DELETE=cancel),
    Route("/api/task-types", types, methods=["GET"]),
]
