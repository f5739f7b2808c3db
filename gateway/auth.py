"""Who a request comes from: a Bearer token, a session cookie on the page's own origin, or a stream's ticket.

A handler says which scope it needs with `@needs("tasks:read")`, and gets the identity with the request. A wrong
token is a 401, a valid one without the scope a 403.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.services import services
from tasks.api_keys import Identity

COOKIE = "despacho_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="despacho"'}

Handler = Callable[[Request, Identity], Awaitable[Response]]


def needs(*scopes: str, ticket: bool = False) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Let only those in who have these scopes; with `ticket`, also by a ticket for the very path."""

    def guard(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        @wraps(handler)
        async def guarded(request: Request) -> Response:
            identity = await identify(request, ticket=ticket)
            if identity is None:
                raise HTTPException(401, "Send 'Authorization: Bearer <API key>'.", CHALLENGE)
            for scope in scopes:
                if not identity.may(scope):
                    raise HTTPException(403, f"The token lacks the scope {scope}.")
            return await handler(request, identity)

        return guarded

    return guard


async def identify(request: Request, *, ticket: bool = False) -> Identity | None:
    """The identity behind a request; `None` where it brings none that holds."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if token:
        return await services(request).identities.of_token(token) if scheme.lower() == "bearer" else None
    if ticket and "ticket" in request.query_params:
        return await services(request).identities.of_ticket(request.query_params["ticket"], request.url.path)
    if COOKIE in request.cookies:
        return await _of_session(request)
    return None


async def _of_session(request: Request) -> Identity | None:
    if request.method not in SAFE_METHODS and not same_origin(request):
        raise HTTPException(403, "A request with the session cookie must come from the service's own pages.")
    return await services(request).identities.of_session(request.cookies[COOKIE])


def same_origin(request: Request) -> bool:
    """Whether the browser says that a page of ours sent this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")
