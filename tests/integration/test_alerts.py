"""Alerts over a real server: measured from what ran, written once though many evaluate, shown and told."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from actors.alerts import Watch
from actors.toolbox import Toolbox
from despacho_client import Client as DespachoClient
from middleware.worker import LaneWorker
from tasks.alert_rules import DEFAULTS, parse_rules
from tasks.alerts import AlertBook
from tasks.archive import BackupFailed
from tasks.backup import back_up
from tasks.backup_stores import FolderStore
from tasks.breakers import WorkersBreaker, quoted
from tasks.keys import Keys
from tasks.ledger import Ledger
from tasks.lifecycle import Priority
from tasks.schedules import SlotBook
from tasks.settings import Settings
from tests import receiver as replies
from tests.conftest import wait_until
from tests.integration.conftest import Client, Gateway
from tests.integration.stories import DEMO_CATALOG, a_task, begun, fetched, ledger_for
from tests.receiver import Handler, Receiver

KEYS = Keys("despacho")
RULES = """
every_s = 1
[[rule]]
name = "dead"
kind = "dead_letters_growing"
threshold = 2
[[rule]]
name = "rate"
kind = "failure_rate"
threshold = 50
at_least = 2
[[rule]]
name = "waiting"
kind = "oldest_waiting"
priority = "low"
threshold = 0.2
[[rule]]
name = "memory"
kind = "memory"
threshold = 99
[[rule]]
name = "backup"
kind = "backup_failed"
threshold = 1
clear_for_s = 0
[[rule]]
name = "breaker"
kind = "breaker_open"
threshold = 1
clear_for_s = 0
[[rule]]
name = "missed"
kind = "schedule_missed"
threshold = 300
clear_for_s = 0
[[rule]]
name = "nobody"
kind = "no_worker"
threshold = 1
clear_for_s = 0
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def settings(redis_url: str, tmp_path: Path, receiver: Receiver) -> Settings:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    return Settings(
        redis_url=redis_url,
        data_dir=tmp_path / "data",
        alerts_file=rules,
        notice_webhook_url=f"http://127.0.0.1:{receiver.port}/hook",  # type: ignore[arg-type]
        webhook_timeout_s=1,
    )


def watch(client: redis.Redis, settings: Settings) -> Watch:
    return Watch(Toolbox(Ledger(client, settings), settings))


def evaluate(watch: Watch, client: redis.Redis) -> None:
    """In a slot of its own."""
    for slot in client.scan_iter(KEYS.of("alert_slot", slot="*")):
        client.delete(slot)
    assert watch.evaluate() is not None


def test_what_failed_is_measured_and_shown_with_the_value_that_fired(
    api: Client, gateway: Gateway, worker: LaneWorker, client: redis.Redis, settings: Settings
) -> None:
    assert api.get("/api/alerts").json() == {"alerts": [], "evaluated_at": None}
    for _ in range(3):
        task_id = api.submit(kwargs={"user_message": "falhe"}, retry_config={"max_retries": 0})
        api.until(task_id, "failed")

    evaluate(watch(client, settings), client)

    answer = api.get("/api/alerts", params={"state": "firing"})
    told = {alert["rule"]: alert for alert in answer.json()["alerts"]}
    assert told.keys() == {"dead", "rate"}
    assert (told["dead"]["value"], told["dead"]["unit"], told["dead"]["labels"]) == (3, "tasks", {"queue": "triage"})
    assert (told["rate"]["value"], told["rate"]["labels"]) == (100, {"task_name": "triage.process_async"})
    again = api.get("/api/alerts", params={"state": "firing"}, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert api.get("/api/alerts", params={"state": "pending"}).json()["alerts"] == []
    assert api.get("/api/alerts", params={"state": "loud"}).status_code == 422
    token = api.headers["authorization"].removeprefix("Bearer ")
    with DespachoClient(gateway.url, token) as despacho:
        assert len(despacho.alerts("firing")) == 2


def test_what_waits_is_measured_unless_its_queue_is_paused(
    api: Client, client: redis.Redis, settings: Settings
) -> None:
    api.submit(priority="low")
    mine = watch(client, settings)

    def waiting() -> list[str]:
        evaluate(mine, client)
        told = api.get("/api/alerts").json()["alerts"]
        return [alert["state"] for alert in told if alert["rule"] == "waiting"]

    wait_until(lambda: waiting() == ["firing"], "the oldest task has waited too long")
    api.post("/api/queues/triage/pause")
    evaluate(mine, client)
    clearing = AlertBook(client, settings).standing().values()
    assert [alert.clear_since is not None for alert in clearing if alert.rule == "waiting"] == [True]


def test_though_many_evaluate_and_nobody_works_each_change_is_told_once(
    client: redis.Redis, settings: Settings, receiver: Receiver, api: Client
) -> None:
    # The receiver is away at first: what isn't told stays to be told.
    receiver.replies = [replies.status(503), replies.status(200)]
    many = [watch(client, settings) for _ in range(4)]

    def all_at_once() -> list[int | None]:
        for slot in client.scan_iter(KEYS.of("alert_slot", slot="*")):
            client.delete(slot)
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda each: each.evaluate(), many))

    all_at_once()
    wait_until(lambda: all_at_once() and len(receiver.received) == 2, "the receiver is told at another try")
    for _ in range(3):
        all_at_once()
    first, second = receiver.received
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert "FIRING" in second.json["text"]
    assert client.hlen(KEYS.of("alert_notices")) == 0

    # A heartbeat, as a worker's: then there is one.
    ledger = Ledger(client, settings)
    ledger._call("beat", "w-1", "{}", 60_000, 1)
    for _ in range(3):
        all_at_once()
    (queued,) = client.lrange(KEYS.of("lane", lane="notices.high"), 0, -1)
    assert queued.decode() != first.headers["Idempotency-Key"]
    (told,) = AlertBook(client, settings).history(0, 1 << 50)
    assert (told["rule"], told["state"], told["value"]) == ("nobody", "resolved", 0)
    assert AlertBook(client, settings).history(0, 1) == []


