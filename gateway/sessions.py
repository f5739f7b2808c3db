"""Login with an API key, logout, and tickets for streams that can't send a header."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import COOKIE, needs, same_origin
from gateway.json import Json
from gateway.requests import LoginRequest, TicketRequest, read
from gateway.services import services
from tasks.api_keys import SESSION_TTL_S, Identity
from tasks.clock import rfc3339

WRONG_KEY_DELAY_S = 0.5


async def login(request: Request) -> Response:
    if not same_origin(request):
        raise HTTPException(403, "Log in from the service's own pages.")
    wanted = await read(request, LoginRequest)
    identities = services(request).identities
    identity = await identities.of_token(wanted.api_key.strip())
    if identity is None:
        await asyncio.sleep(WRONG_KEY_DELAY_S)
        raise HTTPException(401, "This key is not known, has expired or was revoked.")
    response = Json({"tenant": identity.tenant, "scopes": sorted(identity.scopes)})
    response.set_cookie(
        COOKIE,
        await identities.open_session(identity),
        max_age=SESSION_TTL_S,
        httponly=True,
        samesite="strict",
        secure=services(request).settings.secure_cookies,
    )
    return response


async def logout(request: Request) -> Response:
    if not same_origin(request):
        raise HTTPException(403, "Log out from the service's own pages.")
    if COOKIE in request.cookies:
        await services(request).identities.close_session(request.cookies[COOKIE])
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


@needs("tasks:read")
async def ticket(request: Request, identity: Identity) -> Response:
    wanted = await read(request, TicketRequest)
    secret, expires_ms = await services(request).identities.open_ticket(identity, wanted.path)
    return Json({"ticket": secret, "expires_at": rfc3339(expires_ms)}, 201)


ROUTES = [
    Route("/api/session", login, methods=["POST"]),
    Route("/api/session/end", logout, methods=["POST"]),
    Route("/api/stream-tickets", ticket, methods=["POST"]),
]
