"""Document analysis: text, type, entities and deadlines of the files of a case."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePath

from actors.engines import ReadDocument, Report, SourceDocument
from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.analyses import ReadBefore
from tasks.blobs import document_place, text_place
from tasks.cases import Document, text_about
from tasks.clock import now_ms
from tasks.errors import Unavailable
from tasks.payloads import AnalyzedDocument, DocumentOptions, DocumentsPayload, DocumentsResult


def analyze(run: Run, payload: DocumentsPayload, tools: Toolbox) -> DocumentsResult:
    """Analyse every document; one that can't be read costs its own `error`, never the others."""
    return DocumentsResult(documents=analyze_all(run, payload.document_ids, payload.options, tools, run.report))


def analyze_all(
    run: Run, document_ids: tuple[str, ...], options: DocumentOptions, tools: Toolbox, report: Report
) -> tuple[AnalyzedDocument, ...]:
    """The analyses, in the order of the ids."""
    share = 100 / len(document_ids) if document_ids else 0
    return tuple(
        _analyze_one(run, document_id, options, tools, part(report, share * number, share))
        for number, document_id in enumerate(document_ids)
    )


def part(report: Report, done: float, share: float) -> Report:
    """Tells the 0 to 100 of one of several steps as `share` percent of the whole, after `done` percent."""
    return lambda percent, message: report(done + percent * share / 100, message)


def _analyze_one(
    run: Run, document_id: str, options: DocumentOptions, tools: Toolbox, report: Report
) -> AnalyzedDocument:
    document = find_document(run, document_id, tools)
    if document is None:
        return AnalyzedDocument(document_id=document_id, error="gone: there is no such document any more")
    asked = _asked(document, options, tools)
    before = tools.analyses.find(run.tenant, document, asked)
    _count(run, tools, known=before is not None)
    if before is not None:
        report(100, "Já lido antes")
        return _taken_over(run, document, asked, before, tools)
    try:
        read = _read(run, document, options, tools, report)
    except FileNotFoundError:
        return AnalyzedDocument(document_id=document_id, error="gone: the document's bytes were deleted")
    kept = _keep_text(run, document, read, tools)
    if kept.error is None:
        found = ReadBefore(read.analysis, read.text, now_ms(), is_own=True)
        tools.analyses.keep(run.tenant, document, asked, found)
    return kept


def _taken_over(run: Run, document: Document, asked: str, before: ReadBefore, tools: Toolbox) -> AnalyzedDocument:
    """What was known of another document with these bytes becomes this one's, and stays when that one goes."""
    analysis = before.analysis.model_copy(update={"document_id": document.document_id})
    if before.is_own:
        return _with_text_url(analysis) if before.text else analysis
    kept = _keep_text(run, document, ReadDocument(analysis, before.text), tools)
    if kept.error is None:
        tools.analyses.keep(run.tenant, document, asked, replace(before, analysis=analysis))
    return kept


def _asked(document: Document, options: DocumentOptions, tools: Toolbox) -> str:
    """Whatever an analysis depends on beside the bytes. Of the name only its ending tells a format."""
    engine, day = tools.documents, options.reference_date or tools.today()
    name = PurePath(document.filename).suffix.lower()
    told = options.model_copy(update={"reference_date": day}).model_dump_json()
    return "\n".join((engine.name, engine.version, told, document.media_type.lower(), name))


def _count(run: Run, tools: Toolbox, *, known: bool) -> None:
    """A store that is away costs the count, never the run."""
    if tools.analyses.is_on:
        with suppress(Unavailable):
            tools.ledger.count_cached(run.task_id, int(known), int(not known))


def _read(run: Run, document: Document, options: DocumentOptions, tools: Toolbox, report: Report) -> ReadDocument:
    """Raises `FileNotFoundError` where the bytes are gone."""
    with _in_memory(run, document, tools) as path:
        source = SourceDocument(document.document_id, path, document.filename, document.media_type)
        return tools.documents.analyze(source, options, options.reference_date or tools.today(), report)


def find_document(run: Run, document_id: str, tools: Toolbox) -> Document | None:
    """The document, which may be of another case than the task is; `None` where there is none any more."""
    document = tools.cases.document(run.tenant, document_id)
    if document is None or document.case_id == run.started.case_id:
        return document
    is_noted = tools.ledger.note_about(run.task_id, run.tenant, document.case_id, document_id)
    return document if is_noted else None


@contextmanager
def _in_memory(run: Run, document: Document, tools: Toolbox) -> Iterator[Path]:
    """The document in clear, as a file that lies in no folder and goes with this process. Raises
    `FileNotFoundError`."""
    descriptor = os.memfd_create("document")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            chunks = tools.blobs.chunks(document_place(run.tenant, document.digest))
            file.writelines(document.open_bytes(run.tenant, chunks))
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _keep_text(run: Run, document: Document, read: ReadDocument, tools: Toolbox) -> AnalyzedDocument:
    if not read.text:
        return read.analysis
    document_id, place = document.document_id, text_place(run.tenant, document.document_id)
    key = tools.cases.keys.of(run.tenant, document.case_id)
    if key is None:
        return AnalyzedDocument(document_id=document_id, error="gone: the document's case was erased")
    text = read.text.encode(errors="replace")
    tools.blobs.write(place, key.seal_file([text], *text_about(run.tenant, document)))
    if tools.cases.document(run.tenant, document_id) is None:
        # It was deleted while it was read: whoever deletes it has looked for its text already.
        tools.blobs.delete(place)
    return _with_text_url(read.analysis)


def _with_text_url(analysis: AnalyzedDocument) -> AnalyzedDocument:
    return analysis.model_copy(update={"text_url": f"/api/documents/{analysis.document_id}/text"})
