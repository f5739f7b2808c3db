"""Dead letters: list, group, replay, discard."""

from __future__ import annotations

from gateway.answers import dead_letters as letters
from gateway.openapi import examples
from gateway.openapi.parts import (
    CURSOR,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    TASK_ID,
    TIME,
    Answer,
    Body,
    Example,
    Link,
    Operation,
    Parameter,
    limit,
    text,
)
from gateway.openapi.usual import queued
from gateway.problem_kinds import (
    CONFLICT,
    IDEMPOTENCY_MISMATCH,
    INVALID_INPUT,
    NOT_FOUND,
    ON_HOLD,
    PRECONDITION_FAILED,
    QUEUE_FULL,
)
from gateway.requests import ReplayRequest

TAG = "Dead letters"
_FILTERS = (
    Parameter("queue", "query", "Only those of this queue.", text(), "triage"),
    Parameter("task_name", "query", "Only those of this type.", text(), "triage.process_async"),
    Parameter("error_type", "query", "Only those that failed of this.", text(), "ProviderFailed"),
    Parameter("fingerprint", "query", "Only those of this group.", text(), examples.FINGERPRINT),
    Parameter("created_after", "query", "Only those made then or later.", TIME, "2026-11-23T12:00:00Z"),
    Parameter("created_before", "query", "Only those made before.", TIME, "2026-11-24T12:00:00Z"),
)
_EACH = {
    name: Link(name, {"task_id": "$response.body#/dead_letters/0/task_id"})
    for name in ("getTask", "replayDeadLetter", "discardDeadLetter")
}

REPLAY_ID = Parameter(
    "replay_id", "path", "The id of a gradual replay.", text(minLength=1), examples.GRADUAL_REPLAY["replay_id"]
)
_OF_REPLAY = {
    name: Link(name, {"replay_id": "$response.body#/replay_id"}) for name in ("getGradualReplay", "stopGradualReplay")
}

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/dead-letters",
        operation_id="listDeadLetters",
        tag=TAG,
        summary="List dead letters of all tenants, newest first",
        scope="ops:read",
        parameters=(*_FILTERS, limit(50, 200), CURSOR),
        answers=(
            Answer(
                200,
                "A page.",
                letters.DeadLetterPage,
                links={**_EACH, "nextPage": Link("listDeadLetters", {"cursor": "$response.body#/next_cursor"})},
                example={"dead_letters": [examples.DEAD_LETTER], "next_cursor": None},
            ),
        ),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="GET",
        path="/api/dead-letters/groups",
        operation_id="groupDeadLetters",
        tag=TAG,
        summary="Group dead letters by what went wrong",
        description="A fingerprint stands for the task type, the type of the error and the place in the code.",
        scope="ops:read",
        parameters=_FILTERS,
        answers=(
            Answer(
                200,
                "The groups, the largest first.",
                letters.DeadLetterGroups,
                example={"groups": [examples.DEAD_LETTER_GROUP], "is_all": True},
            ),
        ),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="POST",
        path="/api/dead-letters/replay",
        operation_id="replayDeadLetters",
        tag=TAG,
        summary="Replay all dead letters that fit",
        description="""Each runs again under its own id, with a fresh set of attempts.

With `gradual` one is replayed, then a tenth, then all: each step waits until what it replayed has ended. It stops
when a fault of the group comes back, when tasks of a step failed of something else and none succeeded, and when a
step takes too long. The same group isn't replayed twice at a time.""",
        scope="ops:write",
        parameters=(IDEMPOTENCY_KEY,),
        body=Body(
            ReplayRequest,
            (
                Example("One group", {"fingerprint": examples.FINGERPRINT}),
                Example("Gradually", {"fingerprint": examples.FINGERPRINT, "gradual": True}),
            ),
        ),
        answers=(
            Answer(
                200,
                "They are queued.",
                letters.Replayed,
                headers=("Idempotent-Replayed",),
                example={"replayed": 17},
            ),
            Answer(
                202,
                "A gradual replay has begun.",
                letters.GradualReplay,
                headers=("Location", "Retry-After", "Idempotent-Replayed"),
                links=_OF_REPLAY,
                example=examples.GRADUAL_REPLAY,
            ),
        ),
        problems=(INVALID_INPUT, CONFLICT, IDEMPOTENCY_MISMATCH, QUEUE_FULL),
    ),
    Operation(
        method="GET",
        path="/api/dead-letters/replays",
        operation_id="listGradualReplays",
        tag=TAG,
        summary="The gradual replays of the last days",
        scope="ops:read",
        answers=(
            Answer(200, "The newest first.", letters.GradualReplays, example={"replays": [examples.GRADUAL_REPLAY]}),
        ),
    ),
    Operation(
        method="GET",
        path="/api/dead-letters/replays/{replay_id}",
        operation_id="getGradualReplay",
        tag=TAG,
        summary="How a gradual replay stands",
        description="It is kept for a week after its last step.",
        scope="ops:read",
        parameters=(REPLAY_ID,),
        answers=(
            Answer(200, "As it stands.", letters.GradualReplay, links=_OF_REPLAY, example=examples.GRADUAL_REPLAY),
        ),
    ),
    Operation(
        method="POST",
        path="/api/dead-letters/replays/{replay_id}/stop",
        operation_id="stopGradualReplay",
        tag=TAG,
        summary="Stop a gradual replay",
        description="Nothing more of it is replayed. What was replayed before goes on.",
        scope="ops:write",
        parameters=(REPLAY_ID,),
        answers=(
            Answer(
                200,
                "It is stopped.",
                letters.GradualReplay,
                example={**examples.GRADUAL_REPLAY, "state": "stopped", "reason": "cancelled"},
            ),
        ),
        problems=(NOT_FOUND, CONFLICT),
    ),
    Operation(
        method="POST",
        path="/api/dead-letters/{task_id}/replay",
        operation_id="replayDeadLetter",
        tag=TAG,
        summary="Replay a dead letter",
        scope="ops:write",
        parameters=(TASK_ID, IF_MATCH, IDEMPOTENCY_KEY),
        answers=(queued("It is queued.", "Idempotent-Replayed"),),
        problems=(NOT_FOUND, CONFLICT, PRECONDITION_FAILED, IDEMPOTENCY_MISMATCH),
    ),
    Operation(
        method="DELETE",
        path="/api/dead-letters/{task_id}",
        operation_id="discardDeadLetter",
        tag=TAG,
        summary="Discard a dead letter",
        description="The task is forgotten, with everything that it left.",
        scope="ops:write",
        parameters=(TASK_ID, IF_MATCH),
        answers=(Answer(204, "It is gone."),),
        problems=(NOT_FOUND, CONFLICT, PRECONDITION_FAILED, ON_HOLD),
    ),
)
