"""The data of live events, the lines of a batch's results, and the ticket that opens a stream."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.answers import Answer, Count, Result, Status, Time
from gateway.answers.tasks import TaskError
from tasks.payloads import BatchCaseResult


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
