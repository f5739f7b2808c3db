"""Small words that the integration tests tell their stories with."""

from __future__ import annotations

from typing import Any

import redis
from pydantic import BaseModel, ConfigDict

from tasks.catalog import Catalog, TaskSpec
from tasks.ids import new_id
from tasks.ledger import Appetite, Hold, Ledger, Started
from tasks.lifecycle import Priority
from tasks.record import Task
from tasks.settings import Settings
from tasks.submission import NewTask, Order, check


class AnyPayload(BaseModel):
    model_config = ConfigDict(extra="allow")
    case_id: str | None = None


class AnyResult(BaseModel):
    model_config = ConfigDict(extra="allow")


PLAIN = TaskSpec("demo.work", "demo", AnyPayload, AnyResult, "Whatever a test wants done.")
OTHER = TaskSpec("other.work", "other", AnyPayload, AnyResult, "The same in another queue.")
DEMO_CATALOG = Catalog([PLAIN, OTHER])
WORKER = "w-test"


def ledger_for(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings, DEMO_CATALOG)


def a_task(priority: str = Priority.NORMAL, **wishes: Any) -> NewTask:
    wishes.setdefault("task_name", "demo.work")
    wishes.setdefault("task_id", new_id())
    return check(Order(priority=priority, **wishes), DEMO_CATALOG)


def record(ledger: Ledger, task_id: str) -> Task:
    (task,) = ledger.tasks([task_id])
    return task


def status(ledger: Ledger, task_id: str) -> str:
    return record(ledger, task_id).status.value


def log(ledger: Ledger, task_id: str) -> list[str]:
    """The moves of a task, without its progress."""
    return [event.event for event in record(ledger, task_id).events() if event.event != "progress"]


def hold(task: NewTask, run: int = 1, worker: str = WORKER) -> Hold:
    return Hold(task.task_id, run, worker, f"{task.queue}.{task.priority}")


def fetched(ledger: Ledger, most: int = 100, worker: str = WORKER) -> list[Started]:
    """What begins when a worker has so many free threads."""
    return ledger.fetch(Appetite(worker, DEMO_CATALOG.queues, most))


def begun(ledger: Ledger, task: NewTask, run: int = 1, worker: str = WORKER) -> Hold:
    """The task is fetched and its run begins."""
    (started,) = fetched(ledger, 1, worker)
    assert started.hold == hold(task, run, worker)
    return started.hold
