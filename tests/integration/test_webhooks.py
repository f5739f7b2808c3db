"""Webhooks from the request that names a callback to the receiver that gets it, or doesn't."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import time
from typing import Any, cast

import pytest
import redis

from actors import webhooks as actor
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks import scripts
from tasks.catalog import WEBHOOK_TASK
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.settings import Settings
from tasks.webhooks import Webhooks
from tests import receiver as replies
from tests.conftest import wait_until
from tests.integration.conftest import QUICK, Client
from tests.receiver import Receiver, authority, served_as

ROOT = Path(__file__).resolve().parents[2]
KEYS = Keys("despacho")
TENANT = "acme"


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Deliveries are repeated three times, at once."""
    cached = (scripts._body, scripts.library_name, scripts.library, scripts.function)
    at_once = re.sub(r"options = '[^']*'", "options = '3,0.01,0.02,60'", scripts._delivery())
    monkeypatch.setattr(scripts, "_delivery", lambda: at_once)
    for each in cached:
        each.cache_clear()
    yield
    for each in cached:
        each.cache_clear()


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver whose certificate is good, as an operator's own authority would have it."""
    ca, bundle = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    receiver = Receiver(tls=served_as(ca, "localhost"))
    yield receiver
    receiver.close()


@pytest.fixture
def settings(redis_url: str, tmp_path: Path, trusted: Receiver) -> Settings:
    return Settings(
        redis_url=redis_url,
        data_dir=tmp_path / "data",
        heartbeat_timeout_s=1,
        webhook_allowed_hosts=(f"localhost:{trusted.port}",),
        webhook_timeout_s=5,
        breaker_cooldown_s=1,
    )


@pytest.fixture
def url(trusted: Receiver) -> str:
    return f"https://localhost:{trusted.port}/hooks"


@pytest.fixture
def webhooks(client: redis.Redis, settings: Settings) -> Webhooks:
    return Webhooks(client, settings)


@pytest.fixture
def secret(webhooks: Webhooks) -> str:
    made = webhooks.make_secret(TENANT)
    assert made is not None
    return made.text


@pytest.fixture
def worker(client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    for declared in (*QUICK, Declared(WEBHOOK_TASK, actor.deliver)):
        declare(broker, declared, tools)
    worker = LaneWorker(broker, 4)
    with ExitStack() as stack:
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker


class Deliveries:
    """The deliveries of a task, as its record names them."""

    def __init__(self, client: redis.Redis, task_id: str) -> None:
        self._client = client
        self._task_id = task_id

    @property
    def ids(self) -> list[str]:
        raw = cast(bytes | None, self._client.hget(KEYS.of("task", id=self._task_id), "deliveries"))
        return raw.decode().split(",") if raw else []

    @property
    def statuses(self) -> list[str]:
        return [str(self.field(each, "status")) for each in self.ids]

    def field(self, delivery_id: str, name: str) -> str | None:
        raw = cast(bytes | None, self._client.hget(KEYS.of("task", id=delivery_id), name))
        return raw.decode() if raw is not None else None

    def error(self) -> str:
        return str(json.loads(self.field(self.ids[-1], "error") or "{}")["message"])

    def become(self, *statuses: str) -> None:
        wait_until(lambda: self.statuses == list(statuses), f"its deliveries are {statuses}")


Of = Callable[[str], Deliveries]


@pytest.fixture
def deliveries(client: redis.Redis) -> Of:
    return lambda task_id: Deliveries(client, task_id)


def told(api: Client, task_id: str) -> list[dict[str, Any]]:
    """The part of the task's log that tells of webhooks."""
    events = api.get(f"/api/tasks/{task_id}/log").json()["events"]
    assert [int(event["id"]) for event in events] == sorted(int(event["id"]) for event in events)
    return [event for event in events if event["event"].startswith("webhook_")]


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["event"].removeprefix("webhook_") for entry in entries]


