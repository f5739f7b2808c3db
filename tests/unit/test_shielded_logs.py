"""A thread that is interrupted while it logs leaves no handler locked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from time import sleep

import pytest

from middleware.interrupts import Interrupts
from middleware.run import Cancelled
from middleware.shielded_logs import shield_log_handlers
from tasks.ledger import Hold

log = logging.getLogger("tests.shielded")


class SlowHandler(logging.Handler):
    """Slow enough that threads wait for its lock, which is where an interrupt finds them."""

    def emit(self, record: logging.LogRecord) -> None:
        sleep(0.0002)


def interrupted(interrupts: Interrupts, hold: Hold, work: Callable[[], None]) -> bool:
    """Run `work` again and again in a thread until an interrupt ends it; false where it never does."""

    def run() -> None:
        with suppress(Cancelled):
            try:
                interrupts.enter(hold)
                while True:
                    work()
            finally:
                interrupts.leave(hold)

    running = Thread(target=run, daemon=True)
    running.start()
    while not interrupts.interrupt(hold, Cancelled) and running.is_alive():
        sleep(0.0005)
    running.join(5)
    return not running.is_alive()


def test_interrupts_in_the_middle_of_logging_lock_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [SlowHandler()])
    interrupts = Interrupts()
    shield_log_handlers(interrupts)

    def one(number: int) -> bool:
        hold = Hold(str(number), 1, "worker", "demo.normal")
        return interrupted(interrupts, hold, lambda: log.warning("line %d", number))

    log.warning("the first")
    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(one, range(600)))
