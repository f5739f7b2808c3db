"""The route of a task's log: what it went through, and what its actor logged, for tokens that may see a result."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs
from gateway.json import Json
from gateway.requests import task_of
from gateway.services import services
from tasks.api_keys import Identity


@needs("tasks:read")
async def log(request: Request, identity: Identity) -> Response:
    known, task = services(request), await task_of(request, identity)
    entries = [event.as_log_entry() for event in task.events() if event.event != "progress"]
    entries += await known.tasks.webhooks.log_of(task.task_id)
    told = await known.lines.of(task) if identity.sees_payload else None
    return Json(
        {
            "events": sorted(entries, key=lambda entry: int(entry["id"])),
            "lines": told.lines if told else None,
            "lines_lost": told.lost if told else None,
        }
    )


ROUTES = [Route("/api/tasks/{task_id}/log", log, methods=["GET"])]
