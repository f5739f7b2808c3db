"""Any order of moves, by several workers, with ends that are written twice, deaths, cancellations and replays: the
ledger never shows an illegal state.

A model in plain Python says after every step what each task may be; the ledger's records, lanes, acks, indexes and
counters must agree with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from tasks.errors import IllegalMove
from tasks.ledger import Appetite, Hold, Ledger, Started
from tasks.lifecycle import MOVES, Move, State
from tasks.record import Event, Task
from tasks.settings import Settings
from tests.integration.stories import DEMO_CATALOG, a_task, ledger_for

WORKERS = ("w-1", "w-2")
MOST_TASKS = 4
"""Few, so that they meet each other often."""
MOST_CRASHES = 3
ERROR = {"type": "ValueError", "message": "no", "attempt": 1, "at": 0, "retryable": True}

MOVE_OF_EVENT = {
    "queued": {Move.CREATE, Move.DUE, Move.REQUEUE},
    "scheduled": {Move.CREATE},
    "running": {Move.START},
    "retrying": {Move.RETRY},
    "recovered": {Move.RECOVER},
    "succeeded": {Move.SUCCEED},
    "failed": {Move.FAIL},
    "cancelled": {Move.CANCEL},
}


@dataclass
class Model:
    """What a task must look like: its state, the run that counts, who has it, and how often its workers died."""

    state: State
    run: int = 0
    holder: Hold | None = None
    crashes: int = 0
    cancel_wished: bool = False
    runs_that_ended_well: list[int] = field(default_factory=list)
    calls_back: bool = False
    told: list[State] = field(default_factory=list)


class Tasks(RuleBasedStateMachine):
    """Rules are what clients, workers and the chores may do at any time; `runs` are the holds that anybody ever had,
    also those that were superseded long ago."""

    ids = Bundle("ids")
    runs = Bundle("runs")
    ledger: Ledger

    def __init__(self) -> None:
        super().__init__()
        self.ledger.client.flushall()
        self.models: dict[str, Model] = {}

    # ------------------------------------------------------------------------------------------- clients

    @precondition(lambda self: len(self.models) < MOST_TASKS)
    @rule(
        target=ids,
        priority=st.sampled_from(["low", "critical"]),
        is_delayed=st.sampled_from([False] * 4 + [True]),
        calls_back=st.booleans(),
    )
    def submit(self, priority: str, is_delayed: bool, calls_back: bool) -> str:
        url = "https://app.example/" if calls_back else None
        task = a_task(priority, countdown_s=3_600 if is_delayed else None, callback_url=url)
        self.ledger.submit([task])
        self.ledger.submit([task])
        self.models[task.task_id] = Model(State.SCHEDULED if is_delayed else State.QUEUED, calls_back=calls_back)
        return task.task_id

    @rule(task_id=ids)
    def cancel(self, task_id: str) -> None:
        model = self.models[task_id]
        if model.state.final:
            with pytest.raises(IllegalMove):
                self.ledger.cancel(task_id)
        elif model.state is State.RUNNING:
            assert self.ledger.cancel(task_id) == "cancelling"
            model.cancel_wished = True
        else:
            assert self.ledger.cancel(task_id) == "cancelled"
            self._end(model, State.CANCELLED)

    @rule(task_id=ids)
    def requeue(self, task_id: str) -> None:
        model = self.models[task_id]
        if model.state in MOVES[Move.REQUEUE][0]:
            self.ledger.requeue(task_id)
            model.state, model.crashes, model.cancel_wished = State.QUEUED, 0, False
        else:
            with pytest.raises(IllegalMove):
                self.ledger.requeue(task_id)

    # ------------------------------------------------------------------------------------------- workers

    @rule(target=runs, worker=st.sampled_from(WORKERS), most=st.integers(1, 3))
    def fetch(self, worker: str, most: int) -> object:
        self.ledger.beat(worker, None)
        begun = self.ledger.fetch(Appetite(worker, DEMO_CATALOG.queues, most))
        queued = [model for model in self.models.values() if model.state is State.QUEUED]
        assert len(begun) == min(most, len(queued))
        return multiple(*self._begun(begun))

    @rule(target=runs, hold=runs, fetches=st.booleans())
    def succeed(self, hold: Hold, fetches: bool) -> object:
        """Whoever ever had the task may say that it is done; only the run that counts is heard."""
        counts = self._counts(hold)
        ended = self.ledger.succeed(hold, '{"done":1}', then=self._appetite(hold, fetches))
        model = self.models[hold.task_id]
        said_again = hold.run in model.runs_that_ended_well and model.run == hold.run
        assert bool(ended) == (counts or (said_again and model.state is State.SUCCEEDED))
        if counts:
            model.runs_that_ended_well.append(hold.run)
            self._end(model, State.SUCCEEDED)
        return multiple(*self._begun(ended.started))

    @rule(target=runs, hold=runs, fetches=st.booleans())
    def fail(self, hold: Hold, fetches: bool) -> object:
        counts = self._counts(hold)
        ended = self.ledger.fail(hold, ERROR, self._appetite(hold, fetches))
        model = self.models[hold.task_id]
        if counts:
            self._end(model, State.CANCELLED if model.cancel_wished else State.FAILED)
        return multiple(*self._begun(ended.started))

    @rule(target=runs, hold=runs, is_due=st.booleans(), fetches=st.booleans())
    def retry(self, hold: Hold, is_due: bool, fetches: bool) -> object:
        counts = self._counts(hold)
        delay_ms = 0 if is_due else 3_600_000
        ended = self.ledger.retry(hold, delay_ms, ERROR, then=self._appetite(hold, fetches))
        model = self.models[hold.task_id]
        if counts and model.cancel_wished:
            self._end(model, State.CANCELLED)
        elif counts:
            model.state, model.holder = State.RETRYING, None
        begun = self._begun(ended.started)
        if counts and is_due and model.state is State.RETRYING:
            self.ledger.do_chores()
            model.state = State.QUEUED
        return multiple(*begun)

    @rule(hold=runs)
    def end_cancelled(self, hold: Hold) -> None:
        counts = self._counts(hold)
        self.ledger.cancelled(hold)
        if counts:
            self._end(self.models[hold.task_id], State.CANCELLED)

    @rule(hold=runs)
    def hand_back(self, hold: Hold) -> None:
        counts = self._counts(hold)
        assert bool(self.ledger.hand_back(hold)) == counts
        if counts:
            self._recover(self.models[hold.task_id])

    @rule(hold=runs, percent=st.integers(0, 100))
    def progress(self, hold: Hold, percent: int) -> None:
        model = self.models[hold.task_id]
        expected = ("cancel" if model.cancel_wished else "go_on") if self._counts(hold) else "lost"
        assert self.ledger.progress(hold, percent, "Lendo\nmuito") == expected

    # ------------------------------------------------------------------------------- deaths and lost answers

    @rule(worker=st.sampled_from(WORKERS))
    def die(self, worker: str) -> None:
        """The worker is silent for too long; the reaper takes back what it held."""
        self.ledger.beat(worker, None)
        self.ledger.client.zadd(self.ledger.keys.of("heartbeats"), {worker: 1})
        assert worker in self.ledger.do_chores().dead
        for model in self._held_by(worker):
            model.crashes += 1
            if model.crashes >= MOST_CRASHES:
                self._end(model, State.FAILED)
            else:
                self._recover(model)

    @rule(worker=st.sampled_from(WORKERS), keeps=st.integers(0, 3))
    def reclaim(self, worker: str, keeps: int) -> None:
        """The worker knows of some of its runs only."""
        lost = sorted(self.ledger.held_by(worker), key=lambda hold: hold.task_id)[keeps:]
        assert self.ledger.reclaim(worker, lost) == len(lost)
        for hold in lost:
            self._recover(self.models[hold.task_id])

    @rule(hold=runs)
    def reclaim_what_is_over(self, hold: Hold) -> None:
        """A wish to give back a run that is over changes nothing."""
        if not self._counts(hold):
            self.ledger.reclaim(hold.worker, [hold])

    @rule(worker=st.sampled_from(WORKERS))
    def retire(self, worker: str) -> None:
        self.ledger.retire(worker)
        for model in self._held_by(worker):
            self._recover(model)

    @rule()
    def do_chores(self) -> None:
        """Nothing is due but what the other rules made so."""
        self.ledger.do_chores(raise_aged=True)

    # ---------------------------------------------------------------------------------------- what must hold

    @invariant()
    def every_record_is_as_the_model_says(self) -> None:
        for task in self._records():
            model = self.models[task.task_id]
            assert task.status == model.state
            assert task.run == model.run
            assert (task.finished_ms is not None) == model.state.final
            assert (task.result is not None) == (model.state is State.SUCCEEDED)

    @invariant()
    def every_log_tells_only_allowed_moves(self) -> None:
        for task in self._records():
            moves = [event for event in task.events() if event.event != "progress"]
            assert [event.seq for event in moves] == sorted({event.seq for event in moves})
            _check_moves(moves)

    @invariant()
    def a_waiting_task_stands_in_one_lane_and_a_running_one_in_one_hand(self) -> None:
        standing = [task_id for lane in DEMO_CATALOG.lanes for task_id in self._members("lane", lane)]
        held = [hold for worker in WORKERS for hold in self.ledger.held_by(worker)]
        assert sorted(standing) == self._ids_in(State.QUEUED)
        assert sorted(hold.task_id for hold in held) == self._ids_in(State.RUNNING)
        for hold in held:
            assert self.models[hold.task_id].holder == hold

    @invariant()
    def every_index_lists_each_task_once(self) -> None:
        keys, client = self.ledger.keys, self.ledger.client
        for state in State:
            listed = client.zrange(keys.of("by_status", tenant="default", status=state), 0, -1)
            assert sorted(raw.decode() for raw in listed) == self._ids_in(state)
        dead = [client.zcard(keys.of("dead", lane=lane)) for lane in DEMO_CATALOG.lanes]
        assert sum(dead) == len(self._ids_in(State.FAILED))
        delayed = len(self._ids_in(State.SCHEDULED)) + len(self._ids_in(State.RETRYING))
        assert client.zcard(keys.of("delayed")) == delayed

    @invariant()
    def every_end_of_a_task_that_calls_back_has_one_delivery(self) -> None:
        payloads = [self._payload(delivery) for delivery in self._members("lane", "webhooks.normal")]
        for task_id, model in self.models.items():
            told = [payload["status"] for payload in payloads if payload["task_id"] == task_id]
            assert told == model.told

    # ------------------------------------------------------------------------------------------- helpers

    def _payload(self, task_id: str) -> dict[str, str]:
        raw = self.ledger.client.hget(self.ledger.keys.of("task", id=task_id), "payload")
        payload: dict[str, str] = json.loads(raw)  # type: ignore[arg-type]
        return payload

    def _begun(self, begun: list[Started] | tuple[Started, ...]) -> list[Hold]:
        for started in begun:
            model = self.models[started.hold.task_id]
            assert model.state is State.QUEUED
            assert started.hold.run == model.run + 1
            model.state, model.run, model.holder = State.RUNNING, started.hold.run, started.hold
        return [started.hold for started in begun]

    def _counts(self, hold: Hold) -> bool:
        model = self.models[hold.task_id]
        return model.state is State.RUNNING and model.holder == hold

    def _appetite(self, hold: Hold, fetches: bool) -> Appetite | None:
        self.ledger.beat(hold.worker, None)
        return Appetite(hold.worker, DEMO_CATALOG.queues, 1) if fetches else None

    def _end(self, model: Model, state: State) -> None:
        model.state, model.holder, model.cancel_wished = state, None, False
        if model.calls_back:
            model.told.append(state)

    def _recover(self, model: Model) -> None:
        if model.cancel_wished:
            self._end(model, State.CANCELLED)
        else:
            model.state, model.holder = State.QUEUED, None

    def _held_by(self, worker: str) -> list[Model]:
        return [m for m in self.models.values() if m.holder is not None and m.holder.worker == worker]

    def _records(self) -> list[Task]:
        found = self.ledger.tasks(list(self.models))
        assert len(found) == len(self.models)
        return found

    def _ids_in(self, state: State) -> list[str]:
        return sorted(task_id for task_id, model in self.models.items() if model.state is state)

    def _members(self, key: str, lane: str) -> list[str]:
        return [raw.decode() for raw in self.ledger.client.lrange(self.ledger.keys.of(key, lane=lane), 0, -1)]


def _check_moves(events: list[Event]) -> None:
    """Each event follows the one before it by a move of the table."""
    state: State | None = None
    for event in events:
        moves = MOVE_OF_EVENT[event.event]
        allowed = {Move.CREATE} if state is None else {move for move in moves if state in MOVES[move][0]}
        assert allowed & moves, (state, event.event)
        state = event.status


def test_no_order_of_moves_leads_to_an_illegal_state(client: redis.Redis, settings: Settings) -> None:
    patient = settings.model_copy(update={"max_crashes": MOST_CRASHES, "heartbeat_timeout_s": 600})
    Tasks.ledger = ledger_for(client, patient)
    case = Tasks.TestCase
    case.settings = profile(
        max_examples=40,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    case().runTest()
