"""How many, how long and how much: of queues, task types and workers."""

from __future__ import annotations

from pydantic import Field

from gateway.answers import Answer, Count, Time


class Percentiles(Answer):
    """In ms, upper edges of the buckets; `null` where nothing was counted."""

    p50: float | None
    p95: float | None
    p99: float | None


class TaskFigures(Answer):
    """What happened to one type of task in the window."""

    succeeded: Count
    failed: Count
    cancelled: Count
    retried: Count
    prompt_tokens: Count
    completion_tokens: Count
    cache_hits: Count = Field(description="Documents and shared vectors that were known.")
    cache_misses: Count
    wait_ms: Percentiles
    run_ms: Percentiles


class Waiting(Answer):
    """How many wait in each lane."""

    critical: Count
    high: Count
    normal: Count
    low: Count


class QueueFigures(TaskFigures):
    """How a queue stands now, over all tenants, and what happened to its tasks in the window."""

    waiting: Waiting
    scheduled: Count
    running: Count
    dead: Count
    paused: bool
    paused_by: str | None
    paused_at: Time | None
    oldest_waiting_ms: Count | None


class StatusCounts(Answer):
    scheduled: Count
    queued: Count
    running: Count
    retrying: Count
    succeeded: Count
    failed: Count
    cancelled: Count


class WorkerState(Answer):
    """A worker process that was heard of lately."""

    worker: str
    host: str
    processes: Count
    threads: Count
    busy: Count
    last_seen: Time


class MinuteFigures(Answer):
    """What ended in one minute, over all queues; `at` is when it began."""

    at: Time
    succeeded: Count
    failed: Count
    cancelled: Count
    retried: Count
    wait_ms: Percentiles
    run_ms: Percentiles


class Stats(Answer):
    """The figures of the last `window_s` seconds, by queue, type of task and minute, and how things stand now."""

    statuses: StatusCounts
    queues: dict[str, QueueFigures]
    tasks: dict[str, TaskFigures]
    throughput_per_minute: float
    workers: list[WorkerState]
    window_s: Count
    tenants: list[str] = Field(description="Whose they are; `system` is the service itself.")
    minutes: list[MinuteFigures] = Field(description="Oldest first, empty ones too; the last is not over yet.")
