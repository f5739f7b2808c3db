"""Each thing that can go astray, staged by hand against a real server, and swept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from threading import Lock

import pytest
import redis

from actors import upkeep
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import LaneBroker, build_broker
from middleware.run import Run
from middleware.worker import LaneWorker
from tasks.catalog import CATALOG
from tasks.ids import child_id, new_id
from tasks.inspection import Findings, Inspection, Kind
from tasks.ledger import Ledger
from tasks.settings import Settings
from tasks.submission import NewTask, Order, check
from tests.conftest import wait_until
from tests.integration.conftest import QUICK
from tests.integration.stories import (
    DEMO_CATALOG,
    WORKER,
    AnyPayload,
    AnyResult,
    a_task,
    begun,
    fetched,
    hold,
    ledger_for,
    log,
    record,
    status,
)

LANE = "demo.normal"
ERROR = {"type": "ValueError", "message": "no", "attempt": 1, "at": 0, "retryable": True}


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return ledger_for(client, settings)


def at_once(_seconds: float) -> None:
    """Nothing moves between the two looks of these tests, but for what they move themselves."""


def swept(ledger: Ledger, *, mend: bool = True, most: int | None = None) -> dict[Kind, int]:
    return dict(inspected(ledger, mend=mend, most=most).counts())


def inspected(ledger: Ledger, *, mend: bool = True, most: int | None = None) -> Findings:
    return Inspection(ledger, 0, most).run(mend=mend, pause=at_once)


def key(ledger: Ledger, name: str, **fields: str) -> str:
    return ledger.keys.of(name, **fields)


def in_lane(ledger: Ledger, lane: str = LANE) -> list[str]:
    return [raw.decode() for raw in ledger.client.lrange(key(ledger, "lane", lane=lane), 0, -1)]  # type: ignore[union-attr]


def dump(client: redis.Redis) -> dict[bytes, bytes | None]:
    return {name: client.dump(name) for name in client.scan_iter()}


def submitted(ledger: Ledger, *tasks: NewTask) -> list[NewTask]:
    ledger.submit(tasks)
    return list(tasks)


def live_worker(ledger: Ledger, worker: str = WORKER) -> None:
    ledger.beat(worker, {})


# ---------------------------------------------------------------------------------------------- tasks


def test_a_queued_task_that_is_in_no_lane_is_queued_again_once(ledger: Ledger) -> None:
    lost, other = submitted(ledger, a_task(), a_task())
    ledger.client.lrem(key(ledger, "lane", lane=LANE), 0, lost.task_id)

    assert swept(ledger) == {Kind.LOST: 1}

    assert in_lane(ledger) == [lost.task_id, other.task_id]
    assert swept(ledger) == {}
    assert ledger.succeed(begun(ledger, lost), "{}")


def test_a_queued_task_whose_message_is_gone_gets_it_anew_and_keeps_its_place(ledger: Ledger) -> None:
    first, second = submitted(ledger, a_task(), a_task())
    ledger.client.hdel(key(ledger, "messages", lane=LANE), second.task_id)

    assert swept(ledger) == {Kind.LOST: 1}

    assert in_lane(ledger) == [first.task_id, second.task_id]
    assert ledger.client.hlen(key(ledger, "messages", lane=LANE)) == 2


def test_a_task_that_a_live_worker_has_fetched_is_left_alone(ledger: Ledger) -> None:
    submitted(ledger, a_task())
    live_worker(ledger)
    fetched(ledger, 1, WORKER)

    assert swept(ledger) == {}
    assert in_lane(ledger) == []


def test_what_was_fetched_by_a_worker_that_nobody_lists_is_given_back_once(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    fetched(ledger, 1, "w-gone")

    assert inspected(ledger).confirmed[0].kind is Kind.ACKS

    assert in_lane(ledger) == [task.task_id]
    assert not ledger.client.exists(key(ledger, "acks", worker="w-gone", lane=LANE))
    assert swept(ledger) == {}


def test_acks_of_a_gone_worker_do_not_queue_what_waits_already(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    ledger.client.sadd(key(ledger, "acks", worker="w-gone", lane=LANE), task.task_id)

    assert swept(ledger) == {Kind.ACKS: 1}

    assert in_lane(ledger) == [task.task_id]


@pytest.mark.parametrize("state", ["scheduled", "retrying"])
def test_what_waits_for_its_time_is_delayed_again_until_then(ledger: Ledger, state: str) -> None:
    (task,) = submitted(ledger, a_task(countdown_s=60 if state == "scheduled" else 0))
    if state == "retrying":
        ledger.retry(begun(ledger, task), 60_000, ERROR)
    delayed = key(ledger, "delayed")
    due = ledger.client.zscore(delayed, task.task_id)
    ledger.client.delete(delayed)

    assert swept(ledger) == {Kind.UNDELAYED: 1}

    assert ledger.client.zscore(delayed, task.task_id) == due
    assert status(ledger, task.task_id) == state


def test_a_run_on_a_worker_that_is_gone_is_recovered(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    held = begun(ledger, task)
    ledger.client.delete(key(ledger, "acks", worker=WORKER, lane=LANE))

    assert swept(ledger) == {Kind.ABANDONED: 1}

    assert in_lane(ledger) == [task.task_id]
    assert log(ledger, task.task_id) == ["queued", "running", "recovered"]
    assert not ledger.succeed(held, "{}"), "the run that was given up can't write"
    assert ledger.succeed(begun(ledger, task, 2), "{}")


def test_a_run_in_the_acks_of_a_gone_worker_is_recovered_once(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    begun(ledger, task)

    swept(ledger)

    assert in_lane(ledger) == [task.task_id]
    assert log(ledger, task.task_id) == ["queued", "running", "recovered"]
    assert not ledger.client.exists(key(ledger, "acks", worker=WORKER, lane=LANE))


def test_an_abandoned_run_whose_end_was_wished_for_ends(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    begun(ledger, task)
    ledger.cancel(task.task_id)
    ledger.client.delete(key(ledger, "acks", worker=WORKER, lane=LANE))

    assert swept(ledger) == {Kind.ABANDONED: 1}

    assert status(ledger, task.task_id) == "cancelled"
    assert not ledger.client.exists(key(ledger, "messages", lane=LANE))


def test_a_run_that_a_live_worker_does_not_hold_is_put_to_that_worker(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    live_worker(ledger)
    held = begun(ledger, task)
    acks = key(ledger, "acks", worker=WORKER, lane=LANE)
    ledger.client.delete(acks)

    assert swept(ledger) == {Kind.UNHELD: 1}

    assert ledger.client.smembers(acks) == {task.task_id.encode()}
    assert in_lane(ledger) == []
    assert ledger.succeed(held, "{}")


# ------------------------------------------------------------------------------------------- children


def awaiting(ledger: Ledger, held: int = 0) -> tuple[NewTask, list[NewTask]]:
    """A parent that awaits three children, the last `held` of them held back."""
    (parent,) = submitted(ledger, a_task())
    run = begun(ledger, parent)
    children = [
        a_task(task_id=child_id(parent.task_id, number), parent_id=parent.task_id, held=number >= 3 - held)
        for number in range(3)
    ]
    ledger.submit(children)
    ledger.await_children(run, max_parallel=3 - held)
    return parent, children


def test_a_parent_that_awaits_its_children_is_left_alone(ledger: Ledger) -> None:
    awaiting(ledger, held=1)

    assert swept(ledger) == {}


def test_a_parent_whose_children_have_all_ended_is_woken(ledger: Ledger) -> None:
    parent, children = awaiting(ledger)
    ledger.client.hset(key(ledger, "task", id=parent.task_id), "kids_succeeded", -1)
    for child in children:
        ledger.succeed(begun(ledger, child), "{}")
    assert in_lane(ledger) == []

    assert swept(ledger) == {Kind.UNWOKEN: 1}

    assert in_lane(ledger) == [parent.task_id]
    counts = record(ledger, parent.task_id).children
    assert counts is not None
    assert (counts.total, counts.succeeded, counts.running) == (3, 3, 0)
    assert ledger.succeed(begun(ledger, parent, 2), "{}")


def test_a_woken_parent_that_is_in_no_lane_is_queued_again(ledger: Ledger) -> None:
    parent, children = awaiting(ledger)
    for child in children:
        ledger.succeed(begun(ledger, child), "{}")
    ledger.client.delete(key(ledger, "lane", lane=LANE))

    assert swept(ledger) == {Kind.LOST: 1}

    assert in_lane(ledger) == [parent.task_id]


def test_held_children_that_nobody_draws_are_drawn_again(ledger: Ledger) -> None:
    _, (first, second, third) = awaiting(ledger, held=2)
    ledger.client.delete(key(ledger, "lane", lane=LANE))
    ledger.client.delete(key(ledger, "task", id=first.task_id))

    assert swept(ledger)[Kind.STALLED] == 1

    assert in_lane(ledger) == [second.task_id]
    ledger.succeed(begun(ledger, second), "{}")
    assert in_lane(ledger) == [third.task_id]


@pytest.mark.parametrize("parent_is", ["ended", "gone"])
def test_held_children_of_a_parent_that_has_ended_are_cancelled(ledger: Ledger, parent_is: str) -> None:
    parent, children = awaiting(ledger, held=2)
    if parent_is == "ended":
        ledger.cancel(parent.task_id)
    else:
        ledger.client.delete(key(ledger, "task", id=parent.task_id))

    assert swept(ledger)[Kind.ORPHANED] == 2

    assert [status(ledger, child.task_id) for child in children] == ["queued", "cancelled", "cancelled"]
    assert not ledger.client.exists(key(ledger, "held", id=parent.task_id))
    assert swept(ledger) == {}


# ------------------------------------------------------------------------------- what has no record


def test_messages_and_ids_without_a_record_are_dropped(ledger: Ledger) -> None:
    gone, kept = submitted(ledger, a_task(), a_task())
    ledger.client.delete(key(ledger, "task", id=gone.task_id))
    ledger.client.hset(key(ledger, "delayed_messages", lane=LANE), new_id(), "{}")
    ledger.client.rpush(key(ledger, "lane", lane=LANE), b"\xff\xfe not an id")

    found = swept(ledger)

    assert found[Kind.STRAY] == 2
    assert found[Kind.MESSAGE] == 2
    assert in_lane(ledger) == [kept.task_id]
    assert ledger.client.hkeys(key(ledger, "messages", lane=LANE)) == [kept.task_id.encode()]
    assert not ledger.client.exists(key(ledger, "delayed_messages", lane=LANE))
    assert swept(ledger) == {}


def test_members_without_a_record_are_struck_off(ledger: Ledger, client: redis.Redis) -> None:
    waiting, later, dead = submitted(ledger, a_task(kwargs={"case_id": "c-1"}), a_task(countdown_s=60), a_task())
    client.lrem(key(ledger, "lane", lane=LANE), 0, waiting.task_id)
    ledger.fail(begun(ledger, dead), ERROR)
    client.delete(*(key(ledger, "task", id=task.task_id) for task in (waiting, later, dead)))

    swept(ledger)

    left = {name.decode() for name in client.scan_iter()}
    kept = {"despacho:seq", "despacho:tenants", "despacho:recent:default", "despacho:case_key:default:c-1"}
    assert {name for name in left if not name.startswith("despacho:stats:")} == kept
    assert swept(ledger) == {}


def test_a_task_listed_under_another_status_is_listed_under_its_own(ledger: Ledger) -> None:
    misfiled, unlisted = submitted(ledger, a_task(), a_task())
    queued = key(ledger, "by_status", tenant="default", status="queued")
    running = key(ledger, "by_status", tenant="default", status="running")
    score = ledger.client.zscore(queued, misfiled.task_id)
    ledger.client.delete(queued)
    ledger.client.zadd(running, {misfiled.task_id: score})  # type: ignore[dict-item]

    found = swept(ledger)

    assert found[Kind.MISFILED] == 1
    assert ledger.client.zrange(queued, 0, -1) == [misfiled.task_id.encode(), unlisted.task_id.encode()]
    assert ledger.client.zscore(queued, misfiled.task_id) == score
    assert not ledger.client.exists(running)
    assert swept(ledger) == {}


def test_a_dead_letter_that_was_deleted_by_hand_leaves_a_failed_task(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    ledger.fail(begun(ledger, task), ERROR)
    ledger.client.delete(key(ledger, "dead", lane=LANE), key(ledger, "dead_messages", lane=LANE))

    assert swept(ledger) == {}

    assert status(ledger, task.task_id) == "failed"
    assert ledger.requeue(task.task_id) == "queued"


# --------------------------------------------------------------------------------------- how it looks


def test_a_dry_run_changes_nothing(ledger: Ledger, client: redis.Redis) -> None:
    held, lost, gone = submitted(ledger, a_task(), a_task(), a_task())
    fetched(ledger, 1, "w-gone")
    client.lrem(key(ledger, "lane", lane=LANE), 0, lost.task_id)
    client.delete(key(ledger, "task", id=gone.task_id))
    before = dump(client)

    found = swept(ledger, mend=False)

    assert found[Kind.ACKS] == found[Kind.MESSAGE] == 1
    assert found[Kind.LOST] == found[Kind.ABANDONED] == 1, held.task_id
    assert dump(client) == before


def test_what_moves_between_two_looks_is_well(ledger: Ledger) -> None:
    (task,) = submitted(ledger, a_task())
    begun(ledger, task)
    inspection = Inspection(ledger, 0)

    findings = inspection.run(mend=True, pause=lambda _: live_worker(ledger))

    assert findings.confirmed == ()
    assert status(ledger, task.task_id) == "running"
    assert ledger.succeed(hold(task), "{}")


def test_many_records_are_walked_in_steps(ledger: Ledger) -> None:
    tasks = [a_task() for _ in range(900)]
    ledger.submit(tasks)
    for task in tasks[::3]:
        ledger.client.lrem(key(ledger, "lane", lane=LANE), 0, task.task_id)

    assert swept(ledger) == {Kind.LOST: 300}

    assert sorted(in_lane(ledger)) == sorted(task.task_id for task in tasks)
    assert swept(ledger) == {}


def test_a_bounded_sweep_sees_all_in_the_end(ledger: Ledger) -> None:
    index = key(ledger, "by_name", tenant="default", task_name="demo.work")
    submitted(ledger, a_task())
    ledger.client.zadd(index, {new_id(): number for number in range(1_000)})

    def is_clean() -> bool:
        swept(ledger, most=400)
        return ledger.client.zcard(index) == 1

    wait_until(is_clean, "every member was looked at")


def test_a_lane_too_long_is_not_looked_through_unless_a_message_is_gone(ledger: Ledger) -> None:
    unchecked, lost = submitted(ledger, a_task(), a_task())
    lane = key(ledger, "lane", lane=LANE)
    ledger.client.delete(lane)
    ledger.client.rpush(lane, *([unchecked.task_id] * 10_001))
    ledger.client.hdel(key(ledger, "messages", lane=LANE), lost.task_id)

    findings = inspected(ledger)

    assert findings.counts() == {Kind.LOST: 1}
    assert [find.subject for find in findings.unchecked] == [unchecked.task_id]
    assert in_lane(ledger)[0] == lost.task_id
    assert len(in_lane(ledger)) == 10_002


# ------------------------------------------------------------------------------------------- the actor


def test_upkeep_mends_what_it_finds(client: redis.Redis, settings: Settings) -> None:
    swift = settings.model_copy(update={"heartbeat_timeout_s": 1})
    broker = build_broker(swift)
    for declared in (Declared("upkeep.sweep", upkeep.sweep), *QUICK):
        declare(broker, declared, Toolbox(broker.ledger, swift))
    lost = check(Order("triage.process_async", kwargs={"case_id": "c-1"}), CATALOG)
    sweeping = check(Order("upkeep.sweep", internal=True), CATALOG)
    submitted(broker.ledger, lost)
    client.delete(key(broker.ledger, "lane", lane="triage.normal"))
    submitted(broker.ledger, sweeping)

    worker = LaneWorker(broker, 1)
    worker.start()
    try:
        wait_until(lambda: status(broker.ledger, sweeping.task_id) == "succeeded", "the sweep has run")
        wait_until(lambda: status(broker.ledger, lost.task_id) == "succeeded", "what it mended has run")
    finally:
        worker.drain(0)

    assert record(broker.ledger, sweeping.task_id).result == {"expired": 0, "mended": 1}
    assert log(broker.ledger, lost.task_id) == ["queued", "running", "succeeded"]


# -------------------------------------------------------------------------------------------- under load


Work = Callable[[Run, AnyPayload, Toolbox], AnyResult]


@pytest.fixture
def open_worker(ledger: Ledger, settings: Settings) -> Iterator[Callable[[Work], LaneWorker]]:
    workers: list[LaneWorker] = []

    def opened(work: Work) -> LaneWorker:
        broker = LaneBroker(ledger, settings, DEMO_CATALOG)
        for name in ("demo.work", "other.work"):
            declare(broker, Declared(name, work), Toolbox(broker.ledger, settings))
        workers.append(LaneWorker(broker, 4))
        workers[-1].start()
        return workers[-1]

    yield opened
    for worker in workers:
        worker.drain(0)


def test_a_healthy_system_under_load_is_left_alone(
    ledger: Ledger, client: redis.Redis, open_worker: Callable[[Work], LaneWorker]
) -> None:
    runs: Counter[str] = Counter()
    found: list[dict[Kind, int]] = []
    lock = Lock()

    def work(run: Run, payload: AnyPayload, _: Toolbox) -> AnyResult:
        with lock:
            runs[run.task_id] += 1
            outlasts_a_sweep, before = runs.total() % 20 == 0, len(found)
        if outlasts_a_sweep:
            wait_until(lambda: len(found) > before + 1, "a whole sweep has passed")
        return AnyResult()

    tasks = [a_task(priority) for priority in ("critical", "normal", "low") for _ in range(100)]
    succeeded = key(ledger, "by_status", tenant="default", status="succeeded")
    open_worker(work)

    def is_done() -> bool:
        found.append(swept(ledger))
        return client.zcard(succeeded) == len(tasks)

    for start in range(0, len(tasks), 50):
        ledger.submit(tasks[start : start + 50])
        is_done()
    wait_until(is_done, "all tasks have run", 60)

    assert runs == {task.task_id: 1 for task in tasks}
    assert [finds for finds in found if finds] == []
    assert len(found) > 5
    assert {tuple(log(ledger, task.task_id)) for task in tasks} == {("queued", "running", "succeeded")}
