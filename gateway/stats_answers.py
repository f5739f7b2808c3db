"""What `GET /api/tasks/stats` answers, as a model beside those of `gateway.answers`."""

from __future__ import annotations

from pydantic import Field

from gateway.answers import Answer, Count, Percentiles, Stats, Time


class MinuteFigures(Answer):
    """What ended in one minute, over all queues; `at` is when it began."""

    at: Time
    succeeded: Count
    failed: Count
    cancelled: Count
    retried: Count
    wait_ms: Percentiles
    run_ms: Percentiles


class ServiceStats(Stats):
    """The figures of the last `window_s` seconds, by queue, type of task and minute, and how things stand now."""

    tenants: list[str] = Field(description="Whose they are; `system` is the service itself.")
    minutes: list[MinuteFigures] = Field(description="Oldest first, empty ones too; the last is not over yet.")
