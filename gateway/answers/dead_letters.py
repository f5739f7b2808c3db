"""Dead letters, singly and in groups."""

from __future__ import annotations

from pydantic import Field

from gateway.answers import Answer, Count, PriorityName, Time


class DeadLetter(Answer):
    """A task that failed for good, of whichever tenant; nothing that a client sent is in it."""

    task_id: str
    tenant: str
    task_name: str
    queue: str
    priority: PriorityName
    parent_id: str | None
    attempt: Count
    created_at: Time
    finished_at: Time | None
    fingerprint: str
    error_type: str
    message: str
    retryable: bool
    etag: str = Field(description="For `If-Match`: an operator may not read the record of another tenant.")
    links: dict[str, str]


class DeadLetterPage(Answer):
    """Dead letters, newest first. `next_cursor` leads to the next page; `null` at the end."""

    dead_letters: list[DeadLetter]
    next_cursor: str | None


class DeadLetterGroup(Answer):
    """The dead letters of one fingerprint; `task_ids` are the newest of them, `message` is the newest one's."""

    fingerprint: str
    error_type: str
    message: str
    task_name: str
    queue: str
    count: Count
    first_at: Time
    last_at: Time
    task_ids: list[str]


class DeadLetterGroups(Answer):
    """The largest group first. Where `is_all` is false, the newest 10,000 dead letters were looked at."""

    groups: list[DeadLetterGroup]
    is_all: bool


class Replayed(Answer):
    """How many dead letters run again."""

    replayed: Count
