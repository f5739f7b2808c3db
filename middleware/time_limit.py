"""Interrupts a run that takes longer than its task may.

Last in the stack, so that its deadline is the first to be lifted when the actor returns, before any hook that
must not be interrupted. The limit is the task's own `timeout_s`.
"""

from __future__ import annotations

from threading import Condition, Thread
from time import monotonic
from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.middleware import TimeLimitExceeded

from middleware.interrupts import Interrupts
from middleware.run import Delivery
from tasks.ledger import Hold

__all__ = ["TimeLimit", "TimeLimitExceeded"]


class TimeLimit(Middleware):
    """One thread waits for the nearest deadline of all runs."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._deadlines: dict[Hold, float] = {}
        self._overdue: dict[Hold, float] = {}
        self._changed = Condition()

    def after_worker_boot(self, broker: Broker, worker: Any) -> None:  # noqa: ARG002
        Thread(target=self._watch, name="time-limit", daemon=True).start()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        assert isinstance(message, Delivery)
        deadline = monotonic() + message.run.started.options.timeout_s
        with self._changed:
            self._deadlines[message.hold] = deadline
            self._changed.notify()
        self._interrupts.enter(message.hold)

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        assert isinstance(message, Delivery)
        self._interrupts.leave(message.hold)
        with self._changed:
            self._deadlines.pop(message.hold, None)
            self._overdue.pop(message.hold, None)

    def overdue(self) -> list[float]:
        """Since when each run is over its limit that was told so and goes on all the same."""
        with self._changed:
            return list(self._overdue.values())

    def _watch(self) -> None:
        while True:
            with self._changed:
                nearest = min(self._deadlines.values(), default=None)
                self._changed.wait(None if nearest is None else max(0.0, nearest - monotonic()))
                late = [hold for hold, deadline in self._deadlines.items() if deadline <= monotonic()]
                for hold in late:
                    self._overdue[hold] = self._deadlines.pop(hold)
            for hold in late:
                self._interrupts.interrupt(hold, TimeLimitExceeded)
