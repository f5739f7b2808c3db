"""The routes of cases: put a conversation, read what is known, find similar ones, forget all of it."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.auth import by, needs
from gateway.json import Json
from gateway.methods import resource
from gateway.requests import CaseRequest, HoldRequest, case_id_of, query_number, read
from gateway.services import Services, services
from tasks.api_keys import PAYLOAD, Identity
from tasks.cases import Case
from tasks.clock import rfc3339
from tasks.errors import NotFound
from tasks.submission import check_metadata

SIMILAR = 10
SIMILAR_AT_MOST = 100


@needs("tasks:write")
async def put(request: Request, identity: Identity) -> Response:
    case_id = case_id_of(request)
    wanted = await read(request, CaseRequest)
    check_metadata(wanted.metadata)
    known = services(request)
    is_new = await known.cases.find(identity.tenant, case_id) is None
    case = await known.cases.put(identity.tenant, case_id, wanted.conversation_history, wanted.metadata)
    headers = {"Location": f"/api/cases/{case_id}"} if is_new else None
    told: dict[str, Any] = {"case_id": case_id, "updated_at": rfc3339(case.updated_ms)}
    if identity.sees_payload:
        told = await _shown(known, identity.tenant, case)
    return Json(told, 201 if is_new else 200, headers)


@needs("tasks:read", PAYLOAD)
async def get(request: Request, identity: Identity) -> Response:
    known = services(request)
    case = await known.cases.get(identity.tenant, case_id_of(request))
    return Json(await _shown(known, identity.tenant, case))


async def _shown(known: Services, tenant: str, case: Case) -> dict[str, Any]:
    documents = await known.cases.documents(tenant, case.case_id)
    return {
        "case_id": case.case_id,
        "conversation_history": [turn.model_dump() for turn in case.conversation],
        "metadata": dict(case.metadata),
        "updated_at": rfc3339(case.updated_ms),
        "documents": [document.as_json() for document in documents],
        "results": dict(case.latest),
    }


@needs("tasks:write")
async def delete(request: Request, identity: Identity) -> Response:
    """Erase a case: its key, conversation, tasks, documents, results and vector. Answers with the signed receipt; to
    who asks again, with the same one, as long as nothing of the case came since."""
    case_id = case_id_of(request)
    known = services(request)
    # Finished also where the caller goes.
    erasing = asyncio.ensure_future(known.erasure.erase(identity.tenant, case_id, by(request, identity)))
    receipt = await asyncio.shield(erasing)
    known.similar.forget(identity.tenant, case_id)
    return Json(receipt)


@needs("ops:write")
async def hold(request: Request, identity: Identity) -> Response:
    """Keep a case of the token's tenant from being erased and from expiring."""
    wanted = await read(request, HoldRequest)
    who = by(request, identity)
    kept = await services(request).erasure.hold(identity.tenant, case_id_of(request), wanted.reason, who)
    return Json(kept.as_json())


@needs("tasks:read")
async def get_hold(request: Request, identity: Identity) -> Response:
    case_id = case_id_of(request)
    kept = await services(request).erasure.held(identity.tenant, case_id)
    if kept is None:
        raise NotFound("the case is not on hold")
    return Json(kept.as_json())


@needs("ops:write")
async def release(request: Request, identity: Identity) -> Response:
    """Let a case be erased and expire again."""
    await services(request).erasure.release(identity.tenant, case_id_of(request), by(request, identity))
    return Response(status_code=204)


@needs("tasks:read")
async def similar(request: Request, identity: Identity) -> Response:
    """The tenant's cases nearest in meaning, by their ids: what they say is read at the cases themselves."""
    case_id = case_id_of(request)
    limit = query_number(request, "limit", SIMILAR, SIMILAR_AT_MOST)
    found = await services(request).similar.of(identity.tenant, case_id, limit)
    cases = [{"case_id": neighbour.case_id, "score": neighbour.score} for neighbour in found.neighbours]
    return Json({"cases": cases, "model": found.model, "count": found.count})


ROUTES = [
    resource("/api/cases/{case_id}", GET=get, PUT=put, DELETE=delete),
    resource("/api/cases/{case_id}/similar", GET=similar),
    resource("/api/cases/{case_id}/hold", GET=get_hold, PUT=hold, DELETE=release),
]
