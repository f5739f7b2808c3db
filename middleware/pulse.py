"""What a worker process does on a timer: says that it lives, queues what has become due, and takes back what dead
workers held.

All three are idempotent scripts, so every process may do them; none depends on a leader that could die.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from typing import Any

from middleware.interrupts import Interrupts
from middleware.run import Cancelled
from tasks.errors import Unavailable
from tasks.ledger import Ledger
from tasks.settings import Settings

log = logging.getLogger(__name__)
IDLE_S = 3.0
AWAY_S = 0.5


class Pulse:
    """One thread; `promote_soon` wakes it when a delay was set that may end before it would have looked."""

    def __init__(
        self, ledger: Ledger, interrupts: Interrupts, settings: Settings, describe: Callable[[], dict[str, Any]]
    ) -> None:
        self._ledger = ledger
        self._interrupts = interrupts
        self._describe = describe
        self._beat_every_s = min(IDLE_S, settings.heartbeat_timeout_s / 3)
        self._sweep_every_s = settings.sweep_interval_s
        self._wake = Event()
        self._stopped = Event()
        self._beat_at = self._sweep_at = self._promote_at = 0.0

    def start(self, worker: str) -> None:
        self._worker = worker
        Thread(target=self._run, name="pulse", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()

    def promote_soon(self) -> None:
        self._promote_at = 0.0
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                self._do_what_is_due()
            except Unavailable:
                self._stopped.wait(AWAY_S)
                continue
            nearest = min(self._beat_at, self._sweep_at, self._promote_at)
            self._wake.wait(max(0.0, nearest - monotonic()))

    def _do_what_is_due(self) -> None:
        if monotonic() >= self._beat_at:
            self._beat_at = monotonic() + self._beat_every_s
            self._beat()
        if monotonic() >= self._sweep_at:
            self._sweep_at = monotonic() + self._sweep_every_s
            self._sweep()
        if monotonic() >= self._promote_at:
            self._promote()

    def _beat(self) -> None:
        self._ledger.beat(self._worker, self._describe())
        for hold in self._interrupts.holds():
            if self._ledger.is_cancel_requested(hold):
                self._interrupts.interrupt(hold.task_id, Cancelled, hold.run)

    def _sweep(self) -> None:
        for worker, held in self._ledger.reap().items():
            log.warning("worker %s is gone; %d of its tasks were taken back", worker, held)

    def _promote(self) -> None:
        moved, following_ms = self._ledger.promote()
        while moved and following_ms == 0:
            moved, following_ms = self._ledger.promote()
        wait_s = IDLE_S if following_ms < 0 else min(IDLE_S, following_ms / 1_000)
        self._promote_at = monotonic() + wait_s
