"""A parent and its children in the ledger: their one place in the lane, how many run, how they are counted."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tasks import scripts
from tasks.errors import IllegalMove
from tasks.ids import child_id
from tasks.inspection import Inspection
from tasks.ledger import UNCONDITIONAL, Appetite, Hold, Ledger, parse_steering
from tasks.lifecycle import STEERABLE, State
from tasks.record import Task, parse_message
from tasks.settings import Settings
from tasks.submission import NewTask
from tests.conftest import wait_until
from tests.integration.stories import DEMO_CATALOG, WORKER, a_task, begun, fetched, ledger_for, record, status

ERROR = {"type": "ValueError", "message": "no", "attempt": 1, "at": 0, "retryable": True}
LANE = "demo.normal"


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return ledger_for(client, settings)


def a_batch(
    ledger: Ledger, size: int, on_error: str = "", max_parallel: int | None = None
) -> tuple[NewTask, list[str]]:
    """A parent that awaits so many children."""
    parent = a_task()
    ledger.submit([parent])
    held = begun(ledger, parent)
    children = [
        a_task(task_id=child_id(parent.task_id, number), parent_id=parent.task_id, held=True)
        for number in range(size)
    ]
    for start in range(0, size, 500):
        ledger.submit(children[start : start + 500])
    ledger.await_children(held, on_error, max_parallel)
    return parent, [child.task_id for child in children]


def fetched_ids(ledger: Ledger, most: int = 100, worker: str = WORKER) -> list[str]:
    return [started.hold.task_id for started in fetched(ledger, most, worker)]


def in_lane(ledger: Ledger) -> list[str]:
    return [member.decode() for member in ledger.client.lrange(ledger.keys.of("lane", lane=LANE), 0, -1)]


def ended(ledger: Ledger, parent: NewTask) -> list[str]:
    return [member.decode() for member in ledger.client.zrange(ledger.keys.of("ended", id=parent.task_id), 0, -1)]


def a_hold(task_id: str, run: int = 1) -> Hold:
    return Hold(task_id, run, WORKER, LANE)


def steer(ledger: Ledger, wish: str, parent: NewTask) -> str:
    asked = (parent.task_id, parent.tenant, STEERABLE, parent.name, UNCONDITIONAL, "k1", "")
    return parse_steering(wish, scripts.call_once(ledger.client, f"{wish}_batch", ledger.keys.namespace, asked))


def test_no_child_begins_before_all_are_in(ledger: Ledger) -> None:
    parent = a_task()
    ledger.submit([parent])
    begun(ledger, parent)

    ledger.submit([a_task(parent_id=parent.task_id, held=True)])

    assert fetched_ids(ledger) == []


def test_a_batch_has_one_place_in_its_lane(ledger: Ledger) -> None:
    _, children = a_batch(ledger, 50)
    assert in_lane(ledger) == children[:1]
    single = a_task()
    ledger.submit([single])

    assert fetched_ids(ledger, 1) == children[:1]
    assert in_lane(ledger) == [single.task_id, children[1]]
    assert fetched_ids(ledger, 2) == [single.task_id, children[1]]


def test_two_batches_take_turns(ledger: Ledger) -> None:
    _, first = a_batch(ledger, 10, max_parallel=9)
    (started,) = fetched(ledger, 1)
    other = a_task()
    ledger.submit([other])
    assert fetched_ids(ledger, 1) == [first[1]]
    held = begun(ledger, other)
    second = [a_task(parent_id=other.task_id, held=True) for _ in range(3)]
    ledger.submit(second)
    ledger.await_children(held)

    turns = [fetched_ids(ledger, 1)[0] for _ in range(4)]

    assert turns == [first[2], second[0].task_id, first[3], second[1].task_id]
    assert started.hold.task_id == first[0]


def test_a_batch_without_a_wish_leaves_a_quarter_of_the_threads(ledger: Ledger) -> None:
    ledger.beat(WORKER, {"threads": 8})
    ledger.beat("w-other", {"threads": 4})
    _, children = a_batch(ledger, 50)

    assert fetched_ids(ledger, 8) == children[:8]
    assert fetched_ids(ledger, 4, "w-other") == children[8:9]
    assert in_lane(ledger) == []
    single = a_task()
    ledger.submit([single])
    assert fetched_ids(ledger, 3, "w-other") == [single.task_id]
    ended_one = ledger.succeed(a_hold(children[0]), "{}", then=Appetite(WORKER, DEMO_CATALOG.queues, 1))
    assert [started.hold.task_id for started in ended_one.started] == children[9:10]


def test_a_lone_thread_is_not_left_idle(ledger: Ledger) -> None:
    ledger.beat(WORKER, {"threads": 1})
    _, children = a_batch(ledger, 3)

    assert fetched_ids(ledger, 1) == children[:1]


def test_a_batch_grows_with_the_workers(ledger: Ledger) -> None:
    ledger.beat(WORKER, {"threads": 1})
    _, children = a_batch(ledger, 20)
    assert fetched_ids(ledger, 8) == children[:1]

    ledger.beat("w-new", {"threads": 8})

    def draws_another() -> bool:
        ledger.hand_back(a_hold(children[0], record(ledger, children[0]).run))
        return fetched_ids(ledger, 1) == children[:1] and in_lane(ledger) == children[1:2]

    wait_until(draws_another, "the new threads are seen")

    assert fetched_ids(ledger, 8, "w-new") == children[1:7]


def test_a_child_that_comes_back_while_enough_run_waits_for_its_turn(ledger: Ledger) -> None:
    _, children = a_batch(ledger, 3, max_parallel=1)
    assert fetched_ids(ledger) == children[:1]
    ledger.retry(a_hold(children[0]), 0, ERROR)
    assert fetched_ids(ledger) == children[1:2]
    ledger.do_chores()

    assert in_lane(ledger) == children[:1]
    assert fetched_ids(ledger) == []
    ledger.succeed(a_hold(children[1]), "{}")

    assert fetched_ids(ledger) == children[:1]


def test_a_paused_batch_that_lost_its_worker_or_is_swept_begins_nothing(ledger: Ledger) -> None:
    parent, children = a_batch(ledger, 4, max_parallel=2)
    assert fetched_ids(ledger, most=1) == children[:1]
    assert steer(ledger, "pause", parent) == "paused"
    ledger.retire(WORKER)
    ledger.do_chores()

    assert fetched_ids(ledger) == in_lane(ledger) == []
    assert Inspection(ledger, 0).run(mend=True, pause=lambda _: None).confirmed == ()
    assert (steer(ledger, "pause", parent), steer(ledger, "resume", parent)) == ("unchanged", "resumed")
    assert set(fetched_ids(ledger)) == set(children[:2])


def test_the_bell_rings_for_a_child_that_nobody_took_and_for_no_other(ledger: Ledger) -> None:
    a_batch(ledger, 10, max_parallel=2)
    listener = ledger.client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(ledger.keys.of("bell"))
    listener.get_message(timeout=1)

    (first,) = fetched(ledger, 1)
    assert listener.get_message(timeout=1)["data"] == LANE.encode()
    fetched(ledger, 1)
    ledger.succeed(first.hold, "{}", then=Appetite(WORKER, DEMO_CATALOG.queues, 1))

    assert listener.get_message(timeout=0.1) is None
    listener.close()


def test_progress_is_told_at_each_percent_and_the_last_is_not_lost(ledger: Ledger) -> None:
    listener = ledger.client.pubsub(ignore_subscribe_messages=True)
    parent, children = a_batch(ledger, 1_000)
    listener.subscribe(ledger.keys.of("task_events", id=parent.task_id))
    listener.get_message(timeout=1)

    while some := fetched(ledger, 50):
        for started in some:
            ledger.succeed(started.hold, "{}")
            shown = record(ledger, parent.task_id)
            assert shown.children is not None
            assert shown.as_json()["progress"] == shown.children.ended / 10

    told = []
    while message := listener.get_message(timeout=0.5):
        told.append(parse_message(message["data"]).extra.get("progress"))
    listener.close()
    percents = [percent for percent in told if percent is not None]
    assert percents == sorted(set(percents))
    assert 100 <= len(percents) < 300
    assert percents[-1] == 100
    assert len(ended(ledger, parent)) == len(children)


def test_what_a_batch_that_gave_up_drops_is_bounded_per_call(ledger: Ledger) -> None:
    parent, children = a_batch(ledger, 400, on_error="abort", max_parallel=1)
    single = a_task()
    ledger.submit([single])
    assert fetched_ids(ledger, 1) == children[:1]
    ledger.fail(a_hold(children[0]), ERROR)

    assert fetched_ids(ledger, 1) == [single.task_id]
    assert fetched_ids(ledger, 1) == []
    counts = record(ledger, parent.task_id).children
    assert counts is not None
    assert 0 < counts.cancelled < 150
    wait_until(lambda: fetched_ids(ledger, 1) == [parent.task_id], "the parent goes on")
    assert ended(ledger, parent) == children


def test_a_child_run_again_by_itself_runs_though_its_parent_has_ended(ledger: Ledger) -> None:
    parent, children = a_batch(ledger, 2)
    first, second = fetched(ledger)
    ledger.fail(first.hold, ERROR)
    ledger.succeed(second.hold, "{}")
    ledger.succeed(begun(ledger, parent, 2), "{}")

    ledger.requeue(children[0])
    assert fetched_ids(ledger) == children[:1]
    ledger.succeed(a_hold(children[0], 2), "{}")

    counts = record(ledger, parent.task_id).children
    assert counts is not None
    assert (counts.succeeded, counts.failed) == (2, 0)
    assert ended(ledger, parent) == children


def test_children_are_kept_as_long_as_their_parent(client: redis.Redis, settings: Settings) -> None:
    ledger = ledger_for(client, settings.model_copy(update={"retention_s": 1}))
    parent, children = a_batch(ledger, 3)
    first, second, third = fetched(ledger)
    for started in (first, second):
        ledger.succeed(started.hold, "{}")
    assert ledger.expired() == {}
    for child in children[:2]:
        ledger.client.zadd(ledger.keys.of("expiring"), {child: 1})

    assert ledger.expired() == {}
    ledger.succeed(third.hold, "{}")
    ledger.succeed(begun(ledger, parent, 2), "{}")

    gone: set[str] = set()

    def forgets_all() -> bool:
        while some := ledger.expired():
            gone.update(some)
            ledger.expire(some)
        return len(gone) == 4

    wait_until(forgets_all, "the parent and its children are forgotten")
    assert not client.exists(ledger.keys.of("ended", id=parent.task_id))
    assert not list(client.scan_iter("despacho:task:*"))


def test_a_child_that_is_to_be_forgotten_is_not_kept_for_its_parent(ledger: Ledger) -> None:
    parent, children = a_batch(ledger, 2)
    first, _ = fetched(ledger)
    ledger.succeed(first.hold, "{}")

    assert ledger._call("forget", children[0], "default") == b"now"
    assert ledger.expired() == {children[0]: "default"}
    ledger.expire(children[:1])

    assert ended(ledger, parent) == children[:1]
    ledger.submit([a_task(task_id=children[0], parent_id=parent.task_id, held=True)])
    assert not ledger.client.exists(ledger.keys.of("task", id=children[0])), "it doesn't come back"


def test_a_parent_that_is_to_end_takes_no_more_children(ledger: Ledger) -> None:
    parent = a_task()
    ledger.submit([parent])
    begun(ledger, parent)
    ledger.cancel(parent.task_id)

    with pytest.raises(IllegalMove):
        ledger.submit([a_task(parent_id=parent.task_id, held=True)])


def test_what_a_failed_task_achieved_is_kept_with_its_error(ledger: Ledger) -> None:
    task = a_task()
    ledger.submit([task])

    ledger.fail(begun(ledger, task), ERROR, result='{"half":1}')

    failed = record(ledger, task.task_id)
    assert (failed.status, failed.result) == ("failed", {"half": 1})
    ledger.requeue(task.task_id)
    assert record(ledger, task.task_id).result is None


# ------------------------------------------------------------------------------------- in any order of moves


SIZE = 6
WORKERS = ("w-1", "w-2")


class Children(RuleBasedStateMachine):
    """Whatever becomes of the children of a batch, and in whatever order: they add up at each moment, no more run
    than may, none begins while it is paused, each has one place among the ended, and the batch never stands still
    while something could begin."""

    ledger: Ledger

    def __init__(self) -> None:
        super().__init__()
        self.ledger.client.flushall()
        self.most = 2
        self.parent, self.children = a_batch(self.ledger, SIZE, max_parallel=self.most)
        self.running: dict[str, Hold] = {}
        self.places: list[str] = []
        self.by_itself: set[str] = set()
        self.is_paused = False

    def _tasks(self) -> dict[str, Task]:
        return {task_id: record(self.ledger, task_id) for task_id in self.children}

    def _take(self, most: int, worker: str) -> None:
        self.ledger.beat(worker, None)
        for started in self.ledger.fetch(Appetite(worker, DEMO_CATALOG.queues, most)):
            if started.hold.task_id in self.children:
                assert not self.is_paused or started.hold.task_id in self.by_itself
                self.running[started.hold.task_id] = started.hold

    def _end(self, task_id: str) -> Hold:
        if task_id not in self.places:
            self.places.append(task_id)
        return self.running.pop(task_id)

    @rule(most=st.integers(1, 4), worker=st.sampled_from(WORKERS))
    def fetch(self, most: int, worker: str) -> None:
        self._take(most, worker)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), end=st.sampled_from(["succeed", "succeed", "fail", "retry", "hand back"]))
    def end(self, data: st.DataObject, end: str) -> None:
        task_id = data.draw(st.sampled_from(list(self.running)))
        if end == "retry":
            self.ledger.retry(self.running.pop(task_id), 0, ERROR)
        elif end == "hand back":
            self.ledger.hand_back(self.running.pop(task_id))
        elif end == "fail":
            self.ledger.fail(self._end(task_id), ERROR)
        else:
            self.ledger.succeed(self._end(task_id), "{}")

    @rule()
    def do_chores(self) -> None:
        self.ledger.do_chores()

    @rule(worker=st.sampled_from(WORKERS))
    def lose(self, worker: str) -> None:
        self.ledger.retire(worker)
        self.running = {task_id: held for task_id, held in self.running.items() if held.worker != worker}

    @rule(number=st.integers(0, SIZE - 1))
    def cancel(self, number: int) -> None:
        task_id = self.children[number]
        if status(self.ledger, task_id) not in ("queued", "retrying"):
            return
        self.ledger.cancel(task_id)
        if task_id not in self.places:
            self.places.append(task_id)

    @rule(number=st.integers(0, SIZE - 1))
    def run_again(self, number: int) -> None:
        task_id = self.children[number]
        if status(self.ledger, task_id) in ("failed", "cancelled"):
            self.ledger.requeue(task_id)
            self.by_itself.add(task_id)

    @rule(wish=st.sampled_from(["pause", "resume"]))
    def steer(self, wish: str) -> None:
        if record(self.ledger, self.parent.task_id).status.final:
            return
        changes = self.is_paused == (wish == "resume")
        assert (steer(self.ledger, wish, self.parent) != "unchanged") == changes
        self.is_paused = wish == "pause"

    @invariant()
    def adds_up(self) -> None:
        tasks = self._tasks().values()
        shown = record(self.ledger, self.parent.task_id).children
        assert shown is not None
        by_status = {state: sum(task.status is state for task in tasks) for state in State}
        assert shown.as_json() == {
            "total": SIZE,
            "succeeded": by_status[State.SUCCEEDED],
            "failed": by_status[State.FAILED],
            "cancelled": by_status[State.CANCELLED],
            "running": by_status[State.RUNNING],
            "pending": by_status[State.QUEUED] + by_status[State.RETRYING],
        }

    @invariant()
    def has_one_place_for_each_that_ended(self) -> None:
        assert ended(self.ledger, self.parent) == self.places

    @invariant()
    def runs_no_more_than_may(self) -> None:
        drawn = [task_id for task_id in self.running if task_id not in self.by_itself]
        assert len(drawn) <= self.most

    @invariant()
    def never_stands_still(self) -> None:
        tasks = self._tasks().values()
        if self.is_paused or record(self.ledger, self.parent.task_id).status.final or self._goes_on():
            return
        waiting = [task for task in tasks if task.status is State.QUEUED]
        if waiting and len(self.running) < self.most:
            assert in_lane(self.ledger)

    def _goes_on(self) -> bool:
        """Whether the parent was woken: then what is run again by itself no longer is its business."""
        return self.ledger.client.hget(self.ledger.keys.of("task", id=self.parent.task_id), "awaiting") != b"1"


def test_children_in_any_order_of_moves(client: redis.Redis, settings: Settings) -> None:
    class Here(Children):
        ledger = ledger_for(client, settings)

    machine = Here.TestCase
    machine.settings = profile(
        max_examples=50,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    machine().runTest()
