"""The whole service, started as its users start it, doing real work: cases go all the way, also through a kill."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import wait_until
from tests.integration.conftest import Client
from tests.integration.test_events import names, until, watching
from tests.system.service import RunningService


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with RunningService(tmp_path_factory.mktemp("service") / "data", processes=2, threads=4) as service:
        yield service


@pytest.fixture
def api(service: RunningService) -> Iterator[Client]:
    with client_of(service) as client:
        yield client


def client_of(service: RunningService) -> Client:
    return Client(base_url=service.url, headers={"Authorization": f"Bearer {service.key}"}, timeout=90)


def run(api: Client, task_name: str, **body: Any) -> dict[str, Any]:
    answer = api.post("/api/tasks/queue", json={"task_name": task_name, **body}, headers={"Prefer": "wait=60"})
    assert answer.status_code == 200, answer.text
    record: dict[str, Any] = answer.json()
    assert record["status"] == "succeeded", record["error"]
    return record


def cases(count: int) -> list[dict[str, str]]:
    told = "Fui demitido sem justa causa e a empresa não pagou as verbas. Sou o caso número"
    return [{"case_id": f"case-{number}", "user_message": f"{told} {number}."} for number in range(count)]


def test_a_real_conversation_is_triaged(api: Client) -> None:
    api.put(
        "/api/cases/real-1",
        json={
            "conversation_history": [
                {"role": "client", "content": "Meu marido me bateu ontem à noite e disse que vai me matar."},
                {"role": "agent", "content": "Você está em segurança agora?"},
                {"role": "client", "content": "Estou na casa da minha irmã, mas ele sabe o endereço."},
            ]
        },
    )
    task_id = api.submit(args=["real-1"], kwargs={})

    with watching(api, f"/api/tasks/{task_id}/events") as events:
        told = until(events, "end")

    assert names(told)[0] == "queued"
    assert names(told)[-2:] == ["succeeded", "end"]
    result = told[-2].data["result"]
    assert result["area"] in ("penal", "familia")
    assert result["urgency"] == "critical"
    assert result["summary"]
    assert result["language"] == "pt"


def test_documents_are_analysed_and_a_bad_one_costs_only_itself(api: Client) -> None:
    def upload(name: str, content: bytes) -> str:
        answer = api.post("/api/documents", files={"file": (name, content)}, data={"case_id": "docs-1"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["document_id"])

    deed = "PROCURAÇÃO\n\nOUTORGANTE: Maria da Silva, CPF 529.982.247-25, nomeia seu procurador o Dr. João."
    ids = [upload("procuracao.txt", deed.encode()), upload("quebrado.pdf", b"%PDF-1.7\nnothing follows")]

    record = run(api, "documents.analyze_async", args=["docs-1", ids])

    good, bad = record["result"]["documents"]
    assert good["document_type"] == "procuracao"
    assert {"type": "CPF", "value": "52998224725", "valid": True}.items() <= next(
        entity for entity in good["entities"] if entity["type"] == "CPF"
    ).items()
    assert api.get(good["text_url"]).text.strip().startswith("PROCURAÇÃO")
    assert bad["error"]
    assert api.get("/api/cases/docs-1").status_code == 404


def test_texts_become_vectors_of_unit_length(api: Client) -> None:
    record = run(api, "embeddings.generate_async", kwargs={"texts": ["pensão alimentícia", ""]})

    result = record["result"]
    assert (result["dimensions"], result["count"]) == (512, 2)
    assert all(sum(x * x for x in vector) == pytest.approx(1, abs=1e-3) for vector in result["embeddings"])


def test_a_batch_of_200_cases_moves_and_counts_exactly(api: Client) -> None:
    wanted = {"cases": cases(200), "operations": ["triage", "embeddings"]}
    task_id = api.submit("batch.process_cases", args=[], kwargs=wanted)

    with watching(api, f"/api/tasks/{task_id}/events") as events:
        told = until(events, "end")

    progress = [event.data["progress"] for event in told if event.event == "progress"]
    assert progress == sorted(progress)
    assert len(set(progress)) > 10
    assert_all_ended_once(api, task_id, 200)


def assert_all_ended_once(api: Client, task_id: str, total: int) -> None:
    record = api.record(task_id)
    assert record["children"] == {
        "total": total,
        "succeeded": total,
        "failed": 0,
        "cancelled": 0,
        "running": 0,
        "pending": 0,
    }
    assert record["result"]["succeeded"] == record["result"]["total"] == total
    lines = [json.loads(line) for line in api.get(record["result"]["results_url"]).text.splitlines()]
    assert [line["n"] for line in lines] == list(range(1, total + 1))
    assert len({line["case_id"] for line in lines}) == total
    assert {line["status"] for line in lines} == {"succeeded"}


def test_one_critical_task_overtakes_50_low_ones(api: Client) -> None:
    long_work = {"texts": [f"texto número {number} de uma tarefa demorada" for number in range(150)]}
    ids = [api.submit("embeddings.generate_async", args=[], kwargs=long_work, priority="low") for _ in range(58)]
    wait_until(lambda: sum(api.record(task_id)["status"] == "running" for task_id in ids) >= 8, "workers are busy")

    critical = api.submit("embeddings.generate_async", args=[], kwargs={"texts": ["socorro"]}, priority="critical")
    waiting = [task_id for task_id in ids if api.record(task_id)["status"] == "queued"]
    started = api.until(critical, "succeeded")["started_at"]

    for task_id in waiting:
        assert api.until(task_id, "succeeded")["started_at"] >= started
    assert len(waiting) >= 30


def test_what_a_killed_worker_held_ends_once(tmp_path: Path) -> None:
    patience = {"DESPACHO_HEARTBEAT_TIMEOUT_S": "2", "DESPACHO_SWEEP_INTERVAL_S": "0.5"}
    with RunningService(tmp_path / "data", processes=2, threads=4, **patience) as service, client_of(service) as api:
        task_id = api.submit("batch.process_cases", args=[], kwargs={"cases": cases(400), "operations": ["triage"]})
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(results, api, task_id)
            wait_until(lambda: api.record(task_id)["progress"] > 10, "the batch is on its way")

            worker = api.get("/api/workers").json()["workers"][0]["worker"]
            os.kill(int(worker.split("-")[-2]), signal.SIGKILL)

            wait_until(lambda: api.record(task_id)["status"] == "succeeded", "the batch ends", 60)
            assert_all_ended_once(api, task_id, 400)
            assert told.result(10) == results(api, task_id)


def test_a_paused_batch_stays_paused_over_a_killed_worker_and_a_restart(tmp_path: Path) -> None:
    total, patience = 300, {"DESPACHO_HEARTBEAT_TIMEOUT_S": "2", "DESPACHO_SWEEP_INTERVAL_S": "0.5"}
    with RunningService(tmp_path / "data", **patience) as service, client_of(service) as api:
        task_id = api.submit(
            "batch.process_cases",
            args=[],
            kwargs={"cases": cases(total), "operations": ["triage"], "max_parallel": 2},
        )
        wait_until(lambda: api.record(task_id)["progress"] > 5, "the batch is on its way")
        worker = api.get("/api/workers").json()["workers"][0]["worker"]
        os.kill(int(worker.split("-")[-2]), signal.SIGKILL)
        paused = api.post(f"/api/tasks/{task_id}/pause").json()["paused"]
        run(api, "triage.process_async", args=["single"], kwargs={"user_message": "Meu voo atrasou."}, queue="batch")
        wait_until(lambda: api.record(task_id)["children"]["running"] == 0, "what the killed worker held is back", 20)
        before = api.record(task_id)["children"]

    with RunningService(tmp_path / "data", **patience) as service, client_of(service) as api:
        run(api, "triage.process_async", args=["single"], kwargs={"user_message": "Meu voo atrasou."}, queue="batch")
        record = api.record(task_id)
        assert (record["status"], record["paused"], record["children"]) == ("running", paused, before)
        assert before["pending"] > 0

        api.post(f"/api/tasks/{task_id}/resume")

        api.until(task_id, "succeeded")
        assert_all_ended_once(api, task_id, total)


def results(api: Client, task_id: str) -> list[str]:
    """The lines of a batch, read with a connection of its own until the batch is final."""
    with httpx.stream(
        "GET", api.base_url.join(f"/api/tasks/{task_id}/results"), headers=api.headers, timeout=90
    ) as answer:
        return list(answer.iter_lines())


def test_a_large_batch_is_fair_and_costs_the_gateway_no_memory(service: RunningService, api: Client) -> None:
    total = 1_500
    task_id = api.submit("batch.process_cases", args=[], kwargs={"cases": cases(total), "operations": ["triage"]})
    wait_until(lambda: api.record(task_id)["progress"] > 5, "the batch is on its way")
    gateway = _pid_of(service, "gateway")

    with ThreadPoolExecutor(2) as pool:
        streams = [pool.submit(results, api, task_id) for _ in range(2)]
        singles, before, most = [], _memory_mb(gateway), 0.0
        while api.record(task_id)["status"] == "running":
            singles.append(api.submit(queue="batch"))
            api.until(singles[-1], "succeeded")
            most = max(most, _memory_mb(gateway))
        first, second = (stream.result(30) for stream in streams)

    waits = sorted(api.record(single)["wait_ms"] for single in singles)
    assert waits[len(waits) // 2] <= 50
    assert len(first) == total
    assert first == second
    assert most - before < 10
    assert_all_ended_once(api, task_id, total)


def test_results_that_are_cut_by_a_stop_cannot_be_taken_for_all(tmp_path: Path) -> None:
    total, had = 600, list[str]()
    with RunningService(tmp_path / "data") as service, client_of(service) as api:
        task_id = api.submit("batch.process_cases", args=[], kwargs={"cases": cases(total), "operations": ["triage"]})
        with api.stream("GET", f"/api/tasks/{task_id}/results") as answer:
            lines = answer.iter_lines()
            had.append(next(lines))
            asked = time.monotonic()
            service.stop()
            with pytest.raises(httpx.RemoteProtocolError):
                had.extend(lines)
        assert time.monotonic() - asked < 15

    with RunningService(tmp_path / "data", processes=2, threads=4) as service, client_of(service) as api:
        rest = api.get(f"/api/tasks/{task_id}/results", params={"after": len(had)}).text.splitlines()
        assert [json.loads(line)["n"] for line in had + rest] == list(range(1, total + 1))
        assert_all_ended_once(api, task_id, total)


def test_a_case_that_vanishes_fails_its_task_at_once(api: Client) -> None:
    api.put("/api/cases/gone-1", json={"conversation_history": [{"role": "client", "content": "oi"}]})
    task_id = api.submit("embeddings.generate_async", args=[], kwargs={"case_id": "gone-1"}, countdown=1)
    # The case goes, but not the task, as if it had expired by itself.
    assert api.put("/api/cases/gone-1", json={"conversation_history": []}).status_code == 200

    record = api.until(task_id, "failed")

    assert record["error"]["type"] == "CaseGone"
    assert record["attempt"] == 1


def test_a_running_batch_is_cancelled_with_its_children(api: Client) -> None:
    wanted = {"cases": cases(300), "operations": ["triage", "embeddings"], "max_parallel": 2}
    task_id = api.submit("batch.process_cases", args=[], kwargs=wanted)
    wait_until(lambda: api.record(task_id)["progress"] > 0, "the batch is on its way")

    assert api.delete(f"/api/tasks/{task_id}").status_code in (200, 202)

    api.until(task_id, "cancelled")
    wait_until(lambda: (api.record(task_id)["children"] or {})["running"] == 0, "no child runs any more")
    counts = api.record(task_id)["children"]
    assert counts["succeeded"] + counts["cancelled"] == counts["total"]


def test_a_report_is_written(api: Client) -> None:
    api.until(api.submit(), "succeeded")
    queued = api.post("/api/reports", json={}).json()
    report_id = api.until(queued["task_id"], "succeeded")["result"]["report_id"]

    assert api.get("/api/reports").json()["reports"][0]["report_id"] == report_id
    assert api.get(f"/api/reports/{report_id}.json").json()["kind"] == "daily"
    page = api.get(f"/api/reports/{report_id}.html")
    assert page.headers["content-type"].startswith("text/html")
    assert "triage.process_async" in page.text


def test_a_stop_with_a_stream_open_is_quick_and_everything_is_there_after(tmp_path: Path) -> None:
    with RunningService(tmp_path / "data") as service, client_of(service) as api:
        task_id = api.submit(countdown=3)
        with watching(api, f"/api/tasks/{task_id}/events") as events:
            next(events)
            asked = time.monotonic()
            service.stop()
        assert time.monotonic() - asked < 15

    with RunningService(tmp_path / "data") as service, client_of(service) as api:
        assert api.until(task_id, "succeeded")["status"] == "succeeded"


def test_the_gateway_says_when_redis_is_away(tmp_path: Path) -> None:
    with RunningService(tmp_path / "data") as service, client_of(service) as api:
        task_id = api.submit()
        api.until(task_id, "succeeded")
        server = _pid_of_server(service)
        os.kill(server, signal.SIGSTOP)
        asked = time.monotonic()
        answer = api.get(f"/api/tasks/{task_id}")
        took_s = time.monotonic() - asked
        os.kill(server, signal.SIGCONT)

        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert took_s < 4
        wait_until(lambda: _ok(api, task_id), "the gateway serves again by itself")


def _ok(api: Client, task_id: str) -> bool:
    return api.get(f"/api/tasks/{task_id}").status_code == httpx.codes.OK


def _pid_of(service: RunningService, part: str) -> int:
    """The process of one part that `despacho up` has started."""
    parent = str(service.process.pid)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and part in _command_line(entry) and _parent_of(entry) == parent:
            return int(entry.name)
    pytest.fail(f"there is no {part}")


def _parent_of(entry: Path) -> str:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def _memory_mb(pid: int) -> float:
    (line,) = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS")]
    return int(line.split()[1]) / 1_024


def _pid_of_server(service: RunningService) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = _command_line(entry)
            if "valkey-server" in command and str(service.data_dir) in command:
                return int(entry.name)
    pytest.fail("the embedded server runs nowhere")


def _command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def test_a_cancelled_batch_that_is_run_again_does_what_was_left(api: Client) -> None:
    wanted = {"cases": cases(60), "operations": ["triage", "embeddings"], "max_parallel": 2}
    task_id = api.submit("batch.process_cases", args=[], kwargs=wanted)
    wait_until(lambda: api.record(task_id)["progress"] > 0, "the batch is on its way")
    api.delete(f"/api/tasks/{task_id}")
    api.until(task_id, "cancelled")
    wait_until(lambda: (api.record(task_id)["children"] or {})["pending"] == 0, "its cases have ended")

    assert api.post(f"/api/tasks/retry/{task_id}").status_code == 202

    wait_until(lambda: api.record(task_id)["status"] == "succeeded", "the batch ends", 60)
    assert_all_ended_once(api, task_id, 60)
