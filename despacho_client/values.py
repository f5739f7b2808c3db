"""The answers of the API, as it documents them. Later versions may add fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

Status = Literal["scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled"]
Priority = Literal["low", "normal", "high", "critical"]
Operation = Literal["triage", "documents", "embeddings"]
FINAL: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class Turn(TypedDict):
    """One message of a conversation; `client` and `user` are the person who asks for help."""

    role: Literal["client", "agent", "user", "assistant"]
    content: str


class Accepted(TypedDict):
    """A task that is queued."""

    task_id: str
    status: Status
    links: dict[str, str]


class Schedule(TypedDict):
    """What the service does by itself; `missed` counts slots that passed lately while no scheduler ran, the last of
    them at `missed_at`."""

    name: str
    task_name: str
    cron: str
    time_zone: str
    next_at: str | None
    last_at: str | None
    last_task_id: str | None
    last_status: Status | None
    paused: bool
    missed: int
    missed_at: str | None
    overdue: bool


class TaskError(TypedDict):
    type: str
    message: str
    attempt: int
    at: str
    retryable: bool
    fingerprint: NotRequired[str]


class DeadLetter(TypedDict):
    """A task that failed for good, as operators see it."""

    task_id: str
    tenant: str
    task_name: str
    queue: str
    priority: Priority
    parent_id: str | None
    attempt: int
    created_at: str
    finished_at: str | None
    fingerprint: str
    error_type: str
    message: str
    retryable: bool
    etag: str
    links: dict[str, str]


class DeadLetterGroup(TypedDict):
    """Dead letters that failed of the same; `task_ids` are the newest of them."""

    fingerprint: str
    error_type: str
    message: str
    task_name: str
    queue: str
    count: int
    first_at: str
    last_at: str
    task_ids: list[str]


class Task(TypedDict):
    """The record of a task. Times are RFC 3339 in UTC."""

    task_id: str
    task_name: str
    queue: str
    priority: Priority
    status: Status
    progress: float
    progress_message: str
    attempt: int
    max_retries: int
    case_id: str | None
    parent_id: str | None
    children: dict[str, int] | None
    created_at: str
    eta: str | None
    started_at: str | None
    finished_at: str | None
    wait_ms: int | None
    run_ms: int | None
    worker: str | None
    cancel_requested: bool
    paused: dict[str, str] | None
    result: Any
    result_url: str | None
    error: TaskError | None
    metadata: dict[str, Any]
    links: dict[str, str]
    position: NotRequired[int | None]
    expected_start_at: NotRequired[str | None]


class BatchLine(TypedDict):
    """One case of a batch that has ended; `n` is its place in the order of the ends."""

    case_id: str | None
    task_id: str
    n: int
    status: Literal["succeeded", "failed", "cancelled"] | None
    error: dict[str, Any] | None
    result: Any


class Document(TypedDict):
    document_id: str
    case_id: str
    sha256: str
    size: int
    media_type: str
    filename: str
    created_at: str


class Case(TypedDict):
    case_id: str
    conversation_history: list[Turn]
    metadata: dict[str, Any]
    updated_at: str
    documents: list[Document]
    results: dict[str, dict[str, Any]]


class Receipt(TypedDict):
    """What was erased of a case, signed; it says nothing of what the case said."""

    case_id: str
    tenant: str
    erased_at: str
    counts: dict[str, int]
    signature: dict[str, str]


class SimilarCase(TypedDict):
    case_id: str
    score: float


class Similar(TypedDict):
    cases: list[SimilarCase]
    model: str
    count: int


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: its id, from which a stream goes on, its name, and what it tells.

    One named `reset` says that the service no longer has what was missed: what was told before counts no more,
    and what is known follows."""

    id: str
    name: str
    data: Mapping[str, Any]

    @property
    def progress(self) -> float:
        """How far the task is, from 0 to 100."""
        return float(self.data.get("progress", 0))

    @property
    def status(self) -> str:
        return str(self.data.get("status", ""))
