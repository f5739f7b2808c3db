"""The route of the audit trail: who did what, newest first.

It is for those who run the service (`ops:read`, which reaches every tenant): the trail of their own tenant, or of
another with `?tenant=`. What belongs to no tenant stands in that of `system`.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs
from gateway.json import Json
from gateway.requests import query_number, query_time_ms
from gateway.services import services
from tasks.api_keys import Identity, check_tenant
from tasks.audit_book import CURSOR, AuditFilter
from tasks.errors import InvalidInput

PAGE = 50
PAGE_AT_MOST = 200
_PARAMETERS = {"tenant", "action", "actor", "after", "before", "limit", "cursor"}


@needs("ops:read")
async def page(request: Request, identity: Identity) -> Response:
    found = await services(request).audit.page(_filter(request, identity))
    return Json({"entries": found.entries, "next_cursor": found.next_cursor})


def _filter(request: Request, identity: Identity) -> AuditFilter:
    query = request.query_params
    unknown = sorted(set(query) - _PARAMETERS)
    if unknown:
        raise InvalidInput.of(unknown[0], f"is no filter; there are: {', '.join(sorted(_PARAMETERS))}")
    tenant, cursor = query.get("tenant", identity.tenant), query.get("cursor")
    check_tenant(tenant)
    if cursor is not None and not CURSOR.fullmatch(cursor):
        raise InvalidInput.of("cursor", "must be the next_cursor of an earlier page")
    return AuditFilter(
        tenant=tenant,
        action=query.get("action"),
        actor=query.get("actor"),
        after_ms=query_time_ms(request, "after"),
        before_ms=query_time_ms(request, "before"),
        cursor=cursor,
        limit=query_number(request, "limit", PAGE, PAGE_AT_MOST),
    )


ROUTES = [Route("/api/audit", page, methods=["GET"])]
