"""The routes of tasks: queue, read, list, cancel, retry, and their results."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.auth import by, needs
from gateway.bridge import CLOSED, GAP, Frame
from gateway.conditions import entity_tag, has_it_already, seen_by
from gateway.json import Json
from gateway.methods import resource
from gateway.requests import (
    LONGEST_WAIT_S,
    BulkRequest,
    TaskRequest,
    TasksRequest,
    idempotency,
    idempotency_of_move,
    is_for_everyone,
    known_query,
    preferred_wait_s,
    query_flag,
    query_number,
    query_time_ms,
    read,
    task_of,
)
from gateway.services import Services, services
from tasks import tracing
from tasks.api_keys import PAYLOAD, Identity
from tasks.blobs import EMBEDDINGS_FILE, result_place
from tasks.catalog import BATCH, TaskSpec
from tasks.clock import now_ms, rfc3339
from tasks.errors import InvalidInput, NotFound, Unavailable
from tasks.ledger import Moved, Submitted
from tasks.lifecycle import Move, State
from tasks.reader import TaskFilter
from tasks.record import RunOptions, Task
from tasks.submission import NewTask, Order, check_priority
from tasks.task_limits import UNLIMITED, TaskLimits

PAGE = 50
PAGE_AT_MOST = 200
ASK_AGAIN_S = 1
SOON = {"Retry-After": str(ASK_AGAIN_S)}
BULK_FIELD = "tasks[{}]."


def links(task_id: str, task_name: str = "") -> dict[str, str]:
    """Where a task is read, watched and cancelled; of a batch also where its cases are told as they end."""
    self = f"/api/tasks/{task_id}"
    of_batch = {"results": f"{self}/results"} if task_name == BATCH else {}
    return {"self": self, "events": f"{self}/events", "result": f"{self}/result", "cancel": self, **of_batch}


def shown(task: Task, identity: Identity) -> dict[str, Any]:
    """The record with its links. A large result is read at `result_url`. Without the scope for payloads, neither is
    there. Where the task stands in its lane is told by `get` alone."""
    if not identity.sees_payload:
        return {**task.as_json(), "result": None, "result_url": None, "links": links(task.task_id, task.name)}
    is_large = task.status is State.SUCCEEDED and task.result_place is not None
    url = f"/api/tasks/{task.task_id}/result" if is_large else None
    return {**task.as_json(), "result_url": url, "links": links(task.task_id, task.name)}


# ---------------------------------------------------------------------------------------------- queueing


@needs("tasks:write")
async def queue(request: Request, identity: Identity) -> Response:
    validate_only = _only_validates(request)
    wanted = await read(request, TaskRequest)
    wait_s = preferred_wait_s(request)
    known, orders = services(request), [wanted.order(identity.tenant)]
    if validate_only:
        (checked,) = await known.tasks.prepare(orders)
        return Json({"validate_only": True, "task": _would_be(checked)})
    submitted, tasks = await _submit(request, identity, orders)
    task_id = submitted.task_ids[0]
    headers = {"Idempotent-Replayed": "true"} if submitted.replayed else {}
    if wait_s:
        headers["Preference-Applied"] = f"wait={wait_s}"
        ended = await wait_for_end(known, task_id, identity.tenant, wait_s)
        if ended is not None:
            return Json(
                shown(ended, identity), 200, {"ETag": entity_tag(ended, bare=not identity.sees_payload), **headers}
            )
    if submitted.replayed:
        first = await known.tasks.get_task_status(task_id, tenant=identity.tenant)
        return _accepted(task_id, first.name, first.status, 200, headers)
    (task,) = tasks
    return _accepted(task_id, task.name, task.first_status(now_ms()), 202, headers | _ask_again(task))


@needs("tasks:write")
async def queue_bulk(request: Request, identity: Identity) -> Response:
    validate_only = _only_validates(request)
    wanted = await read(request, BulkRequest)
    orders = [task.order(identity.tenant) for task in wanted.tasks]
    if validate_only:
        checked = await services(request).tasks.prepare(orders, BULK_FIELD)
        return Json({"validate_only": True, "tasks": [_would_be(task) for task in checked]})
    submitted, tasks = await _submit(request, identity, orders, BULK_FIELD)
    headers = {"Idempotent-Replayed": "true"} if submitted.replayed else _ask_again(*tasks)
    return Json({"task_ids": submitted.task_ids}, 200 if submitted.replayed else 202, headers)


def _only_validates(request: Request) -> bool:
    if not request.scope["query_string"]:
        return False
    known_query(request, ("validate_only",))
    return query_flag(request, "validate_only", default=False)


async def _submit(
    request: Request, identity: Identity, orders: Sequence[Order], prefix: str = ""
) -> tuple[Submitted, list[NewTask]]:
    """What was queued, now or by the same request before, and the tasks as they were made now.

    Whether an Idempotency-Key is known, and its tasks, are looked up and stored in one script: of requests that race
    one is the first, and no other ever sees it half stored.
    """
    with tracing.span("submit", "producer", messaging__system="despacho", messaging__operation__type="send") as span:
        span.set(messaging__batch__message_count=len(orders))
        return await _prepare_and_submit(request, identity, orders, prefix)


async def _prepare_and_submit(
    request: Request, identity: Identity, orders: Sequence[Order], prefix: str
) -> tuple[Submitted, list[NewTask]]:
    known, asks = services(request).tasks, by(request, identity)
    key = await idempotency(request, identity.tenant)
    try:
        tasks = await known.prepare(orders, prefix)
    except InvalidInput:
        # What was right the first time needn't be so any more: the case may be gone.
        before = await known.submitted_before(identity.tenant, key) if key.digest else None
        if before is None:
            raise
        await known.audit.note(identity.tenant, asks, "task.submit", "replayed", before.task_ids)
        return before, []
    return await known.submit(tasks, key, asks), tasks


def _would_be(task: NewTask) -> dict[str, Any]:
    """What would be queued, as far as it was not known before: what was left out has its default."""
    now, options = now_ms(), RunOptions.decode(task.options.encode())
    return {
        "task_name": task.name,
        "queue": task.queue,
        "priority": task.priority.value,
        "status": task.first_status(now).value,
        "case_id": task.case_id or None,
        "eta": rfc3339(task.due_ms(now)),
        "retry_config": {
            "max_retries": options.max_retries,
            "min_backoff_s": options.min_backoff_s,
            "max_backoff_s": options.max_backoff_s,
        },
        "timeout_s": options.timeout_s,
    }


def _ask_again(*tasks: NewTask) -> dict[str, str]:
    """When it is worth a look whether the first of them has ended."""
    if any(task.delay_ms is None and task.eta_ms is None for task in tasks):
        return SOON
    now = now_ms()
    waits_ms = min((task.due_ms(now) or now) - now for task in tasks)
    return {"Retry-After": str(max(ASK_AGAIN_S, math.ceil(waits_ms / 1_000)))}


def _accepted(task_id: str, name: str, status: State, code: int, headers: dict[str, str]) -> Response:
    body = {"task_id": task_id, "status": status.value, "links": links(task_id, name)}
    return Json(body, code, {"Location": f"/api/tasks/{task_id}", **headers})


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
            item = await watcher.next()
            while isinstance(item, Frame) and not item.event.final:
                item = await watcher.next()
            if item is CLOSED:
                return
            if item is GAP:
                await known.bridge.is_heard_again(watcher, LONGEST_WAIT_S)


# ----------------------------------------------------------------------------------------------- reading


@needs("tasks:read")
async def get(request: Request, identity: Identity) -> Response:
    task = await task_of(request, identity)
    standing = await services(request).tasks.outlook.of(task)
    bare = not identity.sees_payload
    headers = {"ETag": entity_tag(task, standing.position, bare=bare), "Cache-Control": "private, no-cache"}
    if has_it_already(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Json(shown(task, identity) | standing.as_json(), 200, headers)


@needs("tasks:read")
async def explain(request: Request, identity: Identity) -> Response:
    """Why the task isn't running: what a person asks first, and a list of records doesn't tell."""
    explanation = await services(request).tasks.explain(await task_of(request, identity))
    return Json(explanation.as_json())


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
    if not await run_in_threadpool(known.blobs.exists, place):
        raise NotFound("the task has no such result, or not yet")
    return StreamingResponse(await known.reader.open_blob(task, known.blobs, place), media_type="application/json")


@needs("tasks:read")
async def page(request: Request, identity: Identity) -> Response:
    known, wanted = services(request), _filter(request, identity.tenant)
    listed, cursor = wanted.listed, request.query_params.get("cursor")
    if cursor is not None:
        wanted = replace(wanted, before_seq=await known.cursors.read(listed, cursor))
    found = await known.reader.page(wanted)
    following = None if found.next_seq is None else await known.cursors.make(listed, found.next_seq)
    return Json({"tasks": [shown(task, identity) for task in found.tasks], "next_cursor": following})


def _filter(request: Request, tenant: str) -> TaskFilter:
    known_query(request, _LIST_PARAMETERS)
    query = request.query_params
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


@needs("tasks:read")
async def stats(request: Request, identity: Identity) -> Response:
    known, everyone = services(request), is_for_everyone(request, identity)
    tenant = None if everyone else identity.tenant
    return Json(await known.reads.get(("stats", tenant), lambda: known.tasks.stats(tenant=tenant)))


# ------------------------------------------------------------------------------------------- moving them


@needs("tasks:write")
async def cancel(request: Request, identity: Identity) -> Response:
    moved = await services(request).tasks.cancel_task(
        request.path_params["task_id"],
        tenant=identity.tenant,
        seen=seen_by(request),
        idempotency=idempotency_of_move(request, identity.tenant, Move.CANCEL),
        by=by(request, identity),
    )
    task = await task_of(request, identity)
    headers = {"ETag": entity_tag(task, bare=not identity.sees_payload), **replayed(moved)}
    if moved.verdict == "cancelled":
        return Json(shown(task, identity), 200, headers)
    return Json(shown(task, identity), 202, headers | SOON)


@needs("tasks:write")
async def retry(request: Request, identity: Identity) -> Response:
    task_id = request.path_params["task_id"]
    moved = await services(request).tasks.retry_task(
        task_id,
        tenant=identity.tenant,
        seen=seen_by(request),
        idempotency=idempotency_of_move(request, identity.tenant, Move.REQUEUE),
        by=by(request, identity),
    )
    return _accepted(task_id, "", State.QUEUED, 202, SOON | replayed(moved))


@needs("tasks:write")
async def cancel_all(request: Request, identity: Identity) -> Response:
    wanted = (await read(request, TasksRequest)).filter(identity.tenant)
    return Json({"cancelled": await services(request).bulk_moves.cancel(wanted, by(request, identity))})


@needs("tasks:write")
async def retry_all(request: Request, identity: Identity) -> Response:
    wanted = (await read(request, TasksRequest)).filter(identity.tenant)
    return Json({"retried": await services(request).bulk_moves.retry(wanted, by(request, identity))})


@needs("tasks:write")
async def pause(request: Request, identity: Identity) -> Response:
    await services(request).tasks.pause_batch(**_steered(request, identity))
    return await _record(request, identity)


@needs("tasks:write")
async def resume(request: Request, identity: Identity) -> Response:
    await services(request).tasks.resume_batch(**_steered(request, identity))
    return await _record(request, identity)


def _steered(request: Request, identity: Identity) -> dict[str, Any]:
    return {
        "task_id": request.path_params["task_id"],
        "tenant": identity.tenant,
        "seen": seen_by(request),
        "by": by(request, identity),
    }


async def _record(request: Request, identity: Identity) -> Response:
    task = await task_of(request, identity)
    return Json(shown(task, identity), 200, {"ETag": entity_tag(task, bare=not identity.sees_payload)})


def replayed(moved: Moved) -> dict[str, str]:
    """What an answer says that was given before."""
    return {"Idempotent-Replayed": "true"} if moved.replayed else {}


# ------------------------------------------------------------------------------------------------- types


@needs("tasks:read")
async def types(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    specs = services(request).tasks.catalog.specs.values()
    limits = services(request).tasks.limits
    types = [_type(spec, limits.get(spec.name, UNLIMITED)) for spec in specs if not spec.internal]
    return Json({"task_types": types})


def _type(spec: TaskSpec, limits: TaskLimits) -> dict[str, Any]:
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
        "rate_limit": limits.rate,
        "concurrency": limits.concurrency,
        "concurrency_per_case": limits.per_case,
    }


ROUTES = [
    resource("/api/tasks", GET=page, POST=queue),
    Route("/api/tasks/queue", queue, methods=["POST"]),
    Route("/api/tasks/bulk", queue_bulk, methods=["POST"]),
    Route("/api/tasks/cancel", cancel_all, methods=["POST"]),
    Route("/api/tasks/retry", retry_all, methods=["POST"]),
    Route("/api/tasks/stats", stats, methods=["GET"]),
    Route("/api/tasks/retry/{task_id}", retry, methods=["POST"]),
    Route("/api/tasks/{task_id}/result", result, methods=["GET"]),
    Route("/api/tasks/{task_id}/embeddings", embeddings, methods=["GET"]),
    Route("/api/tasks/{task_id}/pause", pause, methods=["POST"]),
    Route("/api/tasks/{task_id}/resume", resume, methods=["POST"]),
    Route("/api/tasks/{task_id}/explain", explain, methods=["GET"]),
    resource("/api/tasks/{task_id}", GET=get, DELETE=cancel),
    Route("/api/task-types", types, methods=["GET"]),
]
