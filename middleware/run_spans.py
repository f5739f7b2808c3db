"""The span of a run: from when a thread takes it up until its end is written. A child of the span that the task was
queued in, so that all runs of a task are in one trace, each with the number of its attempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from middleware.run import AwaitsChildren, Delivery, Failed, HandedBack, LetGo, Retrying, Succeeded, WasCancelled
from tasks import tracing
from tasks.lifecycle import split_lane

OUTCOMES = {
    Succeeded: "succeeded",
    Retrying: "retrying",
    Failed: "failed",
    WasCancelled: "cancelled",
    AwaitsChildren: "awaits_children",
    HandedBack: "handed_back",
    LetGo: "superseded",
}


_NOTHING = nullcontext()


def span_of(delivery: Delivery) -> AbstractContextManager[None]:
    return _span_of(delivery) if tracing.is_on() else _NOTHING


@contextmanager
def _span_of(delivery: Delivery) -> Iterator[None]:
    started = delivery.run.started
    queue, priority = split_lane(started.hold.lane)
    parent = {"traceparent": started.options.origin.traceparent}
    with tracing.span(
        f"run {started.task_name}",
        "consumer",
        parent=parent,
        messaging__system="despacho",
        messaging__operation__type="process",
        messaging__destination__name=queue,
        messaging__message__id=started.hold.task_id,
        despacho__task_name=started.task_name,
        despacho__task_id=started.hold.task_id,
        despacho__run=started.hold.run,
        despacho__attempt=started.retries + 1,
        despacho__priority=priority,
        despacho__tenant=started.tenant,
        despacho__worker=started.hold.worker,
        despacho__parent_id=started.parent_id or "",
        despacho__request_id=started.options.origin.request_id,
    ) as span:
        yield
        _tell_outcome(span, delivery)


def _tell_outcome(span: tracing.Span, delivery: Delivery) -> None:
    outcome = delivery.outcome
    span.set(despacho__outcome=OUTCOMES.get(type(outcome), type(outcome).__name__))
    if isinstance(outcome, Retrying | Failed) and outcome.error is not None:
        span.fail(outcome.error["type"])
