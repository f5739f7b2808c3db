"""The alerts, for the console and whoever else wants to see them: cheap to ask for, again and again."""

from __future__ import annotations

import hashlib

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs
from gateway.conditions import has_it_already
from gateway.services import services
from tasks.alerts import STATES
from tasks.api_keys import Identity
from tasks.errors import InvalidInput


@needs("ops:read")
async def list_alerts(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    state = request.query_params.get("state")
    if state is not None and state not in STATES:
        raise InvalidInput.of("state", f"must be one of {', '.join(STATES)}")
    body = to_json(await services(request).alerts.read(state))
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if has_it_already(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


ROUTES = [Route("/api/alerts", list_alerts, methods=["GET"])]
