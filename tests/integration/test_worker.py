"""Tasks run by a real worker in this process: retries, limits, cancellation, lanes, drain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest
import redis

from actors.declare import Declared, declare
from actors.main import declare_all
from actors.scheduler import sweep_now
from actors.toolbox import Toolbox
from middleware.broker import LaneBroker, build_broker
from middleware.interrupts import Interrupts
from middleware.run import Cancelled, Run
from middleware.shielded import connect_shielded
from middleware.worker import LaneWorker
from tasks.errors import IllegalMove, PermanentFailure
from tasks.ledger import Ledger
from tasks.settings import Settings
from tests.conftest import wait_until
from tests.integration.stories import (
    DEMO_CATALOG,
    AnyPayload,
    AnyResult,
    a_task,
    hold,
    ledger_for,
    log,
    record,
    status,
)

Work = Callable[[Run, AnyPayload], AnyResult | None]
SWIFT = {"min_backoff_s": 0.01, "max_backoff_s": 0.02}


class Shop:
    """A broker and its workers, to be opened with the work that a test wants done."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self.settings = settings
        self.ledger = ledger_for(client, settings)
        self.workers: list[LaneWorker] = []

    def open(self, work: Work, threads: int = 2) -> LaneWorker:
        broker = self._broker()
        for name in ("demo.work", "other.work"):
            declare(broker, Declared(name, lambda run, payload, _: work(run, payload)), self._tools(broker))
        worker = LaneWorker(broker, threads)
        worker.start()
        self.workers.append(worker)
        return worker

    def _broker(self) -> LaneBroker:
        """As a worker process has it: over a connection that no interrupt tears apart, and leaves a socket behind."""
        interrupts = Interrupts()
        client = connect_shielded(self.settings, interrupts)
        ledger = Ledger(client, self.settings, DEMO_CATALOG, interrupts.held_back)
        return LaneBroker(ledger, self.settings, DEMO_CATALOG, interrupts)

    def _tools(self, broker: LaneBroker) -> Toolbox:
        return Toolbox(broker.ledger, self.settings)

    def submit(self, priority: str = "normal", **wishes: Any) -> str:
        task = a_task(priority, **wishes)
        self.ledger.submit([task])
        return task.task_id

    def ends(self, task_id: str, state: str, timeout_s: float = 15) -> None:
        wait_until(lambda: status(self.ledger, task_id) == state, f"the task ends {state}", timeout_s)

    def close(self) -> None:
        for worker in self.workers:
            worker.drain(0)
            worker.broker.client.close()


@pytest.fixture
def shop(client: redis.Redis, settings: Settings) -> Iterator[Shop]:
    shop = Shop(client, settings)
    yield shop
    shop.close()


def test_an_actor_gets_its_payload_and_leaves_its_result(shop: Shop) -> None:
    shop.open(lambda run, payload: AnyResult.model_validate({"echo": payload.model_extra}))

    task_id = shop.submit(kwargs={"words": "olá 👋"})

    shop.ends(task_id, "succeeded")
    assert record(shop.ledger, task_id).result == {"echo": {"words": "olá 👋"}}


def test_a_large_result_lies_in_the_blob_store(shop: Shop) -> None:
    worker = shop.open(lambda run, payload: AnyResult.model_validate({"text": "x" * 100_000}))

    task_id = shop.submit()

    shop.ends(task_id, "succeeded")
    place = record(shop.ledger, task_id).result_place
    assert place is not None
    assert record(shop.ledger, task_id).result is None
    assert len(shop._tools(worker.broker).blobs.read(place)) > 100_000


def test_what_raises_twice_succeeds_at_the_third_run(shop: Shop) -> None:
    def work(run: Run, payload: AnyPayload) -> AnyResult:
        if run.number < 3:
            raise ConnectionResetError
        return AnyResult()

    shop.open(work)
    task_id = shop.submit(retry_config=SWIFT)

    shop.ends(task_id, "succeeded")
    told = [name for name in log(shop.ledger, task_id) if name != "queued"]
    assert told == ["running", "retrying", "running", "retrying", "running", "succeeded"]


