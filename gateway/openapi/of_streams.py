"""Live events, and the tickets that open them in a browser."""

from __future__ import annotations

from dataclasses import replace

from gateway.answers import streams as answers
from gateway.openapi import examples
from gateway.openapi.parts import (
    CASE_ID,
    LAST_EVENT_ID,
    LAST_EVENT_ID_IN_QUERY,
    TASK_ID,
    Answer,
    Body,
    Example,
    Operation,
    scope_of,
)
from gateway.problem_kinds import INVALID_INPUT
from gateway.requests import TicketRequest

TAG = "Live events"
_HOW = """Server-sent events (`text/event-stream`), as `EventSource` reads them. Each has an `id`, a name (`event`)
and one JSON object as `data`; its schema is shown. What already happened comes first, then what happens, without gap
or duplicate. After a cut, `Last-Event-ID` gives just what was missed; where that is no longer kept,
`event: reset` says so, and what is known follows. A comment every 15 seconds keeps the connection
alive."""
_STREAM = Answer(
    200,
    "Events; the schema is that of one event's `data`.",
    {"anyOf": [answers.EventData, answers.StreamReset]},
    media_type="text/event-stream",
    example=examples.EVENT,
)
_RESUME = (LAST_EVENT_ID, LAST_EVENT_ID_IN_QUERY)
_CASE_STREAM = Operation(
    method="GET",
    path="/api/v2/triage/stream/{case_id}",
    operation_id="watchCase",
    tag=TAG,
    summary="Watch all tasks of a case",
    description=f"""{_HOW}

Names begin with the kind of the task (`triage`, `documents`, `embeddings`, `batch`): `triage_queued`,
`triage_processing` (running and progress), `triage_retrying`, `triage_completed`, `triage_failed`,
`triage_cancelled`. The stream doesn't end by itself.""",
    scope="tasks:read",
    takes_ticket=True,
    parameters=(CASE_ID, *_RESUME),
    answers=(_STREAM,),
    problems=(INVALID_INPUT,),
)

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/tasks/{task_id}/events",
        operation_id="watchTask",
        tag=TAG,
        summary="Watch a task",
        description=f"""{_HOW}

Names are `queued`, `scheduled`, `running`, `progress`, `retrying`, `recovered`, `succeeded`, `failed` and
`cancelled`. After the final event comes `event: end`, and the stream ends; who comes back after that gets a `204`,
which stops `EventSource`.""",
        scope="tasks:read",
        takes_ticket=True,
        parameters=(TASK_ID, *_RESUME),
        answers=(_STREAM, Answer(204, "The client has been told the end.")),
        problems=(INVALID_INPUT,),
    ),
    _CASE_STREAM,
    replace(
        _CASE_STREAM,
        path="/api/api/v2/triage/stream/{case_id}",
        operation_id="watchCaseAtOldPath",
        summary="Watch all tasks of a case (path of older web clients)",
        deprecated=True,
    ),
    Operation(
        method="GET",
        path="/api/events",
        operation_id="watchTenant",
        tag=TAG,
        summary="Watch all tasks of a tenant",
        description=f"""{_HOW}

Names are those of a task's stream. The stream doesn't end by itself.""",
        scope="tasks:read",
        takes_ticket=True,
        parameters=(
            scope_of("the tasks"),
            *_RESUME,
        ),
        answers=(_STREAM,),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="POST",
        path="/api/stream-tickets",
        operation_id="createStreamTicket",
        tag=TAG,
        summary="Make a ticket for a stream",
        description="For `EventSource`, which can't send a header: the ticket goes into the query (`?ticket=`). It "
        "is good for that one path and the rights of the token that made it: 60 seconds for the first connect, then "
        "an hour for reconnects of the same stream. An API key is never taken from a URL.",
        scope="tasks:read",
        body=Body(TicketRequest, (Example("For one task", {"path": f"/api/tasks/{examples.TASK}/events"}),)),
        answers=(
            Answer(
                201,
                "The ticket.",
                answers.Ticket,
                example={"ticket": "Zm9vYmFy", "expires_at": "2026-11-23T12:01:00.123Z"},
            ),
        ),
    ),
)
