"""Login with an API key, logout, and tickets for streams that can't send a header."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs, same_origin, session_cookie
from gateway.json import Json
from gateway.methods import resource
from gateway.rate_limits import LOGIN, LOGIN_OF_KEY, address_of, check
from gateway.requests import LoginRequest, TicketRequest, read
from gateway.services import Services, services
from tasks.api_keys import SESSION_TTL_S, Identity, key_id_of
from tasks.audit import SYSTEM, By
from tasks.clock import rfc3339

WRONG_KEY_DELAY_S = 0.5


async def login(request: Request) -> Response:
    if not same_origin(request):
        raise HTTPException(403, "Log in from the service's own pages.")
    wanted = await read(request, LoginRequest)
    token = wanted.api_key.strip()
    known = services(request)
    identities = known.identities
    await _check_rate(known, request, token)
    identity = await identities.of_token(token)
    await _note_login(known, request, token, identity)
    if identity is None:
        await asyncio.sleep(WRONG_KEY_DELAY_S)
        raise HTTPException(401, "This key is not known, has expired or was revoked.")
    response = Json({"tenant": identity.tenant, "scopes": sorted(identity.scopes)})
    response.set_cookie(
        session_cookie(known.settings),
        await identities.open_session(identity),
        max_age=SESSION_TTL_S,
        httponly=True,
        samesite="strict",
        secure=known.settings.secure_cookies,
    )
    return response


async def _check_rate(known: Services, request: Request, token: str) -> None:
    """Every try counts, for its address and for the key that it names: also a good one, which may be a guess."""
    check(request, await known.limits.take_exactly(LOGIN, address_of(request)))
    key_id = key_id_of(token)
    if key_id is not None:
        check(request, await known.limits.take_exactly(LOGIN_OF_KEY, key_id))


async def _note_login(known: Services, request: Request, token: str, identity: Identity | None) -> None:
    """A failed one stands in the trail of the tenant whose key it named."""
    key_id = key_id_of(token)
    who = By(key_id or "unknown", request.scope["request_id"])
    tenant = identity.tenant if identity else await known.identities.tenant_of(key_id) if key_id else None
    await known.audit.note(tenant or SYSTEM, who, "session.login", "opened" if identity else "refused", [])


@needs()
async def who(request: Request, identity: Identity) -> Response:  # noqa: ARG001
    """Whom the caller's token or session stands for, so that a page offers only what will not be refused."""
    return Json({"tenant": identity.tenant, "scopes": sorted(identity.scopes)})


async def logout(request: Request) -> Response:
    if not same_origin(request):
        raise HTTPException(403, "Log out from the service's own pages.")
    known = services(request)
    name = session_cookie(known.settings)
    if name in request.cookies:
        await known.identities.close_session(request.cookies[name])
    response = Response(status_code=204)
    response.delete_cookie(name, httponly=True, samesite="strict", secure=known.settings.secure_cookies)
    return response


@needs("tasks:read")
async def ticket(request: Request, identity: Identity) -> Response:
    wanted = await read(request, TicketRequest)
    secret, expires_ms = await services(request).identities.open_ticket(identity, wanted.path)
    return Json({"ticket": secret, "expires_at": rfc3339(expires_ms)}, 201)


ROUTES = [
    resource("/api/session", GET=who, POST=login),
    Route("/api/session/end", logout, methods=["POST"]),
    Route("/api/stream-tickets", ticket, methods=["POST"]),
]
