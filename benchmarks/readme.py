"""The README's table: Despacho beside the best of its rivals, written between two marks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Report
from benchmarks.measures import BASE, Measure, Table, tables
from benchmarks.table import short

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
SHOWN = {
    "queue": {
        "drain": "Drain of no-ops",
        "worker CPU": "Worker CPU for one",
        "bulk submit": "Bulk submit",
        "submit p50": "Single submit, median",
        "submit p99": "Single submit, p99",
        "pick-up p50": "Pick-up by an idle worker, median",
        "pick-up p95": "Pick-up by an idle worker, p95",
        "to result p50": "Submit to result at 100/s, median",
        "to result p99": "Submit to result at 100/s, p99",
        "idle round trips": "Calls to Redis by an idle process",
    },
    "http": {"HTTP submit": "Submit over HTTP", "HTTP p99": "Submit over HTTP, p99"},
    "recovery": {"all done after": "20 tasks of 5 s done after a kill -9 of all workers"},
}

SHOWN_MEANING = {
    "embeddings": "Embeddings of 120 characters, two workers",
    "similar p50": "Ten nearest of 50,000 cases, median",
}


def write_into(path: Path, report: Report) -> None:
    """Put the table where the last one stands. Raises `ValueError` where there is no such place."""
    head, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    old, _, tail = rest.partition(END)
    if not old:
        raise ValueError(f"{path} lacks {BEGIN} and {END}")
    path.write_text(f"{head}{BEGIN}\n{_table(report)}\n{END}{tail}", encoding="utf-8")


def _table(report: Report) -> str:
    head = ["| measure | Despacho | best rival | ratio |", "|---|---|---|---|"]
    return "\n".join([*head, *_beside_rivals(report), *_own(report)])


def _beside_rivals(report: Report) -> Iterator[str]:
    found = tables(report)
    for part, titles in SHOWN.items():
        for measure in found[part].measures:
            own = measure.value(found[part].columns.get(BASE, ()))
            if measure.title in titles and own is not None:
                yield _row(titles[measure.title], measure, own, found[part])


def _row(title: str, measure: Measure, own: float, table: Table) -> str:
    rivals = {
        name: value
        for name, rounds in table.columns.items()
        if name != BASE and (value := measure.value(rounds)) is not None
    }
    if not rivals:
        return f"| {title} | {_figure(own, measure.unit)} | none finished | |"
    best = (max if measure.more_is_better else min)(rivals, key=lambda name: rivals[name])
    beside = f"{own / rivals[best]:.2f}" if rivals[best] else "-"
    return f"| {title} | {_figure(own, measure.unit)} | {_figure(rivals[best], measure.unit)} ({best}) | {beside} |"


def _own(report: Report) -> Iterator[str]:
    """What only Despacho was asked."""
    found = tables(report)
    yield _alone("Bulk submit over HTTP", found["http"].value(BASE, "HTTP bulk"), "tasks/s")
    size = found["size"]
    for measure in size.measures:
        values = [measure.value(rounds) for rounds in size.columns.values()]
        names = " and ".join(size.columns)
        if len(values) > 1 and None not in values:
            shown = " and ".join(_figure(value, "") for value in values) + " " + measure.unit
            yield f"| {measure.title.capitalize()}: with {names} | {shown} | | |"
    meaning = found["meaning"]
    for measure in meaning.measures:
        value = meaning.value(BASE, measure.title)
        if measure.title in SHOWN_MEANING and value is not None:
            yield _alone(SHOWN_MEANING[measure.title], value, measure.unit)
    for kind in found["record"].columns:
        yield _alone(f"Memory of a finished {kind}", found["record"].value(kind, "one finished task"), "bytes")


def _alone(title: str, value: float | None, unit: str) -> str:
    return f"| {title} | {_figure(value, unit)} | | |"


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{short(value)} {unit}".rstrip()
