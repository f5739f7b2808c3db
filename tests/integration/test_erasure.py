"""Erasing a case, whatever is under way, and the hold that forbids it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import redis

from actors import batch, documents, upkeep
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks.blobs import results_folder, text_place
from tasks.erasure import is_genuine
from tasks.errors import CaseRekeyed
from tasks.keys import Keys
from tasks.ledger import Appetite, Ledger
from tasks.master_key import load_vault
from tasks.payloads import TriageResult
from tasks.settings import Settings
from tasks.submission import Order, check
from tasks.webhooks import Webhooks
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway, a_triage
from tests.stored import dumped

MARKER = "Quimera-7714"
KEYS = Keys("despacho")


def put(api: Client, case_id: str = "case-1", text: str = MARKER) -> None:
    turns = [{"role": "client", "content": text}]
    answer = api.put(f"/api/cases/{case_id}", json={"conversation_history": turns, "metadata": {"note": text}})
    assert answer.status_code in (200, 201)


def upload(api: Client, content: bytes, case_id: str = "case-1") -> str:
    answer = api.post(
        "/api/documents", files={"file": (f"{MARKER}.txt", content, "text/plain")}, data={"case_id": case_id}
    )
    assert answer.status_code == 201
    return str(answer.json()["document_id"])


def erase(api: Client, case_id: str = "case-1") -> dict[str, Any]:
    answer = api.delete(f"/api/cases/{case_id}")
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def files_of(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "blobs").rglob("*") if path.is_file()]


class SlowOnDemand:
    """Says of a case what its client said; of one who asks for it, after a while."""

    name = "slow"

    def triage(self, case_id: str, conversation: Any, reference: Any, report: Any) -> TriageResult:
        said = conversation[-1].content
        for _ in range(2_000 if said == "devagar" else 1):
            report(50, "Lendo")
            sleep(0.005)
        return a_triage(case_id, said)


@pytest.fixture
def batch_worker(client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    broker = build_broker(settings)
    declared = (
        Declared("batch.process_cases", batch.process_cases),
        Declared("batch.process_case", batch.process_case),
    )
    tools = Toolbox(broker.ledger, settings)
    tools.triage = SlowOnDemand()
    for one in declared:
        declare(broker, one, tools)
    worker = LaneWorker(broker, 4)
    worker.start()
    yield worker
    worker.drain(0)


# -------------------------------------------------------------------------------------------- before it


def test_nothing_of_a_client_lies_in_clear(
    api: Client, worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    put(api)
    upload(api, MARKER.encode())
    task_id = api.submit(kwargs={"user_message": MARKER}, metadata={"note": MARKER})
    record = api.until(task_id, "succeeded")
    assert record["result"]["summary"] == MARKER
    assert record["metadata"] == {"note": MARKER}
    assert api.get("/api/cases/case-1").json()["results"]["triage"]["result"]["summary"] == MARKER

    assert MARKER.encode() not in dumped(client)
    assert all(MARKER.encode() not in path.read_bytes() and MARKER not in path.name for path in files_of(settings))


# ------------------------------------------------------------------------------------------------ erasing


def test_everything_of_a_case_goes_and_a_signed_receipt_says_so(
    api: Client, worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    put(api)
    upload(api, b"texto")
    api.until(api.submit(kwargs={}, metadata={}), "succeeded")
    api.until(api.submit(kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0}), "failed")
    api.submit(kwargs={}, countdown=3_600)

    receipt = erase(api)

    assert receipt["case_id"] == "case-1"
    assert receipt["counts"] == {"tasks": 3, "documents": 1, "conversations": 1, "vectors": 0, "keys": 1}
    assert is_genuine(receipt, load_vault(settings))
    assert not is_genuine({**receipt, "erased_at": "2020-01-01T00:00:00.000Z"}, load_vault(settings))
    assert files_of(settings) == []
    left = {name for name in client.scan_iter() if b"case-1" in name}
    assert left == {KEYS.of("erasure", tenant="acme", case="case-1").encode()}
    assert api.get("/api/tasks", params={"status": "failed"}).json()["tasks"] == []
    assert client.xlen(KEYS.of("recent", tenant="acme")) == 0


def test_who_asks_again_gets_the_same_receipt_until_something_new_comes(api: Client, other_tenant: Client) -> None:
    put(api)
    first = erase(api)

    assert erase(api) == first
    assert other_tenant.delete("/api/cases/case-1").status_code == 404
    put(api, text="de novo")
    second = erase(api)
    assert second != first
    assert second["counts"]["conversations"] == 1


def test_a_running_task_is_stopped_and_writes_nothing_back(
    api: Client, worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    put(api)
    task_id = api.submit(kwargs={"user_message": "devagar"})
    api.until(task_id, "running")

    assert erase(api)["counts"]["tasks"] == 1

    assert api.get(f"/api/tasks/{task_id}").status_code == 404
    wait_until(lambda: not worker.broker.held, "the worker has let go of it")
    assert not client.exists(KEYS.of("task", id=task_id))
    assert files_of(settings) == []


def test_what_a_run_leaves_after_the_erasure_is_cleared_up(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    broker = build_broker(settings)
    task_id = api.submit()
    consumer = broker.consume("any", 1)
    delivery = next(consumer)
    assert delivery is not None
    erase(api)
    place = f"{results_folder('acme', task_id)}/1.json"
    Toolbox(broker.ledger, settings).blobs.write(place, [b"late"])

    consumer.ack(delivery)

    assert files_of(settings) == []
    assert not client.exists(KEYS.of("task", id=task_id))


def test_an_erasure_that_was_interrupted_is_finished_by_the_next_call(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    put(api)
    upload(api, b"texto")
    api.submit(kwargs={})
    ledger = Ledger(client, settings)
    assert ledger._call("begin_erasure", "acme", "case-1", 60, "") == [b"begun"]
    assert api.put("/api/cases/case-1/hold", json={"reason": "tarde"}).status_code == 404

    receipt = erase(api)

    assert receipt["counts"] == {"tasks": 1, "documents": 1, "conversations": 1, "vectors": 0, "keys": 1}
    assert files_of(settings) == []


def test_bytes_that_another_case_has_too_stay_with_that_one(api: Client, settings: Settings) -> None:
    upload(api, b"os mesmos bytes")
    other = upload(api, b"os mesmos bytes", "case-2")

    erase(api)

    assert api.get(f"/api/documents/{other}/content").content == b"os mesmos bytes"
    erase(api, "case-2")
    assert files_of(settings) == []


def test_an_idempotency_key_is_forgotten_with_its_task(api: Client, client: redis.Redis) -> None:
    body = {"task_name": "triage.process_async", "args": ["case-1"], "kwargs": {"user_message": MARKER}}
    api.post("/api/tasks/queue", json=body, headers={"Idempotency-Key": "k"})
    assert list(client.scan_iter("despacho:idempotency:*"))

    erase(api)

    assert not list(client.scan_iter("despacho:idempotency:*"))


def test_a_batch_goes_on_without_the_case_that_was_erased(
    api: Client, batch_worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    cases = [{"case_id": f"case-{number}", "user_message": f"{MARKER} {number}"} for number in range(3)]
    cases.append({"case_id": "case-slow", "user_message": "devagar"})
    wanted = {"cases": cases, "operations": ["triage"]}
    batch_id = api.submit("batch.process_cases", args=[], kwargs=wanted)
    wait_until(lambda: (api.record(batch_id)["children"] or {}).get("succeeded") == 3, "three cases are done")

    assert erase(api, "case-1")["counts"]["tasks"] == 1
    assert erase(api, "case-slow")["counts"]["tasks"] == 1

    record = api.until(batch_id, "succeeded")
    assert record["result"] | {"results_url": ""} == {
        "total": 4, "succeeded": 3, "failed": 0, "cancelled": 1, "results_url": ""
    }  # fmt: skip
    lines = api.get(f"/api/tasks/{batch_id}/results", params={"follow": "false"}).text
    assert f"{MARKER} 1" not in lines
    assert f"{MARKER} 2" in lines


def test_a_batch_that_waits_tells_nothing_of_a_case_that_was_erased(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    cases = [{"case_id": f"case-{number}", "user_message": f"{MARKER} {number}"} for number in range(2)]
    batch_id = api.submit("batch.process_cases", args=[], kwargs={"cases": cases, "operations": ["triage"]})
    erase(api, "case-1")

    broker = build_broker(settings)
    for one in (
        Declared("batch.process_cases", batch.process_cases),
        Declared("batch.process_case", batch.process_case),
    ):
        declare(broker, one, Toolbox(broker.ledger, settings))
    worker = LaneWorker(broker, 2)
    worker.start()
    try:
        record = api.until(batch_id, "succeeded")
    finally:
        worker.drain(0)

    assert record["children"]["failed"] == 1
    (failed,) = api.get("/api/tasks", params={"parent_id": batch_id, "status": "failed"}).json()["tasks"]
    assert failed["case_id"] == "case-1"
    assert failed["error"]["type"] == "CaseGone"


def test_a_task_that_has_read_documents_of_the_case_goes_with_it(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    document_id = upload(api, f"Procuração de {MARKER}.".encode())
    broker = build_broker(settings)
    declare(broker, Declared("documents.analyze_async", documents.analyze), Toolbox(broker.ledger, settings))
    task_ids = [
        api.submit("documents.analyze_async", args=[case_id, [document_id]], kwargs={})
        for case_id in ("other", "case-1")
    ]
    worker = LaneWorker(broker, 1)
    worker.start()
    try:
        for task_id in task_ids:
            api.until(task_id, "succeeded")
    finally:
        worker.drain(0)
    assert client.ttl(KEYS.of("about", tenant="acme", case="case-1")) > 0

    assert erase(api)["counts"]["tasks"] == 2

    assert all(api.get(f"/api/tasks/{task_id}").status_code == 404 for task_id in task_ids)
    assert not Ledger(client, settings).note_about(task_ids[0], "acme", "case-1", document_id)


def test_every_gateway_forgets_the_key_of_a_case_that_is_erased_elsewhere(
    api: Client, gateway: Gateway, client: redis.Redis, settings: Settings
) -> None:
    put(api)
    ring = gateway.app.state.services.tasks.ring
    assert ring.known(("acme", "case-1")) is not None

    Ledger(client, settings)._call("begin_erasure", "acme", "case-1", 60, "")

    wait_until(lambda: ring.known(("acme", "case-1")) is None, "the gateway has heard of it")


def test_the_files_of_a_case_that_has_expired_are_swept_away(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    kept = upload(api, b"fica", "case-2")
    gone = upload(api, b"vai")
    tools = Toolbox(Ledger(client, settings), settings)
    for document_id in (kept, gone):
        tools.blobs.write(text_place("acme", document_id), [b"texto"])
    for path in files_of(settings):
        os.utime(path, (0, 0))
    upload(api, b"acaba de chegar", "case-3")
    digest = client.hget(KEYS.of("document", tenant="acme", id=gone), "digest")
    assert digest is not None
    client.delete(KEYS.of("document", tenant="acme", id=gone))
    client.delete(KEYS.of("blob_users", tenant="acme", digest=digest.decode()))

    upkeep._delete_unneeded(tools)

    assert api.get(f"/api/documents/{kept}/content").content == b"fica"
    assert len(files_of(settings)) == 3
    assert not tools.blobs.exists(text_place("acme", gone))


def test_a_text_that_was_read_before_the_erasure_is_not_stored_after_it(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    api.submit()
    ledger = Ledger(client, settings)
    key = ledger.case_keys.of("acme", "case-1")
    assert key is not None
    order = Order("triage.process_async", ["case-1"], {"user_message": MARKER}, tenant="acme", read_under=key.key_id)
    erase(api)

    with pytest.raises(CaseRekeyed):
        ledger.submit([check(order, ledger.catalog)])

    assert not client.exists(KEYS.of("case_key", tenant="acme", case="case-1"))


def test_two_processes_that_make_a_key_at_once_agree_on_one(client: redis.Redis, settings: Settings) -> None:
    ledgers = [Ledger(client, settings) for _ in range(2)]
    for number, ledger in enumerate(ledgers):
        order = Order("triage.process_async", ["case-1"], {"user_message": f"{MARKER} {number}"}, tenant="acme")
        ledger.submit([check(order, ledger.catalog)])

    started = ledgers[0].fetch(Appetite("w", ledgers[0].catalog.queues, 10))

    assert sorted(run.payload["user_message"] for run in started) == [f"{MARKER} 0", f"{MARKER} 1"]


def test_webhooks_of_the_case_go_with_it_whatever_became_of_them(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    Webhooks(client, settings).make_secret("acme")
    url = f"https://93.184.216.34/{MARKER}"
    for _ in range(4):
        task_id = api.submit(kwargs={"user_message": MARKER}, callback_url=url, countdown=60)
        api.delete(f"/api/tasks/{task_id}")
    other = api.submit(args=["case-2"], callback_url=url, countdown=60)
    api.delete(f"/api/tasks/{other}")
    api.submit(kwargs={"user_message": MARKER}, callback_url=url, countdown=60)
    ledger = Ledger(client, settings)
    done, failed, _ = ledger.fetch(Appetite("w@host#1", ("webhooks",), 3))
    ledger.succeed(done.hold, "{}")
    ledger.fail(failed.hold, {"type": "WebhookFailed", "message": "http 500"})

    erase(api)

    (left,) = client.zrange(KEYS.of("by_name", tenant="system", task_name="webhooks.deliver"), 0, -1)
    named = client.hget(KEYS.of("task", id=other), "deliveries")
    assert left == named
    assert dumped(client).count(MARKER.encode()) == 2
    assert api.get(f"/api/tasks/{other}/log").json()["events"][-1]["event"] == "webhook_queued"


# ------------------------------------------------------------------------------------------------ holding


def test_a_hold_keeps_a_case_from_erasure_and_expiry(api: Client, client: redis.Redis, settings: Settings) -> None:
    put(api)
    document_id = upload(api, b"texto")
    names = [
        KEYS.of("case", tenant="acme", case="case-1"),
        KEYS.of("case_key", tenant="acme", case="case-1"),
        KEYS.of("case_documents", tenant="acme", case="case-1"),
        KEYS.of("document", tenant="acme", id=document_id),
    ]
    assert all(client.ttl(name) > 0 for name in names)

    held = api.put("/api/cases/case-1/hold", json={"reason": f"Processo de {MARKER}"})

    assert held.status_code == 200
    assert held.json()["reason"] == f"Processo de {MARKER}"
    assert api.get("/api/cases/case-1/hold").json() == held.json()
    assert MARKER.encode() not in dumped(client)
    refused = api.delete("/api/cases/case-1")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/on-hold")
    refused = api.delete(f"/api/documents/{document_id}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/on-hold")
    assert api.get(f"/api/documents/{document_id}/content").content == b"texto"
    put(api, text="mais")
    api.submit(kwargs={})
    upload(api, b"mais texto")
    assert all(client.ttl(name) == -1 for name in names)

    assert api.delete("/api/cases/case-1/hold").status_code == 204
    assert all(client.ttl(name) > 0 for name in names)
    assert api.delete("/api/cases/case-1/hold").status_code == 404
    assert api.get("/api/cases/case-1/hold").status_code == 404
    erase(api)


def test_the_tasks_of_a_case_on_hold_do_not_expire(api: Client, client: redis.Redis, settings: Settings) -> None:
    task_id = api.submit()
    api.delete(f"/api/tasks/{task_id}")
    assert api.put("/api/cases/case-1/hold", json={"reason": "processo"}).status_code == 200
    client.zadd(KEYS.of("expiring"), {task_id: 1})
    ledger = Ledger(client, settings)

    assert ledger.expired() == {}

    assert api.delete("/api/cases/case-1/hold").status_code == 204
    client.zadd(KEYS.of("expiring"), {task_id: 1})
    assert ledger.expired() == {task_id: "acme"}


def test_only_operators_hold_and_only_what_is_theirs(api: Client, other_tenant: Client, keys: Any) -> None:
    put(api)
    assert other_tenant.put("/api/cases/case-1/hold", json={"reason": "x"}).status_code == 404
    assert api.put("/api/cases/case-1/hold", json={"reason": ""}).status_code == 422
    assert api.put("/api/cases/nobody/hold", json={"reason": "x"}).status_code == 404
    _, token = keys.create("writer", "acme", ("tasks:read", "tasks:write"))
    with Client(base_url=api.base_url, headers={"Authorization": f"Bearer {token}"}) as writer:
        assert writer.put("/api/cases/case-1/hold", json={"reason": "x"}).status_code == 403
