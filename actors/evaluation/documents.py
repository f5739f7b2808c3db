"""Scores the analysis of documents that are given as text: their type, and what they name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import get_args

from actors.evaluation import entities
from actors.evaluation.entities import Find
from actors.evaluation.evaluation import Evaluation, Figure, Matrix, Miss, Told, beginning, share
from actors.evaluation.gold import DocumentsExample
from actors.evaluation.measures import Confusion
from actors.evaluation.triage import rates_table
from tasks.payloads import DocumentType

TYPES = get_args(DocumentType)
Classify = Callable[[str], tuple[str, float]]


def evaluate(examples: Sequence[DocumentsExample], classify: Classify, find: Find, told: Told) -> Evaluation:
    """Classify every document, find its entities, and score both."""
    began = time.perf_counter()
    types, found = [], []
    for example in examples:
        types.append(classify(example.text))
        found.append(find(example.text))
        told(len(found), len(examples))
    each = (time.perf_counter() - began) / len(examples)
    confusion = Confusion(TYPES, tuple((e.doc_type, kind) for e, (kind, _) in zip(examples, types, strict=True)))
    tables, figures = entities.score(examples, found) if any(e.entities for e in examples) else ((), ())
    return Evaluation(
        task="documents",
        engine="local",
        examples=len(examples),
        seconds_each=each,
        figures=(*type_figures(confusion), *figures),
        tables=(rates_table("By type", confusion), *tables),
        matrices=(Matrix("Document type", confusion),),
        misses=tuple(_misses(examples, types)),
        answers=tuple(
            {**entities.answer(e, named), "doc_type": kind, "score": round(sure, 4)}
            for e, (kind, sure), named in zip(examples, types, found, strict=True)
        ),
    )


def type_figures(confusion: Confusion) -> tuple[Figure, ...]:
    return (
        Figure("type accuracy", share(confusion.accuracy())),
        Figure("type macro-F1", share(confusion.macro_f1())),
    )


def _misses(examples: Sequence[DocumentsExample], types: Sequence[tuple[str, float]]) -> list[Miss]:
    wrong = [
        Miss(example.id, "type", example.doc_type, kind, sure, beginning(example.text))
        for example, (kind, sure) in zip(examples, types, strict=True)
        if kind != example.doc_type
    ]
    return sorted(wrong, key=lambda miss: -(miss.sureness or 0))
