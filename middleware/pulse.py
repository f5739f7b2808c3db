"""What a worker process does on a timer: says that it lives, and, where it holds the lease, does the chores of all:
queues what has become due, takes back what dead workers held, moves up what has waited too long, and chains what was
noted for the audit trails.

The lease only saves work: the chores are idempotent, and another process takes them over when its holder dies.
"""

from __future__ import annotations

import logging
import math
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
AWAY_S = 0.5
BEATS_PER_TIMEOUT = 2.2
"""Two beats may be lost before anybody is taken for dead, and an idle worker costs little."""
GRACE_S = 2.0
DESCRIBE_EVERY_S = 10.0
AGEING_EVERY_S = 30.0
CHAINS_AFTER_S = 1.0
"""So many notes as come meanwhile are chained together."""
CHAINS_AT_ONCE = 20
CHAINS_AGAIN_S = 10.0


class Pulse:
    """One thread; `look_soon` wakes it when a delay was set that may end before it would have looked, `chain_soon`
    when something was noted for an audit trail, `describe_soon` when the worker has news of itself."""

    def __init__(
        self,
        worker: str,
        ledger: Ledger,
        interrupts: Interrupts,
        settings: Settings,
        describe: Callable[[], dict[str, Any]],
    ) -> None:
        self._worker = worker
        self._ledger = ledger
        self._interrupts = interrupts
        self._describe = describe
        self.every_s = settings.heartbeat_timeout_s / BEATS_PER_TIMEOUT
        self._chores_every_s = settings.sweep_interval_s
        self._ageing_every_s = min(AGEING_EVERY_S, settings.ageing_s / 4)
        # Longer than from beat to beat, and short of the time in which another, as silent, would be taken for dead.
        self._silence_s = settings.heartbeat_timeout_s * 0.6
        self.heard_at = self.turned_at = monotonic()
        self._wake = Event()
        self._has_news = Event()
        self._stopped = Event()
        self._does_chores = False
        self._beat_at = self._chores_at = self._describe_at = self._ageing_at = self._chains_at = 0.0
        self._grace_until = 0.0
        self._thread = Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Returns when the last beat is over, or waits for Redis for longer than this. One that came after the worker
        has left would list it anew, and give it the chores, which nobody would do until it is taken for dead."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(within_s)

    def look_soon(self) -> None:
        self._chores_at = 0.0
        self._wake.set()

    def chain_soon(self) -> None:
        self._chains_at = min(self._chains_at, monotonic() + CHAINS_AFTER_S)
        self._wake.set()

    def describe_soon(self) -> None:
        """What the worker tells of itself has changed."""
        self._has_news.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            self.turned_at = monotonic()
            try:
                self._do_what_is_due()
            except Exception as error:
                # Without a pulse the worker would be taken for dead while it works: it goes on, whatever happens.
                self._does_chores = False
                log.warning(
                    "the pulse failed (%s) and tries again", error, exc_info=not isinstance(error, Unavailable)
                )
                self._stopped.wait(AWAY_S)
                continue
            nearest = min(self._beat_at, self._chores_at, self._chains_at) if self._does_chores else self._beat_at
            self._wake.wait(max(0.0, nearest - monotonic()))

    def _do_what_is_due(self) -> None:
        now = monotonic()
        if now >= self._beat_at or self._has_news.is_set():
            self.beat(now)
        if self._does_chores and now >= self._chores_at:
            self._chores_at = now + self._chores_every_s
            self._do_chores(now)
        if self._does_chores and now >= self._chains_at:
            self._chain()

    def beat(self, now: float = 0.0) -> None:
        """Tell that the worker lives; done once before it takes its first task."""
        if self._has_news.is_set():
            # Cleared before it is told: news that come meanwhile are told by the next beat.
            self._has_news.clear()
            self._describe_at = 0.0
        describes = now >= self._describe_at
        lease = self._ledger.beat(self._worker, self._describe() if describes else None)
        heard = monotonic()
        was_silent, self.heard_at = heard - self.heard_at > self._silence_s, heard
        self._beat_at = now + self.every_s
        if describes:
            self._describe_at = now + DESCRIBE_EVERY_S
        if lease and (was_silent or not self._does_chores):
            # Whoever takes the chores over, or kept them through a silence of the server, may be the first to be
            # heard again: the others get the time to say that they live before they are taken for dead.
            self._chores_at = self._grace_until = heard + GRACE_S
            self._chains_at = heard
        self._does_chores = lease
        for hold in self._interrupts.holds():
            if self._ledger.is_cancel_requested(hold):
                self._interrupts.interrupt(hold, Cancelled)

    def _do_chores(self, now: float) -> None:
        raise_aged = now >= self._ageing_at
        if raise_aged:
            self._ageing_at = now + self._ageing_every_s
        # What is due needn't wait for the grace; it may have woken us in it.
        in_grace = now < self._grace_until
        chores = self._ledger.do_chores(self._worker, raise_aged=raise_aged, spares_silent=in_grace)
        if in_grace:
            self._chores_at = min(self._chores_at, self._grace_until)
        for until_ms in (chores.following_ms, chores.until_death_ms):
            if until_ms is not None:
                self._chores_at = min(self._chores_at, monotonic() + until_ms / 1_000)
        for worker, held in chores.dead.items():
            log.warning("worker %s is gone; %d of its tasks were taken back", worker, held)

    def _chain(self) -> None:
        """Nobody rings when the notes that are left are not the first, so it looks again until there are none."""
        self._chains_at = math.inf
        try:
            more = all(self._ledger.extend_audit() for _ in range(CHAINS_AT_ONCE))
        except Exception as error:
            # Trails that somebody tampered with must not keep tasks from being taken back.
            log.warning("the audit trails can't be extended (%s)", error, exc_info=not isinstance(error, Unavailable))
            self._chains_at = monotonic() + CHAINS_AGAIN_S
            return
        if more:
            self._chains_at = 0.0
