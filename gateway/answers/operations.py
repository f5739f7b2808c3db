"""What those see who run the service: queues, workers, schedules, breakers, alerts, webhooks and the audit log."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from gateway.answers import Answer, Count, Status, Time
from gateway.answers.figures import QueueFigures, WorkerState


class Queues(Answer):
    queues: dict[str, QueueFigures]


class QueueState(Answer):
    queue: str
    paused: bool


class ScheduleState(Answer):
    """A schedule and how it stands. `cron` is `off` where it is switched off; `last_at` is when it last came, by its
    slot or by hand; `missed` counts the slots that passed while no scheduler ran and were not done, for seven days
    from the last of them (`missed_at`) or until it is run by hand; `overdue` says that a slot passed five minutes ago
    or earlier and nobody saw to it."""

    name: str
    task_name: str
    cron: str
    time_zone: str
    next_at: Time | None
    last_at: Time | None
    last_task_id: str | None
    last_status: Status | None
    paused: bool
    missed: Count
    missed_at: Time | None
    overdue: bool


class Schedules(Answer):
    schedules: list[ScheduleState]


class Workers(Answer):
    workers: list[WorkerState]


class BreakerState(Answer):
    """The breaker of something that is asked over the network. `until` is when a probe is due, or taken for lost;
    `opened_at` and `last_error`, a type, are of the last time."""

    name: str
    state: Literal["closed", "open", "half_open"]
    failures: Count
    opened_at: Time | None
    until: Time | None
    last_error: str | None


class CircuitBreakers(Answer):
    breakers: list[BreakerState]


class DisabledUrl(Answer):
    url: str
    at: Time


class WebhookSettings(Answer):
    """Where a tenant's webhooks go by default, and which secrets sign them; they themselves are never shown."""

    default_url: str | None
    secret_id: str | None
    secret_made_at: Time | None
    old_secret_id: str | None
    old_secret_until: Time | None
    disabled: list[DisabledUrl]


class AuditEntry(Answer):
    """Who did what, when, and what came of it. `hash` covers the entry and the hash of the one before. Of many ids
    the first are told, with how many there are and a digest of them all."""

    model_config = ConfigDict(frozen=True, extra="allow")

    seq: int = 0
    at: Time = ""
    tenant: str = ""
    actor: str = Field(default="", description="The id of an API key, or `jwt:` and the subject of a token.")
    action: str = ""
    outcome: str = ""
    ids: list[str] = []
    count: Count = 0
    ids_sha256: str = ""
    request_id: str = ""
    hash: str = ""


class AuditPage(Answer):
    """Entries, newest first. `next_cursor` leads to the next page; `null` at the end."""

    entries: list[AuditEntry]
    next_cursor: str | None


class AlertEntry(Answer):
    """An alert as it stands: `value` is the one that fired, once it has."""

    rule: str
    kind: str
    severity: Literal["info", "warning", "critical"]
    state: Literal["pending", "firing", "resolved"]
    value: float
    threshold: float
    unit: str
    labels: dict[str, str]
    since: Time
    fired_at: Time | None
    resolved_at: Time | None
    description: str


class Alerts(Answer):
    """Alerts, those that fire first. `evaluated_at` is when the rules were last looked at; `null` where never."""

    alerts: list[AlertEntry]
    evaluated_at: Time | None
