"""The life of a task in the ledger, told against a real server."""

from __future__ import annotations

import json

import pytest
import redis
from dramatiq import Message

from tasks.errors import IdempotencyMismatch, IllegalMove, NotFound, QueueFull, Unavailable
from tasks.ids import child_id, new_id
from tasks.ledger import Appetite, Hold, Idempotency, Ledger
from tasks.redis_faults import redis_faults
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.stories import (
    DEMO_CATALOG,
    WORKER,
    a_task,
    begun,
    fetched,
    hold,
    ledger_for,
    log,
    record,
    status,
)

ERROR = {"type": "ValueError", "message": "no", "attempt": 1, "at": 0, "retryable": True}


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return ledger_for(client, settings)


def fetched_ids(ledger: Ledger, most: int = 100, worker: str = WORKER) -> list[str]:
    return [started.hold.task_id for started in fetched(ledger, most, worker)]


def due(ledger: Ledger) -> bool:
    """The chores queue what is due; true when nothing is delayed any more."""
    return ledger.do_chores().following_ms is None


def test_a_task_goes_all_the_way(ledger: Ledger) -> None:
    task = a_task(kwargs={"case_id": "case-1", "words": "olá"})

    ledger.submit([task])
    (started,) = fetched(ledger)
    started_hold = hold(task)
    assert started.hold == started_hold
    assert started.payload == {"case_id": "case-1", "words": "olá"}
    assert ledger.progress(started_hold, 40, "Lendo") == "go_on"
    assert ledger.succeed(started_hold, '{"answer":42}')

    done = record(ledger, task.task_id)
    assert done.status == "succeeded"
    assert done.result == {"answer": 42}
    assert (done.run, done.attempt, done.worker) == (1, 1, WORKER)
    assert log(ledger, task.task_id) == ["queued", "running", "succeeded"]
    assert ledger.client.exists(ledger.keys.of("acks", worker=WORKER, lane=started_hold.lane)) == 0
    assert ledger.client.exists(ledger.keys.of("messages", lane=started_hold.lane)) == 0


def test_the_ticket_is_a_dramatiq_message_without_a_clients_words(ledger: Ledger) -> None:
    task = a_task("high", kwargs={"words": "segredo"})
    ledger.submit([task])

    (raw,) = ledger.client.hvals(ledger.keys.of("messages", lane="demo.high"))

    message = Message.decode(raw)
    assert (message.queue_name, message.actor_name) == ("demo.high", "demo.work")
    assert message.message_id == message.options["redis_message_id"] == task.task_id
    assert message.options["run"] == 1
    assert b"segredo" not in raw


def test_the_most_urgent_lane_of_all_queues_comes_first(ledger: Ledger) -> None:
    low, normal, high = a_task("low"), a_task("normal", task_name="other.work"), a_task("high")
    critical = a_task("critical", task_name="other.work")
    ledger.submit([low, normal, high, critical])

    assert fetched_ids(ledger, 3) == [critical.task_id, high.task_id, normal.task_id]
    assert fetched_ids(ledger) == [low.task_id]


def test_first_in_first_out_inside_a_lane(ledger: Ledger) -> None:
    tasks = [a_task() for _ in range(50)]
    ledger.submit(tasks)

    assert fetched_ids(ledger) == [task.task_id for task in tasks]


