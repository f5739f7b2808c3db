"""Reports for those who answer for the service: what ran, how well, and how long it took; as data and as a page."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.clock import rfc3339, to_ms
from tasks.payloads import ReportPayload, ReportResult
from tasks.reports import ReportBook, period_ms

DAYS = {"daily": 1, "weekly": 7}


def generate(run: Run, payload: ReportPayload, tools: Toolbox) -> ReportResult:
    """Write the report of the day or the week that ends at `until`."""
    book = ReportBook(tools.ledger.client, tools.settings)
    run.report(10, "Reunindo os números")
    report = _gather(run.task_id, payload, book)
    run.report(70, "Escrevendo o relatório")
    book.keep(run.task_id, report, _page(report))
    return ReportResult(report_id=run.task_id)


def _gather(report_id: str, payload: ReportPayload, book: ReportBook) -> dict[str, Any]:
    first, last = period_ms(to_ms(payload.until) if payload.until else None, DAYS[payload.kind])
    queues, names = book.figures(first, last)
    by_name = {name: figures.as_json() for name, figures in sorted(names.items())}
    return {
        "report_id": report_id,
        "kind": payload.kind,
        "from": rfc3339(first),
        "until": rfc3339(last),
        "totals": _totals(by_name),
        "statuses": book.statuses(),
        "queues": {queue: figures.as_json() for queue, figures in sorted(queues.items())},
        "tasks": by_name,
    }


def _totals(by_name: dict[str, dict[str, Any]]) -> dict[str, Any]:
    totals: dict[str, Any] = {
        what: sum(figures[what] for figures in by_name.values())
        for what in ("succeeded", "failed", "cancelled", "retried")
    }
    ended = totals["succeeded"] + totals["failed"]
    totals["success_rate"] = round(totals["succeeded"] / ended, 4) if ended else None
    return totals


def _page(report: dict[str, Any]) -> str:
    return str(_templates().get_template("report.html").render(report=report))


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.PackageLoader("actors", "templates"), autoescape=True)
