"""Where a waiting task stands, when it may start, and why it doesn't run."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import redis

from middleware.worker import LaneWorker
from tasks.clock import now_ms
from tasks.ids import new_id
from tasks.ledger import Appetite, Ledger
from tasks.record import compact_json
from tasks.settings import Settings
from tasks.statistics import mean
from tasks.submission import NewTask, Order, check
from tasks.task_limits import TaskLimits
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway

TENANT = "acme"
KNOWN = ["triage.process_async", "batch.process_cases", "batch.process_case"]


@pytest.fixture
def ledger(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, settings)


def triage(ledger: Ledger, **wishes: Any) -> NewTask:
    wishes = {"args": ["c"], "kwargs": {"user_message": "oi"}, "tenant": TENANT, "task_id": new_id()} | wishes
    return check(Order("triage.process_async", **wishes), ledger.catalog)


def reasons(api: Client, task_id: str) -> dict[str, dict[str, Any]]:
    answer = api.get(f"/api/tasks/{task_id}/explain")
    assert answer.status_code == 200, answer.text
    return {reason["reason"]: reason["evidence"] for reason in answer.json()["reasons"]}


def a_worker(ledger: Ledger, worker: str = "w-1", **told: Any) -> str:
    ledger.beat(worker, {"host": "h", "threads": 2, "task_names": KNOWN} | told)
    return worker


def taken(ledger: Ledger, worker: str = "w-1", most: int = 1, queue: str = "triage") -> list[str]:
    return [started.hold.task_id for started in ledger.fetch(Appetite(worker, [queue], most))]


# ---------------------------------------------------------------------------------------------- position


def test_the_position_counts_who_is_ahead_in_the_lane_and_above(api: Client) -> None:
    normal = [api.submit() for _ in range(3)]
    high = [api.submit(priority="high") for _ in range(2)]
    low = api.submit(priority="low")

    positions = [api.record(task_id)["position"] for task_id in (*high, *normal, low)]

    assert positions == [0, 1, 2, 3, 4, 5]
    api.delete(f"/api/tasks/{high[0]}")
    assert api.record(low)["position"] == 4
    assert api.record(high[0])["position"] is None
    assert "position" not in api.get("/api/tasks").json()["tasks"][0]


def test_who_moves_up_reads_it_though_the_record_is_unchanged(api: Client) -> None:
    first, second = api.submit(), api.submit()
    path = f"/api/tasks/{second}"
    tag = api.get(path).headers["etag"]
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 304
    api.delete(f"/api/tasks/{first}")

    moved_up = api.get(path, headers={"If-None-Match": tag})

    assert moved_up.status_code == 200
    assert moved_up.json()["position"] == 0
    assert api.delete(path, headers={"If-Match": tag}).status_code == 200


def test_in_a_long_lane_every_position_is_right(api: Client, ledger: Ledger, client: redis.Redis) -> None:
    """Also where tasks came in bulk, moved up from another lane, or were put back at the head."""
    for _ in range(4):
        ledger.submit([triage(ledger) for _ in range(500)])
    a_worker(ledger)
    lost = taken(ledger, most=3)
    low = [triage(ledger, priority="low") for _ in range(3)]
    ledger.submit(low)
    for task in low:
        client.hset(f"despacho:task:{task.task_id}", "queued", now_ms() - 3_600_000)
    ledger.retire("w-1")
    ledger.do_chores(raise_aged=True)
    ledger.submit([triage(ledger) for _ in range(500)])

    lane = [raw.decode() for raw in client.lrange("despacho:mq:triage.normal", 0, -1)]  # type: ignore[union-attr]

    assert set(lane[:3]) == set(lost)
    assert lane[2_000:2_003] == [task.task_id for task in low]
    for place in (*range(0, 2_503, 97), *range(1_990, 2_010), 499, 500, 501, 2_502):
        record = api.record(lane[place])
        assert record["position"] == place, place


def test_a_position_costs_the_same_in_a_lane_of_any_length(api: Client, ledger: Ledger, client: redis.Redis) -> None:
    def commands_of_a_look(task_id: str) -> int:
        client.config_resetstat()
        api.record(task_id)
        stats: dict[str, Any] = client.info("commandstats")  # type: ignore[assignment]
        return sum(int(stats[name]["calls"]) for name in stats if name.startswith("cmdstat_"))

    few = [triage(ledger) for _ in range(2_000)]
    for start in range(0, 2_000, 1_000):
        ledger.submit(few[start : start + 1_000])
    in_two_thousand = commands_of_a_look(few[1_500].task_id)
    for _ in range(18):
        ledger.submit([triage(ledger) for _ in range(1_000)])

    assert api.record(few[1_500].task_id)["position"] == 1_500
    # Ten times as long is four steps more of a search by halves, two commands each.
    assert commands_of_a_look(few[1_500].task_id) <= in_two_thousand + 12


# ----------------------------------------------------------------------------------------- expected start


def expected_in_s(record: dict[str, Any]) -> float | None:
    if record["expected_start_at"] is None:
        return None
    return dt.datetime.fromisoformat(record["expected_start_at"]).timestamp() - now_ms() / 1_000


def took(client: redis.Redis, ms: int, count: int = 50) -> None:
    """Triages of the tenant took so long lately."""
    minute = now_ms() // 60_000 - 1
    bucket = next(number for number in range(200) if 2 ** ((number + 1) / 4) - 1 > ms)
    name = f"despacho:stats:{TENANT}:{minute}"
    client.hset(name, f"triage/triage.process_async/run/{bucket}", count)
    client.expire(name, 600)


def test_the_start_is_expected_when_those_ahead_are_through(api: Client, ledger: Ledger, client: redis.Redis) -> None:
    took(client, 6_000)
    a_worker(ledger)
    running = [api.submit(), api.submit()]
    assert set(taken(ledger, most=2)) == set(running)
    waiting = [api.submit() for _ in range(9)]

    ninth = expected_in_s(api.record(waiting[8]))

    # Nine times six seconds, two at a time; a bucket of the figures is 19 % wide.
    assert ninth == pytest.approx(27, rel=0.2)
    assert api.record(running[0])["expected_start_at"] is None


def test_nothing_is_expected_where_nothing_is_known(api: Client, ledger: Ledger, client: redis.Redis) -> None:
    nobody_works = api.submit()
    assert api.record(nobody_works)["expected_start_at"] is None

    a_worker(ledger)
    assert api.record(nobody_works)["expected_start_at"] is None


def test_nothing_is_expected_of_a_paused_queue(api: Client, ledger: Ledger, client: redis.Redis) -> None:
    took(client, 100)
    a_worker(ledger)
    task_id, later = api.submit(), api.submit(countdown=60)
    assert expected_in_s(api.record(task_id)) == pytest.approx(0, abs=2)
    assert api.record(later)["expected_start_at"] == api.record(later)["eta"]

    api.post("/api/queues/triage/pause")

    assert api.record(task_id)["expected_start_at"] is None
    assert api.record(task_id)["position"] == 0
    assert api.record(later)["expected_start_at"] is None


def test_the_figures_of_another_tenant_tell_nothing(
    api: Client, other_tenant: Client, ledger: Ledger, client: redis.Redis
) -> None:
    took(client, 100)
    a_worker(ledger)

    assert other_tenant.record(other_tenant.submit())["expected_start_at"] is None
    assert api.record(api.submit())["expected_start_at"] is not None


def test_the_mean_is_read_from_the_buckets() -> None:
    bucket_of_a_second = 39
    assert mean({bucket_of_a_second: 4}) == pytest.approx(1_000, rel=0.1)
    assert mean({0: 3, bucket_of_a_second: 1}) == pytest.approx(235, rel=0.1)


# ------------------------------------------------------------------------------------------- why it waits


def test_who_is_ahead_and_who_is_busy_is_told(api: Client, ledger: Ledger) -> None:
    first, second = api.submit(), api.submit()
    a_worker(ledger)
    assert set(reasons(api, first)) == {"about_to_start"}
    assert reasons(api, second)["ahead_in_lane"] == {
        "lane": "triage.normal",
        "ahead": 1,
        "in_lane": 1,
        "in_lanes_above": 0,
        "exact": True,
    }

    third, fourth = api.submit(), api.submit(priority="low")
    taken(ledger, most=2)

    assert set(reasons(api, third)) == {"threads_busy"}
    assert reasons(api, third)["threads_busy"] == {"threads": 2, "busy": 2, "workers": ["w-1"]}
    assert set(reasons(api, fourth)) == {"ahead_in_lane", "threads_busy"}
    assert reasons(api, fourth)["ahead_in_lane"]["in_lanes_above"] == 1


def test_what_limits_its_type_is_told(client: redis.Redis, settings: Settings, api: Client, ledger: Ledger) -> None:
    # Given that a triage a minute may begin, which one has done, and two wait for their turn
    rate = settings.model_copy(update={"limits": {"triage.process_async": TaskLimits(rate="1/minute")}})
    with_limits = Gateway(rate)
    with_limits.start()
    api.base_url = httpx.URL(with_limits.url)
    ids = [api.submit() for _ in range(3)]
    a_worker(ledger)
    Ledger(client, rate).fetch(Appetite("w-1", ("triage",), 3))

    # When the last is asked about
    told = api.get(f"/api/tasks/{ids[2]}/explain").json()

    # Then it says which limit it is, who is ahead, and when its turn comes
    (reason,) = told["reasons"]
    assert (told["status"], told["position"], reason["reason"]) == ("queued", 1, "limiter")
    assert reason["evidence"]["limits"] == {"rate": "1/minute", "concurrency": None, "per_case": None}
    assert reason["evidence"]["until"] == told["expected_start_at"]
    waits_s = dt.datetime.fromisoformat(told["expected_start_at"]).timestamp() - now_ms() / 1_000
    assert 110 < waits_s <= 120.5
    assert api.record(ids[2])["attempt"] == 0
    triage = next(t for t in api.get("/api/task-types").json()["task_types"] if t["queue"] == "triage")
    assert (triage["rate_limit"], triage["concurrency"]) == ("1/minute", None)
    with_limits.stop()


def test_who_paused_the_queue_and_when_is_told(api: Client) -> None:
    before = now_ms()
    api.post("/api/queues/triage/pause")
    task_id = api.submit()

    evidence = reasons(api, task_id)["queue_paused"]

    key_id = api.headers["authorization"].split("_")[1]
    assert evidence["queue"] == "triage"
    assert evidence["by"] == key_id
    assert before - 1 <= dt.datetime.fromisoformat(evidence["at"]).timestamp() * 1_000 <= now_ms()
    queue = api.get("/api/queues").json()["queues"]["triage"]
    assert (queue["paused"], queue["paused_by"], queue["paused_at"]) == (True, key_id, evidence["at"])
    api.post("/api/queues/triage/resume")
    assert "queue_paused" not in reasons(api, task_id)
    assert api.get("/api/queues").json()["queues"]["triage"]["paused_by"] is None


def test_a_worker_that_is_missing_is_told(api: Client, ledger: Ledger) -> None:
    task_id = api.submit()
    assert set(reasons(api, task_id)) == {"no_worker_reads_queue"}

    a_worker(ledger, "w-other", queues=["documents"])
    assert reasons(api, task_id)["no_worker_reads_queue"] == {"queue": "triage", "workers": ["w-other"]}

    a_worker(ledger, "w-older", queues=["triage"], task_names=["documents.analyze_async"])
    assert reasons(api, task_id)["no_worker_knows_task_type"] == {
        "task_name": "triage.process_async",
        "workers": ["w-older"],
    }

    a_worker(ledger, "w-leaving", queues=["triage"], draining=True)
    assert reasons(api, task_id)["workers_stopping"] == {"workers": ["w-leaving"]}

    a_worker(ledger, "w-good", queues=["triage"])
    assert set(reasons(api, task_id)) == {"about_to_start"}


def test_a_real_worker_tells_what_it_reads_and_knows_and_that_it_stops(
    api: Client, ledger: Ledger, worker: LaneWorker
) -> None:
    """The worker of the tests knows two types; it is stopped while it works."""
    slow = api.submit(kwargs={"user_message": "devagar"})
    api.until(slow, "running")
    unknown = api.post("/api/tasks/queue", json={"task_name": "reports.generate", "countdown": 60}).json()["task_id"]
    assert set(reasons(api, unknown)) == {"scheduled", "no_worker_knows_task_type"}
    drain = threading.Thread(target=worker.drain, args=(20,))
    drain.start()
    waiting = api.submit()
    try:
        wait_until(lambda: "workers_stopping" in reasons(api, waiting), "the worker has told that it stops", 3)
    finally:
        api.delete(f"/api/tasks/{slow}")
        drain.join(20)
    assert set(reasons(api, waiting)) == {"no_worker_reads_queue"}


def test_a_time_that_has_not_come_is_told(api: Client, ledger: Ledger) -> None:
    a_worker(ledger)
    later = api.submit(countdown=60)
    assert set(reasons(api, later)) == {"scheduled"}
    assert reasons(api, later)["scheduled"]["eta"] == api.record(later)["eta"]
    again = api.submit()
    (started,) = ledger.fetch(Appetite("w-1", ["triage"], 1))
    ledger.retry(
        started.hold, 60_000, {"type": "Lento", "message": "m", "attempt": 1, "at": now_ms(), "retryable": True}
    )

    evidence = reasons(api, again)["retry_due"]

    assert evidence["attempt"] == 1
    assert evidence["eta"] == api.record(again)["eta"]
    assert evidence["error"]["type"] == "Lento"


@contextmanager
def a_batch(api: Client, ledger: Ledger, children: int) -> Iterator[tuple[str, list[str]]]:
    """A batch whose children may be under way one at a time."""
    a_worker(ledger)
    body = {"task_name": "batch.process_cases", "kwargs": {"cases": ["a"], "max_parallel": 1}}
    batch = api.post("/api/tasks/queue", json=body).json()["task_id"]
    (started,) = ledger.fetch(Appetite("w-1", ["batch"], 1))
    orders = [
        Order(
            "batch.process_case",
            kwargs={"case_id": "a", "operations": ["triage"]},
            tenant=TENANT,
            parent_id=batch,
            task_id=new_id(),
            held=True,
            internal=True,
        )
        for _ in range(children)
    ]
    tasks = [check(order, ledger.catalog) for order in orders]
    ledger.submit(tasks)
    ledger.await_children(started.hold, max_parallel=1)
    yield batch, [task.task_id for task in tasks]


def test_a_case_that_its_batch_holds_back_is_told(api: Client, ledger: Ledger) -> None:
    with a_batch(api, ledger, 4) as (batch, (first, second, *_)):
        assert set(reasons(api, first)) == {"about_to_start"}
        assert reasons(api, second) == {"held_by_batch": {"batch": batch, "under_way": 1, "running": 0, "held": 3}}
        assert api.record(second)["position"] is None
        assert set(reasons(api, batch)) == {"awaits_children"}
        assert reasons(api, batch)["awaits_children"]["pending"] == 4


# -------------------------------------------------------------------------------- what runs and has ended


def test_of_a_running_task_its_worker_is_told(api: Client, ledger: Ledger) -> None:
    a_worker(ledger)
    task_id = api.submit()
    (started,) = ledger.fetch(Appetite("w-1", ["triage"], 1))
    assert reasons(api, task_id)["running"]["last_progress"] is None
    ledger.progress(started.hold, 40, "Lendo")

    evidence = reasons(api, task_id)["running"]

    record = api.record(task_id)
    assert evidence["worker"] == "w-1"
    assert evidence["since"] == record["started_at"]
    assert evidence["last_progress"]["progress"] == 40
    assert evidence["last_progress"]["progress_message"] == "Lendo"
    assert evidence["last_progress"]["at"] >= record["started_at"]
    assert evidence["worker_last_seen"] is not None
    api.delete(f"/api/tasks/{task_id}")
    assert set(reasons(api, task_id)) == {"running", "cancel_requested"}


def test_a_worker_that_is_silent_is_told(api: Client, ledger: Ledger, client: redis.Redis) -> None:
    a_worker(ledger)
    task_id = api.submit()
    taken(ledger)
    client.zadd("despacho:mq:__heartbeats__", {"w-1": now_ms() - 60_000})

    assert reasons(api, task_id)["worker_silent"]["worker"] == "w-1"


def test_of_what_has_ended_it_is_told_how(api: Client, ledger: Ledger) -> None:
    cancelled, failed, done = api.submit(), api.submit(), api.submit()
    api.delete(f"/api/tasks/{cancelled}")
    error = {"type": "Pane", "message": "m", "attempt": 1, "at": now_ms(), "retryable": False}
    ledger.fail(ledger.fetch(Appetite("w-1", ["triage"], 1))[0].hold, error)
    ledger.succeed(ledger.fetch(Appetite("w-1", ["triage"], 1))[0].hold, compact_json({"report_id": "r-1"}))

    assert set(reasons(api, cancelled)) == {"cancelled"}
    assert reasons(api, failed)["failed"]["error"]["type"] == "Pane"
    assert reasons(api, done)["succeeded"]["worker"] == "w-1"
    assert reasons(api, done)["succeeded"]["finished_at"] == api.record(done)["finished_at"]


def test_a_task_that_was_lost_is_told_as_being_nowhere(api: Client, ledger: Ledger, client: redis.Redis) -> None:
    a_worker(ledger)
    task_id = api.submit()
    client.lpop("despacho:mq:triage.normal")
    client.hdel("despacho:mq:triage.normal.msgs", task_id)

    assert set(reasons(api, task_id)) == {"between_lanes"}


def test_nothing_is_explained_to_another_tenant(api: Client, other_tenant: Client) -> None:
    assert other_tenant.get(f"/api/tasks/{api.submit()}/explain").status_code == 404
