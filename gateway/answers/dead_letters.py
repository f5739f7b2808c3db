"""Dead letters, singly and in groups."""

from __future__ import annotations

from typing import Literal

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


class ReplayStep(Answer):
    """One step of a gradual replay: up to how many it leads, and what became of those that it replayed: `came_back`
    are those that failed again of a fault of the group. `under_way` ones had not ended when it was last looked, or
    when the replay stopped."""

    upto: Count
    replayed: Count
    succeeded: Count
    came_back: Count
    failed_otherwise: Count
    cancelled: Count
    forgotten: Count
    under_way: Count
    began_at: Time | None
    ended_at: Time | None


class GradualReplay(Answer):
    """A gradual replay as it stands. `total` dead letters are of it: those that fit when it was asked for, and where
    it isn't `is_all`, the newest 10,000. `passed_over` are those that others have replayed or discarded since."""

    replay_id: str
    state: Literal["running", "done", "stopped"]
    reason: Literal["fault_came_back", "nothing_succeeded", "step_took_too_long", "cancelled", "task_lost"] | None = (
        Field(description="Why it stopped.")
    )
    filter: dict[str, str]
    total: Count
    is_all: bool
    replayed: Count
    passed_over: Count
    steps: list[ReplayStep]
    by: str = Field(description="Who asked for it: the id of an API key, or of a JWT's subject.")
    began_at: Time
    ended_at: Time | None
    links: dict[str, str]


class GradualReplays(Answer):
    """Those of the last days, the newest first; a hundred at most."""

    replays: list[GradualReplay]
