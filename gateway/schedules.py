"""The routes of schedules: what the service does by itself, when it is next, and steering it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import by, needs
from gateway.json import Json
from gateway.services import services
from gateway.tasks import SOON, links
from tasks.api_keys import Identity


@needs("ops:read")
async def list_schedules(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    return Json({"schedules": await services(request).schedules.all()})


@needs("ops:write")
async def run(request: Request, identity: Identity) -> Response:
    """As the caller's tenant, so that the caller can watch it."""
    name = str(request.path_params["name"])
    task_id = await services(request).schedules.run(name, by(request, identity), tenant=identity.tenant)
    body = {"task_id": task_id, "status": "queued", "links": links(task_id)}
    return Json(body, 202, {"Location": f"/api/tasks/{task_id}", **SOON})


@needs("ops:write")
async def pause(request: Request, identity: Identity) -> Response:
    name, schedules = str(request.path_params["name"]), services(request).schedules
    await schedules.pause(name, by(request, identity), tenant=identity.tenant)
    return Json(await schedules.get(name))


@needs("ops:write")
async def resume(request: Request, identity: Identity) -> Response:
    name, schedules = str(request.path_params["name"]), services(request).schedules
    await schedules.resume(name, by(request, identity), tenant=identity.tenant)
    return Json(await schedules.get(name))


ROUTES = [
    Route("/api/schedules", list_schedules, methods=["GET"]),
    Route("/api/schedules/{name}/run", run, methods=["POST"]),
    Route("/api/schedules/{name}/pause", pause, methods=["POST"]),
    Route("/api/schedules/{name}/resume", resume, methods=["POST"]),
]
