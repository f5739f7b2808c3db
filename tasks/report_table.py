"""A report as a table for spreadsheets: CSV after RFC 4180, in UTF-8, with a line for each queue and type of task and
one for all. Numbers are written as machines read them, times are in ms."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

COUNTS = ("succeeded", "failed", "cancelled", "retried")
SHARES = ("p50", "p95", "p99")
HEADER = (
    *("from", "until", "what", "name", *COUNTS, "success_rate"),
    *(f"{times}_{share}_ms" for times in ("wait", "run") for share in SHARES),
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula, https://owasp.org/www-community/attacks/CSV_Injection."""


def as_csv(report: Mapping[str, Any]) -> str:
    """The text of the table; its lines end with CR LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER)
    period = (report["from"], report["until"])
    writer.writerows([*period, *map(_harmless, row)] for row in _rows(report))
    return text.getvalue()


def _rows(report: Mapping[str, Any]) -> Iterator[list[Any]]:
    yield _row("total", "", report["totals"])
    for what, figures in (("queue", report["queues"]), ("task", report["tasks"])):
        for name, of_name in figures.items():
            yield _row(what, name, of_name)


def _row(what: str, name: str, figures: Mapping[str, Any]) -> list[Any]:
    ended = figures["succeeded"] + figures["failed"]
    rate = round(figures["succeeded"] / ended, 4) if ended else None
    times = [figures.get(f"{times}_ms", {}).get(share) for times in ("wait", "run") for share in SHARES]
    return [what, name, *(figures[count] for count in COUNTS), rate, *times]


def _harmless(cell: Any) -> Any:
    """A text that begins like a formula gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell
