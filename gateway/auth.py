"""Who a request comes from: a Bearer token (an API key or a JWT), a session cookie on the page's own origin, or a
stream's ticket.

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

from gateway.rate_limits import STRANGER, TOKEN, address_of, check, subject_of
from gateway.services import Services, services
from tasks.api_keys import KEY_PREFIX, Identity
from tasks.audit import By
from tasks.context import belongs_to
from tasks.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="despacho"'}

Handler = Callable[[Request, Identity], Awaitable[Response]]


def needs(*scopes: str, ticket: bool = False) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Let only those in who have these scopes; with `ticket`, also by a ticket for the very path."""

    def guard(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        @wraps(handler)
        async def guarded(request: Request) -> Response:
            identity = await admit(request, ticket=ticket)
            if identity is None:
                raise HTTPException(401, "Send 'Authorization: Bearer <API key or JWT>'.", CHALLENGE)
            for scope in scopes:
                if not identity.may(scope):
                    raise HTTPException(403, f"The token lacks the scope {scope}.")
            return await handler(request, identity)

        return guarded

    return guard


def by(request: Request, identity: Identity) -> By:
    """Who asks, for the audit trail."""
    return By(identity.key_id, request.scope.get("request_id", ""))


async def admit(request: Request, *, ticket: bool = False) -> Identity | None:
    """The identity behind a request, counted: a 429 for who asks too often, with a token or without."""
    known = services(request)
    identity = _remembered(known, request) or await identify(request, ticket=ticket)
    if identity is None:
        check(request, known.limits.take(STRANGER, address_of(request)))
        return None
    belongs_to(identity.tenant)
    check(request, known.limits.take(TOKEN, subject_of(identity)))
    return identity


def _remembered(known: Services, request: Request) -> Identity | None:
    """The identity behind a token that was seen a moment ago: nearly every request's, and it waits for nothing."""
    header = request.headers.get("authorization", "")
    if header[:7].lower() != "bearer ":
        return None
    token = header[7:]
    if known.tokens is None or token.startswith(KEY_PREFIX):
        return known.identities.remembered(token)
    return known.tokens.remembered(token)


async def identify(request: Request, *, ticket: bool = False) -> Identity | None:
    """The identity behind a request; `None` where it brings none that holds."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if token:
        return await _of_token(services(request), token.strip()) if scheme.lower() == "bearer" else None
    if ticket and "ticket" in request.query_params:
        return await services(request).identities.of_ticket(request.query_params["ticket"], request.url.path)
    secret = request.cookies.get(session_cookie(services(request).settings))
    return await _of_session(request, secret) if secret else None


async def _of_token(known: Services, token: str) -> Identity | None:
    if known.tokens is None or token.startswith(KEY_PREFIX):
        return await known.identities.of_token(token)
    return await known.tokens.verify(token)


async def _of_session(request: Request, secret: str) -> Identity | None:
    if request.method not in SAFE_METHODS and not same_origin(request):
        raise HTTPException(403, "A request with the session cookie must come from the service's own pages.")
    return await services(request).identities.of_session(secret)


def session_cookie(settings: Settings) -> str:
    """The name of the cookie. With `__Host-` a browser takes it only over TLS, for this host alone and all its paths,
    so that no neighbour under the same domain can set one."""
    return "__Host-despacho_session" if settings.secure_cookies else "despacho_session"


def same_origin(request: Request) -> bool:
    """Whether the browser says that a page of ours sent this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin, host = request.headers.get("origin"), request.headers.get("host")
    return bool(origin and host) and urlsplit(str(origin)).netloc == host
