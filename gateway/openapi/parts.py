"""The words in which an operation is declared; what is the same for all of them is added by the builder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from gateway.problem_kinds import (
    BAD_REQUEST,
    CONFLICT,
    FORBIDDEN,
    HEAD_TOO_LARGE,
    IDEMPOTENCY_MISMATCH,
    INTERNAL,
    INVALID_INPUT,
    NOT_FOUND,
    PRECONDITION_FAILED,
    QUEUE_FULL,
    QUOTA_EXCEEDED,
    RATE_LIMITED,
    REQUEST_TIMEOUT,
    TOO_LARGE,
    UNAUTHORIZED,
    UNAVAILABLE,
    Kind,
)
from tasks.api_keys import PAYLOAD

JSON = "application/json"
Schema = dict[str, Any]

EVERYWHERE = (BAD_REQUEST, HEAD_TOO_LARGE, INTERNAL)
"""What the connection itself, or a fault of ours, may answer to anything."""
WITH_TOKEN = (UNAUTHORIZED, FORBIDDEN, RATE_LIMITED, UNAVAILABLE)
WITH_BODY = (REQUEST_TIMEOUT, TOO_LARGE, INVALID_INPUT)
OF_SUBMIT = (IDEMPOTENCY_MISMATCH, QUEUE_FULL, QUOTA_EXCEEDED)
OF_STEERING = (NOT_FOUND, CONFLICT, PRECONDITION_FAILED)
OF_MOVE = (NOT_FOUND, CONFLICT, PRECONDITION_FAILED, IDEMPOTENCY_MISMATCH, INVALID_INPUT)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path, the query or a header. `example` must fit the schema."""

    name: str
    where: Literal["path", "query", "header"]
    description: str
    schema: Schema
    example: Any = None


@dataclass(frozen=True, slots=True)
class Link:
    """What an answer leads to: the operation, and where in the answer (or the request) its parameters stand."""

    operation_id: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Example:
    summary: str
    value: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that is no problem. Its content is `content`, a model or a schema of its own, if there is any."""

    status: int
    description: str
    content: type[BaseModel] | Schema | None = None
    media_type: str = JSON
    headers: Sequence[str] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    example: Any = None


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: a model, or the name of a schema that the builder makes, or a schema of its own."""

    content: type[BaseModel] | str | Schema
    examples: Sequence[Example]
    media_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one method of a path does. `scope` is the one that its token needs; empty: any token will do; `None`: it
    takes no token. What `shows_payload` wants `tasks:payload` beside it. `problems` are those that it has beside the
    ones that all operations like it have."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    operation_id: str
    tag: str
    summary: str
    description: str = ""
    scope: str | None
    shows_payload: bool = False
    takes_ticket: bool = False
    deprecated: bool = False
    parameters: Sequence[Parameter] = ()
    body: Body | None = None
    answers: Sequence[Answer]
    problems: Sequence[Kind] = ()

    @property
    def scopes(self) -> tuple[str, ...]:
        """All that its token needs."""
        needed = (self.scope,) if self.scope else ()
        return (*needed, PAYLOAD) if self.shows_payload else needed

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All problems that it may answer, by status."""
        found = [*self.problems, *EVERYWHERE]
        if self.scope is not None:
            found += WITH_TOKEN
        if self.body is not None:
            found += WITH_BODY
        if self.method != "GET" and self.body is None:
            found.append(REQUEST_TIMEOUT)
        if any(parameter.where == "path" for parameter in self.parameters):
            found.append(NOT_FOUND)
        return tuple(sorted(dict.fromkeys(found), key=lambda kind: (kind.status, kind.name)))


# --------------------------------------------------------------------------------- parameters that many have


def text(**more: Any) -> Schema:
    return {"type": "string", **more}


def whole(least: int, most: int, default: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


TIME = {"type": "string", "format": "date-time"}
TASK_ID = Parameter("task_id", "path", "The id of a task.", text(minLength=1), "019ab2f4-3c1d-7a50-8f3e-0d1c2b3a4f5e")
CASE_ID = Parameter(
    "case_id",
    "path",
    "The id of a case: the caller's own name for it.",
    {"type": "string", "pattern": "^[A-Za-z0-9._:@~-]{1,128}$"},
    "case-17",
)
DOCUMENT_ID = Parameter(
    "document_id", "path", "The id of a document.", text(minLength=1), "019ab2f4-51aa-7d02-9c1b-7f6e5d4c3b2a"
)
QUEUE = Parameter("queue", "path", "The name of a queue.", text(minLength=1), "triage")
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "A name of the caller's for this request. Sent again within 24 hours it gives the first answer again and does "
    "nothing twice.",
    {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
    "intake-2026-11-23-0017",
)
IF_MATCH = Parameter(
    "If-Match",
    "header",
    "The ETag of the record that was read: a 412, and nothing is done, where it has changed since.",
    {"type": "string"},
)
IF_NONE_MATCH = Parameter(
    "If-None-Match", "header", "The ETag of what the client has: a 304 where that is still so.", {"type": "string"}
)
PREFER = Parameter(
    "Prefer",
    "header",
    "`wait=N`: wait up to N seconds (60 at most) for the end, and answer with the finished record.",
    {"type": "string"},
    "wait=30",
)
VALIDATE_ONLY = Parameter(
    "validate_only", "query", "Check everything and queue nothing.", {"type": "boolean", "default": False}
)
LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    "header",
    "The id of the last event that the client has: it gets just what it missed.",
    {"type": "string", "pattern": "^[0-9]{1,16}$"},
)
LAST_EVENT_ID_IN_QUERY = Parameter(
    "last_event_id",
    "query",
    "The same, for clients that can't set a header.",
    {"type": "string", "pattern": "^[0-9]{1,16}$"},
)
CURSOR = Parameter(
    "cursor",
    "query",
    "`next_cursor` of the page before, with the same filters; anything else is refused.",
    text(),
)


def limit(default: int, most: int) -> Parameter:
    return Parameter("limit", "query", "How many at most.", whole(1, most, default))


def scope_of(what: str) -> Parameter:
    told = f"`all`: {what} of every tenant, for tokens with `ops:read`."
    return Parameter("scope", "query", told, {"type": "string", "enum": ["all"]})


def task_links(task_id: str = "$response.body#/task_id") -> dict[str, Link]:
    """What can be done with a task whose id stands there."""
    given = {"task_id": task_id}
    return {
        name: Link(name, given)
        for name in ("getTask", "explainTask", "getTaskLog", "getTaskResult", "cancelTask", "retryTask")
    }
