"""A gradual replay: one, a tenth, all; whatever becomes of it, and whoever is killed amid it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis

from actors import replays
from actors.declare import Declared, declare
from actors.toolbox import Toolbox
from middleware.broker import build_broker
from middleware.worker import LaneWorker
from tasks import gradual_replays
from tasks.api_keys import ApiKeys
from tasks.catalog import CATALOG, REPLAY_TASK
from tasks.errors import QueueFull
from tasks.fingerprints import fingerprint
from tasks.gradual_replays import ReplayBook, ReplayDesk
from tasks.keys import Keys
from tasks.ledger import Appetite, Ledger
from tasks.service import TaskService
from tasks.settings import Settings
from tasks.submission import Order, check
from tests.conftest import wait_until
from tests.integration.conftest import QUICK, Client, Gateway

KEYS = Keys("despacho")
TRIAGE = "triage.process_async"
PLACE = "actors.triage:process"
GROUP = fingerprint(TRIAGE, "ProviderFailed", PLACE)
QUEUES = [queue for queue in CATALOG.queues if queue != "upkeep"]


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings)


@pytest.fixture
def book(ledger: Ledger, settings: Settings) -> ReplayBook:
    """What the task of a replay does at each of its runs."""
    return ReplayBook(ledger, settings)


class Work:
    """A worker in the test's hands: what it takes ends as the test says."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.runs: Counter[str] = Counter()

    def _fetch(self, most: int) -> Iterator[Any]:
        for started in self._ledger.fetch(Appetite("w-test", QUEUES, most)):
            self.runs[started.hold.task_id] += 1
            yield started

    def succeed(self, most: int = 100_000) -> int:
        return sum(bool(self._ledger.succeed(started.hold, "")) for started in self._fetch(most))

    def fail(self, most: int = 100_000, error_type: str = "ProviderFailed") -> int:
        return sum(bool(self._ledger.fail(started.hold, an_error(error_type))) for started in self._fetch(most))

    def try_again(self) -> int:
        """Attempts fail, and the next ones come in an hour."""
        ended = (self._ledger.retry(started.hold, 3_600_000, an_error()) for started in self._fetch(100))
        return sum(map(bool, ended))


def an_error(error_type: str = "ProviderFailed") -> dict[str, Any]:
    error = {"type": error_type, "message": "http 500", "attempt": 1, "at": 1_790_000_000_000, "retryable": False}
    return error | {"fingerprint": fingerprint(TRIAGE, error_type, PLACE)}


@pytest.fixture
def work(ledger: Ledger) -> Work:
    return Work(ledger)


def dead(ledger: Ledger, work: Work, how_many: int, error_type: str = "ProviderFailed") -> list[str]:
    """So many dead letters of two tenants, oldest first."""
    ids: list[str] = []
    for start in range(0, how_many, 500):
        orders = [
            Order(TRIAGE, ["c"], {"user_message": "oi"}, tenant=("acme", "rival")[number % 2])
            for number in range(start, min(start + 500, how_many))
        ]
        ids += ledger.submit([check(order, CATALOG) for order in orders]).task_ids
    assert work.fail(error_type=error_type) == how_many
    work.runs.clear()
    return ids


