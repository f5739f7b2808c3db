"""One trace from a caller's span over the request, the message and every run to what the engine asks its provider;
and nothing at all where nobody switched it on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import pytest
import redis
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from actors import batch, embeddings, webhooks
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks import tracing
from tasks.errors import SettingsError
from tasks.open_telemetry import OpenTelemetry
from tasks.settings import Settings
from tasks.webhooks import Webhooks
from tests.conftest import wait_until
from tests.integration.conftest import Client
from tests.receiver import Receiver
from tests.unit.providers import fake as replies
from tests.unit.providers.fake import FakeProvider

ROOT = Path(__file__).resolve().parents[2]
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MARKER = "Calendula-58"
AGAIN = {"max_retries": 1, "min_backoff_s": 0, "max_backoff_s": 0}


class Trace:
    """The spans that were made, by what they are."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Those of our own requests; in the order in which they began."""
        found = [span for span in self._exporter.get_finished_spans() if f"{_ids(span)[0]:032x}" in CALLER]
        return sorted((span for span in found if span.name.startswith(name)), key=lambda span: span.start_time or 0)

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.spans(name)
        return span


def _ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return span.parent is not None and (span.parent.trace_id, span.parent.span_id) == _ids(parent)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    provider = FakeProvider()
    yield provider
    provider.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def settings(settings: Settings, provider: FakeProvider, receiver: Receiver) -> Settings:
    asks = {"embeddings_url": provider.url, "embeddings_model": "far-embedder"}
    return settings.model_copy(update=asks | {"webhook_allowed_hosts": (f"127.0.0.1:{receiver.port}",)})


@pytest.fixture
def trace(settings: Settings) -> Iterator[Trace]:
    exporter = InMemorySpanExporter()
    tracing.use(OpenTelemetry("test", SimpleSpanProcessor(exporter), nullcontext))
    yield Trace(exporter)
    tracing.switch_off()


