"""Whether this worker process takes tasks: judged by what its loop of fetches does, not by the process being there.

Two questions, for two consequences. Is it stuck, so that only a new process helps? And, where it isn't: does it take
tasks just now? A worker whose queues are paused takes them; one that is busy with long tasks takes them when a thread
is free; one that can't reach Redis doesn't, and a new process would do no better, and lose the ends that this one
holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic
from typing import Protocol

TURN_S = 5.0
"""The consumer's loop turns so often at the least, also where no bell rings."""

STUCK_S = 30.0
"""Longer than any step of a loop may take, its repeats and their timeouts counted."""

AWAY_S = 5.0
"""Redis may be away so long before the worker says that it takes nothing."""

SAY_EVERY_S = 2.0
Clock = Callable[[], float]


class Signs:
    """What the consumer's loop leaves behind: when it last turned, and since when its fetches have failed."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self.clock = clock
        self.turned_at = clock()
        self.failing_since: float | None = None

    def turned(self) -> None:
        self.turned_at = self.clock()

    def fetched(self) -> None:
        self.failing_since = None

    def failed(self) -> None:
        if self.failing_since is None:
            self.failing_since = self.clock()


class Beats(Protocol):
    """What is asked of the pulse: when its loop last turned, when Redis last answered it, how often that is."""

    turned_at: float
    heard_at: float
    every_s: float


class Proof:
    """Judges one worker. `threads` are its working threads, `overdue` since when runs have been over their limit."""

    def __init__(
        self,
        signs: Signs,
        pulse: Beats,
        threads: Sequence[Thread],
        overdue: Callable[[], Sequence[float]],
        is_draining: Callable[[], bool],
    ) -> None:
        self._signs = signs
        self._pulse = pulse
        self._threads = threads
        self._overdue = overdue
        self._is_draining = is_draining

    def stuck(self) -> str:
        """Why only a new process helps; empty where none is needed."""
        now = self._signs.clock()
        if now - self._signs.turned_at > STUCK_S:
            return "the consumer hangs"
        if now - self._pulse.turned_at > self._pulse.every_s + STUCK_S:
            return "the pulse hangs"
        if self._fetches_alone_fail(now):
            return "fetches fail though Redis answers"
        if self._threads and self._hung(now) >= sum(thread.is_alive() for thread in self._threads):
            return "every thread is dead, or hangs beyond its task's time limit"
        return ""

    def unready(self) -> str:
        """Why it takes no tasks now; empty where it does."""
        failing_since = self._signs.failing_since
        if stuck := self.stuck():
            return stuck
        if self._is_draining():
            return "it drains"
        if failing_since is not None and self._signs.clock() - failing_since > AWAY_S:
            return "Redis does not answer"
        return ""

    def hung(self) -> int:
        """How many runs will never hear that their time is over."""
        return self._hung(self._signs.clock())

    def _fetches_alone_fail(self, now: float) -> bool:
        since = self._signs.failing_since
        return since is not None and now - since > STUCK_S and self._pulse.heard_at > since + STUCK_S / 2

    def _hung(self, now: float) -> int:
        return sum(1 for since in self._overdue() if now - since > STUCK_S)


class Prover(Thread):
    """Says every two seconds that the worker isn't stuck, as long as it isn't: a witness that needs no server. Calls
    `on_change` when that has changed."""

    def __init__(self, proof: Proof, say: Callable[[], None], on_change: Callable[[str], None]) -> None:
        super().__init__(name="proof", daemon=True)
        self._proof = proof
        self._say = say
        self._on_change = on_change
        self._stopped = Event()

    def run(self) -> None:
        before = ""
        while not self._stopped.wait(SAY_EVERY_S):
            stuck = self._proof.stuck()
            if not stuck:
                self._say()
            if stuck != before:
                self._on_change(stuck)
            before = stuck

    def stop(self) -> None:
        self._stopped.set()
