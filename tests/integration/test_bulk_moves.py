"""All tasks that a filter means, cancelled or run again at once: within the tenant, each once."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from despacho_client import Client as Despacho
from middleware.worker import LaneWorker
from tasks.api_keys import ApiKeys
from tests.integration.conftest import Client, Gateway

ORDER: dict[str, Any] = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}


def queued(api: Client, number: int, **more: Any) -> list[str]:
    answer = api.post("/api/tasks/bulk", json={"tasks": [ORDER | more] * number})
    assert answer.status_code == 202
    return list(answer.json()["task_ids"])


def statuses(api: Client) -> dict[str, int]:
    told: dict[str, int] = api.get("/api/tasks/stats").json()["statuses"]
    return {status: count for status, count in told.items() if count}


def test_hundreds_are_cancelled_and_run_again_and_nobody_elses(
    api: Client, other_tenant: Client, gateway: Gateway, keys: ApiKeys
) -> None:
    # given more than a page of waiting tasks, some of another priority, and another tenant's
    queued(api, 450)
    urgent = queued(api, 3, priority="high")
    queued(other_tenant, 2)
    token = keys.create("client", "acme", ("tasks:read", "tasks:write"))[1]

    with Despacho(gateway.url, token) as despacho:
        # when those of one priority are cancelled, and again
        assert despacho.cancel_all(priority="normal", queue="triage") == 450
        assert despacho.cancel_all(priority="normal", queue="triage") == 0
        assert statuses(api) == {"queued": 3, "cancelled": 450}

        # then what can't move stays, and what was cancelled runs again
        assert despacho.cancel_all(status=["cancelled", "succeeded"]) == 0
        assert despacho.retry_all(status=["queued"]) == 0
        assert despacho.retry_all(task_name=ORDER["task_name"]) == 450
        assert statuses(api) == {"queued": 453}
        assert despacho.cancel_all(created_before="2020-01-01T00:00:00Z") == 0

    assert statuses(other_tenant) == {"queued": 2}
    trail = api.get("/api/audit?action=task.cancel").json()["entries"]
    assert {entry["outcome"] for entry in trail} == {"cancelled"}
    assert not {task_id for entry in trail for task_id in entry["ids"]} & set(urgent)


def test_what_runs_is_told_to_stop(api: Client, worker: LaneWorker) -> None:
    running = api.submit(kwargs={"user_message": "devagar"})
    api.until(running, "running")

    assert api.post("/api/tasks/cancel", json={"case_id": "case-1"}).json() == {"cancelled": 1}

    api.until(running, "cancelled")


@pytest.mark.parametrize("body", [{}, {"queue": None}, {"status": []}, {"status": ["odd"]}, {"surprise": 1}, []])
def test_a_filter_that_means_nothing_moves_nothing(api: Client, client: redis.Redis, body: Any) -> None:
    api.submit()

    for path in ("/api/tasks/cancel", "/api/tasks/retry"):
        assert api.post(path, json=body).status_code == 422

    assert statuses(api) == {"queued": 1}
