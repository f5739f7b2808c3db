"""The table of what was left after each case, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.systems import Scale
from tests.faults.verdict import Verdict

HEAD = ("case", "Dramatiq: lost / repeated / stranded", "Despacho: lost / repeated / stranded")


@dataclass(frozen=True, slots=True)
class Row:
    """`None`: not played. Text: why it could not be played to its end."""

    fault: str
    stock: Verdict | str | None
    despacho: Verdict | str


def text(rows: Sequence[Row], scale: Scale, *, with_stock: bool) -> str:
    cells = [_columns(HEAD, with_stock), *(_columns(_cells(row), with_stock) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([*lines, "", *notes(scale)])


def markdown(rows: Sequence[Row], scale: Scale, *, with_stock: bool) -> str:
    cells = [_columns(HEAD, with_stock), *(_columns(_cells(row), with_stock) for row in rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:], "", *notes(scale)])


def notes(scale: Scale) -> list[str]:
    return [
        f"Each system had {scale.patience_s:g} s to recover, with a worker that idles. Lost: ended well nowhere, and",
        "the store knows nothing of it. Repeated: ended well more than once, though no kill kept an end from being",
        "written. Stranded: still waiting or running in the store when the time was over; later it may come back.",
        "In brackets: run again because its run was broken off in the middle (at least once, as both promise).",
    ]


def _columns(row: Sequence[str], with_stock: bool) -> list[str]:
    return list(row) if with_stock else [row[0], row[2]]


def _cells(row: Row) -> tuple[str, str, str]:
    return row.fault, _cell(row.stock), _cell(row.despacho)


def _cell(outcome: Verdict | str | None) -> str:
    if outcome is None:
        return "–"
    if isinstance(outcome, str):
        return f"failed: {outcome.splitlines()[0]}"
    counts = f"{len(outcome.lost)} / {len(outcome.repeated)} / {len(outcome.stranded)}"
    again = f" ({len(outcome.run_again)})" if outcome.run_again else ""
    return "; ".join([counts + again, *outcome.broken])
