"""Tasks: queue, read, list, cancel, retry."""

from __future__ import annotations

from gateway.answers import Result, figures, streams
from gateway.answers import tasks as answers
from gateway.openapi import examples
from gateway.openapi.parts import (
    CURSOR,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    OF_MOVE,
    OF_STEERING,
    OF_SUBMIT,
    PREFER,
    TASK_ID,
    TIME,
    VALIDATE_ONLY,
    Answer,
    Body,
    Example,
    Link,
    Operation,
    Parameter,
    limit,
    scope_of,
    task_links,
    text,
    whole,
)
from gateway.openapi.usual import queued
from gateway.problem_kinds import CONFLICT, GONE, INVALID_INPUT, NOT_FOUND, RANGE_NOT_SATISFIABLE
from gateway.requests import TasksRequest
from tasks.lifecycle import Priority, State

TAG = "Tasks"
_SUBMIT = Body("TaskRequest", examples.SUBMITS)
_QUEUED = """The answer comes as soon as the task is stored; the work runs behind. Arguments are checked against the
task type's schema before anything is queued; they may be given by position (`args`), by name (`kwargs`), or in part
by each. `countdown` and `eta` exclude each other, and the furthest is 30 days.

With `Prefer: wait=N` the answer is the finished record, or the `202` when the time is over."""
_SUBMIT_ANSWERS = (
    queued("It is queued.", "Preference-Applied"),
    Answer(
        200,
        "The finished record (`Prefer: wait`); or the first answer to the same Idempotency-Key; or, with "
        "`validate_only`, what would be queued.",
        {"anyOf": [answers.Record, answers.Accepted, answers.Validated]},
        headers=("Location", "ETag", "Idempotent-Replayed", "Preference-Applied"),
        example=examples.FINISHED,
    ),
)

