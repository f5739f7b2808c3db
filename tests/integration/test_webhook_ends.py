"""The end of a task with a callback queues its delivery, in the same step and once; other ends know nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from tasks import scripts
from tasks.catalog import CATALOG, WEBHOOK_TASK
from tasks.ids import child_id, is_task_id
from tasks.ledger import Appetite, Hold, Ledger
from tasks.lifecycle import lane_name
from tasks.record import Task
from tasks.settings import Settings
from tasks.webhooks import Webhooks
from tests.integration.stories import WORKER, a_task, begun, fetched, hold, ledger_for, record, status

URL = "https://app.example/hooks?a=b"
ERROR = {"type": "ValueError", "message": "no", "attempt": 1, "at": 0, "retryable": False}
LANE = lane_name("webhooks", "normal")


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return ledger_for(client, settings)


def submitted(ledger: Ledger, **wishes: Any) -> Hold:
    task = a_task(**({"callback_url": URL, "kwargs": {"case_id": "case-1", "words": "segredo"}} | wishes))
    ledger.submit([task])
    return hold(task)


def running(ledger: Ledger, **wishes: Any) -> Hold:
    waiting = submitted(ledger, **wishes)
    (started,) = fetched(ledger, 1)
    assert started.hold == waiting
    return waiting


def deliveries(ledger: Ledger) -> list[Task]:
    """Those that stand in the lane, in its order."""
    ids = ledger.client.lrange(ledger.keys.of("lane", lane=LANE), 0, -1)
    assert ledger.client.hlen(ledger.keys.of("messages", lane=LANE)) == len(ids)
    return [record(ledger, task_id.decode()) for task_id in ids]


def payload(ledger: Ledger, delivery: Task) -> dict[str, Any]:
    raw = ledger.client.hget(ledger.keys.of("task", id=delivery.task_id), "payload")
    assert isinstance(raw, bytes)
    checked = CATALOG.get(WEBHOOK_TASK, internal=True).payload.model_validate_json(raw)
    return checked.model_dump()


def named(ledger: Ledger, task_id: str) -> list[str]:
    raw = ledger.client.hget(ledger.keys.of("task", id=task_id), "deliveries")
    return raw.decode().split(",") if raw else []


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_every_end_queues_one_delivery_that_only_refers_to_the_task(ledger: Ledger, end: str) -> None:
    run = running(ledger)

    if end == "succeeded":
        ledger.succeed(run, '{"summary":"segredo"}')
    elif end == "failed":
        ledger.fail(run, ERROR | {"message": "segredo"})
    else:
        ledger.cancelled(run)

    (delivery,) = deliveries(ledger)
    ended = record(ledger, run.task_id)
    assert payload(ledger, delivery) == {
        "task_id": run.task_id,
        "tenant": "default",
        "status": end,
        "attempt": 1,
        "at": ended.finished_ms,
        "url": URL,
    }
    assert (delivery.name, delivery.queue, delivery.tenant, delivery.case_id) == (
        WEBHOOK_TASK,
        "webhooks",
        "system",
        None,
    )
    spec = CATALOG.get(WEBHOOK_TASK, internal=True)
    assert (delivery.options.max_retries, delivery.options.timeout_s) == (spec.retry.max_retries, spec.timeout_s)
    assert is_task_id(delivery.task_id)
    assert named(ledger, run.task_id) == [delivery.task_id]
    assert all(b"segredo" not in value for value in _everything_of(ledger, delivery.task_id))


def _everything_of(ledger: Ledger, task_id: str) -> list[bytes]:
    fields = ledger.client.hgetall(ledger.keys.of("task", id=task_id))
    return [*fields.values(), *ledger.client.hvals(ledger.keys.of("messages", lane=LANE))]  # type: ignore[union-attr]


def test_an_end_that_is_written_again_because_its_answer_was_lost_queues_no_second_one(ledger: Ledger) -> None:
    run = running(ledger)

    assert ledger.succeed(run, "{}")
    assert ledger.succeed(run, "{}")

    assert len(deliveries(ledger)) == 1


def test_a_superseded_run_queues_none(ledger: Ledger) -> None:
    run = running(ledger)
    ledger.retire(WORKER)
    begun(ledger, a_task(task_id=run.task_id), run=2, worker="w-other")

    assert not ledger.succeed(run, "{}")

    assert not deliveries(ledger)


def test_a_retry_is_no_end(ledger: Ledger) -> None:
    ledger.retry(running(ledger), 10, ERROR)

    assert not deliveries(ledger)


def test_a_waiting_task_that_is_cancelled_is_told_too(ledger: Ledger) -> None:
    waiting = submitted(ledger, countdown_s=600)

    ledger.cancel(waiting.task_id)

    (delivery,) = deliveries(ledger)
    assert payload(ledger, delivery)["status"] == "cancelled"
    assert payload(ledger, delivery)["attempt"] == 0


def test_a_task_that_killed_its_workers_is_told_as_failed(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings.model_copy(update={"max_crashes": 1, "heartbeat_timeout_s": 1}))
    run = running(ledger)
    client.zadd(ledger.keys.of("heartbeats"), {WORKER: 1})

    ledger.do_chores()

    assert status(ledger, run.task_id) == "failed"
    (delivery,) = deliveries(ledger)
    assert payload(ledger, delivery)["status"] == "failed"


def test_a_task_that_is_run_again_is_told_again_under_another_id(ledger: Ledger) -> None:
    run = running(ledger)
    ledger.fail(run, ERROR)
    ledger.requeue(run.task_id)
    again = begun(ledger, a_task(task_id=run.task_id), run=2)
    ledger.succeed(again, "{}")

    first, second = deliveries(ledger)
    assert first.task_id != second.task_id
    assert [payload(ledger, each)["status"] for each in (first, second)] == ["failed", "succeeded"]
    assert named(ledger, run.task_id) == [first.task_id, second.task_id]


def test_a_record_names_its_latest_deliveries_only(ledger: Ledger) -> None:
    run = submitted(ledger)
    for _ in range(25):
        ledger.cancel(run.task_id)
        ledger.requeue(run.task_id)

    ids = [delivery.task_id for delivery in deliveries(ledger)]

    assert len(set(ids)) == 25
    assert named(ledger, run.task_id) == ids[-20:]


def test_what_is_to_be_forgotten_is_told_to_nobody(ledger: Ledger) -> None:
    run = running(ledger)
    ledger._call("forget", run.task_id, "default")

    ledger.succeed(run, "{}")

    assert not deliveries(ledger)


def test_a_task_without_a_callback_leaves_no_trace_of_webhooks(ledger: Ledger) -> None:
    ledger.succeed(running(ledger, callback_url=None), "{}")

    assert not deliveries(ledger)
    assert not list(ledger.client.scan_iter("*webhook*"))
    assert ledger.client.smembers(ledger.keys.of("tenants")) == {b"default"}


def test_a_task_that_is_forgotten_takes_its_deliveries_along(ledger: Ledger) -> None:
    run = submitted(ledger)
    for _ in range(4):
        ledger.cancel(run.task_id)
        ledger.requeue(run.task_id)
    ledger.cancel(run.task_id)
    appetite = Appetite(WORKER, ("webhooks",), 4)
    done, failed, retrying, sending = [started.hold for started in ledger.fetch(appetite)]
    ledger.succeed(done, "{}")
    ledger.fail(failed, ERROR)
    ledger.retry(retrying, 60_000, ERROR)
    assert len(named(ledger, run.task_id)) == 5

    ledger._call("forget", run.task_id, "default")
    while due := ledger.expired():
        ledger.expire(due)

    (left,) = list(ledger.client.scan_iter(ledger.keys.of("task", id="*")))
    assert left == ledger.keys.of("task", id=sending.task_id).encode()
    assert not ledger.client.exists(ledger.keys.of("lane", lane=LANE))
    assert not ledger.client.zcard(ledger.keys.of("delayed"))
    assert not ledger.client.zcard(ledger.keys.of("dead", lane=LANE))

    ledger.succeed(sending, "{}")
    ledger.expire(ledger.expired())
    assert not list(ledger.client.scan_iter(ledger.keys.of("task", id="*")))


def test_where_too_many_wait_the_record_says_so(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = (scripts._body, scripts.library_name, scripts.library, scripts.function)
    monkeypatch.setattr(scripts, "DELIVERIES_AT_MOST", 2)
    for each in cached:
        each.cache_clear()
    runs = [running(ledger) for _ in range(3)]

    for run in runs:
        ledger.succeed(run, "{}")

    for each in cached:
        each.cache_clear()
    assert len(deliveries(ledger)) == 2
    assert [len(named(ledger, run.task_id)) for run in runs] == [1, 1, 0]
    assert ledger.client.hget(ledger.keys.of("task", id=runs[2].task_id), "untold")
    assert status(ledger, runs[2].task_id) == "succeeded"


def test_a_tenants_default_holds_for_what_is_submitted_from_then_on(
    ledger: Ledger, client: redis.Redis, settings: Settings
) -> None:
    webhooks = Webhooks(client, settings)
    before = running(ledger, callback_url=None)
    webhooks.make_secret("default")
    webhooks.set_default("default", "https://default.example/")
    after = running(ledger, callback_url=None)
    own = running(ledger)
    other = running(ledger, callback_url=None, tenant="rival")
    webhooks.set_default("default", None)

    for run in (before, after, own, other):
        ledger.succeed(run, "{}")

    urls = {payload(ledger, each)["task_id"]: payload(ledger, each)["url"] for each in deliveries(ledger)}
    assert urls == {after.task_id: "https://default.example/", own.task_id: URL}


def test_the_end_of_a_child_is_its_parents_to_tell(ledger: Ledger, client: redis.Redis, settings: Settings) -> None:
    webhooks = Webhooks(client, settings)
    webhooks.make_secret("default")
    webhooks.set_default("default", URL)
    parent = running(ledger, callback_url=None)
    child = a_task(task_id=child_id(parent.task_id, 0), parent_id=parent.task_id)
    ledger.submit([child])
    ledger.await_children(parent)

    ledger.succeed(begun(ledger, child), "{}")
    assert not deliveries(ledger)
    ledger.succeed(begun(ledger, a_task(task_id=parent.task_id), run=2), "{}")

    assert [payload(ledger, each)["task_id"] for each in deliveries(ledger)] == [parent.task_id]


def test_a_delivery_is_told_on_no_clients_stream(ledger: Ledger, client: redis.Redis) -> None:
    ledger.succeed(running(ledger), "{}")

    (delivery,) = deliveries(ledger)
    entries = client.xrange(ledger.keys.of("recent", tenant="default"))
    assert all(delivery.task_id not in json.dumps(str(entry)) for entry in entries)  # type: ignore[union-attr]
    assert client.xlen(ledger.keys.of("recent", tenant="system")) == 1
