"""What an actor logs is told with its task: live, bounded, sealed, and gone with the task."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event, Thread
from typing import Any

import pytest
import redis

from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.run import Run
from middleware.run_lines import keep_lines_of_runs
from middleware.worker import LaneWorker
from tasks.api_keys import PAYLOAD, SCOPES, ApiKeys
from tasks.ledger import Ledger
from tasks.lines import TEXT_AT_MOST
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway, a_triage
from tests.integration.stories import a_task, begun, ledger_for
from tests.stored import dumped

log = logging.getLogger("tests.actor")
MARKER = "Saxifraga-31"
LINES_BYTES = 32 << 10
GO_ON = Event()


def says_much(run: Run, payload: Any, tools: Toolbox) -> Any:
    """What the message of the payload asks for."""
    _WAYS[payload.user_message](run)
    return a_triage(payload.case_id, "")


def _nothing(run: Run) -> None:
    run.report(50, "Lendo")


def _over_a_retry(run: Run) -> None:
    log.debug("%s: below the level", MARKER)
    log.info("%s: run %d", MARKER, run.number)
    if run.number == 1:
        try:
            raise KeyError(MARKER)
        except KeyError:
            log.exception("odd")
        GO_ON.wait(10)
        raise RuntimeError(MARKER)


def _flood(run: Run) -> None:
    aside = Thread(target=lambda: [log.info("of another thread") for _ in range(100)])
    aside.start()
    for number in range(20_000):
        log.info("line %d", number)
        if number % 1_000 == 0:
            run.report(number / 200, "Lendo")
    aside.join()
    log.warning("%s", MARKER * (1 << 16))
    log.info("binary \x00 \udc80 \x1b[31m")
    log.info("badly put: %s", Rude())


class Rude:
    def __str__(self) -> str:
        raise ValueError(MARKER)


_WAYS: dict[str, Callable[[Run], None]] = {"nada": _nothing, "de novo": _over_a_retry, "muito": _flood}


@pytest.fixture
def worker(client: redis.Redis, settings: Settings) -> Iterator[LaneWorker]:
    root = logging.getLogger()
    level, levels, handlers = root.level, [(other, other.level) for other in root.handlers], list(root.handlers)
    root.setLevel(logging.WARNING)
    keep_lines_of_runs("info")
    broker = build_broker(settings)
    declare(broker, Declared("triage.process_async", says_much), Toolbox(broker.ledger, settings))
    worker = LaneWorker(broker, 2)
    GO_ON.clear()
    with ExitStack() as stack:
        worker.start()
        stack.callback(worker.drain, 0)
        yield worker
    root.handlers = handlers
    root.setLevel(level)
    for other, before in levels:
        other.setLevel(before)


def log_of(api: Client, task_id: str) -> dict[str, Any]:
    told: dict[str, Any] = api.get(f"/api/tasks/{task_id}/log").json()
    return told


def said(told: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(line["run"], line["level"], line["message"]) for line in told["lines"]]


def test_lines_are_told_live_over_all_runs_to_who_may_see_a_result_and_lie_nowhere_in_clear(
    worker: LaneWorker, api: Client, keys: ApiKeys, gateway: Gateway, client: redis.Redis
) -> None:
    again = {"max_retries": 1, "min_backoff_s": 0, "max_backoff_s": 0}
    api.put("/api/cases/case-1", json={})
    task_id = api.submit(kwargs={"user_message": "de novo"}, retry_config=again)

    wait_until(lambda: log_of(api, task_id)["lines"], "the lines of a run that reports nothing come")
    assert api.record(task_id)["status"] == "running"
    GO_ON.set()
    api.until(task_id, "succeeded")

    told = log_of(api, task_id)
    first, second = f"{MARKER}: run 1", f"{MARKER}: run 2"
    assert said(told) == [(1, "info", first), (1, "error", "odd (KeyError)"), (2, "info", second)]
    assert told["lines_lost"] == 0
    assert told["events"][-1]["event"] == "succeeded"
    assert MARKER.encode() not in dumped(client)
    _, token = keys.create("reader", "acme", tuple(scope for scope in SCOPES if scope != PAYLOAD))
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as reader:
        assert (log_of(reader, task_id)["lines"], log_of(reader, task_id)["lines_lost"]) == (None, None)

    assert api.delete("/api/cases/case-1").status_code == 200
    assert api.get(f"/api/tasks/{task_id}/log").status_code == 404


def test_a_flood_is_bounded_and_whatever_a_line_holds_can_be_told(
    worker: LaneWorker, api: Client, client: redis.Redis
) -> None:
    task_id = api.submit(kwargs={"user_message": "muito"})
    api.until(task_id, "succeeded")

    told = log_of(api, task_id)
    rude, binary, long = (said(told)[place][2] for place in (-1, -2, -3))
    assert rude.endswith("can't be written: ValueError")
    assert binary == "binary \x00 \\udc80 \x1b[31m"
    assert long.startswith(MARKER)
    assert len(long) < TEXT_AT_MOST + 50
    assert long.endswith("more characters)")
    assert not any("another thread" in text for _, _, text in said(told))
    assert told["lines_lost"] + len(told["lines"]) == 20_003
    assert client.hstrlen(f"despacho:task:{task_id}", "lines") <= LINES_BYTES + 100


def test_a_task_that_logs_nothing_costs_no_command(worker: LaneWorker, api: Client, client: redis.Redis) -> None:
    api.until(api.submit(kwargs={"user_message": "nada"}), "succeeded")
    client.config_resetstat()

    task_id = api.submit(kwargs={"user_message": "nada"})
    wait_until(lambda: client.hget(f"despacho:task:{task_id}", "status") == b"succeeded", "the task ends")

    # Submitted, fetched, two reports and the end at most; a worker beats meanwhile at most once.
    assert client.info("commandstats")["cmdstat_fcall"]["calls"] <= 5
    assert log_of(api, task_id)["lines"] == []


def test_a_part_is_kept_once_and_only_of_the_run_that_is_going_on(client: redis.Redis, settings: Settings) -> None:
    ledger, task = ledger_for(client, settings), a_task()
    ledger.submit([task])
    held = begun(ledger, task)
    name = f"despacho:task:{task.task_id}"

    for number in (1, 1, 2):
        ledger.keep_lines(held, number, 1, b"cGFydA==")
    ledger.keep_lines(type(held)(held.task_id, 7, held.worker, held.lane), 3, 1, b"b3RoZXI=")
    assert client.hget(name, "lines") == b"1.1.1 cGFydA==\n1.2.1 cGFydA=="
    _fill(ledger, held)
    kept = client.hget(name, "lines")
    assert kept.startswith(b"trimmed ")
    assert len(kept) <= LINES_BYTES + 20
    assert sum(int(line.split(b".")[2].split()[0]) for line in kept.split(b"\n")[1:]) + int(kept[8:].split()[0]) == 62
    # The end keeps them with the record, for as long as it is kept.
    ledger.succeed(held, "")
    ledger.keep_lines(held, 99, 1, b"bGF0ZQ==")
    assert client.hget(name, "lines") == kept
    assert client.ttl(name) > 0
    assert sys.getsizeof(kept) < 2 * LINES_BYTES


def _fill(ledger: Ledger, held: Any) -> None:
    for number in range(3, 23):
        ledger.keep_lines(held, number, 3, b"x" * 5_000)
