"""Scores the reading of files: how many words of the true text arrive, and how many come that aren't there."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from actors.engines import DocumentEngine, ReadDocument, SourceDocument
from actors.evaluation.documents import TYPES, type_figures
from actors.evaluation.evaluation import Evaluation, Figure, Matrix, Miss, Table, Told, beginning, share
from actors.evaluation.gold import ExtractionExample
from actors.evaluation.measures import Confusion, mean, word_excess, word_recall
from tasks.payloads import DocumentOptions

WHOLE = 0.99
"""A file of which less than this share of the words arrived is listed among the misses."""


def evaluate(
    examples: Sequence[ExtractionExample], folder: Path, engine: DocumentEngine, today: dt.date, told: Told
) -> Evaluation:
    """Read every file, named from `folder`, and score its text by kind of file; and its type, where that is known."""
    times: list[float] = []
    read: list[ReadDocument] = []
    for example in examples:
        began = time.perf_counter()
        read.append(engine.analyze(_source(example, folder), DocumentOptions(), today, _unheard))
        times.append(time.perf_counter() - began)
        told(len(read), len(examples))
    recalls = [word_recall(e.text, r.text) for e, r in zip(examples, read, strict=True)]
    excesses = [word_excess(e.text, r.text) for e, r in zip(examples, read, strict=True)]
    types = _types(examples, read)
    return Evaluation(
        task="extraction",
        engine=engine.name,
        examples=len(examples),
        seconds_each=median(times),
        figures=(
            Figure("word recall", share(mean(recalls))),
            Figure("words too many", share(mean(excesses)), "per true word"),
            *(type_figures(types) if types.pairs else ()),
        ),
        tables=(_table(examples, recalls, excesses, times),),
        matrices=(Matrix("Document type", types),) if types.pairs else (),
        misses=tuple(_misses(examples, read, recalls)),
        answers=tuple(
            {"id": e.id, "text": r.text, "doc_type": r.analysis.document_type, "error": r.analysis.error}
            for e, r in zip(examples, read, strict=True)
        ),
    )


def _source(example: ExtractionExample, folder: Path) -> SourceDocument:
    return SourceDocument(example.id, folder / example.file, example.file.name, "application/octet-stream")


def _types(examples: Sequence[ExtractionExample], read: Sequence[ReadDocument]) -> Confusion:
    pairs = [
        (example.doc_type, document.analysis.document_type or "outro")
        for example, document in zip(examples, read, strict=True)
        if example.doc_type is not None
    ]
    return Confusion(TYPES, tuple(pairs))


def _table(
    examples: Sequence[ExtractionExample],
    recalls: Sequence[float | None],
    excesses: Sequence[float | None],
    times: Sequence[float],
) -> Table:
    def row(kind: str) -> tuple[str, ...]:
        these = [number for number, example in enumerate(examples) if _kind(example) == kind]
        return (
            kind,
            share(mean(recalls[i] for i in these)),
            share(mean(excesses[i] for i in these)),
            f"{1000 * median(times[i] for i in these):.0f} ms",
            str(len(these)),
        )

    kinds = sorted({_kind(example) for example in examples})
    return Table("By kind of file", ("kind", "word recall", "too many", "median", "n"), tuple(map(row, kinds)))


def _kind(example: ExtractionExample) -> str:
    """All endings of the name: a `scan.pdf` is read another way than a `pdf`."""
    return example.file.name.partition(".")[2].lower()


def _misses(
    examples: Sequence[ExtractionExample], read: Sequence[ReadDocument], recalls: Sequence[float | None]
) -> list[Miss]:
    short = [
        (recall, Miss(e.id, "text", "all words", _became(recall, r), None, beginning(e.text)))
        for e, r, recall in zip(examples, read, recalls, strict=True)
        if recall is not None and (recall < WHOLE or r.analysis.error)
    ]
    return [miss for _, miss in sorted(short, key=lambda found: found[0])]


def _became(recall: float, document: ReadDocument) -> str:
    return f"{recall:.3f} of them" + (f"; {document.analysis.error}" if document.analysis.error else "")


def _unheard(_percent: float, _message: str) -> None:
    """Progress within one file is not told."""
