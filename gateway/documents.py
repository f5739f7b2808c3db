"""The routes of documents: upload, read, download, delete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.auth import by, needs
from gateway.files import opened_file
from gateway.json import Json
from gateway.methods import resource
from gateway.problems import invalid
from gateway.requests import CASE_ID, bounded
from gateway.security_headers import LOCKED
from gateway.services import Services, services
from tasks.api_keys import PAYLOAD, Identity
from tasks.blobs import document_place, read_places, text_place
from tasks.cases import Document, new_document, text_about
from tasks.errors import InvalidInput, NotFound

CHUNK = 1 << 20
LONGEST_FIELD = 1 << 10
"""Of what is no file. Fields may be in any encoding that Python knows, and some of them are slow to read."""
FORM_OVERHEAD = 64 << 10
"""What a form may have around its file: boundaries, headers, the other field."""


@needs("tasks:write")
async def upload(request: Request, identity: Identity) -> Response:
    known = services(request)
    async with _Form(request, known.settings.max_document_bytes) as form:
        file, case_id = _fields(form)
        _check_size(file, known.settings.max_document_bytes)
        document = await run_in_threadpool(_describe, known, identity.tenant, case_id, file)
        async with known.cases.bytes_guarded(identity.tenant, document.digest):
            await run_in_threadpool(_keep_bytes, known, identity.tenant, document, file)
            kept = await known.cases.add_document(identity.tenant, document)
    headers = {"Location": f"/api/documents/{kept.document_id}"}
    return Json(kept.as_json(), 201, headers)


class _Form:
    """A multipart form whose body is bounded while it is read, and whose temporary files are closed after."""

    def __init__(self, request: Request, most: int) -> None:
        self._request = request
        self._most = most

    async def __aenter__(self) -> FormData:
        if not self._request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise HTTPException(415, "Send the document as multipart/form-data with the fields file and case_id.")
        body = bounded(self._request, self._most + FORM_OVERHEAD)
        try:
            parser = MultiPartParser(
                self._request.headers, body, max_files=1, max_fields=4, max_part_size=LONGEST_FIELD
            )
            self._form = await parser.parse()
        except (MultiPartException, KeyError, UnicodeError, LookupError) as error:
            raise HTTPException(400, f"The form can't be read: {error}") from None
        return self._form

    async def __aexit__(self, *exception: object) -> None:
        if hasattr(self, "_form"):
            await self._form.close()


def _fields(form: FormData) -> tuple[UploadFile, str]:
    unknown = sorted(set(form) - {"file", "case_id"})
    if unknown:
        raise InvalidInput.of(unknown[0], "is not a field of this form; there are: file, case_id")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidInput.of("file", "is missing, or was sent without a filename")
    try:
        return file, CASE_ID.validate_python(form.get("case_id"))
    except ValidationError as error:
        raise invalid(error, "case_id") from None


def _check_size(file: UploadFile, most: int) -> None:
    size = file.size or 0
    if size == 0:
        raise InvalidInput.of("file", "is empty")
    if size > most:
        raise HTTPException(413, f"A document may have at most {most} bytes.")


def _describe(known: Services, tenant: str, case_id: str, file: UploadFile) -> Document:
    sha256, size = _digest(file.file)
    filename = _clean(file.filename or "document")
    media_type = _clean(file.content_type or "application/octet-stream")
    return new_document(tenant, case_id, sha256, size, media_type, filename, known.cases.ring)


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode().replace("\0", "")[:255]


def _keep_bytes(known: Services, tenant: str, document: Document, file: UploadFile) -> None:
    place = document_place(tenant, document.digest)
    if not known.blobs.exists(place):
        file.file.seek(0)
        known.blobs.write(place, document.seal_bytes(tenant, _chunks(file.file)))


def _digest(file: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    for chunk in _chunks(file):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


# ----------------------------------------------------------------------------------------------- reading


async def _document(request: Request, identity: Identity) -> Document:
    return await services(request).cases.document(identity.tenant, request.path_params["document_id"])


@needs("tasks:read", PAYLOAD)
async def get(request: Request, identity: Identity) -> Response:
    return Json((await _document(request, identity)).as_json())


@needs("tasks:read", PAYLOAD)
async def content(request: Request, identity: Identity) -> Response:
    """The bytes, always as a download: a hostile HTML document must not run on the service's origin."""
    document = await _document(request, identity)
    blobs, place = services(request).blobs, document_place(identity.tenant, document.digest)
    if not await run_in_threadpool(blobs.exists, place):
        raise NotFound("the document's bytes are gone")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.filename, safe='')}",
        "Content-Security-Policy": f"{LOCKED}; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    pieces = document.open_bytes(identity.tenant, blobs.chunks(place))
    return opened_file(request, pieces, document.size, headers)


@needs("tasks:read", PAYLOAD)
async def text(request: Request, identity: Identity) -> Response:
    """The text that an analysis read out of the document."""
    document = await _document(request, identity)
    known, place = services(request), text_place(identity.tenant, document.document_id)
    key = await known.tasks.case_keys.of(identity.tenant, document.case_id)
    if key is None or not await run_in_threadpool(known.blobs.exists, place):
        raise NotFound("the document was not analysed yet, or has no text")
    content = key.open_file(known.blobs.chunks(place), *text_about(identity.tenant, document))
    headers = {"X-Content-Type-Options": "nosniff"}
    return StreamingResponse(content, media_type="text/plain; charset=utf-8", headers=headers)


@needs("tasks:write")
async def delete(request: Request, identity: Identity) -> Response:
    """Forget a document and what was read out of it, and its bytes where no other document has the same."""
    document = await _document(request, identity)
    known, line = services(request), by(request, identity).line("document.delete")
    await known.cases.remove_document(identity.tenant, document.case_id, document.document_id, known.blobs, line)
    # What a kill leaves here, the upkeep deletes.
    for place in read_places(identity.tenant, document.document_id):
        await run_in_threadpool(known.blobs.delete, place)
    return Response(status_code=204)


ROUTES = [
    Route("/api/documents", upload, methods=["POST"]),
    Route("/api/documents/{document_id}/content", content, methods=["GET"]),
    Route("/api/documents/{document_id}/text", text, methods=["GET"]),
    resource("/api/documents/{document_id}", GET=get, DELETE=delete),
]