def test_a_backup_that_failed_fires_until_one_succeeds(
    client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    mine = watch(client, settings)
    (tmp_path / "file").write_text("no folder")

    def states() -> dict[str, str]:
        evaluate(mine, client)
        return {a.rule: a.state for a in AlertBook(client, settings).standing().values() if a.rule == "backup"}

    assert states() == {}
    with pytest.raises(BackupFailed):
        back_up(client, settings, FolderStore(tmp_path / "file" / "below"), 1)
    assert states() == {"backup": "firing"}
    back_up(client, settings, FolderStore(tmp_path / "store"), 1)
    assert states() == {"backup": "resolved"}


def test_a_slow_delivery_is_not_made_again_by_who_evaluates_meanwhile(
    client: redis.Redis, settings: Settings, receiver: Receiver
) -> None:
    def slow(handler: Handler) -> None:
        evaluate(watch(client, settings), client)
        handler.send(200)

    receiver.replies = [slow]

    evaluate(watch(client, settings), client)

    assert len(receiver.received) == 1
    assert client.hlen(KEYS.of("alert_notices")) == 0
    assert not client.exists(KEYS.of("alert_telling"))


def test_a_breaker_that_opened_fires_until_it_closes(client: redis.Redis, settings: Settings) -> None:
    mine, ledger = watch(client, settings), Ledger(client, settings)
    breaker = WorkersBreaker(ledger, "hooks.example:443", 1, 60_000, 1_000)

    def told() -> list[tuple[str, str]]:
        evaluate(mine, client)
        found = AlertBook(client, settings).standing().values()
        return [(alert.state, alert.labels["breaker"]) for alert in found if alert.rule == "breaker"]

    breaker.ask("t-1")
    assert breaker.failed("t-1", "timeout") > 0
    assert told() == [("firing", "hooks.example:443")]
    client.delete(KEYS.of("breaker", dependency=quoted("hooks.example:443")))
    assert told() == [("resolved", "hooks.example:443")]


def test_a_schedule_that_nobody_saw_to_fires_until_a_scheduler_does(client: redis.Redis, settings: Settings) -> None:
    mine, slots = watch(client, settings), SlotBook(Ledger(client, settings), settings)
    upkeep = next(schedule for schedule in slots.schedules if schedule.task_name == "upkeep.sweep")
    now = dt.datetime.now(dt.UTC)

    def told() -> list[tuple[str, str]]:
        evaluate(mine, client)
        found = AlertBook(client, settings).standing().values()
        return [(alert.state, alert.labels["schedule"]) for alert in found if alert.rule == "missed"]

    slots.tick(upkeep, now - dt.timedelta(hours=1))
    assert told() == [("firing", upkeep.name)]
    slots.tick(upkeep, now)
    assert told() == [("resolved", upkeep.name)]


class Clock:
    """The time by which rules are evaluated: minutes pass as fast as they are asked for."""

    def __init__(self, client: redis.Redis, settings: Settings, receiver: Receiver) -> None:
        self._watch = watch(client, settings)
        self._receiver = receiver
        self.now_ms = self._watch._measures.now_ms()
        self._watch._measures.now_ms = lambda: self.now_ms  # type: ignore[method-assign]
        self._watch._measures._catalog = DEMO_CATALOG

    @property
    def moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.now_ms / 1_000, dt.UTC)

    def pass_by(self, minutes: int) -> None:
        for _ in range(minutes):
            self.now_ms += 60_000
            self._watch.evaluate()

    def _all_told(self) -> list[tuple[str, str]]:
        texts = [each.json["text"] for each in self._receiver.received]
        return [match.groups() for text in texts if (match := re.match(r"\*?\[(\w+)\] ([a-z-]+)", text))]

    def rules_told(self) -> set[str]:
        return {rule for _, rule in self._all_told()}

    def told(self, rule: str) -> list[str]:
        """What the receiver was told of this rule."""
        return [state for state, of in self._all_told() if of == rule]


