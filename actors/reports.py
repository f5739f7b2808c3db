"""Reports for those who answer for the service: what ran, how well, and how long it took."""

from __future__ import annotations

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.payloads import ReportPayload, ReportResult
from tasks.report_data import ReportMaker


def generate(run: Run, payload: ReportPayload, tools: Toolbox) -> ReportResult:
    """Write the report of the day or the week that ends at `until`."""
    run.report(10, "Reunindo os números")
    report = ReportMaker(tools.ledger.client, tools.settings).make(run.task_id, payload.kind, payload.until)
    run.report(70, "Guardando o relatório")
    tools.reports.keep(run.task_id, report)
    return ReportResult(report_id=run.task_id)
