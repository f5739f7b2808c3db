"""What JSON Schema can't say of valid data: refusals for these reasons, and no others, are right."""

from __future__ import annotations

import uuid
from typing import Any

import schemathesis

BEYOND_SCHEMAS = (
    "countdown and eta exclude each other",
    "eta must be at most 30 days ahead",
    "give exactly one of texts, case_id and document_ids",
    "is given twice, in args and in kwargs",
    "the case has no conversation",
    "there is no document",
    "must be the next_cursor of an earlier page",
    "conversation_history: is empty",
    "faults, too many to list",
    "name a queue, task_name",
    "name at least one of",
    "callback_url: ",
    "default_url: ",
    "name a queue, task_name, error_type",
)
"""Parts of the details of problems."""
CANCELLED = "The resource was deleted with `DELETE /api/tasks/"
"""DELETE on a task cancels it, and its record is kept."""
ACCEPTED = "Invalid data should have been rejected"
FORM = "/api/documents"
"""In a form everything is text, so nothing is of a wrong type."""
REJECTED = "Valid data should have been accepted"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A key names one request; schemathesis would use one for several. And an answer that is to come late does."""
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if case.headers and "wait=" in case.headers.get("Prefer", ""):
        case.headers["Prefer"] = "wait=1"


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one."""
    if CANCELLED in failure.message or (ACCEPTED in failure.message and case.operation.path == FORM):
        return False
    if REJECTED not in failure.message or response.status_code != 422:
        return True
    detail = response.json()["detail"]
    return not any(reason in detail for reason in BEYOND_SCHEMAS)