@pytest.fixture
def worker(trace: Trace, client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    for declared in (
        Declared("embeddings.generate_async", embeddings.generate),
        Declared("batch.process_cases", batch.process_cases),
        Declared("batch.process_case", batch.process_case),
        Declared("webhooks.deliver", webhooks.deliver),
    ):
        declare(broker, declared, tools)
    worker = LaneWorker(broker, 2)
    with ExitStack() as stack:
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker


def test_a_request_its_message_both_runs_and_the_engines_calls_are_one_trace(
    trace: Trace, worker: LaneWorker, api: Client, provider: FakeProvider
) -> None:
    provider.replies = [replies.body(MARKER.encode()), replies.vectors]
    wanted = {"task_name": "embeddings.generate_async", "kwargs": {"texts": [MARKER]}, "retry_config": AGAIN}

    answer = api.post("/api/tasks/queue?", json=wanted, headers={"traceparent": CALLER, "X-Request-ID": "r-1"})
    task_id = answer.json()["task_id"]
    api.until(task_id, "succeeded")
    wait_until(lambda: len(trace.spans("run ")) == 2, "the second run's span has ended")

    request, queued = trace.one("POST /api/tasks/queue"), trace.one("submit")
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" in CALLER
    about = {"http.request.method": "POST", "http.route": "/api/tasks/queue", "http.response.status_code": 202}
    assert told(request).items() >= {**about, "despacho.request_id": "r-1", "despacho.tenant": "acme"}.items()
    assert is_child(queued, request)
    assert is_child(trace.one("redis submit"), queued)

    first, second = trace.spans("run ")
    assert is_child(first, queued)
    assert is_child(second, queued)
    of_both = {"despacho.task_id": task_id, "despacho.tenant": "acme", "despacho.request_id": "r-1"}
    assert told(first).items() >= {**of_both, "despacho.attempt": 1, "despacho.outcome": "retrying"}.items()
    assert told(second).items() >= {**of_both, "despacho.attempt": 2, "despacho.outcome": "succeeded"}.items()
    assert told(first)["error.type"] == "ProviderFailed"
    for run, asked, engine in zip((first, second), trace.spans("POST prov"), trace.spans("engine emb"), strict=True):
        assert is_child(engine, run)
        assert is_child(asked, engine)
    assert [span.status.is_ok for span in trace.spans("POST prov")] == [False, True]
    assert is_child(trace.one("redis retry"), first)
    assert is_child(trace.one("redis succeed"), second)
    assert MARKER not in "".join(span.to_json() for span in trace.spans())


def test_the_end_is_told_in_the_trace_of_its_task(
    trace: Trace, worker: LaneWorker, api: Client, provider: FakeProvider, receiver: Receiver, settings: Settings
) -> None:
    Webhooks(worker.broker.ledger.client, settings).make_secret("acme")
    provider.replies = [replies.vectors]
    wanted = {"task_name": "embeddings.generate_async", "kwargs": {"texts": [MARKER]}}
    told_to = {"callback_url": f"http://127.0.0.1:{receiver.port}/{MARKER}"}

    api.post("/api/tasks/queue", json=wanted | told_to, headers={"traceparent": CALLER})
    wait_until(lambda: trace.spans("POST webhook"), "the end is told")

    sent = trace.one("POST webhook")
    assert is_child(sent, trace.one("submit"))
    assert told(sent).items() >= {"http.response.status_code": 200, "despacho.attempt": 1}.items()
    assert len(sent.links) == 1
    assert MARKER not in "".join(span.to_json() for span in trace.spans())
    assert not [name for name in receiver.received[0].headers if name.lower() == "traceparent"]


def test_the_cases_of_a_batch_are_children_of_its_run(
    trace: Trace, worker: LaneWorker, api: Client, provider: FakeProvider
) -> None:
    provider.replies = [replies.vectors]
    cases = [{"case_id": f"c-{number}", "user_message": "Bom dia"} for number in range(2)]
    wanted = {"task_name": "batch.process_cases", "kwargs": {"cases": cases, "operations": ["embeddings"]}}

    task_id = api.post("/api/tasks/queue", json=wanted, headers={"traceparent": CALLER}).json()["task_id"]
    api.until(task_id, "succeeded")
    wait_until(lambda: len(trace.spans("run batch.process_cases")) == 2, "the batch's last span has ended")

    begins, ends = trace.spans("run batch.process_cases")
    children = [span for span in trace.spans("run ") if told(span)["despacho.parent_id"] == task_id]
    assert told(begins)["despacho.outcome"] == "awaits_children"
    assert told(ends)["despacho.outcome"] == "succeeded"
    assert [is_child(span, begins) for span in children] == [True, True]


def test_a_traceparent_that_is_none_begins_a_trace_and_hurts_nobody(trace: Trace, api: Client) -> None:
    for given in ("", "00-zz", CALLER + "-x" * 2_000, "\xff"):
        assert api.get("/api/tasks", headers={"traceparent": given.encode("latin-1")}).status_code == 200
    assert trace.spans() == []


def test_who_does_not_ask_for_traces_loads_nothing_and_who_asks_in_vain_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert tracing.is_wanted("auto", wanted)
    assert tracing.is_wanted("on", {})
    assert not tracing.is_wanted("auto", {})
    assert not tracing.is_wanted("off", wanted)
    assert not tracing.is_wanted("on", {"OTEL_SDK_DISABLED": "true"})
    assert not tracing.is_wanted("auto", wanted | {"OTEL_TRACES_EXPORTER": "none"})

    code = "import sys, gateway.serve, actors.main, middleware.worker; print(*sys.modules)"
    loaded = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True)
    # redis-py loads the SDK by itself where it is installed.
    assert not {"tasks.open_telemetry", "opentelemetry.exporter"} & set(loaded.stdout.split())

    monkeypatch.setattr(tracing, "is_installed", lambda: False)
    with pytest.raises(SettingsError, match=r"DESPACHO_TRACES is on.*uv sync --extra otel"):
        tracing.check_installed("on")
    tracing.check_installed("auto")
