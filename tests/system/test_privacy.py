"""What a client tells is looked for everywhere: in the server key by key, in its append-only file, in the blobs, in
the logs at their most talkative, and in every response. Before the case is erased only who may see it finds it;
after that nobody does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tasks.erasure import is_genuine
from tasks.master_key import load_vault
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client
from tests.stored import dumped
from tests.system.service import RunningService

MARKER = "Xilofone9931"
TOLD = f"Sou {MARKER} da Silva, fui demitida grávida e não me pagaram. "
CASE = "case-1"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """With logs that tell all, results that go into files, and a provider of embeddings that isn't there."""
    wanted = {
        "DESPACHO_LOG_LEVEL": "debug",
        "DESPACHO_INLINE_RESULT_BYTES": "300",
        "DESPACHO_EMBEDDINGS_URL": "http://127.0.0.1:9",
        "DESPACHO_EMBEDDINGS_MODEL": "absent",
        "DESPACHO_EMBEDDINGS_TIMEOUT_S": "1",
    }
    with RunningService(tmp_path_factory.mktemp("privacy") / "data", **wanted) as service:
        yield service


class Everything:
    """All places where words could lie, and all that was answered to those who may not see them."""

    def __init__(self, service: RunningService) -> None:
        self.data_dir = service.data_dir
        self.client = redis.Redis(unix_socket_path=str(service.data_dir / "valkey.sock"))
        self.answers: list[str] = []

    def places(self) -> dict[str, bytes]:
        self._rewrite_append_only_file()
        files = {str(path.relative_to(self.data_dir)): path for path in self.data_dir.rglob("*") if path.is_file()}
        found = {name: path.read_bytes() + name.encode() for name, path in files.items()}
        return found | {"redis": dumped(self.client), "answers": "\n".join(self.answers).encode()}

    def _rewrite_append_only_file(self) -> None:
        # A word in a compressed file would not be found.
        self.client.config_set("rdbcompression", "no")
        self.client.bgrewriteaof()
        wait_until(lambda: self.client.info("persistence")["aof_rewrite_in_progress"] == 0, "the file is rewritten")
        wait_until(lambda: self.client.info("persistence")["aof_rewrite_scheduled"] == 0, "no rewrite is due")


def ended(api: Client, task_id: str) -> dict[str, Any]:
    wait_until(lambda: api.record(task_id)["status"] in ("succeeded", "failed"), "the task has ended", 60)
    return api.record(task_id)


