"""The route of payloads: what a task was given, for tokens that may see it. Each reading is noted in the audit trail,
for nothing else shows so plainly what a client said."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import by, needs
from gateway.json import Json
from gateway.requests import task_of
from gateway.services import services
from tasks.api_keys import PAYLOAD, Identity

HEADERS = {"Cache-Control": "no-store"}


@needs("tasks:read", PAYLOAD)
async def payload(request: Request, identity: Identity) -> Response:
    known, task = services(request), await task_of(request, identity)
    given = await known.payloads.of(task)
    # Before it is shown: what can't be noted isn't told.
    await known.audit.note(identity.tenant, by(request, identity), "task.payload", "read", [task.task_id])
    return Json({"task_id": task.task_id, "task_name": task.name, "kwargs": given}, 200, HEADERS)


ROUTES = [Route("/api/tasks/{task_id}/payload", payload, methods=["GET"])]
