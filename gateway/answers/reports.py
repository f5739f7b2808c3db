"""Reports of what ran in a day or a week."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.answers import Answer, Count, Time
from gateway.answers.figures import Percentiles, StatusCounts, TaskFigures
from gateway.answers.operations import AlertEntry


class ReportLinks(Answer):
    json_: str = Field(alias="json")
    csv: str
    html: str


class ReportEntry(Answer):
    """A report that is kept; what it is of is `null` where an older release wrote it."""

    report_id: str
    kind: Literal["daily", "weekly"] | None
    from_: Time | None = Field(alias="from")
    until: Time | None
    links: ReportLinks


class Reports(Answer):
    """Reports, newest first."""

    reports: list[ReportEntry]


class ReportTotals(Answer):
    """Of all tasks but the service's own. `ended` is the sum of the three ends; the success rate leaves out what was
    cancelled, and is `null` where nothing else ended."""

    ended: Count
    succeeded: Count
    failed: Count
    cancelled: Count
    retried: Count
    success_rate: float | None
    wait_ms: Percentiles
    run_ms: Percentiles


class OwnEnds(Answer):
    succeeded: Count
    failed: Count
    cancelled: Count


class EarlierPeriod(Answer):
    from_: Time = Field(alias="from")
    until: Time
    totals: ReportTotals
    tasks: dict[str, TaskFigures]


class Volume(Answer):
    """Tasks that ended in each hour, the service's own left out; the first hour begins at `from`."""

    from_: Time = Field(alias="from")
    step_s: Literal[3600]
    succeeded: list[Count]
    failed: list[Count]
    cancelled: list[Count]
    previous: list[Count] | None = Field(description="All that ended in the hours of the period before.")


class UrgencyCounts(Answer):
    critical: Count
    high: Count
    medium: Count
    low: Count


class TriageCounts(Answer):
    total: Count
    areas: dict[str, UrgencyCounts]
    urgencies: UrgencyCounts


class TriageFigures(TriageCounts):
    """Triages by area and urgency, also those within batches; the most frequent area first."""

    previous: TriageCounts | None


class SlowTask(Answer):
    task_id: str
    task_name: str
    status: Literal["succeeded", "failed"]
    run_ms: Count
    finished_at: Time


class FaultCount(Answer):
    """Tasks that failed for good of one fault."""

    fingerprint: str
    task_name: str
    error_type: str
    count: Count
    previous: Count | None


class OpenedBreaker(Answer):
    name: str
    openings: Count
    first_at: Time
    last_at: Time
    errors: list[str]


class Report(Answer):
    """What ran in a period, over all tenants, and how tasks stood when it was written. `previous` is the period
    before, `null` where too little is known of it. `queues` and `tasks` have the service's own tasks too."""

    report_id: str
    kind: Literal["daily", "weekly"]
    from_: Time = Field(alias="from")
    until: Time
    made_at: Time
    time_zone: str
    totals: ReportTotals
    own: OwnEnds = Field(description="Ends of the service's own tasks: upkeep, alerts, reports, notices, webhooks.")
    previous: EarlierPeriod | None
    statuses: StatusCounts
    queues: dict[str, TaskFigures]
    tasks: dict[str, TaskFigures]
    volume: Volume
    triage: TriageFigures
    slowest: list[SlowTask] = Field(description="The longest runs, the longest first.")
    errors: list[FaultCount] = Field(description="The most frequent faults, the most frequent first.")
    breakers: list[OpenedBreaker] = Field(description="Those that opened, the most often first.")
    breakers_count: Count
    alerts: list[AlertEntry] = Field(description="Alerts that were firing in the period: the latest 100.")
    alerts_count: Count
