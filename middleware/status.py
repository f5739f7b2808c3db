"""Tells the ledger of every run: that it began, and how it ended.

First in the stack, so that it is the first to know of a run and the last to hear its verdict. It writes nothing at
the end itself: the consumer does, together with the ack, and repeats it until it lands.
"""

from __future__ import annotations

import logging
from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.middleware import SkipMessage

from middleware.interrupts import Interrupts
from middleware.run import AwaitsChildren, Delivery, LetGo, Run, Succeeded
from tasks.errors import Unavailable
from tasks.ledger import Ledger, Started
from tasks.settings import Settings

log = logging.getLogger(__name__)


class Status(Middleware):
    """Begins the run before the actor is called, and takes down a good end."""

    def __init__(self, ledger: Ledger, interrupts: Interrupts, settings: Settings) -> None:
        self._ledger = ledger
        self._interrupts = interrupts
        self._progress_interval_s = settings.progress_interval_s

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        assert isinstance(message, Delivery)
        started = self._start(message)
        if started is None:
            message.outcome = LetGo()
            raise SkipMessage("the run may not begin")
        message.run = Run(message.hold, started, self._ledger, self._interrupts, self._progress_interval_s)

    def _start(self, delivery: Delivery) -> Started | None:
        """Whatever goes wrong here must not let the actor run: Dramatiq would go on after any other exception."""
        try:
            return self._ledger.start(delivery.hold)
        except Unavailable as error:
            log.warning("whether task %s began is not known (%s)", delivery.message_id, error)
        except Exception:
            log.exception("task %s could not begin", delivery.message_id)
        return None

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
    return run.awaits or Succeeded(run.result, run.place)
