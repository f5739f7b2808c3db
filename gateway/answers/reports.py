"""Reports of what ran in a day or a week."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.answers import Answer, Count, Time
from gateway.answers.figures import StatusCounts, TaskFigures


class ReportLinks(Answer):
    json_: str = Field(alias="json")
    csv: str
    html: str


class ReportEntry(Answer):
    report_id: str
    links: ReportLinks


class Reports(Answer):
    """Reports, newest first."""

    reports: list[ReportEntry]


class ReportTotals(Answer):
    succeeded: Count
    failed: Count
    cancelled: Count
    retried: Count
    success_rate: float | None


class Report(Answer):
    """What ran in a period, over all tenants, and how tasks stood at its end."""

    report_id: str
    kind: Literal["daily", "weekly"]
    from_: Time = Field(alias="from")
    until: Time
    totals: ReportTotals
    statuses: StatusCounts
    queues: dict[str, TaskFigures]
    tasks: dict[str, TaskFigures]
