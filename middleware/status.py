"""Tells the ledger of every run: that it began, and how it ended.

First in the stack, so that it is the first to know of a run and the last to hear its verdict. It writes nothing at
the end itself: the consumer does, together with the ack, and repeats it until it lands.
"""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.middleware import SkipMessage

from middleware.interrupts import Interrupts
from middleware.run import AwaitsChildren, Delivery, Refused, Run, Succeeded
from tasks.errors import Unavailable
from tasks.ledger import Ledger
from tasks.settings import Settings


class Status(Middleware):
    """Begins the run before the actor is called, and takes down a good end."""

    def __init__(self, ledger: Ledger, interrupts: Interrupts, settings: Settings) -> None:
        self._ledger = ledger
        self._interrupts = interrupts
        self._progress_interval_s = settings.progress_interval_s

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        assert isinstance(message, Delivery)
        try:
            started = self._ledger.start(message.hold)
        except Unavailable:
            # Nobody knows whether the run began. Handed back unbegun, a run that did begin is found by the reaper.
            raise SkipMessage("Redis is away") from None
        if started is None:
            message.outcome = Refused()
            raise SkipMessage("the run may not begin")
        message.begin(Run(message.hold, started, self._ledger, self._progress_interval_s))

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        assert isinstance(message, Delivery)
        if exception is None and message.run is not None:
            message.outcome = _good_end(message.run)


def _good_end(run: Run) -> Succeeded | AwaitsChildren:
    return AwaitsChildren(run.on_error) if run.awaits_children else Succeeded(run.result, run.place)
