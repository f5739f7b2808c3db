"""Every line that is logged says what it is about: the request, and every run that came of it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread
from typing import Any

import pytest
import redis

from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from cli.logs import to_stderr
from middleware.broker import build_broker
from middleware.run import Run
from middleware.worker import LaneWorker
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, a_triage

log = logging.getLogger("tests.actor")
TRY_AGAIN = {"max_retries": 1, "min_backoff_s": 0, "max_backoff_s": 0}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"access_log": True})


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the processes of the service, which is all in this one, write into their logs."""
    stream, handler = io.StringIO(), to_stderr("json")
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def told(lines: io.StringIO, logger: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [line for line in every if line["logger"] == logger]


def forgetful(run: Run, payload: Any, tools: Toolbox) -> Any:
    """Fails once, and has a thread of its own that was not told whose it is."""
    log.info("run %d has begun", run.number)
    stray = Thread(target=log.info, args=("from aside",))
    stray.start()
    stray.join()
    if run.number == 1:
        raise RuntimeError(f"{payload.user_message} do cliente")
    return a_triage(payload.case_id, "")


@pytest.fixture
def worker(client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    broker = build_broker(settings)
    tools = Toolbox(broker.ledger, settings)
    declare(broker, Declared("triage.process_async", forgetful), tools)
    worker = LaneWorker(broker, 2)
    with ExitStack() as stack:
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker


def test_the_lines_of_a_request_and_of_the_runs_that_came_of_it_name_them(
    lines: io.StringIO, worker: LaneWorker, api: Client
) -> None:
    body = {"task_name": "triage.process_async", "args": ["case-1"], "kwargs": {"user_message": "palavras"}}
    asked = {"X-Request-ID": "from-outside/7"}
    answer = api.post("/api/tasks/queue?validate_only=false", json=body | {"retry_config": TRY_AGAIN}, headers=asked)
    task_id = answer.json()["task_id"]
    api.until(task_id, "succeeded")
    wait_until(lambda: len(told(lines, "despacho.access")) > 1, "the answers are logged")

    of_request = next(line for line in told(lines, "despacho.access") if line["http_status"] == 202)
    assert (of_request["http_method"], of_request["http_route"]) == ("POST", "/api/tasks/queue")
    assert (of_request["request_id"], of_request["tenant"]) == ("from-outside/7", "acme")
    assert "validate_only" not in json.dumps(of_request)
    of_poll = told(lines, "despacho.access")[-1]
    assert of_poll["http_route"] == "/api/tasks/{task_id}"
    assert of_poll["request_id"] != of_request["request_id"]

    first, aside, second, _ = told(lines, "tests.actor")
    about = {"task_id": task_id, "task_name": "triage.process_async", "tenant": "acme"}
    assert first.items() >= {**about, "run": 1, "request_id": "from-outside/7"}.items()
    assert second.items() >= {**about, "run": 2, "request_id": "from-outside/7", "message": "run 2 has begun"}.items()
    assert "task_id" not in aside
    (verdict,) = told(lines, "middleware.retries")
    assert (verdict["task_id"], verdict["run"]) == (task_id, 1)
    assert "palavras" not in lines.getvalue()


def test_a_request_id_that_could_begin_another_field_is_not_kept(worker: LaneWorker, api: Client) -> None:
    body = {"task_name": "triage.process_async", "args": ["case-1"], "kwargs": {"user_message": "x"}}
    for given in ("a,b", "a b", "x" * 129):
        answer = api.post("/api/tasks/queue", json=body, headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] != given
        api.until(answer.json()["task_id"], "retrying")
