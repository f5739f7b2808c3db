"""What the API answers, as models: the source of the schemas in the OpenAPI document.

They describe and are not used to encode: the routes write plain dictionaries, and the tests hold every answer they
get against these. A client must take fields that it doesn't know, for later versions add some.

Here stands what answers of all concerns share; each concern has a module of its own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.payloads import (
    BatchCaseResult,
    BatchResult,
    DocumentsResult,
    EmbeddingsResult,
    ReportResult,
    TriageResult,
    UpkeepResult,
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