def test_what_always_raises_fails_after_its_retries(shop: Shop) -> None:
    def work(run: Run, payload: AnyPayload) -> AnyResult:
        raise ValueError("the client said: segredo")

    shop.open(work)
    task_id = shop.submit(retry_config=SWIFT | {"max_retries": 2})

    shop.ends(task_id, "failed")
    failed = record(shop.ledger, task_id)
    assert failed.attempt == 3
    assert failed.error is not None
    assert failed.error["type"] == "ValueError"
    assert failed.error["message"] == "raised in integration/test_worker.py, work"
    assert shop.ledger.client.zcard(shop.ledger.keys.of("dead", lane="demo.normal")) == 1


def test_a_permanent_failure_is_not_repeated(shop: Shop) -> None:
    def work(run: Run, payload: AnyPayload) -> AnyResult:
        raise PermanentFailure("it can't be done")

    shop.open(work)
    task_id = shop.submit()

    shop.ends(task_id, "failed")
    assert record(shop.ledger, task_id).attempt == 1


def test_a_run_over_its_time_limit_is_interrupted(shop: Shop) -> None:
    shop.open(lambda run, payload: _work_for_ever(run))

    task_id = shop.submit(timeout_s=0.1, retry_config={"max_retries": 0})

    shop.ends(task_id, "failed")
    assert record(shop.ledger, task_id).error["type"] == "TimeLimitExceeded"  # type: ignore[index]


def _work_for_ever(run: Run) -> AnyResult:
    while True:
        sleep(0.001)


def test_a_running_task_that_is_cancelled_stops_and_does_not_run_again(shop: Shop) -> None:
    runs: list[int] = []

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        runs.append(run.number)
        return _work_for_ever(run)

    shop.open(work)
    task_id = shop.submit()
    wait_until(lambda: runs, "the task runs")

    asked = monotonic()
    assert shop.ledger.cancel(task_id) == "cancelling"
    shop.ends(task_id, "cancelled")

    assert monotonic() - asked < 1
    next_id = shop.submit()
    wait_until(lambda: len(runs) == 2, "another task runs on the same thread")
    shop.ledger.cancel(next_id)
    shop.ends(next_id, "cancelled")
    assert runs == [1, 1]


def test_an_actor_may_tidy_up_when_it_is_cancelled(shop: Shop) -> None:
    running, tidied = Event(), Event()

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        try:
            running.set()
            return _work_for_ever(run)
        except Cancelled:
            tidied.set()
            raise

    shop.open(work)
    task_id = shop.submit()
    assert running.wait(5)

    shop.ledger.cancel(task_id)

    shop.ends(task_id, "cancelled")
    assert tidied.is_set()


def test_a_critical_task_starts_before_every_waiting_low_one(shop: Shop) -> None:
    order: list[str] = []
    let_go: set[str] = set()

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        order.append(run.hold.lane)
        wait_until(lambda: run.task_id in let_go, "the test lets the task go")
        return AnyResult()

    shop.open(work, threads=1)
    shop.open(work, threads=1)
    busy = [shop.submit("low") for _ in range(2)]
    wait_until(lambda: len(order) == 2, "both workers are busy")
    waiting = [shop.submit("low") for _ in range(50)]
    critical = shop.submit("critical")

    let_go.add(busy[0])
    wait_until(lambda: len(order) == 3, "the worker that is free takes another task")

    assert order[2] == "demo.critical"
    let_go.update((critical, *busy, *waiting))
    for task_id in (critical, *busy, *waiting):
        shop.ends(task_id, "succeeded")


def test_progress_is_told_in_real_steps(shop: Shop) -> None:
    def work(run: Run, payload: AnyPayload) -> AnyResult:
        for percent in (10, 40, 90):
            run.report(percent, f"passo {percent}")
        return AnyResult()

    listener = shop.ledger.client.pubsub(ignore_subscribe_messages=True)
    listener.psubscribe("despacho:events:tenant:*")
    listener.get_message(timeout=1)
    shop.open(work)
    task_id = shop.submit()
    shop.ends(task_id, "succeeded")

    told = []
    while message := listener.get_message(timeout=0.5):
        told.append(message["data"].decode().split("\n")[1])
    listener.close()
    assert told == ["queued", "running", "progress", "progress", "progress", "succeeded"]