def test_submitting_the_same_task_again_changes_nothing(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    ledger.submit([task])

    assert log(ledger, task.task_id) == ["queued"]
    assert fetched_ids(ledger) == [task.task_id]


def test_an_idempotency_key_answers_with_the_first_tasks(ledger: Ledger) -> None:
    first, second = a_task(), a_task()
    key = Idempotency("digest", "body-1")
    ledger.submit([first], key)

    again = ledger.submit([second], key)

    assert again.replayed
    assert again.task_ids == (first.task_id,)
    with pytest.raises(IdempotencyMismatch):
        ledger.submit([second], Idempotency("digest", "body-2"))
    assert fetched_ids(ledger) == [first.task_id]


def test_a_full_lane_refuses_all_of_a_submit(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings.model_copy(update={"max_waiting": 2}))
    ledger.submit([a_task()])

    with pytest.raises(QueueFull):
        ledger.submit([a_task(), a_task()])

    assert len(fetched_ids(ledger)) == 1


def test_a_task_with_a_countdown_waits_and_then_runs(ledger: Ledger) -> None:
    task = a_task(countdown_s=0.05)
    ledger.submit([task])
    assert status(ledger, task.task_id) == "scheduled"
    assert fetched_ids(ledger) == []

    wait_until(lambda: due(ledger), "the task becomes due")

    assert log(ledger, task.task_id) == ["scheduled", "queued"]
    assert fetched_ids(ledger) == [task.task_id]


def test_a_run_that_failed_is_repeated_and_counts_its_attempts(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    for run in (1, 2):
        assert ledger.retry(begun(ledger, task, run), 0, ERROR)
        assert status(ledger, task.task_id) == "retrying"
        assert due(ledger)
    ledger.succeed(begun(ledger, task, 3), "{}")

    assert record(ledger, task.task_id).attempt == 3
    assert log(ledger, task.task_id) == [
        *("queued", "running", "retrying"),
        *("queued", "running", "retrying"),
        *("queued", "running", "succeeded"),
    ]


def test_a_wait_that_was_nobodys_failure_uses_up_no_attempt(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    ledger.retry(begun(ledger, task), 0, None, counted=False)
    ledger.do_chores()
    begun(ledger, task, 2)

    assert (record(ledger, task.task_id).run, record(ledger, task.task_id).attempt) == (2, 1)


def test_a_failed_task_is_a_dead_letter_and_can_be_run_again(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    ledger.fail(begun(ledger, task), ERROR)
    assert ledger.client.zcard(ledger.keys.of("dead", lane="demo.normal")) == 1

    assert ledger.requeue(task.task_id) == "queued"

    assert ledger.client.zcard(ledger.keys.of("dead", lane="demo.normal")) == 0
    assert ledger.client.ttl(ledger.keys.of("task", id=task.task_id)) == -1
    ledger.succeed(begun(ledger, task, 2), "{}")
    assert record(ledger, task.task_id).attempt == 1


def test_only_what_has_failed_or_was_cancelled_runs_again(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])

    with pytest.raises(IllegalMove):
        ledger.requeue(task.task_id)
    with pytest.raises(NotFound):
        ledger.requeue(new_id())
    with pytest.raises(NotFound):
        ledger.cancel(task.task_id, tenant="another")


def test_a_waiting_task_that_is_cancelled_is_gone_from_its_lane(ledger: Ledger) -> None:
    waiting, later = a_task(), a_task(countdown_s=60)
    ledger.submit([waiting, later])

    assert ledger.cancel(waiting.task_id) == ledger.cancel(later.task_id) == "cancelled"

    assert fetched_ids(ledger) == []
    assert ledger.client.zcard(ledger.keys.of("delayed")) == 0
    with pytest.raises(IllegalMove):
        ledger.cancel(waiting.task_id)


def test_a_running_task_hears_of_its_cancellation_and_ends_cancelled(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    held = begun(ledger, task)

    assert ledger.cancel(task.task_id) == "cancelling"
    assert ledger.progress(held, 50, "") == "cancel"
    assert ledger.cancelled(held)
    assert status(ledger, task.task_id) == "cancelled"


def test_a_failure_on_the_way_to_a_cancellation_is_a_cancellation(ledger: Ledger) -> None:
    for end in ("retry", "fail"):
        task = a_task()
        ledger.submit([task])
        held = begun(ledger, task)
        ledger.cancel(task.task_id)

        ledger.retry(held, 0, ERROR) if end == "retry" else ledger.fail(held, ERROR)

        assert status(ledger, task.task_id) == "cancelled"


def test_a_superseded_run_cannot_write(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    old = begun(ledger, task)
    ledger.hand_back(old)
    new = begun(ledger, task, 2, worker="w-other")

    assert ledger.progress(old, 90, "") == "lost"
    assert not ledger.succeed(old, '{"from":"old"}')
    assert not ledger.fail(old, ERROR)
    assert not ledger.retry(old, 0, ERROR)
    assert ledger.succeed(new, '{"from":"new"}')
    assert record(ledger, task.task_id).result == {"from": "new"}


def test_a_task_that_stands_in_its_lane_twice_runs_once(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    ledger.client.rpush(ledger.keys.of("lane", lane="demo.normal"), task.task_id, task.task_id)
    held = begun(ledger, task)

    assert fetched_ids(ledger, worker="w-other") == []
    assert fetched_ids(ledger) == []
    assert log(ledger, task.task_id) == ["queued", "running"]
    assert ledger.succeed(held, "{}")


def test_the_end_of_a_run_brings_its_worker_the_next_one(ledger: Ledger) -> None:
    first, second, urgent = a_task(), a_task(), a_task("critical", task_name="other.work")
    ledger.submit([first, second, urgent])
    appetite = Appetite(WORKER, DEMO_CATALOG.queues, 1)
    (held,) = [started.hold for started in fetched(ledger, 1)]

    ended = ledger.succeed(held, "{}", then=appetite)

    assert [started.hold.task_id for started in ended.started] == [first.task_id]
    ended = ledger.fail(ended.started[0].hold, ERROR, appetite)
    assert [started.hold.task_id for started in ended.started] == [second.task_id]
    ended = ledger.retry(ended.started[0].hold, 60_000, ERROR, then=appetite)
    assert ended.written
    assert ended.started == ()


def test_a_garbled_record_is_a_dead_letter_and_strands_no_other(ledger: Ledger) -> None:
    before, garbled, after = a_task(), a_task(), a_task()
    ledger.submit([before, garbled, after])
    ledger.client.hset(ledger.keys.of("task", id=garbled.task_id), "payload", '{"number": ')

    assert fetched_ids(ledger) == [before.task_id, after.task_id]

    assert record(ledger, garbled.task_id).error["type"] == "UnreadableRecord"  # type: ignore[index]
    assert ledger.held_by(WORKER) == {hold(before), hold(after)}


def test_an_end_that_is_written_again_is_written_once(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    held = begun(ledger, task)

    assert ledger.succeed(held, "{}")
    assert ledger.succeed(held, "{}")

    assert log(ledger, task.task_id) == ["queued", "running", "succeeded"]


def test_what_a_dead_worker_held_goes_back_to_the_head(client: redis.Redis, settings: Settings) -> None:
    impatient = settings.model_copy(update={"heartbeat_timeout_s": 0.001})
    ledger = ledger_for(client, impatient)
    running, other, waiting = a_task(), a_task(), a_task()
    ledger.submit([running, other, waiting])
    ledger.beat(WORKER, {})
    begun(ledger, running)
    fetched_ids(ledger, 1)

    wait_until(lambda: ledger.do_chores().dead == {WORKER: 2}, "the dead worker is reaped")

    assert set(fetched_ids(ledger, 2)) == {running.task_id, other.task_id}
    assert log(ledger, running.task_id) == ["queued", "running", "recovered", "running"]
    assert log(ledger, other.task_id) == ["queued", "running", "recovered", "running"]


def test_a_task_that_kills_its_workers_becomes_a_dead_letter(client: redis.Redis, settings: Settings) -> None:
    impatient = settings.model_copy(update={"heartbeat_timeout_s": 0.001, "max_crashes": 2})
    ledger = ledger_for(client, impatient)
    task = a_task()
    ledger.submit([task])

    for run in (1, 2):
        ledger.beat(WORKER, {})
        begun(ledger, task, run)
        wait_until(lambda: ledger.do_chores().dead, "the dead worker is reaped")

    assert record(ledger, task.task_id).error["type"] == "WorkerCrashed"  # type: ignore[index]
    assert log(ledger, task.task_id) == ["queued", "running", "recovered", "running", "failed"]


def test_what_a_live_worker_doesnt_know_of_is_reclaimed(ledger: Ledger) -> None:
    known, lost = a_task(), a_task("high")
    ledger.submit([known, lost])
    fetched_ids(ledger)

    assert ledger.held_by(WORKER) == {hold(known), hold(lost)}
    assert ledger.reclaim(WORKER, [hold(lost)]) == 1
    assert ledger.reclaim(WORKER, [hold(lost)]) == 0

    assert fetched_ids(ledger) == [lost.task_id]
    assert ledger.held_by(WORKER) == {hold(known), hold(lost, run=2)}


def test_a_run_that_a_live_worker_lost_is_begun_again(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    lost = begun(ledger, task)

    assert ledger.reclaim(WORKER, [lost]) == 1

    assert log(ledger, task.task_id) == ["queued", "running", "recovered"]
    assert not ledger.fail(lost, ERROR), "the lost run can't make a dead letter of its successor"
    assert ledger.succeed(begun(ledger, task, 2), "{}")


def test_a_worker_that_leaves_gives_back_all_it_holds(ledger: Ledger) -> None:
    running, other = a_task(), a_task()
    ledger.submit([running, other])
    ledger.beat(WORKER, {})
    begun(ledger, running)
    fetched_ids(ledger)

    ledger.retire(WORKER)

    assert set(fetched_ids(ledger, worker="w-other")) == {running.task_id, other.task_id}
    assert ledger.client.zscore(ledger.keys.of("heartbeats"), WORKER) is None


def test_held_children_are_drawn_also_when_no_sibling_is_left(ledger: Ledger) -> None:
    parent = a_task()
    ledger.submit([parent])
    held = begun(ledger, parent)
    first, *others = [a_task(parent_id=parent.task_id, held=number > 0) for number in range(4)]
    ledger.submit([first])
    ledger.succeed(begun(ledger, first), "{}")
    ledger.submit(others)
    assert fetched_ids(ledger) == []

    ledger.await_children(held, max_parallel=2)

    assert fetched_ids(ledger) == [others[0].task_id, others[1].task_id]


def test_a_running_task_that_is_to_be_forgotten_is_so_when_it_ends(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])
    held = begun(ledger, task)
    ledger._call("forget", task.task_id, "default")
    assert ledger.expired() == {}

    ledger.succeed(held, "{}")

    assert ledger.expired() == {task.task_id: "default"}


def test_children_are_counted_exactly_and_wake_their_parent(ledger: Ledger) -> None:
    parent = a_task()
    ledger.submit([parent])
    held = begun(ledger, parent)
    children = [a_task(task_id=child_id(parent.task_id, i), parent_id=parent.task_id, held=i > 0) for i in range(3)]
    ledger.submit(children)
    ledger.submit(children)
    ledger.await_children(held)

    ledger.succeed(begun(ledger, children[0]), "{}")
    ledger.fail(begun(ledger, children[1]), ERROR)
    assert record(ledger, parent.task_id).progress == pytest.approx(66.6)
    ledger.cancel(children[2].task_id)

    counts = record(ledger, parent.task_id).children
    assert counts is not None
    assert counts.as_json() == {
        "total": 3,
        "succeeded": 1,
        "failed": 1,
        "cancelled": 1,
        "running": 0,
        "pending": 0,
    }
    ledger.succeed(begun(ledger, parent, 2), "{}")
    assert log(ledger, parent.task_id) == ["queued", "running", "succeeded"]


def test_a_child_of_a_cancelled_parent_does_not_start(ledger: Ledger) -> None:
    parent = a_task()
    ledger.submit([parent])
    held = begun(ledger, parent)
    child = a_task(parent_id=parent.task_id)
    ledger.submit([child])
    ledger.await_children(held)
    assert ledger.cancel(parent.task_id) == "cancelled"

    assert fetched_ids(ledger) == []
    assert status(ledger, child.task_id) == "cancelled"
    with pytest.raises(IllegalMove):
        ledger.submit([a_task(parent_id=parent.task_id)])


def test_one_worker_at_a_time_does_the_chores(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings.model_copy(update={"heartbeat_timeout_s": 0.1}))

    assert ledger.beat("w-1", {})
    assert not ledger.beat("w-2", {})
    assert ledger.beat("w-1", None)
    wait_until(lambda: ledger.beat("w-2", None), "another takes over when the first is silent")


def test_what_has_waited_too_long_moves_up_lane_by_lane(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings.model_copy(update={"ageing_s": 0.05}))
    old = a_task("low")
    ledger.submit([old])
    lane = ledger.keys.of("lane", lane="demo.critical")

    wait_until(lambda: ledger.do_chores(raise_aged=True) and client.llen(lane) == 1, "it reaches the highest lane")
    ledger.submit([a_task("high")])

    (hold_of_old,) = [started.hold for started in fetched(ledger, 1)]
    assert hold_of_old == Hold(old.task_id, 1, WORKER, "demo.critical")
    assert record(ledger, old.task_id).priority == "low"
    ledger.retry(hold_of_old, 0, ERROR)
    assert due(ledger)
    assert client.llen(ledger.keys.of("lane", lane="demo.low")) == 1


def test_a_paused_queue_gives_nothing(ledger: Ledger) -> None:
    paused, other = a_task(), a_task(task_name="other.work")
    ledger.submit([paused, other])
    assert ledger._call("pause", "demo", "ana", "acme", "") == 1
    assert ledger._call("pause", "demo", "eva", "acme", "") == 0

    assert fetched_ids(ledger) == [other.task_id]
    assert ledger._call("resume", "demo", "acme", "") == 1
    assert fetched_ids(ledger) == [paused.task_id]


def test_an_expired_task_leaves_nothing_behind(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings.model_copy(update={"retention_s": 0}))
    task = a_task(kwargs={"case_id": "c"})
    ledger.submit([task])
    ledger.fail(begun(ledger, task), ERROR)

    wait_until(lambda: ledger.expire(ledger.expired()) == 1, "the task is expired")

    left = {key.decode() for key in client.scan_iter()}
    # The key is the case's, not the task's.
    kept = {"despacho:seq", "despacho:tenants", "despacho:recent:default", "despacho:case_key:default:c"}
    assert {key for key in left if not key.startswith("despacho:stats:")} == kept


def test_every_event_is_told_to_the_task_the_case_and_the_tenant(ledger: Ledger) -> None:
    listener = ledger.client.pubsub(ignore_subscribe_messages=True)
    listener.psubscribe("despacho:events:*")
    listener.get_message(timeout=1)
    ledger.submit([a_task(kwargs={"case_id": "case-1"})])

    channels = set()
    while message := listener.get_message(timeout=0.5):
        channels.add(message["channel"].decode().split(":")[2])
    listener.close()
    assert channels == {"task", "case", "tenant"}


def test_event_numbers_grow_over_all_tasks(ledger: Ledger) -> None:
    tasks = [a_task() for _ in range(20)]
    ledger.submit(tasks)

    numbers = [record(ledger, task.task_id).seq for task in tasks]

    assert numbers == sorted(set(numbers))
    assert all(number < 2**53 for number in numbers)
    assert json.loads(json.dumps(numbers)) == numbers


def test_a_superseded_run_leaves_the_hold_of_its_successor(ledger: Ledger) -> None:
    """The same worker lost a run and was given the task again: the old run's end must not strand the new one."""
    task = a_task()
    ledger.submit([task])
    old = begun(ledger, task)
    ledger.reclaim(WORKER, [old])
    fetched_ids(ledger)

    assert not ledger.succeed(old, "{}")

    acks = ledger.keys.of("acks", worker=WORKER, lane="demo.normal")
    assert ledger.client.sismember(acks, task.task_id)


def test_cancelling_held_children_draws_no_others(ledger: Ledger) -> None:
    parent = a_task()
    ledger.submit([parent])
    held = begun(ledger, parent)
    children = [a_task(parent_id=parent.task_id, held=number > 0) for number in range(5)]
    ledger.submit(children)
    ledger.await_children(held, max_parallel=1)

    ledger.cancel(children[2].task_id)
    ledger.cancel(children[3].task_id)

    assert fetched_ids(ledger) == [children[0].task_id]


def test_chores_that_come_after_their_lease_are_left_undone(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings.model_copy(update={"heartbeat_timeout_s": 0.001}))
    task = a_task()
    ledger.submit([task])
    ledger.beat(WORKER, {})
    begun(ledger, task)

    wait_until(lambda: not client.exists(ledger.keys.of("chores")), "the lease is over")

    assert ledger.do_chores("w-other").dead == {}
    assert status(ledger, task.task_id) == "running"


@pytest.mark.parametrize("code", ["NOREPLICAS", "MISCONF", "BUSY", "OOM", "MASTERDOWN"])
def test_a_server_that_takes_no_writes_just_now_is_away(code: str) -> None:
    with pytest.raises(Unavailable), redis_faults():
        raise redis.ResponseError(f"{code} not just now")
    with pytest.raises(redis.ResponseError), redis_faults():
        raise redis.ResponseError("ERR a fault of ours")


def test_a_full_memory_refuses_new_tasks_and_lets_running_ones_end(ledger: Ledger) -> None:
    running, waiting = a_task(), a_task()
    ledger.submit([running, waiting])
    held = begun(ledger, running)
    ledger.client.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable):
            ledger.submit([a_task()])
        assert ledger.progress(held, 50, "") == "go_on"
        assert ledger.succeed(held, "{}")
        assert ledger.cancel(waiting.task_id) == "cancelled"
    finally:
        ledger.client.config_set("maxmemory", "0")
