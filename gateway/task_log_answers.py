"""What the route of a task's log answers, as models for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from gateway.answers import Answer, Count, Time


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
