"""The body of the scheduler process: periodiq wakes it when a schedule is due, and what is due is queued. Two of them
queue each slot once all the same (`tasks/schedules.py`).

periodiq alone would make up for nothing that it missed, and reads cron lines by rules of its own: it is the clock
here, and what it wakes are the schedules of `tasks/timetable.py`.
"""

from __future__ import annotations

import datetime as dt
import logging
import signal
import time
from contextlib import suppress
from threading import Event, Thread
from uuid import uuid4

import pendulum
from periodiq import Scheduler

from actors.alerts import SCHEDULERS_WAIT, StandBy
from actors.main import declare_all
from middleware.broker import LaneBroker, build_broker
from tasks.errors import DespachoError, Unavailable
from tasks.keys import Keys
from tasks.readiness import announce_ready
from tasks.restoring import check_whole
from tasks.scheduler_beats import SchedulerBeats
from tasks.schedules import SlotBook
from tasks.settings import Settings
from tasks.timetable import Schedule

log = logging.getLogger(__name__)
AWAY_S = 1.0


class _When:
    """A cron line as periodiq asks for one: at each wake, whether it is due."""

    def __init__(self, schedule: Schedule, book: SlotBook) -> None:
        self._line = schedule.line
        self._zone = book.zone
        self._asked: dt.datetime | None = None

    def validate(self, date: dt.datetime) -> bool:
        """Whether a slot passed since it was last asked. Not only one of this minute: where the machine was suspended
        or Redis answered slowly a wake comes after it, and a daily slot would be a day late."""
        asked, self._asked = self._asked, date
        return asked is None or any(self._line.between(asked, date, self._zone))

    def next_valid_date(self, last: dt.datetime) -> pendulum.DateTime:
        return pendulum.instance(self._line.next(last, self._zone))


class Timer:
    """A schedule in the place of an actor: periodiq sends it, and the book decides what that means."""

    def __init__(self, schedule: Schedule, book: SlotBook) -> None:
        self.schedule = schedule
        self._book = book
        self.options = {"periodic": _When(schedule, book)}

    def __str__(self) -> str:
        return self.schedule.name

    def send_with_options(self, *, scheduled_at: str) -> str | None:
        """Called at a slot. Raises `Unavailable`."""
        return self.tick(dt.datetime.fromisoformat(scheduled_at))

    def tick(self, moment: dt.datetime) -> str | None:
        task_id = self._book.tick(self.schedule, moment)
        if task_id is not None:
            log.info("schedule %s came as task %s", self.schedule.name, task_id)
        return task_id


def timers(broker: LaneBroker) -> list[Timer]:
    """Of all schedules that are on and whose actors this broker has."""
    book = SlotBook(broker.ledger, broker.settings)
    return [Timer(s, book) for s in book.schedules if not s.is_off and s.task_name in broker.actors]


def sweep_now(broker: LaneBroker) -> None:
    """What went astray while nobody ran is mended at the start. It takes the slot of this minute, so that schedulers
    that start together, or on a slot, sweep once."""
    book = SlotBook(broker.ledger, broker.settings)
    for schedule in book.schedules:
        if schedule.task_name == "upkeep.sweep" and schedule.task_name in broker.actors:
            book.submit(schedule, pendulum.now("UTC").start_of("minute"))


def main(settings: Settings) -> int:
    """Run until a signal ends the process. Raises `SettingsError` for half of a restore."""
    pendulum.set_local_timezone(pendulum.timezone(settings.time_zone))
    broker = build_broker(settings)
    with suppress(Unavailable):
        check_whole(broker.client, Keys(settings.namespace))
    tools = declare_all(broker)
    StandBy(tools.watch, SCHEDULERS_WAIT).start()
    Thread(target=_beat, args=(broker,), name="beats", daemon=True).start()
    announce_ready()
    _run(broker, timers(broker))
    return 0


def _beat(broker: LaneBroker) -> None:
    """Say that this scheduler lives, as long as its process does."""
    beats, name, pause = SchedulerBeats(broker.client, broker.settings), uuid4().hex, Event()
    while True:
        with suppress(Unavailable):
            beats.beat(name)
        pause.wait(broker.settings.heartbeat_timeout_s / 3)


def _run(broker: LaneBroker, ours: list[Timer]) -> None:
    scheduler = Scheduler(actors=ours)
    has_begun = False
    while True:
        try:
            if not has_begun:
                _begin(broker, ours)
                has_begun = True
            if not ours:
                signal.pause()
            scheduler.schedule()
            scheduler.loop()
        except DespachoError as error:
            log.warning("a schedule could not be sent (%s); trying again", error)
            # What came while Redis was away is seen to as after a downtime.
            has_begun = False
            time.sleep(AWAY_S)


def _begin(broker: LaneBroker, ours: list[Timer]) -> None:
    sweep_now(broker)
    for timer in ours:
        timer.tick(pendulum.now("UTC"))
