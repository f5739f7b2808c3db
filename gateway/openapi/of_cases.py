"""Cases and documents."""

from __future__ import annotations

from gateway.answers import cases as answers
from gateway.openapi import examples
from gateway.openapi.parts import CASE_ID, DOCUMENT_ID, Answer, Body, Example, Link, Operation, limit
from gateway.problem_kinds import INVALID_INPUT, NO_VECTOR, ON_HOLD, RANGE_NOT_SATISFIABLE, UNSUPPORTED_MEDIA_TYPE
from gateway.requests import CaseRequest, HoldRequest

TAG = "Cases and documents"
_CASE = {"case_id": "$request.path.case_id"}
_CASE_LINKS = {name: Link(name, _CASE) for name in ("getCase", "listSimilarCases", "deleteCase")}
_DOCUMENT_LINKS = {
    name: Link(name, {"document_id": "$response.body#/document_id"})
    for name in ("getDocument", "getDocumentContent", "getDocumentText", "deleteDocument")
}
_PUT = {"anyOf": [answers.CaseAnswer, answers.CasePut]}
_FORM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["file", "case_id"],
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "minLength": 1,
            "description": "The document, with its filename.",
        },
        "case_id": CASE_ID.schema,
    },
}


def _part(media_type: str) -> Answer:
    return Answer(
        206, "The part that was asked for with `Range`.", {"type": "string"}, media_type=media_type, headers=("ETag",)
    )


OPERATIONS = (
    Operation(
        method="PUT",
        path="/api/cases/{case_id}",
        operation_id="putCase",
        tag=TAG,
        summary="Put a case's conversation",
        description="The whole conversation as it stands now: what the case held before is replaced. "
        "The answer shows the case to tokens with `tasks:payload`.",
        scope="tasks:write",
        parameters=(CASE_ID,),
        body=Body(CaseRequest, (examples.CASE_BODY,)),
        answers=(
            Answer(200, "It is replaced.", _PUT, links=_CASE_LINKS, example=examples.CASE),
            Answer(
                201,
                "It is new.",
                _PUT,
                headers=("Location",),
                links=_CASE_LINKS,
                example={**examples.CASE, "documents": [], "results": {}},
            ),
        ),
    ),
    Operation(
        method="GET",
        path="/api/cases/{case_id}",
        operation_id="getCase",
        tag=TAG,
        summary="Read a case",
        scope="tasks:read",
        shows_payload=True,
        parameters=(CASE_ID,),
        answers=(Answer(200, "All that is known of it.", answers.CaseAnswer, example=examples.CASE),),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="DELETE",
        path="/api/cases/{case_id}",
        operation_id="deleteCase",
        tag=TAG,
        summary="Forget a case",
        description="Its key is destroyed; its tasks are cancelled and forgotten, its documents and results deleted. "
        "Who asks again gets the same receipt, as long as nothing of the case came since.",
        scope="tasks:write",
        parameters=(CASE_ID,),
        answers=(Answer(200, "It is erased; the signed receipt.", answers.ErasureReceipt, example=examples.RECEIPT),),
        problems=(INVALID_INPUT, ON_HOLD),
    ),
    Operation(
        method="PUT",
        path="/api/cases/{case_id}/hold",
        operation_id="holdCase",
        tag=TAG,
        summary="Put a case on hold",
        description="It is neither erased nor does it expire until the hold is ended.",
        scope="ops:write",
        parameters=(CASE_ID,),
        body=Body(HoldRequest, (Example("Proceedings", {"reason": "Processo 0001234-56.2026.8.26.0100"}),)),
        answers=(Answer(200, "It is on hold.", answers.CaseHold, example=examples.HOLD),),
    ),
    Operation(
        method="GET",
        path="/api/cases/{case_id}/hold",
        operation_id="getHold",
        tag=TAG,
        summary="Why a case is on hold",
        scope="tasks:read",
        parameters=(CASE_ID,),
        answers=(Answer(200, "The hold.", answers.CaseHold, example=examples.HOLD),),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="DELETE",
        path="/api/cases/{case_id}/hold",
        operation_id="releaseCase",
        tag=TAG,
        summary="End the hold on a case",
        scope="ops:write",
        parameters=(CASE_ID,),
        answers=(Answer(204, "It can be erased, and expires, again."),),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="GET",
        path="/api/cases/{case_id}/similar",
        operation_id="listSimilarCases",
        tag=TAG,
        summary="Cases nearest in meaning",
        scope="tasks:read",
        parameters=(CASE_ID, limit(10, 100)),
        answers=(Answer(200, "The nearest first.", answers.SimilarCases, example=examples.SIMILAR),),
        problems=(INVALID_INPUT, NO_VECTOR),
    ),
    Operation(
        method="POST",
        path="/api/documents",
        operation_id="uploadDocument",
        tag=TAG,
        summary="Upload a document",
        description="The same bytes twice are stored once. A document may have 50 MiB, unless the service is set "
        "otherwise.",
        scope="tasks:write",
        body=Body(
            _FORM,
            (Example("A file and its case", {"file": "mandado.pdf", "case_id": "case-17"}),),
            media_type="multipart/form-data",
        ),
        answers=(
            Answer(
                201,
                "It is stored.",
                answers.Document,
                headers=("Location",),
                links=_DOCUMENT_LINKS,
                example=examples.DOCUMENT_ANSWER,
            ),
        ),
        problems=(UNSUPPORTED_MEDIA_TYPE,),
    ),
    Operation(
        method="GET",
        path="/api/documents/{document_id}",
        operation_id="getDocument",
        tag=TAG,
        summary="Read what is known of a document",
        scope="tasks:read",
        shows_payload=True,
        parameters=(DOCUMENT_ID,),
        answers=(Answer(200, "The document.", answers.Document, example=examples.DOCUMENT_ANSWER),),
    ),
    Operation(
        method="DELETE",
        path="/api/documents/{document_id}",
        operation_id="deleteDocument",
        tag=TAG,
        summary="Delete a document",
        scope="tasks:write",
        parameters=(DOCUMENT_ID,),
        answers=(Answer(204, "It is deleted."),),
        problems=(ON_HOLD,),
    ),
    Operation(
        method="GET",
        path="/api/documents/{document_id}/content",
        operation_id="getDocumentContent",
        tag=TAG,
        summary="Download a document",
        scope="tasks:read",
        shows_payload=True,
        parameters=(DOCUMENT_ID,),
        answers=(
            Answer(
                200,
                "The bytes, always as a download.",
                {"type": "string", "contentMediaType": "application/octet-stream"},
                media_type="application/octet-stream",
                headers=("Content-Disposition", "ETag"),
            ),
            _part("application/octet-stream"),
        ),
        problems=(RANGE_NOT_SATISFIABLE,),
    ),
    Operation(
        method="GET",
        path="/api/documents/{document_id}/text",
        operation_id="getDocumentText",
        tag=TAG,
        summary="The text that an analysis read",
        scope="tasks:read",
        shows_payload=True,
        parameters=(DOCUMENT_ID,),
        answers=(
            Answer(
                200,
                "The text, in which the offsets of entities and deadlines count characters.",
                {"type": "string"},
                media_type="text/plain",
                headers=("ETag",),
            ),
            _part("text/plain"),
        ),
        problems=(RANGE_NOT_SATISFIABLE,),
    ),
)
