"""Limits of a type of task: how it waits for its turn, who comes first, and that no end of a run keeps its slot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from tasks.catalog import Catalog
from tasks.clock import now_ms
from tasks.errors import IllegalMove
from tasks.inspection import Inspection, Kind
from tasks.ledger import Appetite, Hold, Ledger, Started
from tasks.lifecycle import State
from tasks.settings import Settings
from tasks.submission import NewTask
from tasks.task_limits import TaskLimits
from tests.conftest import wait_until
from tests.integration.stories import (
    OTHER,
    PLAIN,
    WORKER,
    a_task,
    fetched,
    ledger_for,
    log,
    record,
    status,
)

ERROR = {"type": "ValueError", "message": "no", "attempt": 1, "at": 0, "retryable": True}
Limited = Callable[..., Ledger]


@pytest.fixture
def limited(client: redis.Redis, settings: Settings) -> Limited:
    """A ledger whose type `demo.work` has limits; where it is said of both, `other.work` has the same."""

    def ledger(*, both: bool = False, **limits: object) -> Ledger:
        spec = replace(PLAIN, limits=TaskLimits(**limits))
        other = replace(OTHER, limits=spec.limits) if both else OTHER
        limited = Ledger(client, settings, Catalog([spec, other]))
        limited.beat(WORKER, None)
        return limited

    return ledger


def submitted(ledger: Ledger, *tasks: NewTask) -> list[str]:
    ledger.submit(tasks)
    return [task.task_id for task in tasks]


def of_case(case: str, priority: str = "normal") -> NewTask:
    return a_task(priority, kwargs={"case_id": case})


def ids(started: list[Started] | tuple[Started, ...]) -> list[str]:
    return [each.hold.task_id for each in started]


def wish(worker: str = WORKER) -> Appetite:
    return Appetite(worker, ("demo", "other"), 1)


def astray(ledger: Ledger, *, mend: bool = False) -> list[Kind]:
    found = Inspection(ledger, 0).run(mend=mend, pause=lambda _: None)
    return [find.kind for find in found.confirmed]


def test_no_more_run_at_a_time_than_their_type_allows(limited: Limited) -> None:
    # Given a type of which two run at a time, and five of it
    ledger = limited(concurrency=2)
    first, second, third, fourth, _ = submitted(ledger, *(a_task() for _ in range(5)))
    other = submitted(ledger, a_task(task_name="other.work"))

    # When a worker has room for all
    began = fetched(ledger)

    # Then two begin, and what isn't limited; the third waits its turn, with no attempt used
    assert ids(began) == [first, second, *other]
    assert (status(ledger, third), log(ledger, third)) == ("queued", ["queued"])
    assert record(ledger, third).limiter == "concurrency"
    assert astray(ledger) == []

    # And the end of one begins the next, in the order in which they came
    assert ids(ledger.succeed(began[0].hold, "{}", then=wish()).started) == [third]
    assert ids(ledger.succeed(began[1].hold, "{}", then=wish()).started) == [fourth]
    assert fetched(ledger) == []


ENDS: dict[str, Callable[[Ledger, Hold], object]] = {
    "succeeds": lambda ledger, hold: ledger.succeed(hold, "{}"),
    "fails": lambda ledger, hold: ledger.fail(hold, ERROR),
    "is retried": lambda ledger, hold: ledger.retry(hold, 60_000, ERROR),
    "is cancelled": lambda ledger, hold: ledger.cancelled(hold),
    "is handed back": lambda ledger, hold: ledger.hand_back(hold),
    "is reclaimed": lambda ledger, hold: ledger.reclaim(hold.worker, [hold]),
    "loses its worker": lambda ledger, hold: ledger.retire(hold.worker),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_whatever_ends_a_run_frees_its_slots(limited: Limited, end: Callable[[Ledger, Hold], object]) -> None:
    # Given a run that takes its type's only slot, and its case's; a more urgent task waits for it
    ledger = limited(concurrency=1, per_case=1)
    submitted(ledger, of_case("c-1"))
    (began,) = fetched(ledger)
    (waiting,) = submitted(ledger, of_case("c-1", "high"))
    assert fetched(ledger) == []

    with ledger.client.pubsub() as bell:
        bell.subscribe(ledger.keys.of("bell"))
        wait_until(lambda: bell.get_message(timeout=0.1), "the bell is heard")

        # When it ends
        end(ledger, began.hold)

        # Then idle workers are woken, and the other one begins
        wait_until(lambda: (bell.get_message(timeout=0.1) or {}).get("data") == b"limits", "the bell rings")
    assert ids(fetched(ledger)) == [waiting]


def test_the_most_urgent_takes_the_next_slot_and_passes_no_one_who_is_more_urgent(limited: Limited) -> None:
    # Given that the only slot is taken, and a flood of low ones was parked before a critical one came
    ledger = limited(concurrency=1)
    (first,) = submitted(ledger, a_task())
    (began,) = fetched(ledger, 1)
    low = submitted(ledger, *(a_task("low") for _ in range(50)))
    assert fetched(ledger) == []
    (critical,) = submitted(ledger, a_task("critical"))
    assert fetched(ledger) == []
    (normal,) = submitted(ledger, a_task(task_name="other.work"))

    # When slots become free one by one, then the critical one comes first, the normal one of the other type before
    # the low ones, and those in their order
    began = ledger.succeed(began.hold, "{}", then=wish()).started[0]
    assert began.hold.task_id == critical
    began_of_other = fetched(ledger, 1)
    assert ids(began_of_other) == [normal]
    order = []
    for _ in range(3):
        began = ledger.succeed(began.hold, "{}", then=wish()).started[0]
        order.append(began.hold.task_id)
    assert order == low[:3]
    assert first not in order

    # And one in a lane comes before those that are parked and less urgent, though they may begin
    (normal,) = submitted(ledger, a_task(task_name="other.work"))
    ledger.succeed(began.hold, "{}")
    assert ids(fetched(ledger, 1)) == [normal]


def test_a_cases_tasks_run_one_at_a_time_and_others_needn_t_wait(limited: Limited) -> None:
    ledger = limited(per_case=1)
    first, second, third = submitted(ledger, *(of_case("c-1") for _ in range(3)))
    other, without = submitted(ledger, of_case("c-2"), a_task())

    began = fetched(ledger)
    assert ids(began) == [first, other, without]
    assert record(ledger, second).limiter == "case"

    # The turn of one that is cancelled goes to the next.
    ledger.succeed(began[0].hold, "{}")
    assert record(ledger, second).limiter == "turn"
    ledger.cancel(second)
    assert ids(fetched(ledger)) == [third]
    assert astray(ledger) == []


def test_of_two_limited_types_the_more_urgent_task_comes_first(limited: Limited) -> None:
    ledger = limited(concurrency=1, both=True)
    submitted(ledger, a_task(), a_task(task_name="other.work"))
    running = fetched(ledger)
    (low,) = submitted(ledger, a_task("low"))
    assert fetched(ledger) == []
    (high,) = submitted(ledger, a_task("high", task_name="other.work"))
    assert fetched(ledger) == []

    for began in running:
        ledger.succeed(began.hold, "{}")

    assert ids(fetched(ledger, 1)) == [high]
    assert ids(fetched(ledger, 1)) == [low]


def test_a_child_that_is_dropped_leaves_the_turn_of_its_case_to_the_next(limited: Limited) -> None:
    # Given a running task of a case; a child of a batch and another task wait for the same case, in this order
    ledger = limited(per_case=1)
    (parent,) = submitted(ledger, a_task())
    batch, running = *fetched(ledger), submitted(ledger, of_case("c-1"))
    (began,) = fetched(ledger)
    child = a_task(kwargs={"case_id": "c-1"}, parent_id=parent, held=True)
    ledger.submit([child])
    ledger.await_children(batch.hold)
    assert fetched(ledger) == []
    queued_ms = record(ledger, child.task_id).queued_ms or 0
    # Of one millisecond, any of the two may come first.
    wait_until(lambda: now_ms() > queued_ms + 1, "the other one is queued later")
    (waiting,) = submitted(ledger, of_case("c-1"))
    assert (fetched(ledger), ids([began])) == ([], running)

    # When the batch is cancelled and the case is free
    ledger.cancel(parent)
    ledger.succeed(began.hold, "{}")

    # Then the child is cancelled instead of begun, and the other one begins
    assert ids(fetched(ledger)) == [waiting]
    assert status(ledger, child.task_id) == "cancelled"


def test_a_rate_is_kept_and_used_up(limited: Limited) -> None:
    # Given 1,200 a minute, one every 50 ms, and more than enough to do
    ledger = limited(rate="1200/minute")
    submitted(ledger, *(a_task() for _ in range(60)))

    # When a worker with many threads looks whenever the chores say so
    began, since = 0, monotonic()
    while (lasted := monotonic() - since) < 1.0:
        began += len(fetched(ledger))
        following_ms = ledger.do_chores().following_ms
        assert following_ms is not None
        assert following_ms <= 50

    # Then 20 a second begin, with what the tolerance of 100 ms allows before them
    assert abs(began - lasted * 20 - 1) <= 2
    assert astray(ledger) == []


def test_who_comes_a_little_late_does_not_delay_those_behind_it(limited: Limited) -> None:
    # Given a slot a minute, and one that was planned for just now
    ledger = limited(rate="1/minute")
    submitted(ledger, a_task(), a_task())
    next_slot = ledger.keys.of("next_slot", task_name="demo.work")
    planned = now_ms() + 50
    ledger.client.set(next_slot, planned, px=60_000)

    # When somebody looks within the tolerance of 100 ms, then one begins, and the next is planned by the plan, not by
    # the clock
    assert len(fetched(ledger)) == 1
    assert float(ledger.client.get(next_slot) or 0) == planned + 60_000  # type: ignore[arg-type]
    assert fetched(ledger) == []


def test_limits_that_are_taken_away_let_everybody_go(
    limited: Limited, client: redis.Redis, settings: Settings
) -> None:
    ledger = limited(rate="1/day", per_case=1)
    first, second, of_same_case = submitted(ledger, of_case("c-1"), a_task(), of_case("c-1"))
    (began,) = fetched(ledger)
    assert began.hold.task_id == first

    # When workers come that know of no limits
    without = ledger_for(client, settings)
    assert fetched(without) == []
    without.do_chores()

    # Then what waited for the rate begins at once, and what waited for its case when that is free
    assert ids(fetched(without)) == [second]
    without.succeed(began.hold, "{}")
    without.do_chores()
    assert ids(fetched(without)) == [of_same_case]


def test_a_parked_task_is_cancelled_erased_and_found_like_any_other(limited: Limited) -> None:
    ledger = limited(concurrency=1)
    keys, client = ledger.keys, ledger.client
    _, cancelled, lost, unlisted = submitted(ledger, *(a_task() for _ in range(4)))
    (began,) = fetched(ledger)

    # One is cancelled; of one somebody deletes the place by hand, of one the place of its group.
    assert ledger.cancel(cancelled) == "cancelled"
    parked = keys.of("parked", task_name="demo.work", queue="demo")
    client.zrem(parked, lost)
    assert astray(ledger, mend=True) == [Kind.LOST]
    client.delete(keys.of("limited"))
    assert astray(ledger, mend=True) == [Kind.LOST]
    assert astray(ledger) == []
    assert fetched(ledger) == []

    # A slot whose record was deleted by hand is free again, soon.
    client.delete(keys.of("task", id=began.hold.task_id))
    ledger.do_chores(raise_aged=True)
    started = fetched(ledger)
    assert len(started) == 1
    ledger.succeed(started[0].hold, "{}")
    assert {started[0].hold.task_id, *ids(fetched(ledger))} == {lost, unlisted}
    assert client.exists(parked, keys.of("limited")) == 0


# ------------------------------------------------------------------------------------------- in any order

CASES = (None, "c-1", "c-2")


class LimitedTasks(RuleBasedStateMachine):
    """Two at a time, and one of each case: at no time do more run, and nobody waits who could begin."""

    ids = Bundle("ids")
    runs = Bundle("runs")
    ledger: Ledger

    def __init__(self) -> None:
        super().__init__()
        self.ledger.client.flushall()
        self.ledger.beat(WORKER, None)
        self.cases: dict[str, str | None] = {}

    @precondition(lambda self: len(self.cases) < 7)
    @rule(target=ids, case=st.sampled_from(CASES), priority=st.sampled_from(["low", "critical"]))
    def submit(self, case: str | None, priority: str) -> str:
        task = a_task(priority, kwargs={"case_id": case})
        self.ledger.submit([task])
        self.cases[task.task_id] = case
        return task.task_id

    @rule(target=runs, most=st.integers(1, 4))
    def fetch(self, most: int) -> object:
        began = fetched(self.ledger, most)
        if len(began) < most:
            self._nobody_waits_who_could_begin()
        return multiple(*(started.hold for started in began))

    @rule(target=runs, hold=runs, end=st.sampled_from(["succeed", "fail", "retry"]), fetches=st.booleans())
    def end(self, hold: Hold, end: str, fetches: bool) -> object:
        then = wish() if fetches else None
        if end == "succeed":
            ended = self.ledger.succeed(hold, "{}", then=then)
        elif end == "fail":
            ended = self.ledger.fail(hold, ERROR, then)
        else:
            ended = self.ledger.retry(hold, 0, ERROR, then=then)
            self.ledger.do_chores()
        return multiple(*(started.hold for started in ended.started))

    @rule(hold=runs)
    def hand_back(self, hold: Hold) -> None:
        self.ledger.hand_back(hold)

    @rule()
    def retire(self) -> None:
        self.ledger.retire(WORKER)
        self.ledger.beat(WORKER, None)

    @rule(task_id=ids, move=st.sampled_from(["cancel", "requeue"]))
    def ask_for(self, task_id: str, move: str) -> None:
        try:
            getattr(self.ledger, move)(task_id)
        except IllegalMove:
            assert self._status_of(task_id).final == (move == "cancel")

    @invariant()
    def no_more_run_than_may(self) -> None:
        running = self._in(State.RUNNING)
        cases = [self.cases[task_id] for task_id in running if self.cases[task_id]]
        assert len(running) <= 2
        assert len(cases) == len(set(cases))
        slots = self.ledger.client.smembers(self.ledger.keys.of("slots", task_name="demo.work"))
        assert {slot.decode() for slot in slots} == set(running)

    @invariant()
    def nothing_goes_astray(self) -> None:
        assert astray(self.ledger) == []

    def _nobody_waits_who_could_begin(self) -> None:
        running = self._in(State.RUNNING)
        busy = {self.cases[task_id] for task_id in running} - {None}
        free = [task_id for task_id in self._in(State.QUEUED) if self.cases[task_id] not in busy]
        assert len(running) == 2 or not free

    def _in(self, state: State) -> list[str]:
        return [task.task_id for task in self.ledger.tasks(list(self.cases)) if task.status is state]

    def _status_of(self, task_id: str) -> State:
        return record(self.ledger, task_id).status


def test_no_order_of_moves_breaks_a_limit_or_strands_a_task(limited: Limited) -> None:
    LimitedTasks.ledger = limited(concurrency=2, per_case=1)
    case = LimitedTasks.TestCase
    case.settings = profile(
        max_examples=40,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    case().runTest()
