"""Despacho: every task with its record, its indexes, its log and its result."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from time import sleep

from pydantic import BaseModel

from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from benchmarks.endings import SLOW_S, note_end
from benchmarks.marks import mark
from benchmarks.peers import PROCESSES, THREADS, python_module, redis_url
from middleware.broker import build_broker
from middleware.run import Run
from middleware.worker import LaneWorker
from tasks.catalog import Catalog, TaskSpec
from tasks.connection import connect
from tasks.ledger import Ledger
from tasks.settings import Settings
from tasks.submission import NewTask, Order, check

AT_ONCE = 500


class Nothing(BaseModel):
    """The payload of a no-op."""


class Ran(BaseModel):
    """The result of a no-op."""

    ran: int = 1


class Numbered(BaseModel):
    """The payload of a slow task."""

    number: int


class Triage(BaseModel):
    """The payload of a small triage."""

    case_id: str
    user_message: str


class Triaged(BaseModel):
    """A small result: some 200 characters of JSON."""

    case_id: str
    area: str = "trabalhista"
    urgency: str = "high"
    summary: str = "Demissão durante a gravidez, verbas rescisórias em aberto."
    missing_information: tuple[str, ...] = ("data_da_demissao",)
    language: str = "pt"
    confidence: float = 0.87


CATALOG = Catalog(
    [
        TaskSpec("bench.noop", "bench", Nothing, Ran, "Does nothing."),
        TaskSpec("bench.slow", "bench", Numbered, Ran, "Takes a while."),
        TaskSpec("bench.triage", "bench", Triage, Triaged, "Has the payload and the result of a small triage."),
    ]
)


def noop(run: Run, payload: Nothing, tools: Toolbox) -> Ran:  # noqa: ARG001
    return Ran(ran=mark())


def slow(run: Run, payload: Numbered, tools: Toolbox) -> Ran:  # noqa: ARG001
    sleep(SLOW_S)
    note_end(payload.number)
    return Ran()


def triage(run: Run, payload: Triage, tools: Toolbox) -> Triaged:  # noqa: ARG001
    mark()
    return Triaged(case_id=payload.case_id)


class DespachoPeer:
    keeps_results = True

    def __init__(self, settings: Settings) -> None:
        self._ledger = Ledger(connect(settings), settings, CATALOG)

    def worker_commands(self) -> Sequence[Sequence[str]]:
        return [python_module("benchmarks.peers.despacho")] * PROCESSES

    def submit(self) -> str:
        return self._ledger.submit([_order()]).task_ids[0]

    def submit_many(self, count: int) -> None:
        for start in range(0, count, AT_ONCE):
            self._ledger.submit([_order() for _ in range(min(AT_ONCE, count - start))])

    def submit_slow(self, number: int) -> None:
        self._ledger.submit([check(Order("bench.slow", args=[number]), CATALOG)])

    def is_done(self, ticket: str) -> bool:
        return self._ledger.tasks([ticket])[0].status == "succeeded"


def _order() -> NewTask:
    return check(Order("bench.noop"), CATALOG)


def _settings() -> Settings:
    folder = Path(os.environ.get("BENCH_MARKS", tempfile.gettempdir()))
    return Settings(redis_url=redis_url(), data_dir=folder.parent / "data")


def work() -> None:
    """One worker process, until it is told to end."""
    told = Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    settings = _settings()
    broker = build_broker(settings, CATALOG)
    tools = Toolbox(broker.ledger, settings)
    for name, work_of_it in (("bench.noop", noop), ("bench.slow", slow), ("bench.triage", triage)):
        declare(broker, Declared(name, work_of_it), tools)
    worker = LaneWorker(broker, THREADS)
    worker.start()
    told.wait()
    worker.drain(1)


if __name__ == "__main__":
    work()
else:
    PEER = DespachoPeer(_settings())
