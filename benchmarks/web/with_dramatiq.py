"""Starlette over stock Dramatiq: the least that takes a task. It checks nothing, and `send()` blocks the event loop,
which is faster than a thread."""

from __future__ import annotations

import dramatiq
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.peers.stock_dramatiq import broker


@dramatiq.actor(broker=broker, actor_name="triage.process_async")
def triage(case_id: str, user_message: str) -> None:
    """Only queued here: no worker runs while endpoints are measured."""


async def queue(request: Request) -> JSONResponse:
    wanted = await request.json()
    message = triage.send(*wanted["args"], **wanted["kwargs"])
    return JSONResponse({"task_id": message.message_id}, 202)


application = Starlette(routes=[Route("/", queue, methods=["POST"])])
