"""Cases and documents over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from middleware.worker import LaneWorker
from tasks.settings import Settings
from tests.integration.conftest import Client

TALK = [
    {"role": "client", "content": "Bom dia, fui demitida grávida."},
    {"role": "agent", "content": "Quando foi?"},
]


def put_case(api: Client, case_id: str = "case-1", **body: Any) -> httpx.Response:
    return api.put(f"/api/cases/{case_id}", json={"conversation_history": TALK} | body)


def upload(api: Client, content: bytes, case_id: str = "case-1", name: str = "petição.txt") -> httpx.Response:
    return api.post("/api/documents", files={"file": (name, content, "text/plain")}, data={"case_id": case_id})


def files_of(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "blobs").rglob("*") if path.is_file()]


def test_a_case_holds_its_conversation_and_its_latest_results(api: Client, worker: LaneWorker) -> None:
    assert put_case(api, metadata={"source": "site"}).status_code == 201
    assert put_case(api, metadata={"source": "app"}).status_code == 200
    task_id = api.submit(kwargs={})
    api.until(task_id, "succeeded")

    case = api.get("/api/cases/case-1").json()

    assert case["conversation_history"] == TALK
    assert case["metadata"] == {"source": "app"}
    assert case["results"]["triage"]["task_id"] == task_id
    assert case["results"]["triage"]["result"]["area"] == "trabalhista"


def test_a_case_of_another_tenant_does_not_exist(api: Client, other_tenant: Client) -> None:
    put_case(api)
    document_id = upload(api, b"texto").json()["document_id"]

    assert other_tenant.get("/api/cases/case-1").status_code == 404
    assert other_tenant.delete("/api/cases/case-1").status_code == 404
    for path in ("", "/content", "/text"):
        assert other_tenant.get(f"/api/documents/{document_id}{path}").status_code == 404
    assert other_tenant.delete(f"/api/documents/{document_id}").status_code == 404
    wanted = {"task_name": "documents.analyze_async", "args": ["case-1", [document_id]]}
    assert other_tenant.post("/api/tasks/queue", json=wanted).status_code == 422


def test_forgetting_a_case_forgets_everything_of_it(api: Client, worker: LaneWorker, settings: Settings) -> None:
    put_case(api)
    upload(api, b"as palavras do cliente")
    task_id = api.submit(kwargs={})
    api.until(task_id, "succeeded")

    assert api.delete("/api/cases/case-1").status_code == 200

    assert api.get("/api/cases/case-1").status_code == 404
    assert api.get(f"/api/tasks/{task_id}").status_code == 404
    assert api.get("/api/tasks", params={"case_id": "case-1"}).json()["tasks"] == []
    assert files_of(settings) == []
    assert api.delete("/api/cases/nobody").status_code == 404


def test_a_case_id_that_no_case_can_have_is_refused(api: Client) -> None:
    assert put_case(api, "x" * 200).status_code == 422
    assert put_case(api, "a b").status_code == 422
    assert api.put("/api/cases/c", json={"conversation_history": [{"role": "client"}]}).status_code == 422
    assert api.put("/api/cases/c", json={"metadata": {"x": "y" * 100_000}}).status_code == 422


def test_a_document_is_kept_once_and_given_back(api: Client, settings: Settings) -> None:
    answer = upload(api, "Petição inicial".encode())
    again = upload(api, "Petição inicial".encode(), case_id="case-2")

    assert answer.status_code == 201
    document = answer.json()
    assert document["size"] == len("Petição inicial".encode())
    assert document["filename"] == "petição.txt"
    assert again.json()["sha256"] == document["sha256"]
    assert again.json()["document_id"] != document["document_id"]
    files = files_of(settings)
    assert len(files) == 1
    assert "Petição".encode() not in files[0].read_bytes()
    assert upload(api, "Petição inicial".encode()).json()["document_id"] == document["document_id"]
    content = api.get(f"/api/documents/{document['document_id']}/content")
    assert content.content == "Petição inicial".encode()
    assert content.headers["content-disposition"].startswith("attachment")
    assert api.get(f"/api/documents/{document['document_id']}/text").status_code == 404

    assert api.delete(f"/api/documents/{document['document_id']}").status_code == 204
    assert files[0].exists(), "the other case still uses the bytes"
    assert api.delete(f"/api/documents/{again.json()['document_id']}").status_code == 204
    assert not files[0].exists()


def test_a_case_may_be_called_like_a_part_of_another(api: Client, worker: LaneWorker) -> None:
    upload(api, b"texto", case_id="case-1")
    put_case(api, "case-1:documents")
    api.until(api.submit(args=["case-1:documents"]), "succeeded")

    assert api.delete("/api/cases/case-1:documents").status_code == 200
    assert api.get("/api/cases/case-1:documents").status_code == 404
    assert upload(api, b"mais texto", case_id="case-1").status_code == 201


def test_uploads_and_deletions_of_the_same_bytes_never_lose_a_document(api: Client) -> None:
    def upload_read_delete(number: int) -> int:
        document = upload(api, b"os mesmos bytes", case_id=f"case-{number}").json()
        path = f"/api/documents/{document['document_id']}"
        status = api.get(f"{path}/content").status_code
        api.delete(path)
        return status

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(upload_read_delete, range(90))) == {200}


def test_a_form_that_is_none_is_refused(api: Client) -> None:
    assert upload(api, b"").status_code == 422
    assert upload(api, b"x", case_id="a b").status_code == 422
    assert api.post("/api/documents", json={}).status_code == 415
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert api.post("/api/documents", content=b"nonsense", headers=broken).status_code in (400, 422)
    assert api.post("/api/documents", headers={"Content-Type": "multipart/form-data"}).status_code == 400
    assert api.post("/api/documents", data={"case_id": "c"}, files={"other": ("a", b"x")}).status_code == 422


def test_a_document_that_is_too_large_is_refused_before_it_is_read(api: Client, settings: Settings) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 200 << 20:
            sent += 1 << 20
            yield b"x" * (1 << 20)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with suppress(httpx.WriteError):  # the gateway may have hung up before the answer is read
        assert api.post("/api/documents", content=endless(), headers=headers).status_code == 413
    assert sent < 80 << 20


def test_a_task_for_a_document_that_is_none_is_refused(api: Client) -> None:
    answer = api.post("/api/tasks/queue", json={"task_name": "documents.analyze_async", "args": ["c", ["nope"]]})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "kwargs.document_ids"
