"""Webhooks: tells a client's server that a task has ended, signed as Standard Webhooks 1.0.0 say.

What is told is thin: ids, the type of task and how it ended; the receiver asks the API for more. The queue, retries
and dead letters are those of any task; the delivery's own id is the `webhook-id`, the same at every attempt.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from actors.toolbox import Toolbox
from middleware.run import Run
from tasks import tracing
from tasks.callbacks import Callback, check_callback
from tasks.clock import now_ms, rfc3339
from tasks.errors import BreakerOpen, InvalidInput, WebhookFailed, WebhookRefused
from tasks.payloads import WebhookPayload, WebhookResult
from tasks.record import Task, compact_json
from tasks.webhooks import signed_headers

if TYPE_CHECKING:
    from actors.engines.http.courier import Answer

GONE = 410
HOST_IS_DOWN = frozenset({502, 503, 504})
"""Told by whatever stands before a receiver that isn't there; every other answer is the receiver's own."""
WAITS_AT_MOST_MS = 25 * 3_600_000
"""As long as all attempts of a delivery take."""


def deliver(run: Run, payload: WebhookPayload, tools: Toolbox) -> WebhookResult:
    """Send one webhook once. Raises `WebhookFailed` where it is worth another attempt, else `WebhookRefused`."""
    told = [task for task in tools.ledger.tasks([payload.task_id]) if task.tenant == payload.tenant]
    if not told:
        return WebhookResult(outcome="forgotten")
    callback = _callback(payload, tools)
    body = compact_json(message(told[0], payload)).encode()
    # In the trace of the task that it tells of, beside its runs; the delivery's own run is linked.
    of_task = {"traceparent": told[0].options.origin.traceparent}
    with tracing.span("POST webhook", "client", parent=of_task, links=True, http__request__method="POST") as span:
        answer = _send(run, payload, callback, body, tools)
        span.set(http__response__status_code=answer.status, despacho__attempt=run.started.retries + 1)
    if not 200 <= answer.status < 300:
        raise _failure(answer, payload, tools)
    return WebhookResult(outcome="delivered", http_status=answer.status)


def _callback(payload: WebhookPayload, tools: Toolbox) -> Callback:
    """What was allowed when the task was submitted may not be so now."""
    if tools.webhooks.is_disabled(payload.tenant, payload.url):
        raise WebhookRefused("the address is disabled, because its server answered 410 Gone")
    try:
        return check_callback(payload.url, tools.settings.webhook_allowed_hosts)
    except InvalidInput:
        raise WebhookRefused("the address is not allowed any more") from None


def message(task: Task, payload: WebhookPayload) -> dict[str, Any]:
    """The body: no payload, result, error or metadata of the task."""
    self = f"/api/tasks/{task.task_id}"
    return {
        "type": f"task.{payload.status}",
        "timestamp": rfc3339(payload.at),
        "data": {
            "task_id": task.task_id,
            "task_name": task.name,
            "case_id": task.case_id,
            "status": payload.status,
            "attempt": payload.attempt,
            "links": {"self": self, "result": f"{self}/result"},
        },
    }


def _send(run: Run, payload: WebhookPayload, callback: Callback, body: bytes, tools: Toolbox) -> Answer:
    secrets = tools.webhooks.secrets(payload.tenant)
    if not secrets:
        raise WebhookFailed("the tenant has no secret that signs webhooks")
    headers = {
        "Content-Type": "application/json",
        **signed_headers(secrets, run.task_id, int(time.time()), body),
    }
    put_off_before = run.number - 1 - run.started.retries
    with tools.webhook_doors.through(callback.place, put_off_before):
        return _post(payload, callback, headers, body, tools)


def _post(
    payload: WebhookPayload, callback: Callback, headers: Mapping[str, str], body: bytes, tools: Toolbox
) -> Answer:
    """Past the breaker of the host. A delivery that was tried counts as an attempt; one that waits for the breaker
    doesn't, for no longer than a day and an hour."""
    breaker = tools.breaker_of_host(payload.tenant, callback.place)
    given = breaker.ask()
    if given.wait_s:
        if now_ms() - payload.at > WAITS_AT_MOST_MS:
            raise WebhookRefused("its host has not answered for more than a day")
        raise BreakerOpen(breaker.name, given.wait_s)
    try:
        answer = tools.courier.post(callback, headers, body, tools.settings.webhook_timeout_s)
    except WebhookRefused:
        breaker.succeeded(given)
        raise
    except WebhookFailed as failure:
        breaker.failed(given, type(failure).__name__)
        raise
    if answer.status in HOST_IS_DOWN:
        breaker.failed(given, WebhookFailed.__name__)
    else:
        breaker.succeeded(given)
    return answer


def _failure(answer: Answer, payload: WebhookPayload, tools: Toolbox) -> WebhookFailed:
    if answer.status == GONE:
        tools.webhooks.disable(payload.tenant, payload.url)
        return WebhookRefused("http 410; the address is disabled from now on")
    if 300 <= answer.status < 400:
        return WebhookFailed(f"http {answer.status}; redirects are not followed")
    return WebhookFailed(f"http {answer.status}", answer.retry_after_s)
