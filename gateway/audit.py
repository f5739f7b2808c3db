"""The route of the audit trail: who did what, newest first.

It is for those who run the service (`ops:read`, which reaches every tenant): the trail of their own tenant, or of
another with `?tenant=`. What belongs to no tenant stands in that of `system`.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth import needs
from gateway.json import Json
from gateway.requests import known_query, query_number, query_time_ms
from gateway.services import services
from tasks.api_keys import Identity, check_tenant
from tasks.audit_book import AuditFilter

PAGE = 50
PAGE_AT_MOST = 200
_PARAMETERS = {"tenant", "action", "actor", "after", "before", "limit", "cursor"}


@needs("ops:read")
async def page(request: Request, identity: Identity) -> Response:
    known, wanted = services(request), _filter(request, identity)
    listed, cursor = wanted.listed, request.query_params.get("cursor")
    if cursor is not None:
        wanted = replace(wanted, before_id=await known.cursors.read(listed, cursor))
    found = await known.audit.page(wanted)
    following = None if found.next_id is None else await known.cursors.make(listed, found.next_id)
    return Json({"entries": found.entries, "next_cursor": following})


def _filter(request: Request, identity: Identity) -> AuditFilter:
    known_query(request, _PARAMETERS)
    query = request.query_params
    tenant = query.get("tenant", identity.tenant)
    check_tenant(tenant)
    return AuditFilter(
        tenant=tenant,
        action=query.get("action"),
        actor=query.get("actor"),
        after_ms=query_time_ms(request, "after"),
        before_ms=query_time_ms(request, "before"),
        limit=query_number(request, "limit", PAGE, PAGE_AT_MOST),
    )


ROUTES = [Route("/api/audit", page, methods=["GET"])]