@dataclass
class Stage:
    """Where a fault is staged and mended."""

    client: redis.Redis
    settings: Settings
    ledger: Ledger
    clock: Clock
    folder: Path

    def end(self, failed: int, succeeded: int = 0) -> None:
        for number in range(failed + succeeded):
            task = a_task()
            self.ledger.submit([task])
            hold = begun(self.ledger, task)
            if number < failed:
                self.ledger.fail(hold, {"type": "Boom", "message": "no", "at": 1})
            else:
                self.ledger.succeed(hold, "{}")

    def wait(self, priority: str) -> None:
        self.ledger.submit([a_task(priority=Priority(priority))])

    def take(self) -> None:
        assert fetched(self.ledger)

    def fill(self, percent: int) -> None:
        used = int(self.client.info("memory")["used_memory"])
        self.client.config_set("maxmemory", used * 100 // percent)

    def back_up(self, place: str) -> None:
        with suppress(BackupFailed):
            back_up(self.client, self.settings, FolderStore(self.folder / place), 1)

    def open_breaker(self) -> None:
        breaker = WorkersBreaker(self.ledger, "hooks.example:443", 1, 60_000, 1_000)
        breaker.ask("t-1")
        breaker.failed("t-1", "timeout")

    def close_breaker(self) -> None:
        self.client.delete(KEYS.of("breaker", dependency=quoted("hooks.example:443")))

    def tick(self) -> None:
        slots = SlotBook(Ledger(self.client, self.settings), self.settings)
        slots.tick(next(each for each in slots.schedules if each.name == "upkeep"), self.clock.moment)

    def beat(self) -> None:
        self.client.zadd(KEYS.of("schedulers"), {"s-1": self.clock.now_ms + 3_600_000})
        self.client.expire(KEYS.of("schedulers"), 60)


Does = Callable[[Stage], None]
STAGES: dict[str, tuple[Does, int, Does, int]] = {
    "dead-letters": (lambda at: at.end(failed=12), 1, lambda at: None, 25),
    "failure-rate": (lambda at: at.end(failed=8, succeeded=20), 4, lambda at: at.end(0, succeeded=60), 7),
    "waiting-critical": (lambda at: at.wait("critical"), 3, lambda at: at.take(), 4),
    "waiting-high": (lambda at: at.wait("high"), 5, lambda at: at.take(), 4),
    "waiting-normal": (lambda at: at.wait("normal"), 19, lambda at: at.take(), 4),
    "waiting-low": (lambda at: at.wait("low"), 127, lambda at: at.take(), 4),
    "memory": (lambda at: at.fill(90), 4, lambda at: at.fill(20), 7),
    "backup-failed": (lambda at: at.back_up("file/below"), 1, lambda at: at.back_up("store"), 1),
    "breaker-open": (lambda at: at.open_breaker(), 3, lambda at: at.close_breaker(), 4),
    "schedule-missed": (lambda at: at.tick(), 11, lambda at: at.tick(), 3),
    "no-scheduler": (lambda at: None, 3, lambda at: at.beat(), 1),
}
"""Of each default rule: how its fault comes, minutes until that is told, how it goes, minutes until that is told."""


@pytest.mark.parametrize("rule", STAGES)
def test_each_default_rule_fires_once_and_is_resolved_once(
    rule: str, client: redis.Redis, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"alerts_file": None})
    (tmp_path / "file").write_text("no folder")
    receiver.replies = [replies.status(200)] * 10
    clock = Clock(client, settings, receiver)
    stage = Stage(client, settings, ledger_for(client, settings), clock, tmp_path)
    comes, until_told, goes, until_over = STAGES[rule]
    try:
        comes(stage)
        clock.pass_by(until_told)
        assert clock.told(rule) == ["FIRING"]
        clock.pass_by(1)
        assert clock.told(rule) == ["FIRING"]
        goes(stage)
        clock.pass_by(until_over)
        assert clock.told(rule) == ["FIRING", "RESOLVED"]
        clock.pass_by(1)
        assert clock.told(rule) == ["FIRING", "RESOLVED"]
        # Besides it there is told what isn't there in this test.
        assert clock.rules_told() <= {rule, "no-worker", "no-scheduler"}
    finally:
        client.config_set("maxmemory", 0)


def test_the_rules_that_are_staged_are_all_but_the_one_that_is_staged_with_processes() -> None:
    assert {rule.name for rule in parse_rules(DEFAULTS).rules} == {*STAGES, "no-worker"}
