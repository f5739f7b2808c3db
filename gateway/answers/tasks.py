"""Tasks, and what was asked of them: queued, read, listed, explained, cancelled, retried."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from gateway.answers import Answer, Count, PriorityName, Result, Status, Time
from tasks.payloads import TextChunk, Vector


class Links(Answer):
    """Where the task is read, watched, its result read and where it is cancelled (by `DELETE`); of a batch also where
    its cases are told as they end."""

    self: str
    events: str
    result: str
    cancel: str
    results: str = ""


class Accepted(Answer):
    """A task that is queued now, or was by the same request before."""

    task_id: str
    status: Status
    links: Links


class BulkAccepted(Answer):
    """The ids of the tasks, in the order in which they were sent."""

    task_ids: list[str]


class RetryLimits(Answer):
    max_retries: Count
    min_backoff_s: float
    max_backoff_s: float


class WouldBe(Answer):
    """A task as it would be queued: what was left out has its default."""

    task_name: str
    queue: str
    priority: PriorityName
    status: Literal["scheduled", "queued"]
    case_id: str | None
    eta: Time | None
    retry_config: RetryLimits
    timeout_s: float


class Validated(Answer):
    """Of `validate_only=true`: nothing was queued."""

    validate_only: Literal[True]
    task: WouldBe


class BulkValidated(Answer):
    """Of `validate_only=true`: nothing was queued."""

    validate_only: Literal[True]
    tasks: list[WouldBe]


class ChildCounts(Answer):
    """How the cases of a batch stand; `pending` ones wait in one way or another."""

    total: Count
    succeeded: Count
    failed: Count
    cancelled: Count
    running: Count
    pending: Count


class TaskError(Answer):
    """What went wrong in an attempt. `type` is a name for programs."""

    type: str
    message: str
    attempt: Count
    at: Time
    retryable: bool
    fingerprint: str = Field(default="", description="The same for all tasks that failed at the same place.")


class Cancelled(Answer):
    """So many were cancelled, or run and were told to stop."""

    cancelled: Count


class Retried(Answer):
    """So many were queued."""

    retried: Count


class Pause(Answer):
    """Who paused it: the id of an API key, or of a JWT's subject; and when."""

    by: str
    at: Time


class Record(Answer):
    """A task as it stands. `succeeded`, `failed` and `cancelled` are final: only a retry leaves them."""

    task_id: str
    task_name: str
    queue: str
    priority: PriorityName
    status: Status
    progress: float = Field(ge=0, le=100)
    progress_message: str
    attempt: Count = Field(
        description="Which attempt the present or last run is; 0 before the first. A run that was lost with its "
        "worker, or waits for a breaker, uses up none: the next one is the same attempt."
    )
    max_retries: Count
    case_id: str | None
    parent_id: str | None = Field(description="The batch that it is a case of.")
    children: ChildCounts | None = Field(description="Of a batch, how its cases stand.")
    created_at: Time
    eta: Time | None = Field(description="When it is due, where it waits for its time.")
    started_at: Time | None
    finished_at: Time | None
    wait_ms: Count | None = Field(description="How long the present or last run waited in its lane.")
    run_ms: Count | None = Field(description="How long the last run took, or has taken so far.")
    worker: str | None
    cancel_requested: bool = Field(description="Whether its end is wished for while it runs.")
    paused: Pause | None = Field(description="Of a batch that is paused: who paused it, and when.")
    result: Result | None = Field(description="What it came to; a large result is read at `result_url`.")
    result_url: str | None
    error: TaskError | None
    metadata: dict[str, Any]
    links: Links


class StandingRecord(Record):
    """A task as it stands, and where it stands in its lane."""

    position: Count | None = Field(description="Tasks ahead of it in its lane and in those above, where it waits.")
    expected_start_at: Time | None = Field(description="An estimate; `null` where nothing is known to base it on.")


class TaskPayload(Answer):
    """What a task was given, by the names that its task type's schema has for it."""

    task_id: str
    task_name: str
    kwargs: dict[str, Any]


class TaskPage(Answer):
    """Tasks, newest first. `next_cursor` leads to the next page; `null` at the end."""

    tasks: list[Record]
    next_cursor: str | None


class LogEntry(Answer):
    """One thing that happened; some kinds of event add fields of their own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    event: str
    at: Time


class LogLine(Answer):
    """A line that the actor logged, in its own words, with the number of its run."""

    at: Time
    run: Annotated[int, Field(ge=1)]
    level: str
    logger: str
    message: str


class TaskLog(Answer):
    """What a task went through, oldest first, with what became of its webhook; and what its actor logged. `lines` is
    `null` for a token without `tasks:payload`; `lines_lost` counts those there was no room for."""

    events: list[LogEntry]
    lines: list[LogLine] | None
    lines_lost: Count | None


class Reason(Answer):
    """One thing that is so: a name for programs, a sentence for people, and what it is read from."""

    reason: Literal[
        "scheduled",
        "retry_due",
        "breaker_open",
        "queue_paused",
        "batch_paused",
        "no_worker_reads_queue",
        "no_worker_knows_task_type",
        "workers_stopping",
        "held_by_batch",
        "limiter",
        "ahead_in_lane",
        "threads_busy",
        "about_to_start",
        "between_lanes",
        "running",
        "worker_silent",
        "awaits_children",
        "cancel_requested",
        "succeeded",
        "failed",
        "cancelled",
    ]
    detail: str
    evidence: dict[str, Any]


class Explanation(Answer):
    """Why a task isn't running, or what became of it, the weightiest reason first."""

    task_id: str
    status: Status
    position: Count | None
    expected_start_at: Time | None
    reasons: list[Reason]


class EmbeddingsFile(Answer):
    """The vectors of a large result, as `EmbeddingsResult` has them."""

    embeddings: list[Vector]
    chunks: list[list[TextChunk] | None] | None


class TaskType(Answer):
    """A type of task: its arguments and its result as JSON Schemas, and how it is run."""

    task_name: str
    queue: str
    description: str
    kwargs: dict[str, Any]
    result: dict[str, Any]
    retries: RetryLimits
    timeout_s: float
    rate_limit: str | None
    concurrency: int | None
    concurrency_per_case: int | None


class TaskTypes(Answer):
    task_types: list[TaskType]
