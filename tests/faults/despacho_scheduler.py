"""The scheduler process of Despacho as it is, but for its clock and for what it schedules: one task each minute."""

from __future__ import annotations

import os
import sys
from functools import partial

from actors import scheduler
from tasks.settings import Settings
from tests.faults.clocks import speed_up_periodiq
from tests.faults.despacho_worker import FAULTS, declare_faults
from tests.faults.recording import SLOTS, tell_ready


def main() -> int:
    begin, minute_s = map(float, os.environ[SLOTS].split(","))
    speed_up_periodiq(begin, minute_s)
    scheduler.build_broker = partial(scheduler.build_broker, catalog=FAULTS)
    scheduler.declare_all = partial(declare_faults, schedule="* * * * *")
    scheduler.announce_ready = tell_ready
    return scheduler.main(Settings.load())


if __name__ == "__main__":
    sys.exit(main())
