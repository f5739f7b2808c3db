"""Embeddings: vectors of texts, of a case's conversation, or of the text of documents."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence

import numpy as np

from actors.documents import analyze_all
from actors.engines import Report
from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.blobs import EMBEDDINGS_FILE, result_place, text_place
from tasks.errors import CaseGone, DocumentGone, ProviderFailed
from tasks.payloads import DocumentOptions, EmbeddingsPayload, EmbeddingsResult, Turn

log = logging.getLogger(__name__)

INLINE_VECTORS = 100
"""More vectors than these are kept beside the result, at `embeddings_url`."""


def generate(run: Run, payload: EmbeddingsPayload, tools: Toolbox) -> EmbeddingsResult:
    """One vector per text. Raises `CaseGone` and `DocumentGone`."""
    texts = _texts(run, payload, tools)
    result = embed(texts, payload.encoding_format, tools, run.report)
    return result if result.count <= INLINE_VECTORS else _keep_apart(run, result, tools)


def embed(texts: Sequence[str], encoding: str, tools: Toolbox, report: Report) -> EmbeddingsResult:
    """The vectors of `texts`, in the encoding asked for."""
    model, vectors = _vectors(texts, tools, report)
    return EmbeddingsResult(
        model=model,
        dimensions=len(vectors[0]),
        count=len(texts),
        embeddings=tuple(_encode(vector, encoding) for vector in vectors),
    )


def _vectors(texts: Sequence[str], tools: Toolbox, report: Report) -> tuple[str, Sequence[Sequence[float]]]:
    """The model's name and its vectors, all of one model. Raises `ProviderFailed` unless a fallback is allowed."""
    try:
        return tools.embeddings.name, tools.embeddings.embed(texts, report)
    except ProviderFailed as failure:
        if not tools.settings.embeddings_fallback:
            raise
        log.warning("embeddings by %s failed (%s); the local engine answers", failure.model, failure.reason)
        local = tools.local_embeddings
        return f"{local.name} (after {failure.model}: {failure.reason})", local.embed(texts, report)


def client_text(conversation: Sequence[Turn]) -> str:
    """What the client said, which is what a case is about."""
    return "\n".join(turn.content for turn in conversation if turn.by_client)


def _texts(run: Run, payload: EmbeddingsPayload, tools: Toolbox) -> Sequence[str]:
    if payload.texts is not None:
        return payload.texts
    if payload.case_id is not None:
        return [_case_text(run, payload.case_id, tools)]
    return [_document_text(run, document_id, tools) for document_id in payload.document_ids or ()]


def _case_text(run: Run, case_id: str, tools: Toolbox) -> str:
    case = tools.cases.case(run.tenant, case_id)
    if case is None or not case.conversation:
        raise CaseGone("the case has no conversation")
    return client_text(case.conversation)


def _document_text(run: Run, document_id: str, tools: Toolbox) -> str:
    place = text_place(run.tenant, document_id)
    if not tools.blobs.exists(place):
        (analysis,) = analyze_all(run, (document_id,), DocumentOptions(), tools, run.report)
        if analysis.text_url is None:
            raise DocumentGone(f"document {document_id} has no text: {analysis.error or 'it is empty'}")
    return tools.blobs.read(place).decode()


def _encode(vector: Sequence[float], encoding: str) -> tuple[float, ...] | str:
    array = np.asarray(vector, dtype="<f4")
    if encoding == "base64":
        return base64.b64encode(array.tobytes()).decode()
    return tuple(round(float(value), 7) for value in array)


def _keep_apart(run: Run, result: EmbeddingsResult, tools: Toolbox) -> EmbeddingsResult:
    place = result_place(run.tenant, run.task_id, EMBEDDINGS_FILE)
    tools.blobs.write(place, [result.model_dump_json(include={"embeddings"}).encode()])
    return result.model_copy(update={"embeddings": None, "embeddings_url": f"/api/tasks/{run.task_id}/embeddings"})