def test_a_draining_worker_hands_back_what_it_cannot_finish(shop: Shop) -> None:
    running = Event()

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        running.set()
        return _work_for_ever(run) if run.number == 1 else AnyResult()

    worker = shop.open(work, threads=1)
    unfinished, waiting = shop.submit(), shop.submit()
    assert running.wait(5)

    worker.drain(0.05)

    assert status(shop.ledger, unfinished) == status(shop.ledger, waiting) == "queued"
    assert record(shop.ledger, unfinished).attempt == 1
    shop.open(work)
    shop.ends(unfinished, "succeeded")
    assert record(shop.ledger, unfinished).attempt == 1
    assert "recovered" in log(shop.ledger, unfinished)


def test_what_dramatiq_itself_sends_gets_a_record(shop: Shop) -> None:
    worker = shop.open(lambda run, payload: AnyResult())

    message = worker.broker.get_actor("demo.work").send(case_id="case-9")

    shop.ends(message.message_id, "succeeded")
    assert record(shop.ledger, message.message_id).case_id == "case-9"


def test_a_scheduler_that_starts_sweeps_once(client: redis.Redis, settings: Settings) -> None:
    broker = build_broker(settings)
    declare_all(broker)

    # Around the turn of a minute, two starts are two slots.
    for _ in range(3):
        sweep_now(broker)
    broker.client.close()

    assert 1 <= client.llen(broker.ledger.keys.of("lane", lane="upkeep.normal")) <= 2


def test_a_thousand_small_tasks_with_cancellations_all_end_once(shop: Shop) -> None:
    ended: list[str] = []

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        for _ in range(3):
            sleep(0.0005)
        ended.append(run.task_id)
        return AnyResult()

    worker = shop.open(work, threads=8)
    tasks = [a_task() for _ in range(600)]
    shop.ledger.submit(tasks)
    for task in tasks[::2]:
        _cancel(shop, task.task_id)

    def all_ended() -> bool:
        return all(task.status.final for task in shop.ledger.tasks([task.task_id for task in tasks]))

    wait_until(all_ended, "every task has ended", 60)
    assert len(ended) == len(set(ended))
    assert all(thread.is_alive() for thread in worker.workers)
    wait_until(lambda: not worker.broker.held, "the worker holds nothing")


def _cancel(shop: Shop, task_id: str) -> None:
    """A task that has ended already can't be cancelled, which is no fault here."""
    with suppress(IllegalMove):
        shop.ledger.cancel(task_id)


def test_an_interrupt_waits_until_a_call_to_redis_is_done(client: redis.Redis, settings: Settings) -> None:
    interrupts = Interrupts()
    shielded = connect_shielded(settings, interrupts)
    told: list[str] = []
    held = hold(a_task())

    def run() -> None:
        interrupts.enter(held)
        try:
            with interrupts.held_back():
                interrupts.interrupt(held, Cancelled)
                shielded.set("despacho:seq", "1")
                told.append("the call was done")
            told.append("never")
        except Cancelled:
            told.append("then came the interrupt")
        interrupts.leave(held)

    thread = Thread(target=run)
    thread.start()
    thread.join(5)

    assert told == ["the call was done", "then came the interrupt"]
    shielded.close()