def submitted(api: Client, task_name: str, headers: dict[str, str] | None = None, **body: Any) -> str:
    wanted = {"task_name": task_name, "metadata": {"note": MARKER}, **body}
    answer = api.post("/api/tasks/queue", json=wanted, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def test_a_clients_words_are_nowhere_but_where_they_are_asked_for_and_after_the_erasure_nowhere_at_all(
    service: RunningService,
) -> None:
    everything = Everything(service)
    with Client(base_url=service.url, headers={"Authorization": f"Bearer {service.key}"}, timeout=60) as api:
        task_ids = work_of_all_kinds(api)
        everything.answers += list(unauthorised_answers(api, task_ids))

        assert seen(api, task_ids), "who may see them sees the words"
        for place, content in everything.places().items():
            assert MARKER.encode() not in content, place
        assert any(place.startswith("blobs/results") for place in everything.places())
        assert any(place.startswith("appendonlydir") for place in everything.places())
        assert b"DEBUG" in everything.places()["logs/worker-1.log"]

        receipt = api.delete(f"/api/cases/{CASE}").json()

        assert is_genuine(receipt, load_vault(Settings(data_dir=service.data_dir)))
        assert receipt["counts"]["documents"] == 1
        assert receipt["counts"]["tasks"] >= 5
        assert not seen(api, task_ids)
        everything.answers += [json.dumps(receipt), *unauthorised_answers(api, task_ids)]
        for place, content in everything.places().items():
            assert MARKER.encode() not in content, place
            assert not place.startswith(("blobs/documents", "blobs/texts", "blobs/results"))
        names = [name for name in everything.client.scan_iter() if CASE.encode() in name]
        assert names == [f"despacho:erasure:default:{CASE}".encode()]


def work_of_all_kinds(api: Client) -> dict[str, str]:
    """Everything that takes words in, and everything that can become of it: the ids of the tasks by what they are."""
    talk = [{"role": "client", "content": TOLD}]
    stored = api.put(f"/api/cases/{CASE}", json={"conversation_history": talk, "metadata": {"note": MARKER}})
    assert stored.status_code == 201
    file = (f"{MARKER}.txt", (TOLD * 20).encode(), "text/plain")
    document = api.post("/api/documents", files={"file": file}, data={"case_id": CASE}).json()["document_id"]
    once = {"Idempotency-Key": MARKER}
    again = {"max_retries": 1, "min_backoff_s": 0, "max_backoff_s": 0}
    ids = {
        "document": document,
        "triage": submitted(api, "triage.process_async", once, args=[CASE], kwargs={"user_message": TOLD}),
        "analysis": submitted(api, "documents.analyze_async", args=[CASE, [document]]),
        "failing": submitted(api, "embeddings.generate_async", kwargs={"case_id": CASE}, retry_config=again),
        "batch": submitted(
            api,
            "batch.process_cases",
            # A batch is of many cases: what its caller notes of it stays with it.
            metadata={},
            kwargs={"cases": [{"case_id": CASE, "user_message": TOLD, "document_ids": [document]}]},
            retry_config=again,
        ),
        "waiting": submitted(
            api, "triage.process_async", args=[CASE], kwargs={"user_message": TOLD}, countdown=3_600
        ),
    }
    assert ended(api, ids["triage"])["status"] == "succeeded"
    assert ended(api, ids["analysis"])["status"] == "succeeded"
    failed = ended(api, ids["failing"])
    assert (failed["status"], failed["attempt"]) == ("failed", 2)
    ended(api, ids["batch"])
    return ids


def unauthorised_answers(api: Client, ids: dict[str, str]) -> Iterator[str]:
    """What is answered where a client's words don't belong: to wrong requests, to operators, to a reader without the
    scope for payloads."""
    wrong: list[dict[str, Any]] = [
        {"task_name": "triage.process_async", "args": [TOLD]},
        {"task_name": "triage.process_async", "args": [CASE], "kwargs": {"user_message": [TOLD]}},
        {"task_name": "triage.process_async", "args": [CASE], "kwargs": {"conversation_history": TOLD}},
        {"task_name": "embeddings.generate_async", "kwargs": {"texts": [TOLD], "encoding_format": TOLD}},
        {"task_name": "batch.process_cases", "kwargs": {"cases": [{"case_id": TOLD}]}},
        {"task_name": "triage.process_async", "args": [CASE], "metadata": TOLD},
    ]
    for body in wrong:
        answer = api.post("/api/tasks/queue", json=body)
        assert answer.status_code == 422, answer.text
        yield answer.text
    yield api.put(f"/api/cases/{CASE}", json={"conversation_history": [{"role": TOLD, "content": TOLD}]}).text
    yield api.post("/api/tasks/queue", content=f'{{"task_name": "{TOLD}'.encode()).text
    for path in (
        *("/metrics", "/api/queues", "/api/workers", "/api/tasks/stats", "/api/task-types", "/ops/dramatiq/"),
        *("/ops/dramatiq/queues/documents.normal", "/ops/dramatiq/queues/embeddings.normal/failed", "/openapi.json"),
        *(f"/api/tasks/{task_id}/log" for task_id in ids.values()),
    ):
        answer = api.get(path)
        assert answer.status_code < 500, path
        yield answer.text


OF_A_TASK = ("", "/result", "/embeddings", "/payload")


def seen(api: Client, ids: dict[str, str]) -> bool:
    """Whether one who may see everything finds the words anywhere."""
    paths = [
        f"/api/cases/{CASE}",
        "/api/tasks",
        *(f"/api/documents/{ids['document']}{part}" for part in ("", "/content", "/text")),
        *(f"/api/tasks/{task_id}{part}" for task_id in ids.values() for part in OF_A_TASK),
        f"/api/tasks/{ids['batch']}/results?follow=false",
        f"/api/tasks/{ids['triage']}/events",
    ]
    return any(MARKER in api.get(path).text for path in paths)