def test_the_end_of_a_task_is_told_thin_and_signed(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    task_id = api.submit(callback_url=url, metadata={"user_id": "u1"})
    deliveries(task_id).become("succeeded")

    (received,) = trusted.received
    record = api.record(task_id)
    assert received.is_signed_with(secret)
    assert not received.is_signed_with("whsec_" + "A" * 43 + "=")
    assert received.headers["Content-Type"] == "application/json"
    assert received.json == {
        "type": "task.succeeded",
        "timestamp": record["finished_at"],
        "data": {
            "task_id": task_id,
            "task_name": "triage.process_async",
            "case_id": "case-1",
            "status": "succeeded",
            "attempt": 1,
            "links": {"self": f"/api/tasks/{task_id}", "result": f"/api/tasks/{task_id}/result"},
        },
    }
    queued, delivered = told(api, task_id)
    assert names([queued, delivered]) == ["queued", "delivered"]
    assert queued["webhook_id"] == delivered["webhook_id"] == received.id
    assert (delivered["attempt"], delivered["http_status"]) == (1, 200)


def test_nothing_of_an_address_is_logged(
    api: Client,
    worker: LaneWorker,
    trusted: Receiver,
    url: str,
    secret: str,
    deliveries: Of,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    trusted.replies = [replies.status(500), replies.reset, replies.status(200)]

    deliveries(api.submit(callback_url=f"{url}?token=segredo-do-cliente")).become("succeeded")

    assert "segredo-do-cliente" in trusted.received[0].path
    assert "retries.py" in {record.filename for record in caplog.records}
    assert not any("segredo-do-cliente" in record.getMessage() for record in caplog.records)
    assert secret not in caplog.text


def test_a_failed_task_is_told_without_its_error(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    task_id = api.submit(callback_url=url, kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0})
    deliveries(task_id).become("succeeded")

    (received,) = trusted.received
    assert received.json["type"] == "task.failed"
    assert b"segredo" not in received.body
    assert b"RuntimeError" not in received.body


def test_a_cancelled_task_and_one_that_runs_again_are_told_each_time(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    task_id = api.submit(callback_url=url, countdown=600)
    api.delete(f"/api/tasks/{task_id}")
    deliveries(task_id).become("succeeded")

    api.post(f"/api/tasks/retry/{task_id}")
    deliveries(task_id).become("succeeded", "succeeded")

    assert [each.json["type"] for each in trusted.received] == ["task.cancelled", "task.succeeded"]
    assert len({each.id for each in trusted.received}) == 2
    assert names(told(api, task_id)) == ["queued", "delivered"] * 2


def test_a_receiver_that_fails_is_asked_again_with_the_same_id_and_a_fresh_signature(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    trusted.replies = [replies.status(500), replies.reset, replies.status(200)]

    task_id = api.submit(callback_url=url)
    deliveries(task_id).become("succeeded")

    assert len(trusted.received) == 3
    assert len({each.id for each in trusted.received}) == 1
    assert len({each.body for each in trusted.received}) == 1
    assert all(each.is_signed_with(secret) for each in trusted.received)
    assert names(told(api, task_id)) == ["queued", "retrying", "retrying", "delivered"]


def test_retry_after_is_waited_for(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    trusted.replies = [replies.status(429, Retry_After="900")]

    task_id = api.submit(callback_url=url)
    deliveries(task_id).become("retrying")

    eta = int(deliveries(task_id).field(deliveries(task_id).ids[0], "eta") or 0)
    assert 890 < eta / 1_000 - time() < 910
    retrying = told(api, task_id)[-1]
    assert retrying["event"] == "webhook_retrying"
    assert "http 429" in retrying["error"]["message"]


def test_a_redirect_is_not_followed(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    trusted.replies = [replies.status(307, Location="http://169.254.169.254/latest/meta-data")]

    task_id = api.submit(callback_url=url)
    deliveries(task_id).become("failed")

    assert deliveries(task_id).error().endswith("http 307; redirects are not followed")
    assert len(trusted.received) == 4


def test_what_is_given_up_is_a_dead_letter_that_can_be_replayed(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of, client: redis.Redis
) -> None:
    trusted.replies = [replies.status(500)]
    task_id = api.submit(callback_url=url)
    deliveries(task_id).become("failed")
    (delivery_id,) = deliveries(task_id).ids

    assert client.zrange(KEYS.of("dead", lane="webhooks.normal"), 0, -1) == [delivery_id.encode()]
    last = told(api, task_id)[-1]
    assert (last["event"], last["attempt"]) == ("webhook_given_up", 4)
    assert last["error"]["message"] == "the webhook was not delivered: http 500"
    assert "SECRET-OF-THE-RECEIVER" not in json.dumps(told(api, task_id))
    assert api.record(task_id)["status"] == "succeeded"

    trusted.replies = [replies.status(204)]
    worker.broker.ledger.requeue(delivery_id)  # type: ignore[attr-defined]
    deliveries(task_id).become("succeeded")

    assert {each.id for each in trusted.received} == {delivery_id}
    assert told(api, task_id)[-1]["http_status"] == 204


def test_gone_disables_the_address_until_it_is_enabled(
    api: Client,
    worker: LaneWorker,
    trusted: Receiver,
    url: str,
    secret: str,
    deliveries: Of,
    webhooks: Webhooks,
    client: redis.Redis,
) -> None:
    trusted.replies = [replies.status(410)]
    webhooks.set_default(TENANT, url)
    task_id = api.submit()
    deliveries(task_id).become("failed")

    assert len(trusted.received) == 1
    assert webhooks.read(TENANT).default_url is None
    assert [each for each, _ in webhooks.read(TENANT).disabled] == [url]
    assert client.ttl(KEYS.of("webhook_disabled", tenant=TENANT)) > 29 * 86_400
    wanted = {"task_name": "embeddings.generate_async", "kwargs": {"texts": ["a"]}, "callback_url": url}
    refused = api.post("/api/tasks/queue", json=wanted)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "callback_url"
    assert "410 Gone" in refused.json()["errors"][0]["message"]

    assert webhooks.enable(TENANT, url)
    trusted.replies = [replies.status(200)]
    again = api.submit(callback_url=url)
    deliveries(again).become("succeeded")


def test_what_is_under_way_to_a_disabled_address_is_not_sent(
    api: Client,
    trusted: Receiver,
    url: str,
    secret: str,
    deliveries: Of,
    webhooks: Webhooks,
    request: pytest.FixtureRequest,
) -> None:
    task_id = api.submit(callback_url=url)
    webhooks.disable(TENANT, url)
    request.getfixturevalue("worker")

    deliveries(task_id).become("failed")

    assert not trusted.received
    assert "disabled" in deliveries(task_id).error()


def test_the_disabled_addresses_of_a_tenant_are_bounded(webhooks: Webhooks) -> None:
    for number in range(1_005):
        webhooks.disable(TENANT, f"https://app.example/{number}")

    disabled = {url for url, _ in webhooks.read(TENANT).disabled}

    assert len(disabled) == 1_000
    assert webhooks.is_disabled(TENANT, "https://app.example/1004")


def test_a_rotated_secret_signs_for_another_day(
    api: Client,
    worker: LaneWorker,
    trusted: Receiver,
    url: str,
    secret: str,
    deliveries: Of,
    webhooks: Webhooks,
    client: redis.Redis,
) -> None:
    fresh = webhooks.rotate_secret(TENANT).text
    deliveries(api.submit(callback_url=url)).become("succeeded")

    (received,) = trusted.received
    assert received.is_signed_with(fresh)
    assert received.is_signed_with(secret)
    assert 86_390 < client.ttl(KEYS.of("webhook_old_secret", tenant=TENANT)) <= 86_400

    client.delete(KEYS.of("webhook_old_secret", tenant=TENANT))
    deliveries(api.submit(callback_url=url)).become("succeeded")
    assert trusted.received[-1].is_signed_with(fresh)
    assert not trusted.received[-1].is_signed_with(secret)


def test_a_secret_of_two_rotations_ago_is_dropped_at_once(webhooks: Webhooks, secret: str) -> None:
    second, third = webhooks.rotate_secret(TENANT).text, webhooks.rotate_secret(TENANT).text

    assert [each.text for each in webhooks.secrets(TENANT)] == [third, second]
    assert secret not in repr(webhooks.secrets(TENANT))
    assert third not in repr(webhooks.secrets(TENANT))


def test_a_secret_is_made_once(webhooks: Webhooks, secret: str) -> None:
    assert webhooks.make_secret(TENANT) is None
    assert [each.text for each in webhooks.secrets(TENANT)] == [secret]


def test_without_a_secret_no_callback_is_taken(api: Client, url: str, webhooks: Webhooks) -> None:
    answer = api.post(
        "/api/tasks/bulk",
        json={
            "tasks": [
                {"task_name": "embeddings.generate_async", "kwargs": {"texts": ["a"]}},
                {"task_name": "embeddings.generate_async", "kwargs": {"texts": ["a"]}, "callback_url": url},
                {"task_name": "embeddings.generate_async", "kwargs": {}, "callback_url": "https://10.0.0.1/"},
            ]
        },
    )

    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields[0] == fields[-1].replace("2", "1") == "tasks[1].callback_url"
    assert any(field.startswith("tasks[2].kwargs") for field in fields)
    assert "despacho webhooks secret --tenant acme" in answer.json()["errors"][0]["message"]


def test_a_case_that_is_erased_takes_its_webhooks_along(
    api: Client, trusted: Receiver, url: str, secret: str, deliveries: Of, client: redis.Redis
) -> None:
    api.put("/api/cases/case-1", json={"conversation_history": []})
    task_id = api.submit(callback_url=f"{url}?of=marca-do-cliente", countdown=600)
    api.delete(f"/api/tasks/{task_id}")
    assert len(deliveries(task_id).ids) == 1

    api.delete("/api/cases/case-1")

    assert not client.exists(KEYS.of("lane", lane="webhooks.normal"))
    assert all(b"marca-do-cliente" not in each for each in _everything(client))


def _everything(client: redis.Redis) -> Iterator[bytes]:
    for key in client.scan_iter():
        if client.type(key) == b"hash":
            yield from client.hvals(key)  # type: ignore[misc]


def test_the_end_of_what_is_not_kept_any_more_is_told_to_nobody(
    api: Client,
    trusted: Receiver,
    url: str,
    secret: str,
    deliveries: Of,
    client: redis.Redis,
    settings: Settings,
    request: pytest.FixtureRequest,
) -> None:
    task_id = api.submit(callback_url=url, countdown=600)
    api.delete(f"/api/tasks/{task_id}")
    (delivery_id,) = deliveries(task_id).ids
    client.delete(KEYS.of("task", id=task_id))

    request.getfixturevalue("worker")

    field = Deliveries(client, task_id).field
    wait_until(lambda: field(delivery_id, "status") == "succeeded", "the delivery has ended")
    (delivery,) = Ledger(client, settings).tasks([delivery_id])
    assert delivery.result["outcome"] == "forgotten"
    assert not trusted.received


def test_a_delivery_is_no_task_of_the_tenant(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    task_id = api.submit(callback_url=url)
    deliveries(task_id).become("succeeded")
    (delivery_id,) = deliveries(task_id).ids

    assert api.get(f"/api/tasks/{delivery_id}").status_code == 404
    assert [task["task_id"] for task in api.get("/api/tasks").json()["tasks"]] == [task_id]
    assert WEBHOOK_TASK not in api.get("/api/tasks/stats").json()["tasks"]
    assert WEBHOOK_TASK not in api.get("/api/task-types").text
    refused = api.post("/api/tasks/queue", json={"task_name": WEBHOOK_TASK, "kwargs": {}})
    assert refused.status_code == 422


def test_a_slow_receiver_takes_no_more_than_two_threads(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    trusted.replies = [replies.silence]
    held_up = [api.submit(callback_url=url) for _ in range(6)]
    wait_until(lambda: len(trusted.received) == 2, "two wait for the receiver")
    for task_id in held_up:
        wait_until(
            lambda each=task_id: deliveries(each).statuses in (["running"], ["retrying"]), "all were looked at"
        )  # type: ignore[misc]

    other = api.submit()
    api.until(other, "succeeded")

    assert len(trusted.received) == 2
    trusted.replies = [replies.status(200)]
    trusted.released.set()
    for task_id in held_up:
        deliveries(task_id).become("succeeded")
    # To be put off is no attempt; the two that were out got no answer, and another one.
    assert sorted(told(api, task_id)[-1]["attempt"] for task_id in held_up) == [1, 1, 1, 1, 2, 2]


def test_a_dead_host_is_left_alone_and_its_deliveries_wait_without_using_up_attempts(
    api: Client, worker: LaneWorker, trusted: Receiver, url: str, secret: str, deliveries: Of
) -> None:
    trusted.replies = [replies.status(503)]
    task_ids = [api.submit(callback_url=url) for _ in range(2)]
    opened = lambda: any(state["state"] == "open" for state in breakers(api))  # noqa: E731
    wait_until(opened, "the breaker of the host opens")
    sent = len(trusted.received)
    task_ids += [api.submit(callback_url=url) for _ in range(6)]
    for task_id in task_ids[-6:]:
        deliveries(task_id).become("retrying")

    (state,) = breakers(api)
    assert state["name"] == f"webhooks:{TENANT}:localhost:{trusted.port}"
    assert len(trusted.received) <= sent + 1, "at most a probe was sent"
    trusted.replies = [replies.status(200)]
    for task_id in task_ids:
        deliveries(task_id).become("succeeded")
    (delivery_id,) = deliveries(task_ids[-1]).ids
    assert f"breaker {state['name']}" in str(deliveries(task_ids[-1]).field(delivery_id, "log"))
    assert breakers(api)[0]["state"] == "closed"


def breakers(api: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/api/circuit-breakers").json()["breakers"]
    return found


def test_a_tenant_sets_where_its_webhooks_go(api: Client, url: str, secret: str, other_tenant: Client) -> None:
    set_to = api.put("/api/webhooks", json={"default_url": url})

    assert set_to.status_code == 200
    assert set_to.json()["default_url"] == url
    assert secret not in set_to.text
    assert api.get("/api/webhooks").json() == set_to.json()
    assert other_tenant.get("/api/webhooks").json()["default_url"] is None
    assert api.put("/api/webhooks", json={"default_url": None}).json()["default_url"] is None
    for wrong in ({}, {"default_url": "http://10.0.0.1/"}, {"default_url": url, "x": 1}, {"default_url": 1}):
        assert api.put("/api/webhooks", json=wrong).status_code == 422
    refused = other_tenant.put("/api/webhooks", json={"default_url": url})
    assert "despacho webhooks secret --tenant rival" in refused.json()["errors"][0]["message"]


# ------------------------------------------------------------------------------------------- kill -9


@pytest.fixture
def processes(
    settings: Settings, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DESPACHO_")} | {
        "DESPACHO_REDIS_URL": settings.redis_url,
        "DESPACHO_DATA_DIR": str(settings.data_dir),
        "DESPACHO_HEARTBEAT_TIMEOUT_S": "1",
        "DESPACHO_WEBHOOK_ALLOWED_HOSTS": json.dumps(settings.webhook_allowed_hosts),
    }
    with ExitStack() as stack:

        def start() -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.webhook_worker"], cwd=ROOT, env=environment
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.parametrize("moment", ["before the delivery begins", "while the receiver takes its time"])
def test_a_kill_between_the_end_and_the_delivery_loses_and_doubles_nothing(
    api: Client,
    trusted: Receiver,
    url: str,
    secret: str,
    deliveries: Of,
    client: redis.Redis,
    processes: Callable[[], subprocess.Popen[bytes]],
    moment: str,
) -> None:
    trusted.replies = [replies.silence]
    before = moment == "before the delivery begins"
    if before:
        api.post("/api/queues/webhooks/pause")
    worker = processes()
    task_ids = [api.submit(callback_url=url) for _ in range(2)]
    for task_id in task_ids:
        deliveries(task_id).become("queued" if before else "running")
    wait_until(lambda: before or len(trusted.received) == 2, "the receiver was asked")

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    trusted.replies = [replies.status(200)]
    trusted.released.set()
    if before:
        api.post("/api/queues/webhooks/resume")
    processes()

    for task_id in task_ids:
        deliveries(task_id).become("succeeded")
        assert len(deliveries(task_id).ids) == 1
    assert {each.id for each in trusted.received} == {deliveries(each).ids[0] for each in task_ids}
    assert len(trusted.received) == (2 if before else 4)
    assert client.zcard(KEYS.of("by_name", tenant="system", task_name=WEBHOOK_TASK)) == 2