OPERATIONS = (
    Operation(
        method="POST",
        path="/api/tasks/queue",
        operation_id="queueTask",
        tag=TAG,
        summary="Queue a task",
        description=_QUEUED,
        scope="tasks:write",
        parameters=(VALIDATE_ONLY, PREFER, IDEMPOTENCY_KEY),
        body=_SUBMIT,
        answers=_SUBMIT_ANSWERS,
        problems=OF_SUBMIT,
    ),
    Operation(
        method="POST",
        path="/api/tasks",
        operation_id="createTask",
        tag=TAG,
        summary="Queue a task (the same under the plain path)",
        description=_QUEUED,
        scope="tasks:write",
        parameters=(VALIDATE_ONLY, PREFER, IDEMPOTENCY_KEY),
        body=_SUBMIT,
        answers=_SUBMIT_ANSWERS,
        problems=OF_SUBMIT,
    ),
    Operation(
        method="POST",
        path="/api/tasks/bulk",
        operation_id="queueTasks",
        tag=TAG,
        summary="Queue up to 1,000 tasks, all or none",
        description="All are checked first. Where one is wrong nothing is queued, and `errors[].field` says which, "
        "such as `tasks[17].priority`.",
        scope="tasks:write",
        parameters=(VALIDATE_ONLY, IDEMPOTENCY_KEY),
        body=Body("BulkRequest", (examples.BULK,)),
        answers=(
            Answer(
                202,
                "All are queued; the ids stand in the order of the request.",
                answers.BulkAccepted,
                headers=("Retry-After",),
                links=task_links("$response.body#/task_ids/0"),
                example={"task_ids": [examples.TASK, examples.DOCUMENT]},
            ),
            Answer(
                200,
                "The first answer to the same Idempotency-Key; or, with `validate_only`, what would be queued.",
                {"anyOf": [answers.BulkAccepted, answers.BulkValidated]},
                headers=("Idempotent-Replayed",),
                example={"validate_only": True, "tasks": [examples.WOULD_BE]},
            ),
        ),
        problems=OF_SUBMIT,
    ),
    Operation(
        method="GET",
        path="/api/tasks",
        operation_id="listTasks",
        tag=TAG,
        summary="List tasks, newest first",
        scope="tasks:read",
        parameters=(
            Parameter(
                "status",
                "query",
                "Only those in this state; may be repeated.",
                {"type": "array", "items": {"type": "string", "enum": [str(state) for state in State]}},
            ),
            Parameter("task_name", "query", "Only those of this type.", text(), "triage.process_async"),
            Parameter("queue", "query", "Only those of this queue.", text(), "triage"),
            Parameter(
                "priority",
                "query",
                "Only those of this priority.",
                {"type": "string", "enum": list(map(str, Priority))},
            ),
            Parameter("case_id", "query", "Only those of this case.", text(), "case-17"),
            Parameter("parent_id", "query", "Only the cases of this batch.", text()),
            Parameter("created_after", "query", "Only those made then or later.", TIME, "2026-11-23T12:00:00Z"),
            Parameter("created_before", "query", "Only those made before.", TIME, "2026-11-24T12:00:00Z"),
            limit(50, 200),
            CURSOR,
        ),
        answers=(
            Answer(
                200,
                "A page.",
                answers.TaskPage,
                links={
                    **task_links("$response.body#/tasks/0/task_id"),
                    "nextPage": Link("listTasks", {"cursor": "$response.body#/next_cursor"}),
                },
                example={"tasks": [examples.RECORD], "next_cursor": None},
            ),
        ),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="GET",
        path="/api/tasks/stats",
        operation_id="getStats",
        tag=TAG,
        summary="Figures of the last hour, and how things stand",
        description="Statuses and durations are those of the token's tenant, with `scope=all` those of every tenant; "
        "how a queue stands is told over all.",
        scope="tasks:read",
        parameters=(scope_of("the figures"),),
        answers=(Answer(200, "The figures.", figures.Stats, example=examples.STATS),),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="GET",
        path="/api/tasks/{task_id}",
        operation_id="getTask",
        tag=TAG,
        summary="Read a task",
        description="Every change of the record gives it another ETag. `position` and `expected_start_at` are told "
        "here alone.",
        scope="tasks:read",
        parameters=(TASK_ID, IF_NONE_MATCH),
        answers=(
            Answer(
                200,
                "The record.",
                answers.StandingRecord,
                headers=("ETag",),
                links=task_links(),
                example=examples.STANDING,
            ),
            Answer(304, "The client has it already (`If-None-Match`).", headers=("ETag",)),
        ),
    ),
    Operation(
        method="DELETE",
        path="/api/tasks/{task_id}",
        operation_id="cancelTask",
        tag=TAG,
        summary="Cancel a task",
        description="One that waits is gone from its queue at once. One that runs is interrupted and ends "
        "`cancelled` a moment later. Cancelling a batch cancels its cases.",
        scope="tasks:write",
        parameters=(TASK_ID, IF_MATCH, IDEMPOTENCY_KEY),
        answers=(
            Answer(
                200,
                "It is cancelled.",
                answers.Record,
                headers=("ETag", "Idempotent-Replayed"),
                links=task_links(),
                example=examples.CANCELLED,
            ),
            Answer(
                202,
                "It runs, and its worker was told to stop.",
                answers.Record,
                headers=("ETag", "Retry-After", "Idempotent-Replayed"),
                links=task_links(),
                example={**examples.RECORD, "cancel_requested": True},
            ),
        ),
        problems=OF_MOVE,
    ),
    Operation(
        method="POST",
        path="/api/tasks/cancel",
        operation_id="cancelTasks",
        tag=TAG,
        summary="Cancel all tasks that a filter means",
        description="Those of the tenant that were there when it was asked and haven't ended. A request that was cut "
        "short can be made again: it goes on with the rest.",
        scope="tasks:write",
        body=Body(TasksRequest, (Example("What waits in a queue", {"queue": "triage", "status": ["queued"]}),)),
        answers=(Answer(200, "They end.", answers.Cancelled, example={"cancelled": 31}),),
    ),
    Operation(
        method="POST",
        path="/api/tasks/retry",
        operation_id="retryTasks",
        tag=TAG,
        summary="Run all tasks again that a filter means",
        description="Those of the tenant that failed or were cancelled. One that ran again meanwhile is passed over.",
        scope="tasks:write",
        body=Body(TasksRequest, (Example("What failed of a case", {"case_id": "case-17", "status": ["failed"]}),)),
        answers=(Answer(200, "They are queued.", answers.Retried, example={"retried": 31}),),
    ),
    Operation(
        method="POST",
        path="/api/tasks/retry/{task_id}",
        operation_id="retryTask",
        tag=TAG,
        summary="Run a task again",
        description="One that failed or was cancelled runs again under the same id, with a fresh set of attempts.",
        scope="tasks:write",
        parameters=(TASK_ID, IF_MATCH, IDEMPOTENCY_KEY),
        answers=(queued("It is queued.", "Idempotent-Replayed"),),
        problems=OF_MOVE,
    ),
    Operation(
        method="POST",
        path="/api/tasks/{task_id}/pause",
        operation_id="pauseBatch",
        tag=TAG,
        summary="Pause a batch",
        description="The cases that run end; no other begins until the batch is resumed. One that is paused stays as "
        "it is. `paused` says who paused it, and when. It can be cancelled as well.",
        scope="tasks:write",
        parameters=(TASK_ID, IF_MATCH),
        answers=(
            Answer(
                200,
                "It is paused.",
                answers.Record,
                headers=("ETag",),
                links={**task_links(), "resumeBatch": Link("resumeBatch", {"task_id": "$response.body#/task_id"})},
                example=examples.PAUSED_BATCH,
            ),
        ),
        problems=OF_STEERING,
    ),
    Operation(
        method="POST",
        path="/api/tasks/{task_id}/resume",
        operation_id="resumeBatch",
        tag=TAG,
        summary="Resume a batch",
        scope="tasks:write",
        parameters=(TASK_ID, IF_MATCH),
        answers=(
            Answer(
                200,
                "It goes on.",
                answers.Record,
                headers=("ETag",),
                links=task_links(),
                example={
                    **examples.PAUSED_BATCH,
                    "progress_message": "2500 de 10000 casos",
                    "paused": None,
                },
            ),
        ),
        problems=OF_STEERING,
    ),
    Operation(
        method="GET",
        path="/api/tasks/{task_id}/result",
        operation_id="getTaskResult",
        tag=TAG,
        summary="Read the bare result",
        scope="tasks:read",
        shows_payload=True,
        parameters=(TASK_ID,),
        answers=(
            Answer(
                200,
                "The result, as its task type has it.",
                {"anyOf": [Result]},
                example=examples.TRIAGE_RESULT,
            ),
        ),
        problems=(CONFLICT, GONE),
    ),
    Operation(
        method="GET",
        path="/api/tasks/{task_id}/payload",
        operation_id="getTaskPayload",
        tag=TAG,
        summary="Read what a task was given",
        description="The arguments by their names, as they were checked. A case of a batch that was erased since is "
        "told by its id alone. Each reading is noted in the audit trail.",
        scope="tasks:read",
        shows_payload=True,
        parameters=(TASK_ID,),
        answers=(Answer(200, "The arguments.", answers.TaskPayload, example=examples.PAYLOAD),),
        problems=(GONE,),
    ),
    Operation(
        method="GET",
        path="/api/tasks/{task_id}/embeddings",
        operation_id="getTaskEmbeddings",
        tag=TAG,
        summary="Read the vectors of a large result",
        description="Where `embeddings_url` of the result leads to. Parts of it can be asked for with `Range`.",
        scope="tasks:read",
        shows_payload=True,
        parameters=(TASK_ID,),
        answers=(
            Answer(
                200,
                "The vectors.",
                answers.EmbeddingsFile,
                headers=("ETag",),
                example={"embeddings": [[0.6, 0.8]], "chunks": None},
            ),
            Answer(206, "The part that was asked for.", {"type": "string"}, headers=("ETag",)),
        ),
        problems=(RANGE_NOT_SATISFIABLE,),
    ),
    Operation(
        method="GET",
        path="/api/tasks/{task_id}/log",
        operation_id="getTaskLog",
        tag=TAG,
        summary="What a task went through",
        description="With the lines that its actor logged, of all its runs, for a token with `tasks:payload`: they "
        "come within a second, and the oldest leave where there are too many.",
        scope="tasks:read",
        parameters=(TASK_ID,),
        answers=(Answer(200, "The events, oldest first.", answers.TaskLog, example=examples.LOG),),
    ),
    Operation(
        method="GET",
        path="/api/tasks/{task_id}/explain",
        operation_id="explainTask",
        tag=TAG,
        summary="Why a task isn't running",
        scope="tasks:read",
        parameters=(TASK_ID,),
        answers=(
            Answer(200, "The reasons, the weightiest first.", answers.Explanation, example=examples.EXPLANATION),
        ),
    ),
    Operation(
        method="GET",
        path="/api/tasks/{task_id}/results",
        operation_id="getBatchResults",
        tag=TAG,
        summary="The results of a batch, a line per case as it ends",
        description="""NDJSON: each line is one JSON object, as the schema says. It can be read while the batch runs;
it is open until the batch has ended and every case is told. `n` counts the lines, and their order never changes, so
`after=<n>` goes on behind the last line that one has. A stream that can't be finished is cut: the client sees an
incomplete body.""",
        scope="tasks:read",
        shows_payload=True,
        parameters=(
            TASK_ID,
            Parameter("after", "query", "So many lines the client has already.", whole(0, 10_000, 0)),
            Parameter(
                "follow",
                "query",
                "`false`: only what there is just now.",
                {"type": "boolean", "default": True},
            ),
        ),
        answers=(
            Answer(
                200,
                "Lines; the schema is that of one.",
                streams.BatchLine,
                media_type="application/x-ndjson",
                example=examples.BATCH_LINE,
            ),
        ),
        problems=(INVALID_INPUT, NOT_FOUND),
    ),
    Operation(
        method="GET",
        path="/api/task-types",
        operation_id="listTaskTypes",
        tag=TAG,
        summary="The types of tasks",
        scope="tasks:read",
        answers=(
            Answer(
                200,
                "Name, queue, schemas of arguments and result, retries and timeout of each.",
                answers.TaskTypes,
                example={
                    "task_types": [
                        {
                            "task_name": "reports.generate",
                            "queue": "reports",
                            "description": "Writes a report over a day or a week.",
                            "kwargs": {"type": "object"},
                            "result": {"type": "object"},
                            "retries": {"max_retries": 3, "min_backoff_s": 60, "max_backoff_s": 3600},
                            "timeout_s": 600,
                            "rate_limit": "600/minute",
                            "concurrency": 8,
                            "concurrency_per_case": None,
                        }
                    ]
                },
            ),
        ),
    ),
)
