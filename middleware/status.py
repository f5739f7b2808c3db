"""Takes down that a run ended well, for the ledger.

First in the stack, so that it is the last to hear a run's verdict. It writes nothing itself: that the run began was
written when its task was fetched, and its end is written by the consumer, together with the ack, and repeated until
it lands.
"""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy

from middleware.run import AwaitsChildren, Delivery, Run, Succeeded


class Status(Middleware):
    """What raised has its verdict from `LedgerRetries`; everything else ended well."""

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        assert isinstance(message, Delivery)
        if exception is None:
            message.outcome = _good_end(message.run)


def _good_end(run: Run) -> Succeeded | AwaitsChildren:
    return run.awaits or Succeeded(run.result, run.place, run.noted())
