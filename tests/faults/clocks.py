"""Clocks that are wrong on purpose: one that jumps while its process works, and one for schedulers that is so fast
that a minute of their schedule takes a few seconds."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

JUMP = "FAULTS_JUMP"
FIRST_SLOT = datetime(2026, 1, 1, tzinfo=UTC)
"""What the clock of schedulers shows when slot 0 begins."""
_time, _time_ns, _sleep = time.time, time.time_ns, time.sleep


def true_time() -> float:
    """The time in s since 1970, whatever jumps."""
    return _time()


def let_jump() -> None:
    """From the moment that the file named by `FAULTS_JUMP` exists, the clock is wrong by so many seconds as it says.
    Called before anything imports `time.time` by its name."""
    if JUMP not in os.environ:
        return
    file, jumped = Path(os.environ[JUMP]), [0]

    def offset_s() -> int:
        if not jumped[0] and file.exists():
            jumped[0] = int(file.read_text() or 0)
        return jumped[0]

    time.time = lambda: _time() + offset_s()
    time.time_ns = lambda: _time_ns() + offset_s() * 1_000_000_000


def slot_ms(number: int) -> int:
    """When a slot is due, by the clock of schedulers."""
    return round((FIRST_SLOT + timedelta(minutes=number)).timestamp() * 1_000)


def slot_number(ms: int) -> int:
    """The last slot that is due then."""
    return (ms - slot_ms(0)) // 60_000


def speed_up_periodiq(begin: float, minute_s: float) -> Any:
    """Give periodiq's scheduler a clock on which a minute takes `minute_s`; at `begin` it shows a full minute.
    Returns what stands in for pendulum, for a scheduler that looks at the clock itself."""
    import signal

    import pendulum
    import periodiq

    rate = 60 / minute_s
    zero = pendulum.instance(FIRST_SLOT)

    def now(_zone: str = "UTC") -> Any:
        return zero + timedelta(seconds=(_time() - begin) * rate)

    class Pendulum:
        def __getattr__(self, name: str) -> Any:
            return now if name == "now" else getattr(pendulum, name)

    clock = periodiq.pendulum = Pendulum()
    periodiq.sleep = lambda seconds: _sleep(seconds / rate)
    periodiq.alarm = lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds / rate)
    return clock
