"""Schedules against a real server: each slot once, over downtime and two schedulers; and their routes."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pendulum
import periodiq
import pytest
import redis

from actors.main import declare_all
from actors.scheduler import Timer, timers
from middleware.broker import LaneBroker, build_broker
from tasks.ledger import Ledger
from tasks.quotas import Quotas
from tasks.schedules import MISSED_KEPT_MS, SlotBook, slot_id
from tasks.settings import Settings
from tests.integration.conftest import Client

ZONE = ZoneInfo("America/Sao_Paulo")
BEGIN = dt.datetime(2026, 1, 1, 12, tzinfo=ZONE)
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)

Ran = tuple[Timer, str, dt.datetime]


@pytest.fixture
def broker(client: redis.Redis, settings: Settings) -> Iterator[LaneBroker]:
    broker = build_broker(settings)
    declare_all(broker)
    yield broker
    broker.client.close()


def named(timers: list[Timer], *names: str) -> list[Timer]:
    return [timer for timer in timers if timer.schedule.name in names]


def periodiq_runs(
    timers: list[Timer], begin: dt.datetime, end: dt.datetime
) -> Iterator[tuple[Timer, str, dt.datetime]]:
    """What periodiq would do, with a clock that needs no time: it sends who is due, and goes on to who is next."""
    now = begin
    while now <= end:
        for timer in timers:
            if timer.options["periodic"].validate(now):
                task_id = timer.send_with_options(scheduled_at=str(now))
                if task_id is not None:
                    yield timer, task_id, now
        now = min(timer.options["periodic"].next_valid_date(now) for timer in timers)


def count(ledger: Ledger, lane: str) -> int:
    return int(ledger.client.llen(ledger.keys.of("lane", lane=lane)))


def test_each_schedule_comes_when_it_should_over_a_year(broker: LaneBroker) -> None:
    ours = named(timers(broker), "daily-report", "weekly-report")

    ran = list(periodiq_runs(ours, BEGIN, BEGIN + 365 * DAY))

    of = {
        name: [at.astimezone(ZONE) for timer, _, at in ran if timer.schedule.name == name]
        for name in ("daily-report", "weekly-report")
    }
    assert [at.date() for at in of["daily-report"]] == [BEGIN.date() + i * DAY for i in range(1, 366)]
    assert {(at.hour, at.minute) for at in of["daily-report"]} == {(6, 0)}
    assert [(at.isoweekday(), at.hour, at.minute) for at in of["weekly-report"]] == [(1, 6, 30)] * 52
    assert count(broker.ledger, "reports.normal") == 365 + 52


def test_two_schedulers_do_each_slot_of_a_week_once(broker: LaneBroker) -> None:
    names = ("daily-report", "weekly-report", "backup", "upkeep")
    pair = [named(timers(broker), *names), named(timers(broker), *names)]
    runs = [periodiq_runs(ours, BEGIN, BEGIN + 7 * DAY) for ours in pair]

    # In step, so that each slot is asked for by both.
    ran = [run for both in itertools.zip_longest(*runs) for run in both if run is not None]

    ids = [task_id for _, task_id, _ in ran]
    assert len(ids) == len(set(ids)) == 7 + 1 + 7 + 7 * 288 + 1
    # Backups share the lane.
    assert count(broker.ledger, "upkeep.normal") == 7 * 288 + 1 + 7
    assert count(broker.ledger, "reports.normal") == 8
    assert all(SlotBook(broker.ledger, broker.settings)._known(s).missed == 0 for s in (t.schedule for t in pair[0]))


def test_a_scheduler_that_wakes_late_sees_to_what_passed_in_its_sleep(
    broker: LaneBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine was suspended, or Redis took its time, over the one minute of the day that a schedule has."""
    daily, alerts = named(timers(broker), "daily-report", "alerts")
    scheduler = periodiq.Scheduler(actors=[daily, alerts])
    slot = dt.datetime(2026, 1, 2, 6, tzinfo=ZONE)
    for name in ("sleep", "alarm", "signal"):
        monkeypatch.setattr(periodiq, name, lambda *_: None)

    def wakes(moment: dt.datetime) -> None:
        monkeypatch.setattr(periodiq.pendulum, "now", lambda: pendulum.instance(moment))
        scheduler.schedule()

    wakes(slot - MINUTE)
    assert count(broker.ledger, "reports.normal") == 0
    wakes(slot + MINUTE + dt.timedelta(seconds=20))
    wakes(slot + 2 * MINUTE)

    assert count(broker.ledger, "reports.normal") == 1
    assert SlotBook(broker.ledger, broker.settings)._known(daily.schedule).task_id == slot_id(
        "daily-report", round(slot.timestamp() * 1_000)
    )


def test_after_downtime_the_latest_slot_is_caught_up_with_or_all_are_skipped(broker: LaneBroker) -> None:
    daily, upkeep = named(timers(broker), "daily-report", "upkeep")
    for timer in (daily, upkeep):
        timer.tick(BEGIN)
    before = count(broker.ledger, "upkeep.normal")

    # Down for three days, then two start at once, in the middle of five minutes.
    back = BEGIN + 3 * DAY + 3 * MINUTE + dt.timedelta(seconds=20)
    book = SlotBook(broker.ledger, broker.settings)
    assert [(late.name, late.late_s > 5 * 60) for late in book.overdue(back)] == [
        ("daily-report", True),
        ("upkeep", True),
    ]
    came = [timer.tick(back) for _ in range(2) for timer in (daily, upkeep)]

    slot = dt.datetime(2026, 1, 4, 6, tzinfo=ZONE)
    assert came == [slot_id("daily-report", round(slot.timestamp() * 1_000)), None, None, None]
    assert count(broker.ledger, "reports.normal") == 1
    assert count(broker.ledger, "upkeep.normal") == before
    assert (book._known(daily.schedule).missed, book._known(upkeep.schedule).missed) == (2, 3 * 288)
    assert book.overdue(back) == []


