"""The routes of cases: put a conversation, read what is known, find similar ones, forget all of it."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth import by, needs
from gateway.documents import forget_document
from gateway.json import Json
from gateway.methods import resource
from gateway.requests import CaseRequest, case_id_of, query_number, read
from gateway.services import Services, services
from tasks.api_keys import Identity
from tasks.blobs import results_folder
from tasks.cases import Case
from tasks.clock import rfc3339
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
    return Json(await _shown(known, identity.tenant, case), 201 if is_new else 200, headers)


@needs("tasks:read")
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
    """Forget a case: its tasks are cancelled and expired, its documents and results deleted."""
    case_id = case_id_of(request)
    known = services(request)
    documents = await known.cases.delete(identity.tenant, case_id)
    known.similar.forget(identity.tenant, case_id)
    for document in documents:
        await forget_document(known, identity.tenant, document)
    due = await known.tasks.forget_case(identity.tenant, case_id)
    while due:
        await run_in_threadpool(_delete_results, known, due)
        await known.tasks.expire(due)
        due = await known.tasks.expired()
    await known.audit.note(identity.tenant, by(request, identity), "case.delete", "deleted", [case_id])
    return Response(status_code=204)


@needs("tasks:read")
async def similar(request: Request, identity: Identity) -> Response:
    """The tenant's cases nearest in meaning, by their ids: what they say is read at the cases themselves."""
    case_id = case_id_of(request)
    limit = query_number(request, "limit", SIMILAR, SIMILAR_AT_MOST)
    found = await services(request).similar.of(identity.tenant, case_id, limit)
    cases = [{"case_id": neighbour.case_id, "score": neighbour.score} for neighbour in found.neighbours]
    return Json({"cases": cases, "model": found.model, "count": found.count})


def _delete_results(known: Services, due: dict[str, str]) -> None:
    for task_id, tenant in due.items():
        if tenant:
            known.blobs.delete_folder(results_folder(tenant, task_id))


ROUTES = [
    resource("/api/cases/{case_id}", GET=get, PUT=put, DELETE=delete),
    resource("/api/cases/{case_id}/similar", GET=similar),
]
