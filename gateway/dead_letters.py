"""The routes of dead letters, for those who run the service: `ops:read` sees those of every tenant, `ops:write`
replays and discards them. What a client sent is never among it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import by, needs
from gateway.conditions import entity_tag, seen_by
from gateway.json import Json
from gateway.requests import (
    ReplayRequest,
    idempotency_of_move,
    idempotency_of_replay,
    known_query,
    query_number,
    query_time_ms,
    read,
)
from gateway.services import services
from gateway.tasks import SOON, links, replayed
from tasks.api_keys import Identity
from tasks.clock import to_ms
from tasks.dead_letters import DeadFilter, as_dead_letter
from tasks.gradual_replays import Wish
from tasks.lifecycle import Move, State
from tasks.replay_states import LETTERS_AT_MOST, Replay

PAGE = 50
PAGE_AT_MOST = 200
_WISHES = ("queue", "task_name", "error_type", "fingerprint")
_TIMES = ("created_after", "created_before")


@needs("ops:read")
async def page(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    known_query(request, {*_WISHES, *_TIMES, "limit", "cursor"})
    known, wanted = services(request), await _filter(request)
    wanted = replace(wanted, limit=query_number(request, "limit", PAGE, PAGE_AT_MOST))
    listed, cursor = wanted.listed, request.query_params.get("cursor")
    if cursor is not None:
        wanted = wanted.before(await known.cursors.read(listed, cursor))
    found = await known.dead_letters.page(wanted)
    following = None if found.next_seq is None else await known.cursors.make(listed, found.next_seq)
    shown = [as_dead_letter(task) | {"etag": entity_tag(task), "links": links(task.task_id)} for task in found.tasks]
    return Json({"dead_letters": shown, "next_cursor": following})


@needs("ops:read")
async def groups(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    known_query(request, {*_WISHES, *_TIMES})
    found, is_all = await services(request).dead_letters.groups(await _filter(request))
    return Json({"groups": [group.as_json() for group in found], "is_all": is_all})


async def _filter(request: Request) -> DeadFilter:
    wishes: dict[str, Any] = {name: request.query_params.get(name) for name in _WISHES}
    times = {f"{name}_ms": query_time_ms(request, name) for name in _TIMES}
    return await services(request).dead_letters.filter(**wishes, **times)


@needs("ops:write")
async def replay(request: Request, identity: Identity) -> Response:
    task_id = request.path_params["task_id"]
    key = idempotency_of_move(request, identity.tenant, Move.REQUEUE)
    moved = await services(request).dead_letters.replay(task_id, seen_by(request), by(request, identity), key)
    body = {"task_id": task_id, "status": State.QUEUED, "links": links(task_id)}
    return Json(body, 202, {"Location": f"/api/tasks/{task_id}", **SOON, **replayed(moved)})


@needs("ops:write")
async def replay_all(request: Request, identity: Identity) -> Response:
    """One note in the trail for each, so that the history of a task is whole."""
    wanted = await read(request, ReplayRequest)
    letters = services(request).dead_letters
    chosen = await _chosen(request, wanted)
    if wanted.gradual:
        return await _replay_gradually(request, identity, wanted, chosen)
    key = await idempotency_of_replay(request, identity.tenant)
    if not key.digest:
        return Json({"replayed": await letters.replay_all(chosen, by(request, identity))})
    count, was_known = await letters.replay_all_once(chosen, by(request, identity), identity.tenant, key)
    return Json({"replayed": count}, 200, {"Idempotent-Replayed": "true"} if was_known else {})


async def _chosen(request: Request, wanted: ReplayRequest) -> DeadFilter:
    told = wanted.filter
    times = {f"{name}_ms": to_ms(told[name]) for name in _TIMES if name in told}
    wishes = {name: told[name] for name in _WISHES if name in told}
    return await services(request).dead_letters.filter(**wishes, **times)


async def _replay_gradually(
    request: Request, identity: Identity, wanted: ReplayRequest, chosen: DeadFilter
) -> Response:
    known, key = services(request), await idempotency_of_replay(request, identity.tenant)
    wish = Wish(
        wanted.model_dump(mode="json", include=set(wanted.filter)), by(request, identity), identity.tenant, key
    )
    before = await known.replays.begun_before(wish)
    if before is not None:
        return Json(before.as_json(), 202, {"Location": _address(before), "Idempotent-Replayed": "true", **SOON})
    letters, is_all = await known.dead_letters.newest(chosen, LETTERS_AT_MOST)
    begun = await known.replays.begin(wish, letters, is_all=is_all)
    return Json(begun.as_json(), 202, {"Location": _address(begun), **SOON})


def _address(replay: Replay) -> str:
    return f"/api/dead-letters/replays/{replay.replay_id}"


@needs("ops:read")
async def replays(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    return Json({"replays": [found.as_json() for found in await services(request).replays.all()]})


@needs("ops:read")
async def replay_state(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    found = await services(request).replays.get(request.path_params["replay_id"])
    return Json(found.as_json(), 200, {"Cache-Control": "no-store"})


@needs("ops:write")
async def stop_replay(request: Request, identity: Identity) -> Response:
    replay_id, asks = request.path_params["replay_id"], by(request, identity)
    stopped = await services(request).replays.stop(replay_id, asks, tenant=identity.tenant)
    return Json(stopped.as_json())


@needs("ops:write")
async def discard(request: Request, identity: Identity) -> Response:
    task_id = request.path_params["task_id"]
    await services(request).dead_letters.discard(task_id, seen_by(request), by(request, identity))
    return Response(status_code=204)


ROUTES = [
    Route("/api/dead-letters", page, methods=["GET"]),
    Route("/api/dead-letters/groups", groups, methods=["GET"]),
    Route("/api/dead-letters/replay", replay_all, methods=["POST"]),
    Route("/api/dead-letters/replays", replays, methods=["GET"]),
    Route("/api/dead-letters/replays/{replay_id}", replay_state, methods=["GET"]),
    Route("/api/dead-letters/replays/{replay_id}/stop", stop_replay, methods=["POST"]),
    Route("/api/dead-letters/{task_id}/replay", replay, methods=["POST"]),
    Route("/api/dead-letters/{task_id}", discard, methods=["DELETE"]),
]
