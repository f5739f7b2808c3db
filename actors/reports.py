"""Reports for those who answer for the service: what ran, how well, and how long it took. Scheduled ones are sent.

A report is told once: the tasks that tell it have ids that follow from its own, and what was told is noted beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks.notices import send_notice, ways
from tasks.payloads import ReportPayload, ReportResult
from tasks.report_data import ReportMaker
from tasks.submission import SYSTEM_TENANT


def generate(run: Run, payload: ReportPayload, tools: Toolbox) -> ReportResult:
    """Write the report of the day or the week that ends at `until`; send it where a schedule asked for it."""
    run.report(10, "Reunindo os números")
    # Hours that are folded are read as one hash each, however many tenants there are.
    tools.ledger.fold_totals()
    report = ReportMaker(tools.ledger.client, tools.settings).make(run.task_id, payload.kind, payload.until)
    run.report(70, "Guardando o relatório")
    tools.reports.keep(run.task_id, report)
    if run.tenant == SYSTEM_TENANT:
        tell(report, tools)
    return ReportResult(report_id=run.task_id)


def tell(report: Mapping[str, Any], tools: Toolbox) -> None:
    """Queue what sends a report, once, in the ways that are set up. A kill before it is noted queues the same ids
    again, which does nothing."""
    settings, report_id = tools.settings, str(report["report_id"])
    if report["kind"] not in settings.report_delivery or not ways(settings) or tools.reports.is_told(report_id):
        return
    # Imported where it is needed: it brings the languages with it.
    from tasks.report_mail import notice_of

    send_notice(tools.ledger, settings, notice_of(report, settings))
    tools.reports.note_told(report_id)
