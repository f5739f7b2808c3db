"""Scores a triage engine on labelled conversations: the area, and the urgency with what a lawyer must not miss."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, get_args

from actors.engines import TriageEngine
from actors.evaluation.evaluation import Evaluation, Figure, Matrix, Miss, Table, Told, beginning, share
from actors.evaluation.gold import TriageExample
from actors.evaluation.measures import Confusion
from tasks.payloads import Area, TriageResult, Urgency

AREAS = get_args(Area)
LEVELS = get_args(Urgency)
Answered = Sequence[tuple[TriageExample, TriageResult]]


def evaluate(examples: Sequence[TriageExample], engine: TriageEngine, today: dt.date, told: Told) -> Evaluation:
    """Triage every example, on its own day or else on `today`, and score the answers."""
    times: list[float] = []
    answered: list[tuple[TriageExample, TriageResult]] = []
    for example in examples:
        began = time.perf_counter()
        day = example.reference_date or today
        answered.append((example, engine.triage("evaluated", example.conversation, day, _unheard)))
        times.append(time.perf_counter() - began)
        told(len(answered), len(examples))
    area, urgency = _areas(answered), _urgencies(answered)
    return Evaluation(
        task="triage",
        engine=", ".join(name for name, _ in Counter(result.engine for _, result in answered).most_common()),
        examples=len(examples),
        seconds_each=median(times),
        figures=(*_area_figures(area, answered), *_urgency_figures(urgency)),
        tables=tuple(_tables(area, urgency, answered)),
        matrices=tuple(_matrices(area, urgency)),
        misses=tuple(_misses(answered)),
        answers=tuple(_answer(example, result) for example, result in answered),
    )


def _areas(answered: Answered) -> Confusion:
    return Confusion(AREAS, tuple((_true_area(example, result), result.area) for example, result in answered))


def _true_area(example: TriageExample, result: TriageResult) -> str:
    """An area that is right as well counts as the true one where it was answered."""
    return result.area if result.area in example.accept else example.area


def _urgencies(answered: Answered) -> Confusion:
    return Confusion(LEVELS, tuple((e.urgency, r.urgency) for e, r in answered if e.urgency is not None))


def _area_figures(area: Confusion, answered: Answered) -> Iterator[Figure]:
    in_three = sum(_true_area(e, r) in [guess.area for guess in r.areas[:3]] for e, r in answered)
    either = sum(r.area in (_true_area(e, r), e.secondary_area) for e, r in answered)
    yield Figure("area accuracy", share(area.accuracy()))
    yield Figure("area macro-F1", share(area.macro_f1()))
    yield Figure("area in top 3", share(in_three / len(answered)))
    if any(e.secondary_area for e, _ in answered):
        yield Figure("area or secondary", share(either / len(answered)))


def _urgency_figures(urgency: Confusion) -> Iterator[Figure]:
    if not urgency.pairs:
        return
    serious = ("critical", "high")
    yield Figure("urgency accuracy", share(urgency.accuracy()))
    yield Figure("urgency macro-F1", share(urgency.macro_f1()))
    yield Figure("urgency kappa", share(urgency.kappa()), "quadratic weights")
    yield Figure("critical recall", share(urgency.rates("critical").recall))
    yield Figure("critical as critical or high", share(urgency.share_taken_for(["critical"], serious)))
    yield Figure("critical or high as low", share(urgency.share_taken_for(serious, ["low"])))


def _tables(area: Confusion, urgency: Confusion, answered: Answered) -> Iterator[Table]:
    yield rates_table("By area", area)
    if urgency.pairs:
        yield rates_table("By urgency", urgency)
    tags = sorted({tag for example, _ in answered for tag in example.tags})
    if tags:
        yield Table("By tag", ("tag", "area", "urgency", "n"), tuple(_tag_row(tag, answered) for tag in tags))


def rates_table(title: str, confusion: Confusion) -> Table:
    """Precision, recall and F1 of every label that is ever true or answered."""
    rates = [(label, confusion.rates(label)) for label in confusion.labels]
    return Table(
        title,
        ("label", "precision", "recall", "F1", "n"),
        tuple(
            (label, share(r.precision), share(r.recall), share(r.f1), str(r.support))
            for label, r in rates
            if r.f1 is not None
        ),
    )


def _tag_row(tag: str, answered: Answered) -> tuple[str, ...]:
    tagged = [(e, r) for e, r in answered if tag in e.tags]
    return tag, share(_areas(tagged).accuracy()), share(_urgencies(tagged).accuracy()), str(len(tagged))


def _matrices(area: Confusion, urgency: Confusion) -> Iterator[Matrix]:
    if urgency.pairs:
        yield Matrix("Urgency", urgency)
    yield Matrix("Area", area)


def _misses(answered: Answered) -> list[Miss]:
    """Urgencies first, the greatest distance first; then areas, the surest first."""
    urgencies, areas = [], []
    for example, result in answered:
        text = beginning(" | ".join(turn.content for turn in example.conversation if turn.by_client))
        if example.urgency is not None and example.urgency != result.urgency:
            distance = LEVELS.index(example.urgency) - LEVELS.index(result.urgency)
            miss = Miss(example.id, "urgency", example.urgency, result.urgency, None, text)
            urgencies.append((abs(distance), distance, miss))
        expected = _true_area(example, result)
        if expected != result.area:
            areas.append(Miss(example.id, "area", expected, result.area, result.confidence, text))
    urgencies.sort(key=lambda found: found[:2], reverse=True)
    areas.sort(key=lambda miss: -(miss.sureness or 0))
    return [*(miss for _, _, miss in urgencies), *areas]


def _answer(example: TriageExample, result: TriageResult) -> dict[str, Any]:
    return {"id": example.id, **result.model_dump(mode="json", exclude={"case_id"})}


def _unheard(_percent: float, _message: str) -> None:
    """Progress within one example is not told."""
