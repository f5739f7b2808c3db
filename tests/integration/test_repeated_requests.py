"""Requests that are sent again because an answer was lost, or that race, or that only ask whether they would do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import redis

from middleware.worker import LaneWorker
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway
from tests.integration.test_task_routes import fields

TRIAGE: dict[str, Any] = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}
KEY = {"Idempotency-Key": "k-1"}
RACERS = 20


def at_once(requests: list[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(requests)) as pool:
        return [running.result() for running in [pool.submit(request) for request in requests]]


def total(api: Client) -> int:
    return len(api.get("/api/tasks", params={"limit": 200}).json()["tasks"])


def test_of_racing_requests_with_one_key_just_one_queues(api: Client, settings: Settings) -> None:
    # Two gateways: what one process knows must not be what decides.
    second = Gateway(settings)
    second.start()
    try:
        urls = ("", second.url)
        headers = {**api.headers, **KEY}

        def sent_by(racer: int) -> Callable[[], httpx.Response]:
            url = f"{urls[racer % 2]}/api/tasks/queue"
            return lambda: api.post(url, json=TRIAGE, headers=headers)

        answers = at_once([sent_by(racer) for racer in range(RACERS)])
    finally:
        second.stop()

    assert sorted(answer.status_code for answer in answers) == [200] * (RACERS - 1) + [202]
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == RACERS - 1
    assert total(api) == 1


def test_of_racing_requests_with_one_key_and_two_bodies_one_body_wins(api: Client) -> None:
    bodies = [TRIAGE | {"args": [f"case-{racer % 2}"]} for racer in range(RACERS)]

    answers = at_once([lambda body=body: api.post("/api/tasks", json=body, headers=KEY) for body in bodies])  # type: ignore[misc]

    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [202] + [422] * 10
    refused = next(answer for answer in answers if answer.status_code == 422)
    assert refused.json()["type"] == "/problems/idempotency-mismatch"
    assert total(api) == 1


def test_racing_bulks_with_one_key_queue_one_bulk(api: Client) -> None:
    body = {"tasks": [TRIAGE] * 50}

    answers = at_once([lambda: api.post("/api/tasks/bulk", json=body, headers=KEY)] * 8)

    assert len({tuple(answer.json()["task_ids"]) for answer in answers}) == 1
    assert total(api) == 50


def test_a_repeat_is_answered_also_where_its_case_is_gone(api: Client) -> None:
    api.put("/api/cases/c-9", json={"conversation_history": [{"role": "client", "content": "Fui demitida."}]})
    body = {"task_name": "triage.process_async", "args": ["c-9"]}
    first = api.post("/api/tasks/queue", json=body, headers=KEY)
    api.put("/api/cases/c-9", json={"conversation_history": []})

    again = api.post("/api/tasks/queue", json=body, headers=KEY)
    anew = api.post("/api/tasks/queue", json=body)

    assert again.status_code == 200
    assert again.json()["task_id"] == first.json()["task_id"]
    assert anew.status_code == 422


def test_a_key_of_one_tenant_is_nothing_to_another(api: Client, other_tenant: Client) -> None:
    first = api.post("/api/tasks/queue", json=TRIAGE, headers=KEY)

    others = other_tenant.post("/api/tasks/queue", json=TRIAGE, headers=KEY)

    assert others.status_code == 202
    assert others.json()["task_id"] != first.json()["task_id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_is_none_is_refused(api: Client, key: str) -> None:
    for answer in (
        api.post("/api/tasks/queue", json=TRIAGE, headers={"Idempotency-Key": key}),
        api.delete("/api/tasks/any", headers={"Idempotency-Key": key}),
    ):
        assert answer.status_code == 422
        assert fields(answer) == ["Idempotency-Key"]


# ------------------------------------------------------------------------------------- cancel and retry


def test_a_cancel_that_is_sent_again_gets_its_first_answer(api: Client) -> None:
    task_id = api.submit()
    path = f"/api/tasks/{task_id}"
    read = api.get(path).headers["etag"]
    headers = {**KEY, "If-Match": read}

    first = api.delete(path, headers=headers)
    again = api.delete(path, headers=headers)

    assert first.status_code == again.status_code == 200
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["status"] == "cancelled"
    assert api.delete(path).status_code == 409
    assert api.delete(path, headers={"Idempotency-Key": "another"}).status_code == 409


def test_racing_cancels_with_one_key_get_one_answer(api: Client) -> None:
    path = f"/api/tasks/{api.submit()}"

    answers = at_once([lambda: api.delete(path, headers=KEY)] * RACERS)

    assert {answer.status_code for answer in answers} == {200}
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == RACERS - 1


def test_a_cancel_of_a_running_task_that_is_sent_again_cancels_nothing_else(api: Client, worker: LaneWorker) -> None:
    task_id = api.submit(kwargs={"user_message": "devagar"})
    path = f"/api/tasks/{task_id}"
    api.until(task_id, "running")
    first = api.delete(path, headers=KEY)
    api.until(task_id, "cancelled")
    api.post(f"/api/tasks/retry/{task_id}")
    api.until(task_id, "running")

    again = api.delete(path, headers=KEY)

    assert first.status_code == again.status_code == 202
    assert first.headers["retry-after"] == again.headers["retry-after"] == "1"
    assert again.headers["idempotent-replayed"] == "true"
    assert not api.record(task_id)["cancel_requested"]


def test_a_retry_that_is_sent_again_runs_the_task_once(api: Client, worker: LaneWorker) -> None:
    task_id = api.submit(kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0})
    api.until(task_id, "failed")

    first = api.post(f"/api/tasks/retry/{task_id}", headers=KEY)
    wait_until(lambda: moves(api, task_id) == ["queued", "running", "failed"] * 2, "it ran and failed again")
    again = api.post(f"/api/tasks/retry/{task_id}", headers=KEY)

    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(moves(api, task_id)) == 6


def moves(api: Client, task_id: str) -> list[str]:
    return [event["event"] for event in api.get(f"/api/tasks/{task_id}/log").json()["events"]]


def test_a_key_that_cancelled_one_task_cancels_no_other(api: Client) -> None:
    first, second = api.submit(), api.submit()
    api.delete(f"/api/tasks/{first}", headers=KEY)

    answer = api.delete(f"/api/tasks/{second}", headers=KEY)

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/idempotency-mismatch"
    assert api.record(second)["status"] == "queued"


def test_what_was_answered_is_forgotten_after_a_day(api: Client, client: redis.Redis) -> None:
    task_id = api.submit()
    api.delete(f"/api/tasks/{task_id}", headers=KEY)

    (kept,) = client.scan_iter("despacho:idempotency:*")

    assert 0 < client.ttl(kept) <= 86_400  # type: ignore[operator]


# ---------------------------------------------------------------------------------------- validate_only


def test_what_is_only_validated_is_not_queued(api: Client, client: redis.Redis) -> None:
    body = TRIAGE | {"countdown": 60, "priority": "high", "retry_config": {"max_retries": 7}}

    answer = api.post("/api/tasks/queue", params={"validate_only": "true"}, json=body, headers=KEY)

    assert answer.status_code == 200
    task = answer.json()["task"]
    assert task.pop("eta") is not None
    assert task == {
        "task_name": "triage.process_async",
        "queue": "triage",
        "priority": "high",
        "status": "scheduled",
        "case_id": "c",
        "retry_config": {"max_retries": 7, "min_backoff_s": 60.0, "max_backoff_s": 3600.0},
        "timeout_s": 120.0,
    }
    assert total(api) == 0
    assert not list(client.scan_iter("despacho:idempotency:*"))


def test_a_bulk_is_validated_whole(api: Client) -> None:
    query = {"validate_only": "true"}

    good = api.post("/api/tasks/bulk", params=query, json={"tasks": [TRIAGE] * 3})
    bad = api.post("/api/tasks/bulk", params=query, json={"tasks": [TRIAGE, TRIAGE | {"args": [17]}]})

    assert good.status_code == 200
    assert [task["status"] for task in good.json()["tasks"]] == ["queued"] * 3
    assert bad.status_code == 422
    assert fields(bad) == ["tasks[1].args[0]"]
    assert total(api) == 0


@pytest.mark.parametrize("query", ["validate_only=1", "validate_only=", "validate_onyl=true"])
def test_a_wish_to_validate_that_is_misspelt_queues_nothing(api: Client, query: str) -> None:
    for path in ("queue", "bulk"):
        body = TRIAGE if path == "queue" else {"tasks": [TRIAGE]}
        assert api.post(f"/api/tasks/{path}?{query}", json=body).status_code == 422
    assert total(api) == 0


# ------------------------------------------------------------------------------------------ Retry-After


def test_what_is_accepted_says_when_to_look_again(api: Client) -> None:
    now = api.post("/api/tasks/queue", json=TRIAGE)
    later = api.post("/api/tasks/queue", json=TRIAGE | {"countdown": 90})
    bulk = api.post("/api/tasks/bulk", json={"tasks": [TRIAGE | {"countdown": 90}, TRIAGE]})

    assert now.headers["retry-after"] == bulk.headers["retry-after"] == "1"
    assert int(later.headers["retry-after"]) in (89, 90)
    assert api.get("/readyz").headers["retry-after"] == "2"


@pytest.mark.parametrize("prefer", ["wait=10", 'wait="10"', "respond-async, wait=10; foo=bar", "WAIT = 10"])
def test_a_preference_may_be_spelt_as_the_rfc_allows(api: Client, worker: LaneWorker, prefer: str) -> None:
    answer = api.post("/api/tasks/queue", json=TRIAGE, headers={"Prefer": prefer})

    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=10"


def test_who_waited_in_vain_hears_that_the_wait_was_applied(api: Client) -> None:
    answer = api.post("/api/tasks/queue", json=TRIAGE, headers={"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
