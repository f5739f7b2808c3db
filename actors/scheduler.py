"""The body of the scheduler process: periodiq sends what is due. Two of them send each slot once all the same,
because a slot has one task id (`middleware/broker.py`)."""

from __future__ import annotations

import logging
import time

import pendulum
from periodiq import Scheduler

from actors.alerts import StandBy
from actors.main import declare_all
from middleware.broker import LaneBroker, build_broker
from tasks.errors import DespachoError
from tasks.readiness import announce_ready
from tasks.settings import Settings

log = logging.getLogger(__name__)
AWAY_S = 1.0


def sweep_now(broker: LaneBroker) -> None:
    """What went astray while nobody ran is mended at the start. It takes the slot of this minute, so that schedulers
    that start together, or on a slot, sweep once."""
    sweep = broker.actors.get("upkeep.sweep")
    if sweep is not None:
        sweep.send_with_options(scheduled_at=str(pendulum.now().start_of("minute")))


def main(settings: Settings) -> int:
    """Run until a signal ends the process."""
    pendulum.set_local_timezone(pendulum.timezone(settings.time_zone))
    broker = build_broker(settings)
    tools = declare_all(broker)
    scheduler = Scheduler(actors=[actor for actor in broker.actors.values() if "periodic" in actor.options])
    StandBy(tools.watch).start()
    announce_ready()
    has_swept = False
    while True:
        try:
            if not has_swept:
                sweep_now(broker)
                has_swept = True
            scheduler.schedule()
            scheduler.loop()
        except DespachoError as error:
            log.warning("a schedule could not be sent (%s); trying again", error)
            time.sleep(AWAY_S)
