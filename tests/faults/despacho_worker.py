"""A worker process of Despacho whose one kind of work tells of its executions."""

from __future__ import annotations

from tests.faults.clocks import let_jump

let_jump()

import signal  # noqa: E402
from threading import Event  # noqa: E402
from typing import Any  # noqa: E402

from pydantic import BaseModel  # noqa: E402

from actors.declare import Declared, declare  # noqa: E402
from actors.toolbox import Toolbox  # noqa: E402
from middleware.broker import LaneBroker, build_broker  # noqa: E402
from middleware.run import Run  # noqa: E402
from middleware.worker import LaneWorker  # noqa: E402
from tasks.catalog import CATALOG, Catalog, TaskSpec  # noqa: E402
from tasks.payloads import EmbeddingsPayload, EmbeddingsResult  # noqa: E402
from tasks.schedules import slot_id  # noqa: E402
from tasks.settings import Settings  # noqa: E402
from tasks.timetable import Schedule  # noqa: E402
from tests.faults.clocks import slot_ms  # noqa: E402
from tests.faults.recording import SCHEDULED, perform, tell_ready  # noqa: E402

OVER_HTTP = "embeddings.generate_async"
"""A task that the real gateway lets in; here it computes no vectors."""


class Work(BaseModel):
    number: int = SCHEDULED
    work_s: float = 0.0
    fails: bool = False


class Worked(BaseModel):
    """Which run left this result."""

    run: int


FAULTS = Catalog(
    [TaskSpec("faults.work", "faults", Work, Worked, "Tells of its executions."), CATALOG.get(OVER_HTTP)]
)

SCHEDULE = Schedule("faults", "* * * * *", "faults.work", "catch_up")
MOST_SLOTS = 1_000


def slot_task(number: int) -> str:
    """The id of the task of a slot."""
    return slot_id(SCHEDULE.name, slot_ms(number))


def slot_of(task_id: str) -> int:
    """Whose task this is, whenever it runs. Raises `StopIteration` where it is no slot's."""
    return next(number for number in range(MOST_SLOTS) if slot_task(number) == task_id)


def work(run: Run, payload: Work, tools: Toolbox) -> Worked:
    number = slot_of(run.task_id) if payload.number == SCHEDULED else payload.number
    perform(number, payload.work_s, payload.fails)
    return Worked(run=run.number)


def work_over_http(run: Run, payload: EmbeddingsPayload, tools: Toolbox) -> EmbeddingsResult:
    (text,) = payload.texts or ("",)
    perform(int(text))
    return EmbeddingsResult(model="none", dimensions=1, count=run.number)


def declare_faults(broker: LaneBroker) -> Any:
    tools = Toolbox(broker.ledger, broker.settings)
    declare(broker, Declared("faults.work", work), tools)
    declare(broker, Declared(OVER_HTTP, work_over_http), tools)
    return tools


def main() -> None:
    told = Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    settings = Settings.load()
    broker = build_broker(settings, FAULTS)
    declare_faults(broker)
    worker = LaneWorker(broker, settings.threads)
    worker.start()
    tell_ready()
    told.wait()
    worker.drain(settings.drain_timeout_s)


if __name__ == "__main__":
    main()
