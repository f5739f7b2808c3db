"""Embeddings: vectors of texts, of a case's conversation, or of the text of documents."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from actors.documents import analyze_all, find_document
from actors.engines import Report
from actors.engines.embeddings.chunks import Read, read
from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.blobs import EMBEDDINGS_FILE, result_place, text_place
from tasks.cases import text_about
from tasks.errors import CaseGone, DocumentGone, ProviderFailed, Unavailable
from tasks.payloads import DocumentOptions, EmbeddingsPayload, EmbeddingsResult, TextChunk, Turn, Vector

log = logging.getLogger(__name__)

INLINE_VECTORS = 100
"""More vectors than these, chunks counted, are kept beside the result, at `embeddings_url`."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """What an engine made of some texts. `space` is the model whose vectors they are; `model` may say more."""

    model: str
    space: str
    texts: Sequence[Read]


def generate(run: Run, payload: EmbeddingsPayload, tools: Toolbox) -> EmbeddingsResult:
    """One vector per text, and one per chunk of a long text. Raises `CaseGone` and `DocumentGone`."""
    made = _made(run, payload, tools)
    if len(made.texts) + sum(len(text.chunks) for text in made.texts) > INLINE_VECTORS:
        return _keep_apart(run, made, payload.encoding_format, tools)
    return result_of(made, payload.encoding_format)


def embed(texts: Sequence[str], encoding: str, tools: Toolbox, report: Report) -> EmbeddingsResult:
    """The vectors of `texts`, in the encoding asked for."""
    return result_of(vectors_of(texts, tools, report), encoding)


def version_of(run: Run, case_id: str, tools: Toolbox) -> str | None:
    """Which conversation the case holds, asked before it is read; `None` where its vector can't be kept."""
    with suppress(Unavailable):
        return tools.vectors.version(run.tenant, case_id)
    return None


def embed_case(
    run: Run, case_id: str, version: str | None, conversation: Sequence[Turn], tools: Toolbox, report: Report
) -> Vectors:
    """The vector of what the client said. It is kept as the case's own, so that similar cases are found, where the
    case still holds the conversation of that version. A store that is away costs the vector, never the run."""
    text = client_text(conversation)
    made = vectors_of([text], tools, report)
    if version is not None and text.strip():
        try:
            tools.vectors.keep(run.tenant, case_id, version, made.space, made.texts[0].vector.tolist())
        except Unavailable:
            log.warning("the vector of task %s's case was not kept: the store is away", run.task_id)
    return made


def keep_vector_of_triaged(
    run: Run, case_id: str, version: str | None, conversation: Sequence[Turn], tools: Toolbox
) -> None:
    """Keep the vector of a case that was triaged, where the triage has read it with the engine of embeddings: then it
    is remembered, and costs nothing. Another engine is asked only by those who want embeddings."""
    if version is not None and tools.triage_embeds_alike:
        embed_case(run, case_id, version, conversation, tools, _unheard)


def _unheard(percent: float, message: str) -> None:
    """The triage has told its own steps."""


def vectors_of(texts: Sequence[str], tools: Toolbox, report: Report) -> Vectors:
    """The vectors of `texts`, all of one model. Raises `ProviderFailed` unless a fallback is allowed."""
    try:
        return Vectors(tools.embeddings.name, tools.embeddings.name, read(tools.embeddings, texts, report))
    except ProviderFailed as failure:
        if not tools.settings.embeddings_fallback:
            raise
        log.warning("embeddings by %s failed (%s); the local engine answers", failure.model, failure.reason)
        local = tools.local_embeddings
        model = f"{local.name} (after {failure.model}: {failure.reason})"
        return Vectors(model, local.name, read(local, texts, report))


def result_of(made: Vectors, encoding: str) -> EmbeddingsResult:
    """A result that holds its vectors itself, in the encoding asked for."""
    return _head(made).model_copy(
        update={
            "embeddings": tuple(_encode(text.vector, encoding) for text in made.texts),
            "chunks": _chunks(made.texts, encoding) if any(text.chunks for text in made.texts) else None,
        }
    )


def _head(made: Vectors) -> EmbeddingsResult:
    return EmbeddingsResult(model=made.model, dimensions=len(made.texts[0].vector), count=len(made.texts))


def _chunks(texts: Sequence[Read], encoding: str) -> tuple[tuple[TextChunk, ...] | None, ...]:
    return tuple(
        tuple(
            TextChunk(start=span.start, end=span.end, embedding=_encode(vector, encoding))
            for span, vector in text.chunks
        )
        or None
        for text in texts
    )


def client_text(conversation: Sequence[Turn]) -> str:
    """What the client said, which is what a case is about."""
    return "\n".join(turn.content for turn in conversation if turn.by_client)


def _made(run: Run, payload: EmbeddingsPayload, tools: Toolbox) -> Vectors:
    if payload.case_id is not None:
        version = version_of(run, payload.case_id, tools)
        conversation = _conversation(run, payload.case_id, tools)
        return embed_case(run, payload.case_id, version, conversation, tools, run.report)
    documents = (_document_text(run, document_id, tools) for document_id in payload.document_ids or ())
    return vectors_of(payload.texts or list(documents), tools, run.report)


def _conversation(run: Run, case_id: str, tools: Toolbox) -> Sequence[Turn]:
    case = tools.cases.case(run.tenant, case_id)
    if case is None or not case.conversation:
        raise CaseGone("the case has no conversation")
    return case.conversation


def _document_text(run: Run, document_id: str, tools: Toolbox) -> str:
    place = text_place(run.tenant, document_id)
    if not tools.blobs.exists(place):
        (analysis,) = analyze_all(run, (document_id,), DocumentOptions(), tools, run.report)
        if analysis.text_url is None:
            raise DocumentGone(f"document {document_id} has no text: {analysis.error or 'it is empty'}")
    document = find_document(run, document_id, tools)
    key = None if document is None else tools.cases.keys.of(run.tenant, document.case_id)
    if document is None or key is None:
        raise DocumentGone(f"document {document_id} was deleted")
    return b"".join(key.open_file(tools.blobs.chunks(place), *text_about(run.tenant, document))).decode()


def _encode(vector: NDArray[np.float32], encoding: str) -> Vector:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return tuple(np.round(vector.astype(np.float64), 7).tolist())


def _keep_apart(run: Run, made: Vectors, encoding: str, tools: Toolbox) -> EmbeddingsResult:
    """The vectors go into a file, which is written text by text: thousands of them in one piece would be large."""
    place = result_place(run.tenant, run.task_id, EMBEDDINGS_FILE)
    tools.blobs.write(place, run.seal.seal_file(_file(made.texts, encoding), place))
    return _head(made).model_copy(update={"embeddings_url": f"/api/tasks/{run.task_id}/embeddings"})


def _file(texts: Sequence[Read], encoding: str) -> Iterator[bytes]:
    """JSON with the fields `embeddings` and `chunks` of a result that holds its vectors itself."""
    yield b'{"embeddings":'
    yield from _array(to_json(_encode(text.vector, encoding)) for text in texts)
    yield b',"chunks":'
    if any(text.chunks for text in texts):
        yield from _array(to_json(_chunks([text], encoding)[0]) for text in texts)
    else:
        yield b"null"
    yield b"}"


def _array(items: Iterable[bytes]) -> Iterator[bytes]:
    yield b"["
    for number, item in enumerate(items):
        yield item if number == 0 else b"," + item
    yield b"]"
