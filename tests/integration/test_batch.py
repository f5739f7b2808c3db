"""Batches over HTTP, with engines whose moments a test sets: what is told of each case, when, and in which order."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest
import redis

from actors import batch
from actors.declare import Declared, declare
from actors.engines import ReadDocument, Report, SourceDocument
from actors.toolbox import Toolbox
from despacho_client import Client as DespachoClient
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks.api_keys import SCOPES, ApiKeys
from tasks.errors import ProviderBreakerOpen
from tasks.payloads import AnalyzedDocument, DocumentOptions, TriageResult, Turn
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.cutting_proxy import CuttingProxy
from tests.described import check_item
from tests.integration.conftest import QUICK, Client, Gateway
from tests.integration.test_events import read
from tests.integration.test_streams import RawReader

THREADS = 4
LONG = "x" * 70_000
"""More than a record holds."""
NO_RETRY = {"max_retries": 0}


class StagedEngines:
    """Does what a case's last message says: `espere` waits until the test lets it go on, `falhe` raises, `falhe uma
    vez` raises at the first attempt, `muito` has a long summary. Takes down which case was worked on, how often, and
    how many at a time."""

    name = "staged"
    version = "1"
    dimensions = 1

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.fails = True
        self.failing_embeddings = 0
        self.closed_embeddings = 0
        self.begun: Counter[str] = Counter()
        self.most_at_a_time = 0
        self._now = 0
        self._lock = threading.Lock()

    def triage(
        self, case_id: str, conversation: Sequence[Turn], reference_date: dt.date, report: Report
    ) -> TriageResult:
        words = conversation[-1].content
        self._enter(case_id)
        try:
            while words == "espere" and not self.go_on.wait(0.01):
                report(50, "esperando")
            if (words == "falhe" and self.fails) or (words == "falhe uma vez" and self.begun[case_id] == 1):
                raise RuntimeError("segredo do cliente")
        finally:
            self._leave()
        return a_triage(case_id, LONG if words == "muito" else words)

    def _enter(self, case_id: str) -> None:
        with self._lock:
            self.begun[case_id] += 1
            self._now += 1
            self.most_at_a_time = max(self.most_at_a_time, self._now)

    def _leave(self) -> None:
        with self._lock:
            self._now -= 1

    def embed(self, texts: Sequence[str], report: Report) -> Sequence[Sequence[float]]:
        if self.closed_embeddings:
            self.closed_embeddings -= 1
            raise ProviderBreakerOpen("far", "breaker open", "embeddings", 0.05)
        if self.failing_embeddings:
            self.failing_embeddings -= 1
            raise RuntimeError("segredo do cliente")
        return [[1.0] for _ in texts]

    def analyze(
        self, source: SourceDocument, options: DocumentOptions, reference_date: dt.date, report: Report
    ) -> ReadDocument:
        text = source.path.read_text()
        error = "unreadable: the file is broken" if text == "quebrado" else None
        return ReadDocument(AnalyzedDocument(document_id=source.document_id, summary=text, error=error), text)


def a_triage(case_id: str, summary: str) -> TriageResult:
    return TriageResult(
        case_id=case_id,
        area="trabalhista",
        areas=(),
        urgency="high",
        urgency_reasons=(),
        summary=summary,
        entities=(),
        missing_information=(),
        next_question=None,
        language="pt",
        confidence=0.9,
        engine="staged",
    )


@pytest.fixture
def engines(client: redis.Redis, settings: Settings) -> Iterator[StagedEngines]:
    """A worker of four threads, of which a batch takes three, and its engines."""
    engines = StagedEngines()
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    tools.triage = tools.documents = engines  # type: ignore[assignment]
    tools.embeddings = engines
    for declared in (
        *QUICK,
        Declared("batch.process_cases", batch.process_cases),
        Declared("batch.process_case", batch.process_case),
    ):
        declare(broker, declared, tools)
    worker = LaneWorker(broker, THREADS)
    worker.start()
    yield engines
    engines.go_on.set()
    worker.drain(0)


def inline(**words: str) -> list[dict[str, str]]:
    return [{"case_id": case_id, "user_message": told} for case_id, told in words.items()]


def many(count: int, words: str = "oi") -> list[dict[str, str]]:
    return [{"case_id": f"c{number}", "user_message": words} for number in range(count)]


def submit(api: Client, cases: Sequence[Any], operations: Sequence[str] = ("triage",), **wishes: Any) -> str:
    body = {name: wishes.pop(name) for name in ("queue", "priority", "retry_config") if name in wishes}
    kwargs = {"cases": cases, "operations": operations, **wishes}
    return api.submit("batch.process_cases", args=[], kwargs=kwargs, **body)


@contextmanager
def reading(api: Client, task_id: str, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
    with api.stream("GET", f"/api/tasks/{task_id}/results", params=query) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        yield (json.loads(line) for line in answer.iter_lines())


def lines(api: Client, task_id: str, **query: Any) -> list[dict[str, Any]]:
    with reading(api, task_id, **query) as told:
        return list(told)


def ids(told: Sequence[dict[str, Any]]) -> list[str]:
    return [line["case_id"] for line in told]


def counts(api: Client, task_id: str) -> dict[str, int]:
    """How the cases stand; they add up at each moment."""
    children: dict[str, int] = api.record(task_id)["children"] or dict.fromkeys(("total", "pending"), 0)
    assert sum(children.values()) == 2 * children["total"]
    return children


# ---------------------------------------------------------------------------------- results as they end


def test_a_line_is_told_when_its_case_ends_not_when_the_batch_does(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, inline(a="espere", b="oi", c="tchau"))

    with reading(api, task_id) as told:
        first, second = next(told), next(told)
        assert {first["case_id"], second["case_id"]} == {"b", "c"}
        assert api.record(task_id)["status"] == "running"
        assert api.record(task_id)["progress"] == pytest.approx(66.6)
        engines.go_on.set()
        (third,) = told

    assert (first["n"], second["n"], third["n"]) == (1, 2, 3)
    assert third["case_id"] == "a"
    assert third["status"] == "succeeded"
    assert third["result"]["triage"]["summary"] == "espere"
    assert third["result"]["errors"] == []
    assert third["error"] is None
    record = api.until(task_id, "succeeded")
    assert record["result"]["results_url"] == record["links"]["results"] == f"/api/tasks/{task_id}/results"
    assert lines(api, task_id) == [first, second, third]


def test_a_client_whose_connection_is_cut_reads_every_line_once(
    api: Client, gateway: Gateway, keys: ApiKeys, engines: StagedEngines
) -> None:
    _, token = keys.create("reader", "acme", SCOPES)
    cases = [{"case_id": f"case-{n}", "user_message": "Bom dia"} for n in range(40)]
    with CuttingProxy(gateway.port, [0, 600, 2_000, 5_000]) as proxy, DespachoClient(proxy.url, token) as despacho:
        batch_id = despacho.batch(cases, ["triage"])["task_id"]

        lines = list(despacho.results(batch_id))

    assert [line["n"] for line in lines] == list(range(1, 41))
    assert {line["case_id"] for line in lines} == {case["case_id"] for case in cases}
    assert proxy.cuts >= 3
    for line in lines:
        check_item("getBatchResults", line)


def test_who_asks_for_what_there_is_gets_it_and_no_more(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, inline(a="espere", b="oi"))
    wait_until(lambda: counts(api, task_id).get("succeeded") == 1, "one case has ended")

    assert ids(lines(api, task_id, follow="false")) == ["b"]
    assert lines(api, task_id, follow="false", after=1) == []


def test_a_stream_is_taken_up_again_after_the_lines_that_one_has(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, [*many(200), *inline(last="espere")])
    with reading(api, task_id) as told:
        had = [next(told) for _ in range(70)]
    engines.go_on.set()

    rest = lines(api, task_id, after=70)

    assert [line["n"] for line in had + rest] == list(range(1, 202))
    assert len(set(ids(had + rest))) == 201
    assert lines(api, task_id) == had + rest
    assert lines(api, task_id, after=201) == lines(api, task_id, after=10_000) == []


def test_a_batch_that_waits_is_waited_for(api: Client, engines: StagedEngines) -> None:
    api.post("/api/queues/batch/pause")
    task_id = submit(api, inline(a="oi"))
    assert lines(api, task_id, follow="false") == []

    with reading(api, task_id) as told:
        api.post("/api/queues/batch/resume")

        assert ids(list(told)) == ["a"]


def test_a_reader_that_is_slow_holds_up_nobody(api: Client, gateway: Gateway, engines: StagedEngines) -> None:
    task_id = submit(api, many(200, "muito"))

    with httpx.stream("GET", f"{gateway.url}/api/tasks/{task_id}/results", headers=api.headers) as slow:
        others = lines(api, task_id)
        api.until(task_id, "succeeded")
        assert api.get("/healthz").status_code == 200
        late = [json.loads(line) for line in slow.iter_lines()]

    assert len(others) == 200
    assert late == others


def test_a_reader_that_leaves_is_let_go(api: Client, engines: StagedEngines, client: redis.Redis) -> None:
    task_id = submit(api, inline(a="espere"))
    channel = f"despacho:events:batch:{task_id}"
    with reading(api, task_id):
        wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 1, "the gateway listens")

    wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 0, "nobody listens any more")


def test_what_ends_while_the_gateway_is_cut_off_is_told_after(
    api: Client, engines: StagedEngines, client: redis.Redis
) -> None:
    task_id = submit(api, inline(a="espere", b="oi"))

    with reading(api, task_id) as told:
        assert next(told)["case_id"] == "b"
        client.client_kill_filter(_type="pubsub", skipme=True)
        engines.go_on.set()

        assert ids(list(told)) == ["a"]


def test_the_results_whose_client_takes_nothing_end_with_the_key_too(
    api: Client, gateway: Gateway, keys: ApiKeys, engines: StagedEngines, client: redis.Redis
) -> None:
    key, token = keys.create("short", "acme", ("tasks:read", "tasks:payload"))
    # Far more than all buffers between take.
    task_id = submit(api, many(40, "muito"))
    api.until(task_id, "succeeded")
    channel = f"despacho:events:batch:{task_id}"

    with closing(RawReader(gateway, f"/api/tasks/{task_id}/results", token)) as deaf:
        deaf.read_until(b"xxx")
        assert client.pubsub_numsub(channel)[0][1] == 1
        keys.revoke(key.key_id)

        wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 0, "the stream is gone", 5)


@pytest.mark.parametrize("query", [{"after": "-1"}, {"after": "x"}, {"after": "10001"}, {"follow": "maybe"}])
def test_a_wrong_question_is_answered_with_its_field(
    api: Client, engines: StagedEngines, query: dict[str, str]
) -> None:
    answer = api.get(f"/api/tasks/{submit(api, inline(a='oi'))}/results", params=query)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == next(iter(query))


def test_only_a_batch_of_ones_own_has_results(api: Client, other_tenant: Client, engines: StagedEngines) -> None:
    assert api.get(f"/api/tasks/{api.submit()}/results").status_code == 404
    assert other_tenant.get(f"/api/tasks/{submit(api, inline(a='oi'))}/results").status_code == 404


# ------------------------------------------------------------------------------------------- same case once


def test_the_same_case_is_done_once_as_it_was_first_given(api: Client, engines: StagedEngines) -> None:
    cases = [*inline(a="primeira"), "a", *inline(b="oi"), *inline(a="segunda")]

    told = lines(api, submit(api, cases, max_parallel=1))

    assert ids(told) == ["a", "b"]
    assert told[0]["result"]["triage"]["summary"] == "primeira"
    assert engines.begun == {"a": 1, "b": 1}


def test_ten_thousand_ids_of_which_most_are_one_and_all_are_gone(api: Client, engines: StagedEngines) -> None:
    cases = ["x"] * 9_000 + [f"y{number}" for number in range(1_000)]
    task_id = submit(api, cases)

    told = lines(api, task_id)

    assert len(told) == len(set(ids(told))) == 1_001
    assert {(line["status"], line["error"]["type"]) for line in told} == {("failed", "CaseGone")}
    assert told[0]["result"]["errors"][0]["operation"] == "triage"
    result = api.until(task_id, "succeeded")["result"]
    assert (result["total"], result["succeeded"], result["failed"]) == (1_001, 0, 1_001)


# --------------------------------------------------------------------------------------- errors per case


def test_an_operation_that_fails_costs_the_others_nothing(api: Client, engines: StagedEngines) -> None:
    wanted = ["embeddings", "documents", "triage"]
    (line,) = lines(api, submit(api, inline(a="falhe"), wanted, retry_config=NO_RETRY))

    assert line["status"] == "failed"
    assert line["error"]["type"] == "RuntimeError"
    (error,) = line["result"]["errors"]
    assert (error["operation"], error["type"]) == ("triage", "RuntimeError")
    assert "segredo" not in json.dumps(line)
    assert line["result"]["triage"] is None
    assert line["result"]["documents"] is None
    assert line["result"]["embeddings"]["count"] == 1
    assert api.get(f"/api/tasks/{line['task_id']}/result").status_code == 410


def test_a_failure_that_passes_is_tried_again_and_told_of_no_more(api: Client, engines: StagedEngines) -> None:
    swift = {"max_retries": 1, "min_backoff_s": 0.01, "max_backoff_s": 0.02}
    (line,) = lines(api, submit(api, inline(a="falhe uma vez"), ["triage", "embeddings"], retry_config=swift))

    assert line["status"] == "succeeded"
    assert line["result"]["errors"] == []
    assert engines.begun == {"a": 2}


def test_what_one_attempt_achieved_is_not_done_again(api: Client, engines: StagedEngines) -> None:
    swift = {"max_retries": 2, "min_backoff_s": 0.01, "max_backoff_s": 0.02}
    engines.failing_embeddings = 2
    (line,) = lines(api, submit(api, inline(a="muito"), ["triage", "embeddings"], retry_config=swift))

    assert line["status"] == "succeeded"
    assert line["result"]["triage"]["summary"] == LONG
    assert line["result"]["embeddings"]["count"] == 1
    assert line["result"]["errors"] == []
    assert engines.begun == {"a": 1}


def test_a_case_that_waits_for_a_breaker_does_nothing_again_and_uses_up_no_attempt(
    api: Client, engines: StagedEngines
) -> None:
    engines.closed_embeddings = 3
    cases, patience = inline(a="muito"), {"max_retries": 0}
    (line,) = lines(api, submit(api, cases, ["triage", "embeddings"], retry_config=patience))

    assert line["status"] == "succeeded"
    assert line["result"]["embeddings"]["count"] == 1
    assert engines.begun == {"a": 1}


def test_what_an_earlier_attempt_achieved_is_told_though_the_last_one_failed(
    api: Client, engines: StagedEngines
) -> None:
    swift = {"max_retries": 1, "min_backoff_s": 0.01, "max_backoff_s": 0.02}
    engines.failing_embeddings = 2
    (line,) = lines(api, submit(api, inline(a="oi"), ["triage", "embeddings"], retry_config=swift))

    assert line["status"] == "failed"
    assert line["result"]["triage"]["summary"] == "oi"
    assert [error["operation"] for error in line["result"]["errors"]] == ["embeddings"]
    assert engines.begun == {"a": 1}


def test_a_document_that_cannot_be_read_is_told_and_fails_nothing(api: Client, engines: StagedEngines) -> None:
    good, bad = (
        api.post("/api/documents", files={"file": (name, name.encode())}, data={"case_id": "a"}).json()["document_id"]
        for name in ("bom", "quebrado")
    )
    api.put("/api/cases/a", json={"conversation_history": [{"role": "client", "content": "oi"}]})

    (line,) = lines(api, submit(api, ["a"], ["triage", "documents", "embeddings"]))

    assert line["status"] == "succeeded"
    assert [document["document_id"] for document in line["result"]["documents"]["documents"]] == [good, bad]
    assert line["result"]["triage"]["summary"] == "oi"
    message = f"document {bad}: unreadable: the file is broken"
    assert line["result"]["errors"] == [{"operation": "documents", "type": "DocumentUnreadable", "message": message}]


def test_a_case_with_documents_alone_is_not_gone(api: Client, engines: StagedEngines) -> None:
    api.post("/api/documents", files={"file": ("bom", b"bom")}, data={"case_id": "a"})

    (line,) = lines(api, submit(api, ["a"], ["triage", "documents"]))
    (gone,) = lines(api, submit(api, ["a"], ["triage", "embeddings"]))

    assert (line["status"], line["result"]["triage"], line["result"]["errors"]) == ("succeeded", None, [])
    assert gone["status"] == "failed"
    assert [error["operation"] for error in gone["result"]["errors"]] == ["triage", "embeddings"]


# ------------------------------------------------------------------------------- how many, and in which order


def test_no_more_cases_run_at_a_time_than_was_wished_for(api: Client, engines: StagedEngines) -> None:
    swift = {"max_retries": 1, "min_backoff_s": 0.001, "max_backoff_s": 0.002}
    cases = [*many(40, "espere"), *inline(**{f"r{number}": "falhe uma vez" for number in range(20)})]
    task_id = submit(api, cases, max_parallel=2, retry_config=swift)
    wait_until(lambda: engines.most_at_a_time == 2, "two cases run")
    engines.go_on.set()

    told = lines(api, task_id)

    assert {line["status"] for line in told} == {"succeeded"}
    assert engines.most_at_a_time == 2


def test_a_batch_leaves_a_thread_to_others(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, many(50, "espere"))
    wait_until(lambda: counts(api, task_id).get("running") == THREADS - 1, "the batch takes what it may")

    single = api.submit(queue="batch")

    api.until(single, "succeeded")
    assert (counts(api, task_id)["running"], counts(api, task_id)["pending"]) == (THREADS - 1, 50 - (THREADS - 1))


def test_the_first_failure_of_an_aborting_batch_cancels_what_has_not_begun(
    api: Client, engines: StagedEngines
) -> None:
    cases = [*inline(a="falhe"), *many(400, "espere")]
    task_id = submit(api, cases, on_error="abort", max_parallel=2, retry_config=NO_RETRY)
    wait_until(lambda: counts(api, task_id).get("failed") == 1, "the first case has failed")
    engines.go_on.set()

    told = lines(api, task_id)

    assert len(told) == len(set(ids(told))) == 401
    by_status = Counter(line["status"] for line in told)
    assert by_status["failed"] == 1
    assert by_status["succeeded"] <= 2
    assert by_status["cancelled"] >= 398
    result = api.until(task_id, "succeeded")["result"]
    assert [result[name] for name in by_status] == list(by_status.values())


def test_a_paused_queue_holds_a_batch_where_it_is(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, many(20, "espere"))
    wait_until(lambda: counts(api, task_id).get("running") == THREADS - 1, "some cases run")
    api.post("/api/queues/batch/pause")
    engines.go_on.set()
    wait_until(lambda: counts(api, task_id)["running"] == 0, "what had begun has ended")
    assert counts(api, task_id)["pending"] == 20 - (THREADS - 1)

    api.post("/api/queues/batch/resume")

    assert len(lines(api, task_id)) == 20


# -------------------------------------------------------------------------------------- paused and resumed


def test_a_paused_batch_begins_nothing_until_it_is_resumed(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, many(20, "espere"), max_parallel=2)
    wait_until(lambda: counts(api, task_id).get("running") == 2, "two cases run")
    before = api.get(f"/api/tasks/{task_id}")

    paused = api.post(f"/api/tasks/{task_id}/pause", headers={"If-Match": before.headers["ETag"]})
    engines.go_on.set()
    wait_until(lambda: counts(api, task_id)["succeeded"] == 2, "what had begun has ended")

    me = api.headers["authorization"].split("_")[1]
    assert paused.status_code == 200
    assert paused.headers["ETag"] != before.headers["ETag"]
    told = paused.json()["paused"]
    assert told["by"] == me
    single = api.submit(queue="batch")
    api.until(single, "succeeded")
    assert counts(api, task_id)["pending"] == 18
    record = api.record(task_id)
    assert (record["status"], record["paused"]) == ("running", told)
    assert record["progress_message"] == "2 de 20 casos, em pausa"
    waiting = api.get("/api/tasks", params={"parent_id": task_id, "status": "queued"}).json()["tasks"][-1]["task_id"]
    for known in (task_id, waiting):
        first = api.get(f"/api/tasks/{known}/explain").json()["reasons"][0]
        assert (first["reason"], first["evidence"]) == ("batch_paused", {"batch": task_id, **told})
    assert api.post(f"/api/tasks/{task_id}/pause").json()["paused"] == told
    stale = api.post(f"/api/tasks/{task_id}/resume", headers={"If-Match": before.headers["ETag"]})
    assert stale.status_code == 412

    assert api.post(f"/api/tasks/{task_id}/resume").json()["paused"] is None

    assert len(lines(api, task_id)) == 20
    assert engines.most_at_a_time <= 2
    trail = api.get("/api/audit").json()["entries"]
    steered = [(entry["action"], entry["outcome"], entry["actor"]) for entry in trail if "batch." in entry["action"]]
    assert steered == [
        ("batch.resume", "resumed", me),
        ("batch.resume", "changed", me),
        ("batch.pause", "unchanged", me),
        ("batch.pause", "paused", me),
    ]


def test_a_batch_paused_before_it_began_holds_all_its_cases_and_can_be_cancelled(
    api: Client, engines: StagedEngines
) -> None:
    api.post("/api/queues/batch/pause")
    task_id = submit(api, many(5))
    assert api.post(f"/api/tasks/{task_id}/pause").json()["status"] == "queued"
    api.post("/api/queues/batch/resume")
    wait_until(lambda: counts(api, task_id)["pending"] == 5, "the cases are queued")
    api.until(api.submit(queue="batch"), "succeeded")
    assert counts(api, task_id)["pending"] == 5

    cancelled = api.delete(f"/api/tasks/{task_id}").json()

    assert (cancelled["status"], cancelled["paused"]) == ("cancelled", None)
    assert counts(api, task_id)["cancelled"] == 5
    assert api.post(f"/api/tasks/{task_id}/pause").status_code == 409
    api.post(f"/api/tasks/retry/{task_id}")
    assert {line["status"] for line in lines(api, task_id)} == {"succeeded"}


def test_only_a_batch_of_ones_own_is_paused(api: Client, other_tenant: Client, engines: StagedEngines) -> None:
    single, batch_id = api.submit(countdown=60), submit(api, inline(a="espere"))

    refused = api.post(f"/api/tasks/{single}/pause")

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert "triage.process_async" in refused.json()["detail"]
    assert other_tenant.post(f"/api/tasks/{batch_id}/pause").status_code == 404
    assert api.record(batch_id)["paused"] is None


# ------------------------------------------------------------------------------------ cancelled and run again


def test_each_case_of_a_cancelled_batch_is_told_once(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, [*inline(a="oi"), *many(300, "espere")])

    with reading(api, task_id) as told:
        first = next(told)
        assert api.delete(f"/api/tasks/{task_id}").status_code == 200
        rest = list(told)

    assert first["case_id"] == "a"
    assert len({first["case_id"], *ids(rest)}) == len(rest) + 1 == 301
    assert {line["status"] for line in rest} == {"cancelled"}
    assert counts(api, task_id)["cancelled"] == 300
    assert lines(api, task_id) == [first, *rest]


def test_a_batch_cancelled_before_it_began_has_no_lines(api: Client, engines: StagedEngines) -> None:
    api.post("/api/queues/batch/pause")
    task_id = submit(api, inline(a="oi"))

    with reading(api, task_id) as told:
        api.delete(f"/api/tasks/{task_id}")

        assert list(told) == []


def test_a_case_run_again_by_itself_keeps_its_place_and_shows_what_came_of_it(
    api: Client, engines: StagedEngines
) -> None:
    cases = [*inline(a="falhe"), *many(5)]
    task_id = submit(api, cases, max_parallel=1, retry_config=NO_RETRY)
    before = lines(api, task_id)
    assert (before[0]["case_id"], before[0]["status"]) == ("a", "failed")
    engines.fails = False

    assert api.post(f"/api/tasks/retry/{before[0]['task_id']}").status_code == 202
    api.until(before[0]["task_id"], "succeeded")

    after = lines(api, task_id)
    assert ids(after) == ids(before)
    assert after[1:] == before[1:]
    assert after[0]["result"]["triage"]["summary"] == "falhe"
    assert after[0]["error"] is None
    assert (counts(api, task_id)["succeeded"], counts(api, task_id)["failed"]) == (6, 0)


def test_a_final_batch_waits_for_no_case_that_runs_again(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, [*inline(a="falhe"), *many(3)], max_parallel=1, retry_config=NO_RETRY)
    before = lines(api, task_id)
    api.until(task_id, "succeeded")
    api.post("/api/queues/batch/pause")
    api.post(f"/api/tasks/retry/{before[0]['task_id']}")

    first, *others = lines(api, task_id)

    assert (first["case_id"], first["status"], first["result"], first["error"]) == ("a", "queued", None, None)
    assert others == before[1:]


def test_a_cancelled_batch_that_is_run_again_is_followed_to_its_end(api: Client, engines: StagedEngines) -> None:
    task_id = submit(api, [*inline(a="oi"), *many(30, "espere")], max_parallel=2)
    wait_until(lambda: counts(api, task_id).get("succeeded") == 1, "one case has ended")
    api.delete(f"/api/tasks/{task_id}")
    before = lines(api, task_id)

    assert api.post(f"/api/tasks/retry/{task_id}").status_code == 202
    with reading(api, task_id) as told:
        first = next(told)
        engines.go_on.set()
        after = [first, *told]

    assert first == before[0]
    assert ids(after) == ids(before)
    assert {line["status"] for line in after} == {"succeeded"}
    assert engines.begun["a"] == 1
    assert engines.most_at_a_time <= 2
    assert counts(api, task_id)["succeeded"] == 31


def test_what_is_still_being_stopped_when_its_batch_is_run_again_is_run_again(
    api: Client, engines: StagedEngines
) -> None:
    task_id = submit(api, many(10, "espere"))
    wait_until(lambda: counts(api, task_id).get("running") == THREADS - 1, "some cases run")
    api.delete(f"/api/tasks/{task_id}")
    assert api.post(f"/api/tasks/retry/{task_id}").status_code == 202
    wait_until(lambda: counts(api, task_id).get("running") == THREADS - 1, "they run again")
    engines.go_on.set()

    assert {line["status"] for line in lines(api, task_id)} == {"succeeded"}
    assert counts(api, task_id)["succeeded"] == 10


def test_a_forgotten_case_is_told_of_no_more_and_stays_forgotten(api: Client, engines: StagedEngines) -> None:
    api.put("/api/cases/a", json={"conversation_history": [{"role": "client", "content": "palavras"}]})
    task_id = submit(api, ["a", *inline(b="espere")])
    wait_until(lambda: counts(api, task_id).get("succeeded") == 1, "the case has ended")
    assert api.delete("/api/cases/a").status_code == 200
    api.delete(f"/api/tasks/{task_id}")
    engines.go_on.set()

    first, second = lines(api, task_id)
    api.post(f"/api/tasks/retry/{task_id}")
    api.until(task_id, "succeeded")

    assert (first["n"], first["case_id"], first["status"], first["result"]) == (1, None, None, None)
    assert first["error"]["type"] == "CaseGone"
    assert second["case_id"] == "b"
    assert ids(lines(api, task_id)) == [None, "b"]
    assert engines.begun["a"] == 1


def test_a_case_that_is_run_again_after_the_end_counts_in_the_batch_as_what_it_came_to_last(
    api: Client, engines: StagedEngines
) -> None:
    cases = inline(a="oi", b="falhe", c="falhe")
    batch_id = submit(api, cases, retry_config=NO_RETRY)
    before = lines(api, batch_id)
    failed = [line["task_id"] for line in before if line["status"] == "failed"]
    seen = api.get(f"/api/tasks/{batch_id}").headers["ETag"]
    assert counts_of(api, batch_id) == (1, 2, 0)

    # One fails once more, one is replayed as a dead letter while the fault is cured.
    assert api.post(f"/api/tasks/retry/{failed[0]}").status_code == 202
    wait_until(lambda: engines.begun.total() == 4, "it runs again")
    wait_until(lambda: counts_of(api, batch_id) == (1, 2, 0), "it has failed again")
    engines.fails = False
    assert api.post(f"/api/dead-letters/{failed[1]}/replay").status_code == 202
    api.until(failed[1], "succeeded")

    assert counts_of(api, batch_id) == (2, 1, 0)
    after = lines(api, batch_id)
    assert ids(after) == ids(before)
    assert {line["task_id"]: line["status"] for line in after}[failed[1]] == "succeeded"
    assert api.get(f"/api/tasks/{batch_id}").headers["ETag"] != seen
    (end,) = [event for event in read(api.get(f"/api/tasks/{batch_id}/events")) if event.event == "succeeded"]
    assert end.data["result"]["succeeded"] == 2

    # What waits, and is cancelled, counts as that.
    engines.fails, held = True, api.post("/api/queues/batch/pause")
    assert held.status_code == 200
    assert api.post(f"/api/tasks/retry/{failed[0]}").status_code == 202
    assert counts_of(api, batch_id) == (2, 0, 0)
    assert api.record(batch_id)["children"]["pending"] == 1
    assert api.delete(f"/api/tasks/{failed[0]}").status_code == 200
    assert counts_of(api, batch_id) == (2, 0, 1)
    assert api.post("/api/queues/batch/resume").status_code == 200


def counts_of(api: Client, batch_id: str) -> tuple[int, int, int]:
    """How many cases of a batch succeeded, failed and were cancelled: its result and its children say the same."""
    record = api.record(batch_id)
    result, children = record["result"], record["children"]
    told: tuple[int, int, int] = (result["succeeded"], result["failed"], result["cancelled"])
    assert told == (children["succeeded"], children["failed"], children["cancelled"])
    assert api.get(f"/api/tasks/{batch_id}/result").json() == result
    return told
