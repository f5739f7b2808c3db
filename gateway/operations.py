"""The routes for those who run the service: health, queues, workers, and dramatiq-dashboard."""

from __future__ import annotations

import re
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.auth import SAFE_METHODS, admit, by, needs, same_origin
from gateway.json import Json
from gateway.problems import RETRY_AFTER_S
from gateway.security_headers import policy_of
from gateway.services import services
from middleware.dashboard import dashboard_app, dashboard_styles
from tasks.api_keys import Identity
from tasks.errors import NotFound, Unavailable
from tasks.settings import Settings

DASHBOARD = "/ops/dramatiq"
_NOT_OF_A_PATH = re.compile(r"[^A-Za-z0-9/._-]")


async def healthz(request: Request) -> Response:  # noqa: ARG001
    """The process lives."""
    return Json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Redis answers and a worker was seen that takes tasks; otherwise a 503 that says what is missing."""
    try:
        workers = await services(request).reader.workers()
    except Unavailable:
        return _not_ready("Redis does not answer")
    if not workers:
        return _not_ready("no worker was heard of lately")
    if not any(worker.takes_tasks for worker in workers):
        why = sorted({worker.stuck or "it drains" for worker in workers})
        return _not_ready(f"no worker takes tasks: {'; '.join(why)}")
    return Json({"status": "ok", "reasons": []})


def _not_ready(reason: str) -> Response:
    return Json({"status": "unavailable", "reasons": [reason]}, 503, {"Retry-After": str(RETRY_AFTER_S)})


@needs("ops:read")
async def queues(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    stats = await services(request).tasks.stats(tenant=None)
    return Json({"queues": stats["queues"]})


@needs("ops:write")
async def pause(request: Request, identity: Identity) -> Response:
    queue = _queue(request)
    await services(request).tasks.pause_queue(queue, by(request, identity), tenant=identity.tenant)
    return Json({"queue": queue, "paused": True})


@needs("ops:write")
async def resume(request: Request, identity: Identity) -> Response:
    queue = _queue(request)
    await services(request).tasks.resume_queue(queue, by(request, identity), tenant=identity.tenant)
    return Json({"queue": queue, "paused": False})


def _queue(request: Request) -> str:
    queue = str(request.path_params["queue"])
    if queue not in services(request).tasks.catalog.queues:
        raise NotFound(f"there is no queue {queue!r}")
    return queue


@needs("ops:read")
async def workers(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    found = await services(request).reader.workers()
    return Json({"workers": [worker.as_json() for worker in found]})


@needs("ops:read")
async def circuit_breakers(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    found = await services(request).breakers.list()
    return Json({"breakers": [breaker.as_json() for breaker in found]})


# --------------------------------------------------------------------------------------------- dashboard


class _Guarded:
    """Lets only those with `ops:write` at an application that knows no login of its own, nor a policy for its pages.

    Its forms send their origin to us alone: with the policy of other pages they would send none.
    """

    def __init__(self, app: ASGIApp, styles: list[str]) -> None:
        self._app = app
        self._headers = {"content-security-policy": policy_of(styles), "referrer-policy": "same-origin"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        identity = await admit(request)
        if identity is None:
            await RedirectResponse(f"/login?next={DASHBOARD}/", 303)(scope, receive, send)
            return
        if not identity.may("ops:write"):
            raise HTTPException(403, "The token lacks the scope ops:write.")
        if request.method not in SAFE_METHODS:
            if not same_origin(request):
                raise HTTPException(403, "The request must come from the service's own pages.")
            await self._note(request, identity)

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_policy)

    async def _note(self, request: Request, identity: Identity) -> None:
        """What the dashboard does with it, it tells nobody: so it is noted that it was asked."""
        asked = _NOT_OF_A_PATH.sub("", request.url.path.removeprefix(DASHBOARD))[:300]
        audit = services(request).audit
        await audit.note(identity.tenant, by(request, identity), "dashboard.post", "asked", [asked])


def dashboard_routes(settings: Settings) -> list[BaseRoute]:
    """dramatiq-dashboard behind a login; a page that says how to install it where it isn't there."""
    app: Any = dashboard_app(settings, DASHBOARD)
    if app is None:
        return [Route(DASHBOARD + "/", _not_installed, methods=["GET"])]
    return [Mount(DASHBOARD, app=_Guarded(app, dashboard_styles()))]


async def _not_installed(request: Request) -> Response:  # noqa: ARG001
    raise HTTPException(404, "dramatiq-dashboard is not installed: run `uv sync --group dashboard`.")


ROUTES = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/api/queues", queues, methods=["GET"]),
    Route("/api/queues/{queue}/pause", pause, methods=["POST"]),
    Route("/api/queues/{queue}/resume", resume, methods=["POST"]),
    Route("/api/workers", workers, methods=["GET"]),
    Route("/api/circuit-breakers", circuit_breakers, methods=["GET"]),
]
