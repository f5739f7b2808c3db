"""Reports for those who answer for the service: what ran, how well, and how long it took; as data and as a page."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.payloads import ReportPayload, ReportResult
from tasks.report_data import ReportMaker


def generate(run: Run, payload: ReportPayload, tools: Toolbox) -> ReportResult:
    """Write the report of the day or the week that ends at `until`."""
    run.report(10, "Reunindo os números")
    maker = ReportMaker(tools.ledger.client, tools.settings)
    report = maker.make(run.task_id, payload.kind, payload.until)
    run.report(70, "Escrevendo o relatório")
    tools.reports.keep(run.task_id, report, _page(report))
    return ReportResult(report_id=run.task_id)


def _page(report: dict[str, Any]) -> str:
    return str(_templates().get_template("report.html").render(report=report))


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.PackageLoader("actors", "templates"), autoescape=True)
