"""States of a task, the moves between them, and the one table that says which move is allowed from where.

The scripts get the allowed states as an argument, so the store refuses an illegal move. `README.md` draws the table;
a test compares the two.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


class Move(StrEnum):
    CREATE = "create"
    DUE = "due"
    START = "start"
    PROGRESS = "progress"
    SUCCEED = "succeed"
    RETRY = "retry"
    FAIL = "fail"
    RECOVER = "recover"
    CANCEL = "cancel"
    REQUEUE = "requeue"


_S = State
MOVES: dict[Move, tuple[frozenset[State], frozenset[State]]] = {
    Move.CREATE: (frozenset(), frozenset({_S.SCHEDULED, _S.QUEUED})),
    Move.DUE: (frozenset({_S.SCHEDULED, _S.RETRYING}), frozenset({_S.QUEUED})),
    # From running only where a parent that waited for its children goes on.
    Move.START: (frozenset({_S.QUEUED, _S.RUNNING}), frozenset({_S.RUNNING})),
    Move.PROGRESS: (frozenset({_S.RUNNING}), frozenset({_S.RUNNING})),
    Move.SUCCEED: (frozenset({_S.RUNNING}), frozenset({_S.SUCCEEDED})),
    Move.RETRY: (frozenset({_S.RUNNING}), frozenset({_S.RETRYING})),
    Move.FAIL: (frozenset({_S.RUNNING}), frozenset({_S.FAILED})),
    Move.RECOVER: (frozenset({_S.RUNNING}), frozenset({_S.QUEUED})),
    Move.CANCEL: (
        frozenset({_S.SCHEDULED, _S.QUEUED, _S.RETRYING, _S.RUNNING}),
        frozenset({_S.CANCELLED}),
    ),
    Move.REQUEUE: (frozenset({_S.FAILED, _S.CANCELLED}), frozenset({_S.QUEUED})),
}
"""For each move: the states it may leave, and those it may lead to."""


STEERABLE = ",".join(sorted(state for state in State if not state.final))
"""The states in which a batch may be paused and resumed, in the form in which a script takes them. It is no move: the
state stays."""


def allowed_from(move: Move) -> str:
    """The states that `move` may leave, joined by commas: the form in which a script takes them."""
    return ",".join(sorted(MOVES[move][0]))


class Priority(StrEnum):
    """The four lanes of a queue, most urgent first: a worker takes from a lane only when those before it are
    empty."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


LANES: tuple[Priority, ...] = tuple(Priority)


def lane_name(queue: str, priority: str) -> str:
    """The Dramatiq queue in which tasks of this queue and priority lie."""
    return f"{queue}.{priority}"


def split_lane(lane: str) -> tuple[str, str]:
    """The queue and the priority of a lane. Raises `ValueError` for a name that is no lane."""
    queue, _, priority = lane.rpartition(".")
    return queue, Priority(priority)
