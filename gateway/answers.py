"""What the API answers, as models: the source of the schemas in the OpenAPI document.

They describe and are not used to encode: the routes write plain dictionaries, and the tests hold every answer they
get against these. A client must take fields that it doesn't know, for later versions add some.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.payloads import (
    BatchCaseResult,
    BatchResult,
    DocumentsResult,
    EmbeddingsResult,
    ReportResult,
    TextChunk,
    TriageResult,
    Turn,
    UpkeepResult,
    Vector,
    WebhookResult,
)

Time = Annotated[
    str,
    Field(
        description="RFC 3339, in UTC, with milliseconds.",
        json_schema_extra={"format": "date-time"},
        examples=["2026-11-23T12:00:00.123Z"],
    ),
]
Count = Annotated[int, Field(ge=0)]
Status = Literal["scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled"]
PriorityName = Literal["low", "normal", "high", "critical"]
Result = (
    TriageResult
    | DocumentsResult
    | EmbeddingsResult
    | BatchResult
    | BatchCaseResult
    | ReportResult
    | UpkeepResult
    | WebhookResult
)


class Answer(BaseModel):
    """Base of all answers. A field with a default is left out where there is nothing to say."""

    model_config = ConfigDict(frozen=True)


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
    attempt: Count = Field(description="How many times it was begun, the present run among them.")
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


# ------------------------------------------------------------------------------------------------ figures


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


class Stats(Answer):
    """The figures of the last `window_s` seconds, by queue and by type of task, and how things stand now."""

    statuses: StatusCounts
    queues: dict[str, QueueFigures]
    tasks: dict[str, TaskFigures]
    throughput_per_minute: float
    workers: list[WorkerState]
    window_s: Count


class Queues(Answer):
    queues: dict[str, QueueFigures]


class QueueState(Answer):
    queue: str
    paused: bool


class ScheduleState(Answer):
    """A schedule and how it stands. `cron` is `off` where it is switched off; `last_at` is when it last came, by its
    slot or by hand; `missed` counts the slots that passed while no scheduler ran and were not done; `overdue` says
    that a slot passed five minutes ago or earlier and nobody saw to it."""

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


# ---------------------------------------------------------------------------------- cases and documents


class Document(Answer):
    """A stored file. `media_type` and `filename` are what the upload declared."""

    document_id: str
    case_id: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: Count
    media_type: str
    filename: str
    created_at: Time


class LatestResult(Answer):
    """The last result of a kind of task, and the task that it came from; `result` is `null` where it was too large to
    be kept with the case."""

    task_id: str
    at: Time
    result: Result | None


class CaseAnswer(Answer):
    """A case: the conversation, its documents, and the latest result of each kind of task."""

    case_id: str
    conversation_history: list[Turn]
    metadata: dict[str, Any]
    updated_at: Time
    documents: list[Document]
    results: dict[str, LatestResult]


class CasePut(Answer):
    """What is told of a case that was put to who may not see it."""

    case_id: str
    updated_at: Time


class CaseHold(Answer):
    """Why a case is kept, since when and by whom (the id of a token)."""

    reason: str
    by: str
    at: Time


class ErasedCounts(Answer):
    """How much of each kind was erased."""

    tasks: Count
    documents: Count
    conversations: Count
    vectors: Count
    keys: Count


class Signature(Answer):
    """Over the receipt without it; key and value are in hex."""

    algorithm: Literal["Ed25519"]
    public_key: str
    value: str


class ErasureReceipt(Answer):
    """What was erased of a case, and nothing of what it said."""

    case_id: str
    tenant: str
    erased_at: Time
    counts: ErasedCounts
    signature: Signature


class SimilarCase(Answer):
    case_id: str
    score: float = Field(description="Cosine of the two vectors: 1 is the same meaning.")


class SimilarCases(Answer):
    """The nearest of the `count` cases that have a vector of the same model."""

    cases: list[SimilarCase]
    model: str
    count: Count


# ----------------------------------------------------------------------------------------------- streams


class EventData(Answer):
    """The `data` of an event. `result` comes with `succeeded`, `error` with what went wrong, `eta` with what waits
    for its time, and `waits_for` with what it was put off by, such as `breaker llm`."""

    task_id: str
    task_name: str
    case_id: str | None
    status: Status
    progress: float = Field(ge=0, le=100)
    progress_message: str
    attempt: Count
    at: Time
    result: Result | None = None
    result_url: str = ""
    error: TaskError | None = None
    eta: Time | None = None
    waits_for: str | None = None


class StreamReset(Answer):
    """The `data` of `event: reset`: what followed `last_event_id` can't be told any more (`trimmed`), or there never
    was such an event (`unknown`). Forget what the stream told; what is known follows, as for one that is new."""

    reason: Literal["trimmed", "unknown"]
    last_event_id: str
    detail: str


class CaseError(Answer):
    """What went wrong with a case of a batch; `CaseGone` has a type and a message alone."""

    type: str
    message: str
    attempt: Count = 0
    at: Time = ""
    retryable: bool = False


class BatchLine(Answer):
    """One case of a batch that has ended, at its place `n` in the order of the ends. Of a case that was forgotten
    since, status and case are `null`, and the error says `CaseGone`."""

    case_id: str | None
    task_id: str
    n: int = Field(ge=1)
    status: Literal["succeeded", "failed", "cancelled"] | None
    error: CaseError | None
    result: BatchCaseResult | None


class Ticket(Answer):
    """`ticket` goes into the query of the stream that it was made for."""

    ticket: str
    expires_at: Time


# ------------------------------------------------------------------------------------------------ service


class Session(Answer):
    tenant: str
    scopes: list[str]


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


class Health(Answer):
    status: Literal["ok"]


class Readiness(Answer):
    """`reasons` say what is missing."""

    status: Literal["ok", "unavailable"]
    reasons: list[str]


class ProblemKind(Answer):
    """A kind of problem: what its `type` means and what to do about it."""

    type: str
    title: str
    status: int
    meaning: str
    remedy: str


class ProblemKinds(Answer):
    problems: list[ProblemKind]
