"""Decides what becomes of a run that raised: run again later, dead letter, cancelled, or handed back.

The numbers are the task's own (`max_retries`, `min_backoff_s`, `max_backoff_s`), taken from its record. Stock
Dramatiq would enqueue the retry here and lose the task if that failed; here the verdict is only noted, and the
retry is written in the same step as the end of the run.
"""

from __future__ import annotations

import logging
import random
import traceback
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from dramatiq import Broker, Retry
from dramatiq.broker import MessageProxy
from dramatiq.middleware import Retries, TimeLimitExceeded

from middleware.run import (
    Cancelled,
    Delivery,
    Failed,
    HandedBack,
    LetGo,
    Outcome,
    Retrying,
    Run,
    ShuttingDown,
    Superseded,
    WasCancelled,
)
from tasks.clock import now_ms
from tasks.errors import (
    BreakerOpen,
    DespachoError,
    NotNow,
    PermanentFailure,
    ProviderBreakerOpen,
    ProviderFailed,
    WebhookFailed,
)
from tasks.fingerprints import fingerprint
from tasks.ledger import Started
from tasks.record import RunOptions

log = logging.getLogger(__name__)

OURS = frozenset({"actors", "middleware", "tasks"})
"""Packages whose functions tell faults apart."""


class LedgerRetries(Retries):
    """Dramatiq's Retries, with the verdict left to the ledger."""

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        assert isinstance(message, Delivery)
        if exception is None:
            return
        run = message.run
        throws = broker.get_actor(message.actor_name).options.get("throws")
        message.outcome = _with_what_it_achieved(run, verdict(run.started, exception, throws))
        if isinstance(message.outcome, Failed):
            message.fail()
        where = place(exception)
        log.info("task %s run %d: %s %s", message.message_id, message.hold.run, type(exception).__name__, where)


def verdict(started: Started, exception: BaseException, throws: Any = None) -> Outcome:
    """What a run that raised `exception` comes to."""
    if isinstance(exception, Cancelled):
        return WasCancelled()
    if isinstance(exception, ShuttingDown):
        return HandedBack()
    if isinstance(exception, Superseded):
        return LetGo()
    if isinstance(exception, NotNow | ProviderBreakerOpen):
        waits_for = f"breaker {exception.breaker}" if isinstance(exception, BreakerOpen | ProviderBreakerOpen) else ""
        return Retrying(round(1_000 * exception.after_s), counted=False, waits_for=waits_for)
    permanent = isinstance(exception, PermanentFailure) or (throws and isinstance(exception, throws))
    if permanent or started.retries >= started.options.max_retries:
        return Failed(describe(exception, started, retryable=False))
    return Retrying(_delay_ms(started, exception), describe(exception, started, retryable=True))


def _with_what_it_achieved(run: Run, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failed):
        return replace(outcome, result=run.result, place=run.place, noted=run.noted())
    if isinstance(outcome, Retrying):
        return replace(outcome, result=run.result, place=run.place)
    return outcome


def _delay_ms(started: Started, exception: BaseException) -> int:
    if isinstance(exception, Retry) and exception.delay is not None:
        return int(exception.delay)
    asked_s = exception.retry_after_s if isinstance(exception, ProviderFailed | WebhookFailed) else None
    return max(backoff_ms(started.options, started.retries), round(1_000 * (asked_s or 0)))


def backoff_ms(options: RunOptions, retries: int) -> int:
    """`min_backoff_s` doubled with each retry, at most `max_backoff_s`, then up to a quarter off it at random, so
    that tasks which failed together don't come back together."""
    doubled = options.min_backoff_s * 2.0 ** min(retries, 62)
    capped = min(doubled, options.max_backoff_s)
    return round(1_000 * capped * random.uniform(0.75, 1.0))


def describe(exception: BaseException, started: Started, *, retryable: bool) -> dict[str, Any]:
    """The error as the record keeps it. The text of a foreign exception may hold a client's words, so of those
    only the type and the place are kept."""
    return {
        "type": type(exception).__name__,
        "message": _message(exception, started),
        "attempt": started.retries + 1,
        "at": now_ms(),
        "retryable": retryable,
        "fingerprint": fingerprint_at(started.task_name, exception),
    }


def _message(exception: BaseException, started: Started) -> str:
    if isinstance(exception, TimeLimitExceeded):
        return f"took longer than its {started.options.timeout_s:g} s"
    return str(exception) if isinstance(exception, DespachoError) else place(exception)


def place(exception: BaseException) -> str:
    """Where it was raised: the file's last two parts and the function, which stay the same over releases."""
    frames = traceback.extract_tb(exception.__traceback__)
    if not frames:
        return "raised outside of the actor"
    last = frames[-1]
    return f"raised in {'/'.join(PurePath(last.filename).parts[-2:])}, {last.name}"


def fingerprint_at(task_name: str, exception: BaseException) -> str:
    """The fingerprint of a fault in a task of this type."""
    return fingerprint(task_name, type(exception).__name__, our_place(exception))


def our_place(exception: BaseException) -> str:
    """The innermost function of ours that the exception came through; without a line, which each release moves. A
    time limit strikes anywhere: its place says nothing, and would make a group of each."""
    if isinstance(exception, TimeLimitExceeded):
        return ""
    frames = [frame for frame, _ in traceback.walk_tb(exception.__traceback__)]
    ours = [frame for frame in frames if str(frame.f_globals.get("__name__", "")).partition(".")[0] in OURS]
    if not ours:
        return place(exception)
    return f"{ours[-1].f_globals['__name__']}:{ours[-1].f_code.co_qualname}"