def test_interrupted_calls_never_get_the_answer_of_another(client: redis.Redis, settings: Settings) -> None:
    """Many runs are cancelled while they do nothing but call Redis: each answer belongs to its question."""
    interrupts = Interrupts()
    shielded = connect_shielded(settings, interrupts)
    wrong: list[object] = []

    def run(number: int) -> None:
        held = hold(a_task())
        started.append(held)
        interrupts.enter(held)
        with suppress(Cancelled):
            while True:
                answer = shielded.echo(f"{number}")
                if answer != str(number).encode():
                    wrong.append(answer)
        interrupts.leave(held)

    for round_number in range(30):
        started: list[Any] = []
        threads = [Thread(target=run, args=(round_number * 10 + number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(interrupts.holds()) == 4, "all four call Redis")
        for held in started:
            interrupts.interrupt(held, Cancelled)
        for thread in threads:
            thread.join(5)

    assert not wrong
    shielded.close()


def test_a_task_type_without_an_actor_is_a_dead_letter_that_says_so(shop: Shop) -> None:
    worker = shop.open(lambda run, payload: AnyResult())
    del worker.broker.actors["other.work"]

    task_id = shop.submit(task_name="other.work")

    shop.ends(task_id, "failed")
    assert record(shop.ledger, task_id).error["type"] == "ActorNotFound"  # type: ignore[index]
    wait_until(lambda: not worker.broker.held, "the worker holds nothing")


def test_a_flood_of_tasks_without_an_actor_drowns_no_worker(shop: Shop) -> None:
    worker = shop.open(lambda run, payload: AnyResult())
    del worker.broker.actors["other.work"]
    flood = [a_task(task_name="other.work") for _ in range(1_000)]
    shop.ledger.submit(flood)

    known = shop.submit("low")

    shop.ends(known, "succeeded", 60)
    assert {task.status for task in shop.ledger.tasks([task.task_id for task in flood])} == {"failed"}


def test_a_task_that_comes_back_to_the_same_worker_runs_there(shop: Shop) -> None:
    """A worker is taken for dead while it works; its task is given to it again, and the older run counts no more."""
    runs: list[int] = []
    older_may_end = Event()

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        runs.append(run.number)
        if run.number == 1:
            older_may_end.wait(10)
        return AnyResult.model_validate({"run": run.number})

    worker = shop.open(work, threads=2)
    task_id = shop.submit()
    wait_until(lambda: runs == [1], "the first run goes on")
    shop.ledger.reclaim(worker.broker.worker, shop.ledger.held_by(worker.broker.worker))

    shop.ends(task_id, "succeeded")
    older_may_end.set()

    wait_until(lambda: not worker.broker.held, "both runs have ended")
    assert runs == [1, 2]
    assert record(shop.ledger, task_id).result == {"run": 2}


def test_runs_that_are_cancelled_and_run_again_leave_every_thread_alive(shop: Shop) -> None:
    """Cancellations come from the listener and with the answer to a progress report, at the same time."""

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        while True:
            run.report(1, "")
            sleep(0.001)

    worker = shop.open(work, threads=4)
    ids = [shop.submit() for _ in range(4)]
    for _ in range(25):
        wait_until(lambda: all(status(shop.ledger, task_id) == "running" for task_id in ids), "all run")
        for task_id in ids:
            shop.ledger.cancel(task_id)
        for task_id in ids:
            shop.ends(task_id, "cancelled")
            shop.ledger.requeue(task_id)
    wait_until(lambda: all(status(shop.ledger, task_id) == "running" for task_id in ids), "all run again")
    for task_id in ids:
        shop.ledger.cancel(task_id)
    for task_id in ids:
        shop.ends(task_id, "cancelled")
    assert all(thread.is_alive() for thread in worker.workers)


def test_a_thread_that_becomes_free_behind_a_fetch_takes_what_that_fetch_left(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end looked before there was anything, and the fetch counted it as busy; a lane that isn't empty rings no
    bell."""
    answers, done = Event(), Event()

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        if run.task_id != first:
            done.wait(15)
        return AnyResult()

    worker = shop.open(work, threads=2)
    ledger = worker.broker.ledger
    succeed = ledger.succeed

    def answers_late(*arguments: Any) -> Any:
        ended = succeed(*arguments)
        answers.wait(15)
        return ended

    monkeypatch.setattr(ledger, "succeed", answers_late)
    tasks = [a_task(), a_task(), a_task()]
    first, *others = [task.task_id for task in tasks]
    ledger.submit(tasks[:1])
    shop.ends(first, "succeeded")

    ledger.submit(tasks[1:])
    wait_until(lambda: "running" in {status(ledger, task_id) for task_id in others}, "the free thread takes one")
    answers.set()
    wait_until(lambda: {status(ledger, task_id) for task_id in others} == {"running"}, "the other takes the other", 5)
    done.set()


def test_a_message_that_was_broken_or_deleted_by_hand_is_made_anew(shop: Shop) -> None:
    deleted, broken, good = a_task(), a_task(), a_task()
    shop.ledger.submit([deleted, broken, good])
    messages = shop.ledger.keys.of("messages", lane="demo.normal")
    shop.ledger.client.hdel(messages, deleted.task_id)
    shop.ledger.client.hset(messages, broken.task_id, '{"queue_name": [')

    shop.open(lambda run, payload: AnyResult())

    for task in (deleted, broken, good):
        shop.ends(task.task_id, "succeeded")


def test_a_worker_that_has_left_says_no_more_that_it_lives(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat that came after its leave would list it again, and give it the chores, which nobody did then."""
    worker = shop.open(lambda run, payload: AnyResult())
    ledger, beats, has_left = worker.broker.ledger, Event(), Event()
    beat, retire = ledger.beat, ledger.retire

    def beats_late(*arguments: Any) -> bool:
        beats.set()
        worker.pulse._stopped.wait(5)
        has_left.wait(0.3)
        return beat(*arguments)

    def leaves(name: str) -> None:
        retire(name)
        has_left.set()

    monkeypatch.setattr(ledger, "beat", beats_late)
    monkeypatch.setattr(ledger, "retire", leaves)
    worker.pulse.describe_soon()
    assert beats.wait(5)

    worker.drain(0)
    worker.pulse._thread.join(5)

    client, keys = ledger.client, ledger.keys
    assert client.zscore(keys.of("heartbeats"), worker.broker.worker) is None
    assert client.get(keys.of("chores")) is None


def test_a_tasks_life_costs_a_call_a_step(shop: Shop) -> None:
    """Submit, fetch (which begins the run), each progress, and the end, which is the ack and the next fetch."""

    def work(run: Run, payload: AnyPayload) -> AnyResult:
        run.report(50, "na metade")
        return AnyResult()

    shop.open(work, threads=1)
    shop.ends(shop.submit(), "succeeded")
    with Overheard(shop.ledger.client) as overheard:
        task_id = shop.submit()
        shop.ends(task_id, "succeeded")

    assert [call for call in overheard.calls() if call in LIFE] == ["submit", "fetch", "progress", "succeed"]


def test_a_busy_worker_fetches_with_every_end(shop: Shop) -> None:
    shop.open(lambda run, payload: AnyResult(), threads=1)
    tasks = [a_task() for _ in range(50)]
    with Overheard(shop.ledger.client) as overheard:
        shop.ledger.submit(tasks)
        for task in tasks:
            shop.ends(task.task_id, "succeeded")

    calls = overheard.calls()
    assert calls.count("succeed") == 50
    # A worker that is only just starting may be heard looking before there is anything.
    asked = calls[calls.index("submit") :]
    assert asked.count("fetch") <= 2
    ends = [at for at, call in enumerate(asked) if call == "succeed"]
    assert "fetch" not in asked[ends[0] : ends[-1]]


LIFE = {"submit", "fetch", "progress", "succeed", "retry", "fail"}


class Overheard:
    """What clients ask of the server meanwhile; what scripts do is theirs."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._lines: list[str] = []

    def __enter__(self) -> Overheard:
        listening = Event()
        self._thread = Thread(target=self._listen, args=(listening,))
        self._thread.start()
        assert listening.wait(5)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.echo("the end")
        self._thread.join(5)

    def _listen(self, listening: Event) -> None:
        with self._client.monitor() as monitor:
            listening.set()
            for heard in monitor.listen():
                if heard["command"] == "ECHO the end":
                    return
                if heard["client_type"] != "lua":
                    self._lines.append(heard["command"])

    def calls(self) -> list[str]:
        """The names of the scripts that were called, in their order."""
        called = [line.split()[1] for line in self._lines if line.startswith("FCALL ")]
        return [name.split("_", 2)[2] for name in called]