def test_a_slot_that_was_queued_just_before_a_kill_is_not_counted_as_missed(broker: LaneBroker) -> None:
    daily = named(timers(broker), "daily-report")[0]
    book = SlotBook(broker.ledger, broker.settings)
    daily.tick(BEGIN)
    # Queued, and killed before it was noted; then nobody runs for two slots more.
    book.submit(daily.schedule, dt.datetime(2026, 1, 2, 6, tzinfo=ZONE))

    assert daily.tick(BEGIN + 3 * DAY) is not None

    assert book._known(daily.schedule).missed == 1
    assert count(broker.ledger, "reports.normal") == 2


def test_a_report_that_is_late_is_of_the_day_that_it_was_for(broker: LaneBroker) -> None:
    slot = dt.datetime(2026, 1, 5, 6, 30, tzinfo=ZONE)
    weekly = next(timer.schedule for timer in named(timers(broker), "weekly-report"))
    assert weekly.arguments_at(slot, ZONE) == {"kind": "weekly", "until": "2026-01-05T00:00:00-03:00"}


def test_another_line_misses_nothing_and_off_is_off(
    broker: LaneBroker, client: redis.Redis, settings: Settings
) -> None:
    named(timers(broker), "daily-report")[0].tick(BEGIN)
    changed = settings.model_copy(update={"schedules": {"daily-report": "0 3 * * *", "weekly-report": "off"}})
    other = build_broker(changed)
    declare_all(other)

    ours = timers(other)
    assert [timer.schedule.name for timer in ours] == ["daily-report", "backup", "alerts", "upkeep"]
    assert ours[0].tick(BEGIN + 5 * DAY) is None
    assert ours[0].tick(BEGIN + 6 * DAY) is not None
    other.client.close()


def test_schedules_are_shown_run_and_paused_over_http(api: Client, broker: LaneBroker, client: redis.Redis) -> None:
    daily = named(timers(broker), "daily-report")[0]

    def shown() -> dict[str, object]:
        found = api.get("/api/schedules").json()["schedules"]
        assert [one["name"] for one in found] == ["daily-report", "weekly-report", "backup", "alerts", "upkeep"]
        one: dict[str, object] = found[0]
        return one

    fresh = shown()
    assert (fresh["last_at"], fresh["last_task_id"], fresh["paused"], fresh["missed"]) == (None, None, False, 0)
    assert str(fresh["next_at"]).endswith("T09:00:00.000Z")

    # When it is run by hand, then it is a task of the caller's.
    answer = api.post("/api/schedules/daily-report/run")
    assert answer.status_code == 202
    task_id = answer.json()["task_id"]
    assert api.record(task_id)["task_name"] == "reports.generate"
    assert (shown()["last_task_id"], shown()["last_status"]) == (task_id, "queued")

    # When it is paused, then its slots pass; when it is resumed, the next one comes and none is made up for.
    now = dt.datetime.now(dt.UTC)
    daily.tick(now)
    assert api.post("/api/schedules/daily-report/pause").json()["paused"] is True
    assert shown()["next_at"] is None
    assert daily.tick(now + 2 * DAY) is None
    assert api.post("/api/schedules/daily-report/resume").json()["paused"] is False
    assert daily.tick(now + 2 * DAY + MINUTE) is None
    assert daily.tick(now + 3 * DAY + MINUTE) is not None
    assert shown()["missed"] == 0

    # What it missed is told until it is run by hand, or for a week; then it is counted anew.
    schedule = broker.ledger.keys.of("schedule", schedule="daily-report")
    daily.tick(now + 6 * DAY + MINUTE)
    assert shown()["missed"] == 2
    assert shown()["missed_at"] is not None
    # The tenant has no room left, and it is the service's work.
    Quotas(client, broker.settings).set("acme", 0)
    assert api.post("/api/schedules/daily-report/run").status_code == 202
    assert (shown()["missed"], shown()["missed_at"]) == (0, None)
    daily.tick(now + 9 * DAY + MINUTE)
    client.hincrby(schedule, "missed_at", -MISSED_KEPT_MS - 1)
    assert (shown()["missed"], shown()["missed_at"]) == (0, None)
    daily.tick(now + 11 * DAY + MINUTE)
    assert shown()["missed"] == 1

    assert api.post("/api/schedules/nightly/run").status_code == 404
    noted = [entry["action"] for entry in api.get("/api/audit").json()["entries"]]
    ran = ["schedule.run", "task.submit"]
    assert noted == [*ran, "quota.set", "schedule.resume", "schedule.pause", *ran, "key.create"]
    # Bounded: a hash of a few fields for each schedule of the table.
    assert client.hlen(broker.ledger.keys.of("schedule", schedule="daily-report")) <= 7
