"""A gateway that listens, a key that opens it, and a worker whose work is quick: for the tests of the API."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from time import sleep
from typing import Any

import httpx
import pytest
import redis
import uvicorn
from pydantic import BaseModel

from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from gateway.app import create_app
from gateway.problem_kinds import KINDS
from gateway.protocol import configure
from middleware.broker import build_broker
from middleware.run import Run
from middleware.worker import LaneWorker
from tasks.api_keys import SCOPES, ApiKeys
from tasks.payloads import EmbeddingsResult, TriageResult
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.described import check


class Gateway:
    """A gateway on a free port of this machine, in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    def start(self) -> None:
        self.app, patience_s = create_app(self.settings), self.settings.request_timeout_s
        config = configure(self.app, patience_s, port=self.port, timeout_graceful_shutdown=1)
        self._server = server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: server.started, "the gateway listens")
        self.port = server.servers[0].sockets[0].getsockname()[1]

    def keeps_little_for_its_clients(self) -> None:
        """From now on: the system would take megabytes for a client that takes nothing."""
        assert self._server is not None
        for listener in self._server.servers[0].sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    def stop(self) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.should_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _is_a_known_problem(answer: httpx.Response) -> None:
    """Every refusal is of a kind that has its page."""
    if answer.status_code < 400 or not answer.url.path.startswith("/api/"):
        return
    answer.read()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    kind = KINDS.get(told["type"].removeprefix("/problems/"))
    assert kind is not None, told
    assert (told["title"], told["status"]) == (kind.title, answer.status_code) == (kind.title, kind.status)


class Client(httpx.Client):
    """An HTTP client that knows the words of the tests."""

    def __init__(self, **options: Any) -> None:
        super().__init__(event_hooks={"response": [_is_a_known_problem, check]}, **options)

    def submit(self, task_name: str = "triage.process_async", **body: Any) -> str:
        body.setdefault("args", ["case-1"])
        body.setdefault("kwargs", {"user_message": "Fui demitida ontem."})
        answer = self.post("/api/tasks/queue", json={"task_name": task_name, **body})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def record(self, task_id: str) -> dict[str, Any]:
        answer = self.get(f"/api/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        record: dict[str, Any] = answer.json()
        return record

    def until(self, task_id: str, status: str) -> dict[str, Any]:
        wait_until(lambda: self.record(task_id)["status"] == status, f"the task is {status}")
        return self.record(task_id)


@pytest.fixture
def gateway(client: redis.Redis, settings: Settings) -> Iterator[Gateway]:
    gateway = Gateway(settings)
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.fixture
def keys(client: redis.Redis, settings: Settings) -> ApiKeys:
    return ApiKeys(client, settings)


@pytest.fixture
def api(gateway: Gateway, keys: ApiKeys) -> Iterator[Client]:
    """A client with every scope."""
    _, token = keys.create("test", "acme", SCOPES)
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        yield client


@pytest.fixture
def other_tenant(gateway: Gateway, keys: ApiKeys) -> Iterator[Client]:
    _, token = keys.create("other", "rival", SCOPES)
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        yield client


def quick_triage(run: Run, payload: Any, tools: Toolbox) -> BaseModel:
    """Says what a real triage would, without a model; a message can ask it to be slow or to fail."""
    message = payload.user_message or ""
    if message == "devagar":
        for step in range(2_000):
            run.report(step / 20, f"passo {step}")
            sleep(0.005)
    if message == "falhe":
        raise RuntimeError("segredo do cliente")
    run.report(25, "Lendo a conversa")
    run.report(75, "Resumindo")
    return a_triage(payload.case_id, message)


def a_triage(case_id: str, said: str) -> TriageResult:
    """A result with nothing in it but what was said."""
    return TriageResult(
        case_id=case_id,
        area="trabalhista",
        areas=(),
        urgency="high",
        urgency_reasons=(),
        summary=said[:100],
        entities=(),
        missing_information=(),
        next_question=None,
        language="pt",
        confidence=0.9,
        engine="quick",
    )


def quick_embeddings(run: Run, payload: Any, tools: Toolbox) -> BaseModel:
    return EmbeddingsResult(model="quick", dimensions=1, count=1, embeddings=((1.0,),))


QUICK = (
    Declared("triage.process_async", quick_triage),
    Declared("embeddings.generate_async", quick_embeddings),
)


@pytest.fixture
def worker(client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    broker = build_broker(settings)
    for declared in QUICK:
        declare(broker, declared, Toolbox(broker.ledger, settings))
    worker = LaneWorker(broker, 4)
    with ExitStack() as stack:
        stack.callback(broker.client.close)
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker
