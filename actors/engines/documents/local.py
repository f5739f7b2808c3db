"""The local `DocumentEngine`: one file at a time, read offline by a process of its own.

It decides nothing about the file. It hands an order to a reading process, passes its progress on, and turns
whatever became of that process into a result. What is read and how is in `analysis` and `formats`.
"""

from __future__ import annotations

import datetime as dt
import os
import signal

from actors.engines import ReadDocument, Report, SourceDocument
from actors.engines.documents.errors import reason
from actors.engines.documents.limits import Limits
from actors.engines.documents.process import ProcessGoneError, ReadingProcess, ReadingProcesses
from actors.engines.documents.protocol import End, Order, Progress, Result
from actors.engines.documents.version import engine_version
from tasks import tracing
from tasks.payloads import AnalyzedDocument, DocumentOptions

_ATTEMPTS = 3  # an idle process may end between being taken and being asked


class LocalDocuments:
    """Reads PDF, DOCX, ODT, RTF, HTML, EML, XLSX, plain text and images.

    A crash, a limit or an interrupt costs the one document at hand. `keep` idle processes stay warm between
    documents; `close` ends them.
    """

    name = "local"

    def __init__(self, limits: Limits | None = None, keep: int | None = None) -> None:
        self._limits = limits or Limits()
        self._processes = ReadingProcesses(os.cpu_count() or 1 if keep is None else keep)

    @property
    def version(self) -> str:
        """Of the code, the weights, the libraries and the limits."""
        return f"{engine_version()} {self._limits.model_dump_json()}"

    def warm_up(self) -> None:
        """Start a reading process ahead of the first document."""
        self._processes.give_back(ReadingProcess())

    def close(self) -> None:
        """End the idle processes. The engine may still be used, but keeps none warm from now on."""
        self._processes.close()

    @tracing.traced("engine documents")
    def analyze(
        self, source: SourceDocument, options: DocumentOptions, reference_date: dt.date, report: Report
    ) -> ReadDocument:
        """See `DocumentEngine.analyze`. Offsets and pages refer to the text returned."""
        order = self._order(source, options, reference_date)
        for _ in range(_ATTEMPTS):
            try:
                return self._read(order, report)
            except ProcessGoneError:
                continue
        unread = ReadDocument(AnalyzedDocument(document_id=order.document_id), "")
        return _with_error(unread, reason("reader_unavailable", "the process that reads documents does not start"))

    def _order(self, source: SourceDocument, options: DocumentOptions, reference_date: dt.date) -> Order:
        return Order(
            document_id=source.document_id,
            path=os.path.abspath(source.path),
            filename=_printable(source.filename),
            media_type=_printable(source.media_type),
            options=options,
            reference_date=reference_date,
            limits=self._limits,
        )

    def _read(self, order: Order, report: Report) -> ReadDocument:
        process = self._processes.take()
        finished = False
        try:
            process.send(order)
            document = _converse(process, order, report)
            finished = True
            return document
        finally:
            if finished:
                self._processes.give_back(process)
            else:
                process.kill()


def _converse(process: ReadingProcess, order: Order, report: Report) -> ReadDocument:
    known = ReadDocument(AnalyzedDocument(document_id=order.document_id), "")
    while True:
        match process.receive():
            case Progress(percent=percent, sentence=sentence):
                report(percent, sentence)
            case Result(analysis=analysis, text=text):
                known = ReadDocument(analysis, text)
            case End() as end:
                return known if end.in_order else _with_error(known, _cause(order, end))


def _cause(order: Order, end: End) -> str:
    if end.timed_out:
        return reason("time_limit", f"not read to the end within {order.limits.seconds:g} seconds")
    if end.signal in (signal.SIGKILL, signal.SIGABRT):
        return reason(
            "memory_limit", f"the process that read it was ended by signal {end.signal}, as for want of memory"
        )
    return reason("crashed", f"the process that read it was ended (signal {end.signal}, status {end.status})")


def _with_error(known: ReadDocument, error: str) -> ReadDocument:
    return ReadDocument(known.analysis.model_copy(update={"error": error}), known.text)


def _printable(text: str) -> str:
    """Without lone surrogates, which an uploaded name may hold and JSON may not."""
    return text.encode("utf-8", "replace").decode("utf-8")
