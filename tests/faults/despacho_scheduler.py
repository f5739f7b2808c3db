"""The scheduler process of Despacho as it is, but for its clock and for its table: one task each minute."""

from __future__ import annotations

import os
import sys
from functools import partial

from actors import scheduler
from tasks import timetable
from tasks.settings import Settings
from tests.faults.clocks import speed_up_periodiq
from tests.faults.despacho_worker import FAULTS, SCHEDULE, declare_faults
from tests.faults.recording import SLOTS, tell_ready


def main() -> int:
    scheduler.pendulum = speed_up_periodiq(*map(float, os.environ[SLOTS].split(",")))
    timetable.SCHEDULES = (SCHEDULE,)
    scheduler.build_broker = partial(scheduler.build_broker, catalog=FAULTS)
    scheduler.declare_all = declare_faults
    scheduler.announce_ready = tell_ready
    return scheduler.main(Settings.load())


if __name__ == "__main__":
    sys.exit(main())