def begin(api: Client, status: int = 202, headers: dict[str, str] | None = None, **wanted: Any) -> dict[str, Any]:
    body = {"fingerprint": GROUP, **wanted, "gradual": True}
    answer = api.post("/api/dead-letters/replay", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def told(api: Client, replay_id: str) -> dict[str, Any]:
    answer = api.get(f"/api/dead-letters/replays/{replay_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_one_then_a_tenth_then_all_each_once_and_the_trail_of_each_tenant_says_so(
    api: Client, ledger: Ledger, book: ReplayBook, work: Work, client: redis.Redis
) -> None:
    ids = dead(ledger, work, 25)
    left = dead(ledger, work, 1, "TimeLimitExceeded")

    begun = begin(api)

    replay_id = begun["replay_id"]
    assert (begun["state"], begun["total"], [step["upto"] for step in begun["steps"]]) == ("running", 25, [1, 3, 25])
    for expected in (1, 2, 22):
        assert book.go_on(replay_id) is not None, "it waits for what it has replayed"
        assert book.go_on(replay_id) is not None
        assert work.succeed() == expected
    assert book.go_on(replay_id) is None
    found = told(api, replay_id)
    assert (found["state"], found["reason"], found["replayed"], found["passed_over"]) == ("done", None, 25, 0)
    assert [(step["replayed"], step["succeeded"], step["under_way"]) for step in found["steps"]] == [
        (1, 1, 0), (2, 2, 0), (22, 22, 0)
    ]  # fmt: skip
    assert work.runs == dict.fromkeys(ids, 1)
    assert [letter["task_id"] for letter in api.get("/api/dead-letters").json()["dead_letters"]] == left
    trail = api.get("/api/audit?tenant=rival&action=dead_letter.replay&limit=200").json()["entries"]
    assert sorted(entry["ids"][0] for entry in trail) == sorted(ids[1::2])
    ends = api.get("/api/audit?action=dead_letter.replay_gradually").json()["entries"]
    assert [(entry["outcome"], entry["ids"]) for entry in ends] == [("done", [replay_id]), ("begun", [replay_id])]
    assert api.get("/api/dead-letters/replays").json()["replays"] == [found]

    # Nothing of it is kept for ever.
    kept = list(client.scan_iter("despacho:replay*"))
    assert sorted(kept) == sorted([KEYS.of("replay", id=replay_id).encode(), KEYS.of("replays").encode()])
    assert all(0 < client.ttl(name) <= 7 * 86_400 for name in kept)


def test_it_stops_where_the_fault_comes_back_and_leaves_the_rest(
    api: Client, ledger: Ledger, book: ReplayBook, work: Work, client: redis.Redis
) -> None:
    dead(ledger, work, 40)
    replay_id = begin(api)["replay_id"]
    refused = begin(api, 409)
    assert replay_id in refused["detail"]
    book.go_on(replay_id)
    work.succeed()
    book.go_on(replay_id)
    assert all(client.ttl(name) > 86_400 for name in client.scan_iter("despacho:replay_[gw]*:*"))

    assert (work.succeed(1), work.fail(1)) == (1, 1)

    assert book.go_on(replay_id) is None
    found = told(api, replay_id)
    assert (found["state"], found["reason"], found["replayed"]) == ("stopped", "fault_came_back", 4)
    assert {name: found["steps"][1][name] for name in ("replayed", "succeeded", "came_back", "under_way")} == {
        "replayed": 3, "succeeded": 1, "came_back": 1, "under_way": 1
    }  # fmt: skip
    assert api.get("/api/dead-letters/groups").json()["groups"][0]["count"] == 37
    assert api.post(f"/api/dead-letters/replays/{replay_id}/stop").status_code == 409
    # The group is free for the next try.
    assert begin(api)["total"] == 37


def test_what_fails_otherwise_stops_it_too_unless_something_succeeded(
    api: Client, ledger: Ledger, book: ReplayBook, work: Work
) -> None:
    dead(ledger, work, 2)
    replay_id = begin(api)["replay_id"]
    book.go_on(replay_id)
    work.fail(error_type="PromptTooLong")
    book.go_on(replay_id)
    found = told(api, replay_id)
    assert (found["state"], found["reason"], found["replayed"]) == ("stopped", "nothing_succeeded", 1)

    dead(ledger, work, 30)
    replay_id = begin(api)["replay_id"]
    book.go_on(replay_id)
    work.succeed()
    book.go_on(replay_id)
    assert (work.succeed(1), work.fail(error_type="PromptTooLong")) == (1, 2)
    assert book.go_on(replay_id) is not None
    assert told(api, replay_id)["steps"][2]["replayed"] == 27


def test_nothing_one_and_what_others_have_dealt_with_meanwhile(
    api: Client, ledger: Ledger, book: ReplayBook, work: Work
) -> None:
    nothing = begin(api)
    assert (nothing["state"], nothing["total"], nothing["steps"]) == ("done", 0, [])

    (alone,) = dead(ledger, work, 1)
    replay_id = begin(api)["replay_id"]
    book.go_on(replay_id)
    assert api.delete(f"/api/tasks/{alone}").status_code == 200
    assert book.go_on(replay_id) is None
    found = told(api, replay_id)
    assert (found["state"], found["replayed"], found["steps"][0]["cancelled"]) == ("done", 1, 1)

    one, two, three = dead(ledger, work, 3)
    replay_id = begin(api)["replay_id"]
    # One is replayed by hand and fails of the same; one is gone.
    assert api.post(f"/api/dead-letters/{one}/replay").status_code == 202
    work.fail()
    assert api.delete(f"/api/dead-letters/{three}").status_code == 204
    book.go_on(replay_id)
    assert (work.succeed(), work.runs[two]) == (1, 1)
    assert book.go_on(replay_id) is None
    found = told(api, replay_id)
    assert (found["state"], found["replayed"], found["passed_over"]) == ("done", 1, 2)


def test_it_can_be_stopped_and_a_step_that_takes_too_long_stops_it(
    api: Client, other_tenant: Client, ledger: Ledger, book: ReplayBook, work: Work, settings: Settings,
    gateway: Gateway, keys: ApiKeys,
) -> None:  # fmt: skip
    dead(ledger, work, 10)
    replay_id = begin(api)["replay_id"]
    book.go_on(replay_id)
    _, token = keys.create("looks on", "acme", ("ops:read", "tasks:write"))
    with Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as looker:
        assert told(looker, replay_id)["state"] == "running"
        assert looker.post(f"/api/dead-letters/replays/{replay_id}/stop").status_code == 403
        assert looker.post("/api/dead-letters/replay", json={"queue": "triage", "gradual": True}).status_code == 403

    answer = other_tenant.post(f"/api/dead-letters/replays/{replay_id}/stop")

    assert (answer.json()["state"], answer.json()["reason"]) == ("stopped", "cancelled")
    assert book.go_on(replay_id) is None
    assert work.succeed() == 1
    ends = api.get("/api/audit?tenant=rival&action=dead_letter.replay_gradually").json()["entries"]
    assert [entry["outcome"] for entry in ends] == ["stopped"]
    assert other_tenant.post("/api/dead-letters/replays/none/stop").status_code == 404

    replay_id = begin(api)["replay_id"]
    impatient = ReplayBook(ledger, settings.model_copy(update={"replay_step_s": 0.0}))
    assert impatient.go_on(replay_id) is None
    found = told(api, replay_id)
    assert (found["state"], found["reason"], found["replayed"]) == ("stopped", "step_took_too_long", 1)

    assert work.succeed() == 1
    replay_id = begin(api)["replay_id"]
    book.go_on(replay_id)
    assert work.try_again() == 1
    assert book.go_on(replay_id) is not None, "an attempt that failed is no end"
    assert impatient.go_on(replay_id) is None
    assert told(api, replay_id)["reason"] == "fault_came_back"


def test_a_request_that_is_sent_again_begins_nothing_and_one_that_failed_hinders_nobody(
    api: Client, ledger: Ledger, work: Work, client: redis.Redis
) -> None:
    dead(ledger, work, 3)
    key = {"Idempotency-Key": "k-1"}
    first = begin(api, headers=key)
    again = api.post("/api/dead-letters/replay", json={"fingerprint": GROUP, "gradual": True}, headers=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.json() == first
    other = api.post("/api/dead-letters/replay", json={"queue": "triage", "gradual": True}, headers=key)
    assert other.status_code == 422

    # Whose task has failed for good holds the group no longer.
    assert begin(api, 409)
    (started,) = ledger.fetch(Appetite("w-test", ["upkeep"], 1))
    ledger.fail(started.hold, {"type": "WorkerCrashed", "message": "", "attempt": 1, "at": 0, "retryable": False})
    second = begin(api)
    assert (told(api, first["replay_id"])["reason"], second["state"]) == ("task_lost", "running")
    client.delete(KEYS.of("task", id=second["replay_id"]))
    client.hset(KEYS.of("replay", id=second["replay_id"]), "began", 1)
    assert (told(api, second["replay_id"])["reason"], begin(api)["state"]) == ("task_lost", "running")


def test_a_gateway_that_can_not_queue_its_task_or_is_killed_before_leaves_the_group_free(
    api: Client, ledger: Ledger, work: Work, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead(ledger, work, 3)

    async def is_full(*_: Any, **__: Any) -> None:
        raise QueueFull("too many tasks are waiting in upkeep.normal")

    with monkeypatch.context() as patched:
        patched.setattr(TaskService, "submit", is_full)
        begin(api, 503)
    with monkeypatch.context() as patched:
        patched.setattr(ReplayDesk, "_queue", lambda *_: 1 / 0)
        begin(api, 500)
    assert begin(api, 409), "it may be queued any moment"

    (half,) = [
        name for name in client.scan_iter(KEYS.of("replay", id="*")) if client.hget(name, "state") == b"running"
    ]
    assert 0 < cast(int, client.ttl(half)) <= 120
    client.delete(half)

    assert begin(api)["state"] == "running"


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_killed_between_any_two_calls_it_goes_on_and_replays_nobody_twice(
    api: Client, ledger: Ledger, settings: Settings, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = dead(ledger, work, 120)
    replay_id = begin(api)["replay_id"]
    calls, kills = Counter[str](), 0
    call_once = gradual_replays.scripts.call_once

    def killed_before_and_after(client: redis.Redis, name: str, namespace: str, arguments: Any) -> Any:
        calls[name] += 1
        if calls[name] % 3 == 1:
            raise Killed
        answer = call_once(client, name, namespace, arguments)
        if calls[name] % 3 == 2:
            raise Killed
        return answer

    monkeypatch.setattr(gradual_replays.scripts, "call_once", killed_before_and_after)
    while told(api, replay_id)["state"] == "running":
        work.succeed(7)
        try:
            ReplayBook(ledger, settings).go_on(replay_id)
        except Killed:
            kills += 1

    found = told(api, replay_id)
    assert kills > 10
    assert (found["state"], found["replayed"], found["passed_over"]) == ("done", 120, 0)
    assert [step["succeeded"] for step in found["steps"]] == [1, 11, 108]
    assert work.runs == dict.fromkeys(ids, 1)


def test_a_worker_takes_the_steps_by_itself(
    api: Client, ledger: Ledger, client: redis.Redis, settings: Settings
) -> None:
    failing = [api.submit(kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0}) for _ in range(12)]
    broker = build_broker(settings)
    for declared in (*QUICK, Declared(REPLAY_TASK, replays.replay)):
        declare(broker, declared, Toolbox(broker.ledger, settings))
    worker = LaneWorker(broker, 4)
    worker.start()
    try:
        for task_id in failing:
            api.until(task_id, "failed")
        (group,) = api.get("/api/dead-letters/groups").json()["groups"]
        replay_id = begin(api, fingerprint=group["fingerprint"])["replay_id"]
        wait_until(lambda: told(api, replay_id)["state"] == "stopped", "the fault came back")
    finally:
        worker.drain(0)
    found = told(api, replay_id)
    assert (found["reason"], found["replayed"]) == ("fault_came_back", 1)
