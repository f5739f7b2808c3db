"""Scores the finders of names, numbers, dates and laws on texts with labelled stretches."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, get_args

from actors.evaluation.evaluation import Evaluation, Figure, Miss, Table, Told, beginning, share
from actors.evaluation.gold import DocumentsExample, EntitiesExample, GoldEntity
from actors.evaluation.measures import Span, SpanCount, count_spans
from tasks.errors import InvalidInput
from tasks.payloads import Entity, EntityType

Labelled = EntitiesExample | DocumentsExample
Find = Callable[[str], Sequence[Entity]]
OURS = get_args(EntityType)
ALL = "all of these"


def evaluate(examples: Sequence[EntitiesExample], find: Find, told: Told, labels: Sequence[str] = ()) -> Evaluation:
    """Find the entities of every example and score them, label by label; only `labels`, where some are given."""
    examples = [_only(labels, example) for example in examples]
    began = time.perf_counter()
    found = []
    for example in examples:
        found.append(find(example.text))
        told(len(found), len(examples))
    each = (time.perf_counter() - began) / len(examples)
    tables, figures = score(examples, found)
    return Evaluation(
        task="entities",
        engine="local",
        examples=len(examples),
        seconds_each=each,
        figures=figures,
        tables=tables,
        misses=tuple(_misses(examples, found)),
        answers=tuple(answer(e, entities) for e, entities in zip(examples, found, strict=True)),
    )


def score(
    examples: Sequence[Labelled], found: Sequence[Sequence[Entity]]
) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
    """The tables and figures of the labels that the examples have and we know."""
    labels = [label for label in OURS if any(e.label == label for x in examples for e in x.entities)]
    counts = {label: _count(label, examples, found) for label in labels}
    if not labels:
        raise InvalidInput.of("entities", f"none has a label that we know; those are {', '.join(OURS)}")
    total = sum(counts.values(), SpanCount())
    rows = [*counts.items(), (ALL, total)]
    headings = ("label", "precision", "recall", "exact F1", "overlap F1", "n")
    table = Table("Entities", headings, tuple(_row(label, count) for label, count in rows))
    figures = [
        Figure("entities, exact F1", share(total.exact_rates.f1)),
        Figure("entities, overlap F1", share(total.overlap_rates.f1)),
    ]
    right, judged = _verdicts(examples, found)
    if judged:
        figures.append(Figure("check-digit verdicts right", share(right / judged), f"of {judged}"))
    return (table,), tuple(figures)


def answer(example: Labelled, entities: Sequence[Entity]) -> dict[str, Any]:
    """One line of the answers, with the names that the gold has."""
    return {"id": example.id, "entities": [{"label": e.type, **e.model_dump(exclude={"type"})} for e in entities]}


def _only(labels: Sequence[str], example: EntitiesExample) -> EntitiesExample:
    kept = tuple(e for e in example.entities if not labels or e.label in labels)
    return example.model_copy(update={"entities": kept})


def _count(label: str, examples: Sequence[Labelled], found: Sequence[Sequence[Entity]]) -> SpanCount:
    pairs = zip(examples, found, strict=True)
    return sum(
        (count_spans(_true(x.entities, label, x.text), _found(e, label, x.text)) for x, e in pairs), SpanCount()
    )


def _true(entities: Sequence[GoldEntity], label: str, text: str) -> list[Span]:
    return [Span(label, e.start, e.end).trimmed(text) for e in entities if e.label == label]


def _found(entities: Sequence[Entity], label: str, text: str) -> list[Span]:
    return [Span(label, e.start, e.end).trimmed(text) for e in entities if e.type == label]


def _row(label: str, count: SpanCount) -> tuple[str, ...]:
    exact = count.exact_rates
    return (
        label,
        share(exact.precision),
        share(exact.recall),
        share(exact.f1),
        share(count.overlap_rates.f1),
        str(count.support),
    )


def _verdicts(examples: Sequence[Labelled], found: Sequence[Sequence[Entity]]) -> tuple[int, int]:
    """How many check-digit verdicts are right, of those on numbers that were found to the character."""
    right = judged = 0
    for example, entities in zip(examples, found, strict=True):
        said = {Span(e.type, e.start, e.end).trimmed(example.text): e.valid for e in entities}
        for gold in example.entities:
            span = Span(gold.label, gold.start, gold.end).trimmed(example.text)
            if gold.valid is not None and span in said:
                judged += 1
                right += said[span] == gold.valid
    return right, judged


def _misses(examples: Sequence[Labelled], found: Sequence[Sequence[Entity]]) -> list[Miss]:
    """What was overlooked and what was made up, text by text, the texts with the most of both first."""
    labels = {gold.label for example in examples for gold in example.entities} & set(OURS)
    by_text = [_misses_of(x, e, labels) for x, e in zip(examples, found, strict=True)]
    return [miss for misses in sorted(by_text, key=len, reverse=True) for miss in misses]


def _misses_of(example: Labelled, entities: Sequence[Entity], labels: Collection[str]) -> list[Miss]:
    true = {span for label in labels for span in _true(example.entities, label, example.text)}
    found = {span for label in labels for span in _found(entities, label, example.text)}
    return [_miss(example, span, span in true) for span in sorted(true ^ found, key=lambda s: (s.start, s.end))]


def _miss(example: Labelled, span: Span, overlooked: bool) -> Miss:
    words = beginning(example.text[span.start : span.end])
    context = beginning(example.text[max(0, span.start - 50) : span.end + 50])
    return Miss(example.id, span.label, words if overlooked else "–", "–" if overlooked else words, None, context)
