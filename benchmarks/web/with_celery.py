"""FastAPI over Celery: a model for the body and `delay()`, in a `def` (a thread of the pool) or in the event loop."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.with_celery import app as celery


class TaskRequest(BaseModel):
    task_name: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}


@celery.task(name="triage.process_async")  # type: ignore[untyped-decorator]
def triage(case_id: str, user_message: str) -> None:
    """Only queued here: no worker runs while endpoints are measured."""


application = FastAPI()


@application.post("/def", status_code=202)
def queue_in_a_thread(wanted: TaskRequest) -> dict[str, str]:
    return {"task_id": triage.delay(*wanted.args, **wanted.kwargs).id}


@application.post("/async", status_code=202)
async def queue_in_the_loop(wanted: TaskRequest) -> dict[str, str]:
    return {"task_id": triage.delay(*wanted.args, **wanted.kwargs).id}
