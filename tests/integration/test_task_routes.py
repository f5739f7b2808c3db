"""Tasks over HTTP, as a client of the API sees them."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from middleware.worker import LaneWorker
from tasks.api_keys import ApiKeys
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway


def fields(answer: httpx.Response) -> list[str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return [error["field"] for error in answer.json().get("errors", [])]


def test_a_task_is_queued_watched_and_answered(api: Client, worker: LaneWorker) -> None:
    answer = api.post(
        "/api/tasks/queue",
        json={
            "task_name": "triage.process_async",
            "args": ["case-17"],
            "kwargs": {"user_message": "Fui demitido ontem"},
            "priority": "high",
            "metadata": {"user_id": "u1"},
        },
    )

    assert answer.status_code == 202
    task_id = answer.json()["task_id"]
    assert answer.headers["location"] == f"/api/tasks/{task_id}"
    assert answer.json()["status"] == "queued"
    assert answer.json()["links"]["events"] == f"/api/tasks/{task_id}/events"
    record = api.until(task_id, "succeeded")
    assert record["case_id"] == "case-17"
    assert record["metadata"] == {"user_id": "u1"}
    assert record["result"]["area"] == "trabalhista"
    assert record["progress"] == 100
    assert record["run_ms"] >= 0
    assert api.get(f"/api/tasks/{task_id}/result").json() == record["result"]
    told = [event["event"] for event in api.get(f"/api/tasks/{task_id}/log").json()["events"]]
    assert told == ["queued", "running", "succeeded"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"task_name": "nothing"}, "task_name"),
        ({}, "task_name"),
        ({"task_name": "batch.process_case", "args": ["c"]}, "task_name"),
        ({"queue": "nowhere"}, "queue"),
        ({"priority": "urgent"}, "priority"),
        ({"countdown": -1}, "countdown"),
        ({"countdown": 365 * 86_400}, "countdown"),
        ({"countdown": 5, "eta": "2030-01-01T00:00:00Z"}, "body"),
        ({"eta": "2099-01-01T00:00:00Z"}, "body"),
        ({"eta": "tomorrow"}, "eta"),
        ({"args": [17]}, "args[0]"),
        ({"args": ["c" * 200]}, "args[0]"),
        ({"args": ["c", [], "m", None, "one too many"]}, "args"),
        ({"kwargs": {"case_id": "twice"}}, "kwargs.case_id"),
        ({"kwargs": {"unknown": 1}}, "kwargs.unknown"),
        (
            {"kwargs": {"conversation_history": [{"role": "judge", "content": "x"}]}},
            "kwargs.conversation_history.0.role",
        ),
        ({"kwargs": {}}, "kwargs.case_id"),
        ({"metadata": {"x": "y" * 1_000_000}}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"retry_config": {"max_retries": -1}}, "retry_config.max_retries"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"callback_url": "https://app.example/hooks"}, "callback_url"),
        ({"callback_url": "http://169.254.169.254/latest"}, "callback_url"),
        ({"surprise": 1}, "surprise"),
        # What would be taken for something else, if it were taken: a second of 1970, a one, a number.
        ({"kwargs": {"user_message": "oi", "reference_date": 20261123}}, "kwargs.reference_date"),
        ({"kwargs": {"user_message": "oi", "reference_date": "20261123"}}, "kwargs.reference_date"),
        ({"eta": 1_800_000_000}, "eta"),
        ({"eta": "1800000000"}, "eta"),
        ({"eta": "2026-11-23T12:00:00"}, "eta"),
        ({"countdown": "5"}, "countdown"),
        ({"retry_config": {"max_retries": True}}, "retry_config.max_retries"),
        ({"retry_config": {"max_retries": 2.5}}, "retry_config.max_retries"),
    ],
)
def test_bad_input_is_refused_with_the_name_of_its_field(api: Client, body: dict[str, Any], field: str) -> None:
    if "task_name" not in body and body:
        body = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}} | body

    answer = api.post("/api/tasks/queue", json=body)

    assert answer.status_code == 422, answer.text
    assert field in fields(answer)
    assert api.get("/api/tasks").json()["tasks"] == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"task_name": "\\ud800"}', b"[" * 5_000])
def test_a_body_that_is_no_such_json_is_refused(api: Client, body: bytes) -> None:
    answer = api.post("/api/tasks/queue", content=body)

    assert answer.status_code == 422
    assert "body" in answer.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"task_name": "a", "task_name": "b"}', "task_name"),
        (b'{"task_name": "a", "t\\u0061sk_name": "b"}', "task_name"),
        (b'{"task_name": "a", "kwargs": {"case_id": "c", "x": 1, "case_id": "d"}}', "case_id"),
        (b'{"task_name": "a", "metadata": {"a": [{"\\"": 1, "\\"": 1}]}}', '\\"'),
        (b'{"task_name": "a", "countdown": NaN}', "body"),
        (b'{"task_name": "a", "metadata": {"x": -Infinity}}', "body"),
        (b'{"task_name": "a", "metadata": {"x": "\\udc00"}}', "body"),
        (b'{"task_name": "a", "metadata": {"\\ud800": 1}}', "body"),
        (b'{"task_name": "a", "countdown": 1e999}', "countdown"),
        (b'{"task_name": "triage.process_async", "args": ["c"], "metadata": {"x": 1e999}}', "metadata"),
        (b'{"task_name": "a", "metadata": {"x": ' + b"9" * 5_000 + b"}}", "body"),
        (b'\xef\xbb\xbf{"task_name": "a"}', "body"),
        (b'{"task_name": "a"} {}', "body"),
    ],
)
def test_json_that_could_be_understood_in_two_ways_is_refused(api: Client, body: bytes, field: str) -> None:
    for path in ("/api/tasks/queue", "/api/tasks"):
        answer = api.post(path, content=body)
        assert answer.status_code == 422
        assert fields(answer) == [field]
    # Every other body is read in the same way.
    for method, path in (("PUT", "/api/cases/c"), ("POST", "/api/reports"), ("POST", "/api/stream-tickets")):
        assert api.request(method, path, content=b'{"a": 1, "a": 2}').json()["errors"][0]["field"] == "a"


def test_a_whole_number_may_be_written_with_a_point(api: Client) -> None:
    task_id = api.submit(retry_config={"max_retries": 2.0})

    assert api.record(task_id)["max_retries"] == 2


def test_metadata_as_deep_as_it_may_be_comes_back(api: Client) -> None:
    deep: Any = "no fundo"
    for _ in range(150):
        deep = [deep]

    task_id = api.submit(metadata={"deep": deep})

    assert api.record(task_id)["metadata"] == {"deep": deep}
    assert api.get("/api/tasks").json()["tasks"][0]["metadata"] == {"deep": deep}


def test_of_a_list_the_first_item_that_is_wrong_is_named(api: Client) -> None:
    turns = [{"role": "client", "content": "oi"}, {"role": "client"}, {"role": "judge", "content": "x"}]
    body = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"conversation_history": turns}}

    assert fields(api.post("/api/tasks/queue", json=body)) == ["kwargs.conversation_history.1.content"]


def test_odd_characters_go_through_unharmed(api: Client, worker: LaneWorker) -> None:
    message = 'emoji 👩‍⚖️, NUL \0, aspas " e \\ e quebra\nde linha'

    record = api.until(api.submit(kwargs={"user_message": message}), "succeeded")

    assert record["result"]["summary"] == message


def test_a_body_that_is_too_large_is_refused(api: Client) -> None:
    answer = api.post("/api/tasks/queue", content=b" " * (1 << 20) + b"x")

    assert answer.status_code == 413


def test_a_task_of_another_tenant_does_not_exist(api: Client, other_tenant: Client) -> None:
    task_id = api.submit()

    for method, path in (
        ("GET", ""),
        ("GET", "/result"),
        ("GET", "/payload"),
        ("GET", "/log"),
        ("GET", "/events"),
        ("DELETE", ""),
    ):
        assert other_tenant.request(method, f"/api/tasks/{task_id}{path}").status_code == 404
    assert other_tenant.post(f"/api/tasks/retry/{task_id}").status_code == 404
    assert other_tenant.get("/api/tasks").json()["tasks"] == []
    assert api.record(task_id)["status"] == "queued"


def test_the_same_idempotency_key_answers_with_the_first_task(api: Client) -> None:
    body = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}
    header = {"Idempotency-Key": "k-1"}
    first = api.post("/api/tasks/queue", json=body, headers=header)

    again = api.post("/api/tasks", json=body, headers=header)
    other = api.post("/api/tasks/queue", json=body | {"priority": "high"}, headers=header)

    assert again.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["task_id"] == first.json()["task_id"]
    assert other.status_code == 422
    assert len(api.get("/api/tasks").json()["tasks"]) == 1


def test_a_bulk_is_queued_whole_or_not_at_all(api: Client) -> None:
    good = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}

    refused = api.post("/api/tasks/bulk", json={"tasks": [good, good | {"queue": "nowhere"}]})
    assert refused.status_code == 422
    assert fields(refused) == ["tasks[1].queue"]
    assert api.get("/api/tasks").json()["tasks"] == []

    accepted = api.post("/api/tasks/bulk", json={"tasks": [good] * 1_000})
    assert accepted.status_code == 202
    assert len(set(accepted.json()["task_ids"])) == 1_000
    assert api.post("/api/tasks/bulk", json={"tasks": []}).status_code == 422


def test_waiting_for_the_end_answers_with_the_record(api: Client, worker: LaneWorker) -> None:
    body = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}

    answer = api.post("/api/tasks/queue", json=body, headers={"Prefer": "wait=10"})

    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=10"
    assert answer.json()["status"] == "succeeded"


def test_who_does_not_want_to_wait_longer_gets_the_ticket(api: Client) -> None:
    body = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}

    answer = api.post("/api/tasks/queue", json=body, headers={"Prefer": "wait=1"})

    assert answer.status_code == 202


@pytest.mark.parametrize("prefer", ["wait=²", "wait=" + "9" * 5_000, "wait=-1", "wait", "respond-async, wait=0"])
def test_a_preference_that_makes_no_sense_is_ignored(api: Client, prefer: str) -> None:
    body = {"task_name": "triage.process_async", "args": ["c"], "kwargs": {"user_message": "oi"}}

    answer = api.post("/api/tasks/queue", json=body, headers=[(b"Prefer", prefer.encode())])  # type: ignore[arg-type]

    assert answer.status_code == 202


def test_an_eta_in_the_past_is_now(api: Client, worker: LaneWorker) -> None:
    answer = api.post(
        "/api/tasks/queue",
        json={
            "task_name": "triage.process_async",
            "args": ["c"],
            "kwargs": {"user_message": "oi"},
            "eta": "1970-01-01T00:00:00Z",
        },
    )

    assert answer.json()["status"] == "queued"
    assert api.until(answer.json()["task_id"], "succeeded")["wait_ms"] < 60_000


def test_a_scheduled_task_waits_and_can_be_cancelled(api: Client) -> None:
    task_id = api.submit(countdown=60)
    record = api.record(task_id)
    assert record["status"] == "scheduled"
    assert record["eta"] > record["created_at"]

    answer = api.delete(f"/api/tasks/{task_id}")

    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    assert api.delete(f"/api/tasks/{task_id}").status_code == 409
    assert api.get(f"/api/tasks/{task_id}/result").status_code == 410


def test_a_running_task_is_cancelled_soon(api: Client, worker: LaneWorker) -> None:
    task_id = api.submit(kwargs={"user_message": "devagar"})
    api.until(task_id, "running")
    assert api.get(f"/api/tasks/{task_id}/result").status_code == 409

    asked = time.monotonic()
    answer = api.delete(f"/api/tasks/{task_id}")
    assert answer.status_code == 202
    record = api.until(task_id, "cancelled")

    assert time.monotonic() - asked < 1
    assert record["finished_at"] is not None


def test_a_dead_letter_runs_again_under_its_id(api: Client, worker: LaneWorker) -> None:
    task_id = api.submit(kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0})
    failed = api.until(task_id, "failed")
    assert failed["error"]["type"] == "RuntimeError"
    assert "segredo" not in str(failed["error"])

    answer = api.post(f"/api/tasks/retry/{task_id}")

    assert answer.status_code == 202
    wait_until(lambda: len(_log(api, task_id)) == 6, "it runs and fails again")
    assert _log(api, task_id) == ["queued", "running", "failed"] * 2


def _log(api: Client, task_id: str) -> list[str]:
    return [event["event"] for event in api.get(f"/api/tasks/{task_id}/log").json()["events"]]


def test_lists_are_filtered_and_paged(api: Client) -> None:
    ids = [api.submit(args=[f"case-{number % 2}"], priority="low" if number < 3 else "high") for number in range(7)]
    api.delete(f"/api/tasks/{ids[0]}")

    def listed(**query: Any) -> list[str]:
        answer = api.get("/api/tasks", params=query)
        assert answer.status_code == 200, answer.text
        return [task["task_id"] for task in answer.json()["tasks"]]

    assert listed() == ids[::-1]
    assert listed(status="cancelled") == [ids[0]]
    assert listed(status=["cancelled", "queued"]) == ids[::-1]
    assert listed(case_id="case-1") == [ids[5], ids[3], ids[1]]
    assert listed(priority="low", status="queued") == [ids[2], ids[1]]
    assert listed(queue="documents") == []
    assert listed(created_after="2099-01-01T00:00:00Z") == []
    first = api.get("/api/tasks", params={"limit": 4}).json()
    second = api.get("/api/tasks", params={"limit": 4, "cursor": first["next_cursor"]}).json()
    assert [task["task_id"] for task in first["tasks"] + second["tasks"]] == ids[::-1]
    assert second["next_cursor"] is None


def test_a_cursor_is_good_for_its_own_list_only(api: Client, other_tenant: Client) -> None:
    for case in ("a", "a", "b"):
        api.submit(args=[case])
        other_tenant.submit(args=[case])
    query = {"limit": 1, "status": ["queued", "running"]}
    cursor = api.get("/api/tasks", params=query).json()["next_cursor"]

    def status(who: Client, **changed: Any) -> int:
        return who.get("/api/tasks", params=query | {"cursor": cursor} | changed).status_code

    assert status(api) == status(api, limit=2) == status(api, status=["running", "queued", "queued"]) == 200
    assert status(api, case_id="a") == status(api, status="queued") == status(other_tenant) == 422


def test_a_cursor_that_was_tampered_with_is_refused(api: Client) -> None:
    for _ in range(3):
        api.submit()
    cursor = api.get("/api/tasks", params={"limit": 1}).json()["next_cursor"]

    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        answer = api.get("/api/tasks", params={"cursor": changed})
        assert answer.status_code == 422
        assert fields(answer) == ["cursor"]
    for odd in ("", cursor[:-1], cursor + "A", cursor + "=", "ç" * 32, "A" * 32, "A" * 10_000):
        assert api.get("/api/tasks", params={"cursor": odd}).status_code == 422


def test_every_gateway_reads_every_cursor(api: Client, settings: Settings) -> None:
    ids = [api.submit() for _ in range(3)]
    cursor = api.get("/api/tasks", params={"limit": 1}).json()["next_cursor"]
    another = Gateway(settings)
    another.start()
    try:
        page = api.get(f"{another.url}/api/tasks", params={"limit": 1, "cursor": cursor}).json()
    finally:
        another.stop()

    assert [task["task_id"] for task in page["tasks"]] == [ids[1]]


@pytest.mark.parametrize(
    "query",
    ["status=done", "limit=0", "limit=201", "limit=x", "cursor=%%%", "priority=p", "created_after=x", "what=1"],
)
def test_a_filter_that_makes_no_sense_is_refused(api: Client, query: str) -> None:
    assert api.get(f"/api/tasks?{query}").status_code == 422


def test_stats_tell_how_the_queues_stand(api: Client, worker: LaneWorker) -> None:
    api.until(api.submit(), "succeeded")
    api.submit(countdown=60)

    stats = api.get("/api/tasks/stats").json()

    assert stats["statuses"]["succeeded"] == stats["statuses"]["scheduled"] == 1
    triage = stats["queues"]["triage"]
    assert triage["succeeded"] == triage["scheduled"] == 1
    assert triage["waiting"] == {"critical": 0, "high": 0, "normal": 0, "low": 0}
    assert triage["run_ms"]["p50"] >= 0
    assert stats["tasks"]["triage.process_async"]["succeeded"] == 1
    assert stats["workers"][0]["threads"] == 4
    assert len(stats["minutes"]) == 60
    assert sum(minute["succeeded"] for minute in stats["minutes"][-2:]) == 1


def test_stats_over_all_tenants_are_for_operators(
    api: Client, other_tenant: Client, keys: ApiKeys, worker: LaneWorker
) -> None:
    api.until(api.submit(), "succeeded")
    _, token = keys.create("reader", "rival", ["tasks:read"])
    reader = {"Authorization": f"Bearer {token}"}

    everyones = other_tenant.get("/api/tasks/stats?scope=all").json()
    own = other_tenant.get("/api/tasks/stats").json()

    assert everyones["statuses"]["succeeded"] == 1
    assert "acme" in everyones["tenants"]
    assert own["tenants"] == ["rival"]
    assert sum(minute["succeeded"] for minute in own["minutes"]) == 0
    assert other_tenant.get("/api/tasks/stats?scope=all", headers=reader).status_code == 403
    assert api.get("/api/tasks/stats?scope=mine").status_code == 422


def test_every_task_type_shows_its_schema(api: Client) -> None:
    types = {entry["task_name"]: entry for entry in api.get("/api/task-types").json()["task_types"]}

    assert "batch.process_case" not in types
    assert types["triage.process_async"]["queue"] == "triage"
    assert "case_id" in types["triage.process_async"]["kwargs"]["required"]
    assert "urgency" in types["triage.process_async"]["result"]["properties"]


def test_a_request_id_is_given_back_or_made(api: Client) -> None:
    assert api.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = api.get("/healthz", headers={"X-Request-ID": "no good"}).headers["x-request-id"]
    assert len(made) == 16


def test_a_wrong_method_names_the_right_ones(api: Client) -> None:
    answer = api.put("/api/tasks")

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_service_is_ready_when_a_worker_is(api: Client) -> None:
    assert api.get("/healthz").status_code == 200
    missing = api.get("/readyz")
    assert missing.status_code == 503
    assert missing.json()["reasons"] == ["no worker was heard of lately"]


def test_ready_with_a_worker(api: Client, worker: LaneWorker) -> None:
    wait_until(lambda: api.get("/readyz").status_code == 200, "the worker was heard of")


def test_a_paused_queue_waits_until_it_is_resumed(api: Client, worker: object) -> None:
    assert api.post("/api/queues/triage/pause").json() == {"queue": "triage", "paused": True}
    task_id = api.submit()

    queue = api.get("/api/queues").json()["queues"]["triage"]

    assert queue["paused"]
    assert sum(queue["waiting"].values()) == 1
    assert api.post("/api/queues/triage/resume").json() == {"queue": "triage", "paused": False}
    api.until(task_id, "succeeded")
    assert api.post("/api/queues/nothing/pause").status_code == 404
