"""What those need who run the service, sessions of browsers, and what explains the API itself."""

from __future__ import annotations

from gateway.answers import operations, reports
from gateway.answers import service as answers
from gateway.openapi import examples
from gateway.openapi.parts import (
    CURSOR,
    IF_NONE_MATCH,
    QUEUE,
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
    FORBIDDEN,
    INVALID_INPUT,
    KINDS,
    NOT_FOUND,
    QUEUE_FULL,
    QUOTA_EXCEEDED,
    RATE_LIMITED,
    UNAUTHORIZED,
    UNAVAILABLE,
)
from gateway.requests import LoginRequest, ReportRequest, WebhooksRequest

TAG = "Operations"
SESSIONS = "Sessions"
ABOUT = "About the API"
_KIND = next(iter(KINDS.values()))
_KIND_EXAMPLE = {
    "type": _KIND.uri,
    "title": _KIND.title,
    "status": _KIND.status,
    "meaning": _KIND.meaning,
    "remedy": _KIND.remedy,
}
SCHEDULE = Parameter("name", "path", "The name of a schedule.", text(minLength=1), "daily-report")
_HTML = {"type": "string", "contentMediaType": "text/html"}

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/queues",
        operation_id="listQueues",
        tag=TAG,
        summary="How the queues stand, over all tenants",
        scope="ops:read",
        answers=(Answer(200, "By name.", operations.Queues, example={"queues": {"triage": examples.QUEUE}}),),
    ),
    Operation(
        method="POST",
        path="/api/queues/{queue}/pause",
        operation_id="pauseQueue",
        tag=TAG,
        summary="Pause a queue",
        description="What runs goes on; nothing new of this queue begins until it is resumed.",
        scope="ops:write",
        parameters=(QUEUE,),
        answers=(
            Answer(
                200,
                "It is paused.",
                operations.QueueState,
                links={"resumeQueue": Link("resumeQueue", {"queue": "$response.body#/queue"})},
                example={"queue": "triage", "paused": True},
            ),
        ),
    ),
    Operation(
        method="POST",
        path="/api/queues/{queue}/resume",
        operation_id="resumeQueue",
        tag=TAG,
        summary="Resume a queue",
        scope="ops:write",
        parameters=(QUEUE,),
        answers=(Answer(200, "It goes on.", operations.QueueState, example={"queue": "triage", "paused": False}),),
    ),
    Operation(
        method="GET",
        path="/api/workers",
        operation_id="listWorkers",
        tag=TAG,
        summary="The workers that live",
        scope="ops:read",
        answers=(Answer(200, "The workers.", operations.Workers, example={"workers": [examples.WORKER]}),),
    ),
    Operation(
        method="GET",
        path="/api/schedules",
        operation_id="listSchedules",
        tag=TAG,
        summary="What the service does by itself, and when",
        scope="ops:read",
        answers=(
            Answer(
                200,
                "The schedules.",
                operations.Schedules,
                links={
                    f"{verb}Schedule": Link(f"{verb}Schedule", {"name": "$response.body#/schedules/0/name"})
                    for verb in ("run", "pause", "resume")
                },
                example={"schedules": [examples.SCHEDULE]},
            ),
        ),
    ),
    Operation(
        method="POST",
        path="/api/schedules/{name}/run",
        operation_id="runSchedule",
        tag=TAG,
        summary="Run a schedule now",
        description="Beside its slots, also where it is paused or off. The task is one of the token's tenant.",
        scope="ops:write",
        parameters=(SCHEDULE,),
        answers=(queued(),),
        problems=(QUEUE_FULL, QUOTA_EXCEEDED),
    ),
    Operation(
        method="POST",
        path="/api/schedules/{name}/pause",
        operation_id="pauseSchedule",
        tag=TAG,
        summary="Pause a schedule",
        description="Its slots pass until it is resumed, and are not made up for.",
        scope="ops:write",
        parameters=(SCHEDULE,),
        answers=(
            Answer(
                200,
                "It is paused.",
                operations.ScheduleState,
                links={"resumeSchedule": Link("resumeSchedule", {"name": "$response.body#/name"})},
                example={**examples.SCHEDULE, "paused": True, "next_at": None},
            ),
        ),
    ),
    Operation(
        method="POST",
        path="/api/schedules/{name}/resume",
        operation_id="resumeSchedule",
        tag=TAG,
        summary="Resume a schedule",
        scope="ops:write",
        parameters=(SCHEDULE,),
        answers=(Answer(200, "It comes again.", operations.ScheduleState, example=examples.SCHEDULE),),
    ),
    Operation(
        method="GET",
        path="/api/circuit-breakers",
        operation_id="listCircuitBreakers",
        tag=TAG,
        summary="The circuit breakers",
        description="Those of the providers that are set, and of whatever failed in the last seven days: `llm`, "
        "`embeddings`, and `webhooks:<tenant>:<host>:<port>` for each receiver of webhooks.",
        scope="ops:read",
        answers=(Answer(200, "The breakers.", operations.CircuitBreakers, example={"breakers": [examples.BREAKER]}),),
    ),
    Operation(
        method="GET",
        path="/api/alerts",
        operation_id="listAlerts",
        tag=TAG,
        summary="The alerts, those that fire first",
        description="Cheap enough to be asked for every few seconds, with `If-None-Match`. One that was resolved "
        "is shown for a day.",
        scope="ops:read",
        parameters=(
            Parameter(
                "state",
                "query",
                "Only those in this state.",
                {"type": "string", "enum": ["pending", "firing", "resolved"]},
                "firing",
            ),
            IF_NONE_MATCH,
        ),
        answers=(
            Answer(200, "The alerts.", operations.Alerts, headers=("ETag",), example=examples.ALERTS),
            Answer(304, "The client has them already (`If-None-Match`).", headers=("ETag",)),
        ),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="GET",
        path="/api/reports",
        operation_id="listReports",
        tag=TAG,
        summary="List reports, newest first",
        scope="ops:read",
        parameters=(limit(100, 1_000),),
        answers=(
            Answer(
                200,
                "The reports.",
                reports.Reports,
                links={"getReport": Link("getReport", {"report_id": "$response.body#/reports/0/report_id"})},
                example=examples.REPORTS,
            ),
        ),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="POST",
        path="/api/reports",
        operation_id="createReport",
        tag=TAG,
        summary="Have a report written",
        scope="ops:write",
        body=Body(ReportRequest, (Example("The last seven days", {"kind": "weekly"}),)),
        answers=(queued("It is queued; the task's result names the report."),),
        problems=(QUEUE_FULL, QUOTA_EXCEEDED),
    ),
    Operation(
        method="GET",
        path="/api/reports/{report_id}",
        operation_id="getReport",
        tag=TAG,
        summary="Read a report",
        description="With `.html` behind the id it is a page without scripts, with `.csv` a table; with `.json`, or "
        "without, it is data. Without one of them `format` chooses, or else what `Accept` wishes for most. The page "
        "is in Portuguese or English: by `lang`, by `Accept-Language`, or as the service is set.",
        scope="ops:read",
        parameters=(
            Parameter("report_id", "path", "The id of a report.", text(minLength=1), examples.TASK),
            Parameter("format", "query", "The form.", text(enum=["json", "csv", "html"]), "json"),
            Parameter("lang", "query", "The language of the page.", text(enum=["pt", "en"]), "en"),
        ),
        answers=(
            Answer(200, "The report.", reports.Report, example=examples.REPORT),
            Answer(200, "The report.", {"type": "string"}, media_type="text/csv"),
            Answer(200, "The report.", _HTML, media_type="text/html"),
        ),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="GET",
        path="/api/audit",
        operation_id="listAuditEntries",
        tag=TAG,
        summary="Who did what, newest first",
        description="The trail of the token's tenant, or of another one. What belongs to no tenant stands in that of "
        "`system`.",
        scope="ops:read",
        parameters=(
            Parameter(
                "tenant", "query", "Whose trail.", {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"}, "acme"
            ),
            Parameter("action", "query", "Only this action.", text(), "task.submit"),
            Parameter("actor", "query", "Only what this key or subject did.", text()),
            Parameter("after", "query", "Only what was done then or later.", TIME, "2026-11-23T12:00:00Z"),
            Parameter("before", "query", "Only what was done before.", TIME, "2026-11-24T12:00:00Z"),
            limit(50, 200),
            CURSOR,
        ),
        answers=(
            Answer(
                200,
                "A page.",
                operations.AuditPage,
                links={"nextPage": Link("listAuditEntries", {"cursor": "$response.body#/next_cursor"})},
                example=examples.AUDIT,
            ),
        ),
        problems=(INVALID_INPUT,),
    ),
    Operation(
        method="GET",
        path="/api/webhooks",
        operation_id="getWebhooks",
        tag=TAG,
        summary="Where the tenant's webhooks go",
        scope="tasks:read",
        answers=(Answer(200, "The settings.", operations.WebhookSettings, example=examples.WEBHOOKS),),
    ),
    Operation(
        method="PUT",
        path="/api/webhooks",
        operation_id="putWebhooks",
        tag=TAG,
        summary="Set where the tenant's webhooks go",
        description="For tasks that name no `callback_url` themselves; `null`: nowhere. The tenant needs a secret "
        "that signs them first (`despacho webhooks secret`).",
        scope="ops:write",
        body=Body(WebhooksRequest, (Example("An address", {"default_url": "https://app.example/hooks"}),)),
        answers=(Answer(200, "The settings.", operations.WebhookSettings, example=examples.WEBHOOKS),),
    ),
    Operation(
        method="GET",
        path="/api/session",
        operation_id="getSession",
        tag=SESSIONS,
        summary="Who the caller is",
        description="The tenant and the scopes of the token or the session. No scope is needed.",
        scope="",
        answers=(
            Answer(
                200,
                "Whom the service takes the caller for.",
                answers.Session,
                example={"tenant": "acme", "scopes": ["tasks:read", "tasks:write"]},
            ),
        ),
        problems=(UNAUTHORIZED, RATE_LIMITED, UNAVAILABLE),
    ),
    Operation(
        method="POST",
        path="/api/session",
        operation_id="logIn",
        tag=SESSIONS,
        summary="Log a browser in",
        description="Sets an `HttpOnly`, `SameSite=Strict` cookie. It is taken from the service's own pages only, as "
        "is every unsafe request with that cookie.",
        scope=None,
        body=Body(LoginRequest, (Example("A key", {"api_key": "dsp_0123456789ab_..."}),)),
        answers=(
            Answer(
                200,
                "Logged in.",
                answers.Session,
                headers=("Set-Cookie",),
                example={"tenant": "acme", "scopes": ["tasks:read", "tasks:write"]},
            ),
        ),
        problems=(UNAUTHORIZED, FORBIDDEN, RATE_LIMITED, UNAVAILABLE),
    ),
    Operation(
        method="POST",
        path="/api/session/end",
        operation_id="logOut",
        tag=SESSIONS,
        summary="Log a browser out",
        scope=None,
        answers=(Answer(204, "Logged out.", headers=("Set-Cookie",)),),
        problems=(FORBIDDEN, UNAVAILABLE),
    ),
    Operation(
        method="GET",
        path="/metrics",
        operation_id="getMetrics",
        tag=TAG,
        summary="Metrics for Prometheus",
        description="Over all tenants and processes, and none is named; responses and streams are those of the "
        "process that answers.",
        scope="ops:read",
        answers=(Answer(200, "The text format of Prometheus.", {"type": "string"}, media_type="text/plain"),),
    ),
    Operation(
        method="GET",
        path="/healthz",
        operation_id="getHealth",
        tag=TAG,
        summary="The process lives",
        scope=None,
        answers=(Answer(200, "It does.", answers.Health, example={"status": "ok"}),),
    ),
    Operation(
        method="GET",
        path="/readyz",
        operation_id="getReadiness",
        tag=TAG,
        summary="The service can work",
        description="Redis answers and a worker was seen that takes tasks: it fetches, and has a thread that works.",
        scope=None,
        answers=(
            Answer(200, "It can.", answers.Readiness, example={"status": "ok", "reasons": []}),
            Answer(
                503,
                "It can't, for these reasons.",
                answers.Readiness,
                headers=("Retry-After",),
                example={"status": "unavailable", "reasons": ["Redis does not answer"]},
            ),
        ),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        operation_id="getOpenApi",
        tag=ABOUT,
        summary="This document",
        scope=None,
        parameters=(IF_NONE_MATCH,),
        answers=(
            Answer(200, "OpenAPI 3.1.", {"type": "object"}, headers=("ETag",)),
            Answer(304, "The client has it already (`If-None-Match`).", headers=("ETag",)),
        ),
    ),
    Operation(
        method="GET",
        path="/problems",
        operation_id="listProblems",
        tag=ABOUT,
        summary="All kinds of problems",
        scope=None,
        answers=(
            Answer(200, "The kinds.", answers.ProblemKinds, example={"problems": [_KIND_EXAMPLE]}),
            Answer(200, "The kinds.", _HTML, media_type="text/html"),
        ),
    ),
    Operation(
        method="GET",
        path="/problems/{name}",
        operation_id="getProblem",
        tag=ABOUT,
        summary="What a kind of problem means",
        description="Where the `type` of a problem leads to: a page, or JSON where that is preferred.",
        scope=None,
        parameters=(Parameter("name", "path", "The last part of the type.", text(minLength=1), _KIND.name),),
        answers=(
            Answer(200, "The kind.", answers.ProblemKind, example=_KIND_EXAMPLE),
            Answer(200, "The kind.", _HTML, media_type="text/html"),
        ),
        problems=(NOT_FOUND,),
    ),
)
