"""The body of the scheduler process: periodiq sends what is due. Two of them send each slot once all the same,
because a slot has one task id (`middleware/broker.py`)."""

from __future__ import annotations

import logging
import time

import pendulum
from periodiq import Scheduler

from actors.main import declare_all
from middleware.broker import build_broker
from tasks.errors import DespachoError
from tasks.readiness import announce_ready
from tasks.settings import Settings

log = logging.getLogger(__name__)
AWAY_S = 1.0


def main(settings: Settings) -> int:
    """Run until a signal ends the process."""
    pendulum.set_local_timezone(pendulum.timezone(settings.time_zone))
    broker = build_broker(settings)
    declare_all(broker)
    scheduler = Scheduler(actors=[actor for actor in broker.actors.values() if "periodic" in actor.options])
    announce_ready()
    while True:
        try:
            scheduler.schedule()
            scheduler.loop()
        except DespachoError as error:
            log.warning("a schedule could not be sent (%s); trying again", error)
            time.sleep(AWAY_S)
