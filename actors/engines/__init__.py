"""The engines that do the work, behind Protocols: the local ones run offline and ship with the package.

An engine knows nothing of tasks, queues or Redis. It takes plain values, tells its real steps through
`report`, and may be interrupted at any bytecode: it must hold no lock and leave no half-written file behind.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.payloads import AnalyzedDocument, DocumentOptions, TriageResult, Turn

Report = Callable[[float, str], None]
"""Called with the share done (0 to 100) and a short Portuguese sentence for the person who watches."""


class TriageEngine(Protocol):
    """Reads a client's conversation and says what it is about and how urgent it is."""

    name: str

    def triage(
        self, case_id: str, conversation: Sequence[Turn], reference_date: dt.date, report: Report
    ) -> TriageResult:
        """Triage `conversation`, oldest message first; 'hoje' in it means `reference_date`.

        An empty or wordless conversation is `indefinido` and `low`, never an error.
        """


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A stored file to be analysed. `media_type` is what the upload declared, and may be wrong."""

    document_id: str
    path: Path
    filename: str
    media_type: str


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What a document came to: the analysis without its `text_url`, and the extracted text beside it."""

    analysis: AnalyzedDocument
    text: str


class DocumentEngine(Protocol):
    """Reads one file: its text, its type, what it names, and its deadlines."""

    name: str

    @property
    def version(self) -> str:
        """Another one wherever the same file might come to something else."""

    def analyze(
        self, source: SourceDocument, options: DocumentOptions, reference_date: dt.date, report: Report
    ) -> ReadDocument:
        """Analyse one file. A file that can't be read comes back with `analysis.error`, never as an
        exception; only an interrupt (time limit, cancellation) leaves this method by raising."""


class EmbeddingEngine(Protocol):
    """Turns texts into vectors of unit length."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str], report: Report) -> Sequence[Sequence[float]]:
        """One vector per text, in order; an empty text has a vector too."""
