"""Backup, destroy, restore: on the built thing, by its commands, with its real workers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from tests.conftest import wait_until
from tests.system.service import ROOT, RunningService, inherited

TURNS = [{"role": "client", "content": "Fui demitida ontem e não recebi a rescisão."}]
SHOWN = ("status", "result", "error", "metadata", "attempt", "finished_at", "created_at", "progress", "case_id")


def despacho(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env={**inherited(), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


class Api:
    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> Any:
        return self._client.get(path).raise_for_status().json()

    def put_case(self, case_id: str) -> None:
        self._client.put(f"/api/cases/{case_id}", json={"conversation_history": TURNS}).raise_for_status()

    def upload(self, case_id: str) -> str:
        files = {"file": ("a.txt", "Procuração.\nOutorgante: Maria da Silva.".encode(), "text/plain")}
        return str(self.post("/api/documents", files=files, data={"case_id": case_id})["document_id"])

    def document(self, document_id: str) -> tuple[Any, bytes, str]:
        """What is known of it, its bytes and its text."""
        path = f"/api/documents/{document_id}"
        content, text = (self._client.get(f"{path}/{part}").raise_for_status() for part in ("content", "text"))
        return self.get(path), content.content, text.text

    def post(self, path: str, **body: Any) -> Any:
        return self._client.post(path, **body).raise_for_status().json()

    def record(self, task_id: str) -> dict[str, Any]:
        told = self.get(f"/api/tasks/{task_id}")
        return {name: told[name] for name in SHOWN}

    def submit(self, **order: Any) -> str:
        return str(self.post("/api/tasks/queue", json=order)["task_id"])

    def until(self, task_id: str, status: str) -> None:
        wait_until(lambda: self.record(task_id)["status"] == status, f"the task is {status}", timeout_s=60)


def test_what_was_destroyed_comes_back_and_a_dead_letter_is_replayed(tmp_path: Path) -> None:
    data, store, new = tmp_path / "data", tmp_path / "store", tmp_path / "new"
    # Nothing listens there, so embeddings fail here, and succeed where the local engine makes them.
    provider = {"DESPACHO_EMBEDDINGS_URL": "http://127.0.0.1:9/v1", "DESPACHO_EMBEDDINGS_MODEL": "m"}
    with (
        RunningService(data, **provider, DESPACHO_EMBEDDINGS_TIMEOUT_S="1") as service,
        Api(service.url, service.key) as api,
    ):
        key = service.key
        api.put_case("case-1")
        document = api.upload("case-1")
        done = api.submit(task_name="triage.process_async", args=["case-1"])
        read = api.submit(task_name="documents.analyze_async", args=["case-1", [document]])
        dead = api.submit(
            task_name="embeddings.generate_async", kwargs={"texts": ["guarda"]}, retry_config={"max_retries": 0}
        )
        later = api.submit(task_name="triage.process_async", args=["case-1"], countdown=3_600)
        for task_id, status in ((done, "succeeded"), (read, "succeeded"), (dead, "failed")):
            api.until(task_id, status)
        before = {task_id: api.record(task_id) for task_id in (done, read, dead, later)}
        shown = api.document(document)

        said = despacho("backup", "--data-dir", str(data), "--to", str(store))
        assert said.returncode == 0, said.stderr
        assert "THE MASTER KEY IS NOT IN IT" in said.stdout
    (folder,) = [path for path in store.iterdir() if path.name.startswith("despacho-")]
    assert despacho("backup", "verify", str(folder)).returncode == 0

    master = (data / "master.key").read_bytes()
    shutil.rmtree(data)
    refused = despacho("restore", str(folder), "--data-dir", str(new))
    assert refused.returncode == 1
    assert "there is no master key" in refused.stderr
    new.mkdir()
    (new / "master.key").write_bytes(master)
    said = despacho("restore", str(folder), "--data-dir", str(new))
    assert said.returncode == 0, said.stderr
    assert despacho("restore", str(folder), "--data-dir", str(new)).returncode == 1

    with RunningService(new) as service, Api(service.url, key) as api:
        assert {task_id: api.record(task_id) for task_id in before} == before
        assert api.document(document) == shown
        doctor = despacho("doctor", "--data-dir", str(new))
        assert doctor.returncode == 0, doctor.stdout
        api.post(f"/api/tasks/retry/{dead}")
        api.until(dead, "succeeded")
