"""One run of a task, as its actor sees it, and the ways in which it can end.

The run holds the fence (`Hold`) with which every write of it passes the ledger. How it ended is decided once, by
the middleware, as an `Outcome`; the consumer writes it together with the ack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.middleware import CurrentMessage, Interrupt

from middleware.interrupts import Interrupts
from middleware.run_lines import RunLines
from middleware.slowest import Slowest
from tasks.clock import now_ms
from tasks.context import Context
from tasks.errors import Unavailable
from tasks.ledger import Appetite, Ended, Hold, Ledger, Started
from tasks.noted import NOTHING, Noted
from tasks.sealed_tasks import TaskSeal

BURST = 5.0
"""Progress reports that may follow each other at once: the steps of a short task are all seen."""


class Cancelled(Interrupt):
    """Raised in the thread of a run whose end was wished for."""


class ShuttingDown(Interrupt):
    """Raised in the thread of a run that outlasted the time its worker had to stop."""


class Superseded(Interrupt):
    """The run was given up for dead and another one goes on: nothing it does counts any more."""


class Outcome(Protocol):
    """How a run ended. `write` moves the task and acks its message in one step, and in the same step fetches what
    its worker is to do next."""

    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended: ...


@dataclass(frozen=True, slots=True)
class Succeeded:
    result: str | bytes = ""
    place: str = ""
    noted: Noted = NOTHING

    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended:
        return ledger.succeed(hold, self.result, self.place, then, self.noted)


@dataclass(frozen=True, slots=True)
class Retrying:
    """Runs again after `delay_ms`. One that isn't `counted` was nobody's failure and uses up no attempt. `result` and
    `place` are what the run achieved so far, for the next one to build on. `waits_for` names what holds it up."""

    delay_ms: int
    error: dict[str, Any] | None = None
    counted: bool = True
    result: str | bytes = ""
    place: str = ""
    waits_for: str = ""

    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended:
        return ledger.retry(
            hold,
            self.delay_ms,
            self.error,
            counted=self.counted,
            then=then,
            result=self.result,
            place=self.place,
            waits_for=self.waits_for,
        )


@dataclass(frozen=True, slots=True)
class Failed:
    """A dead letter; `result` and `place` are what the run achieved nevertheless, as in `Succeeded`."""

    error: dict[str, Any]
    result: str | bytes = ""
    place: str = ""
    noted: Noted = NOTHING

    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended:
        return ledger.fail(hold, self.error, then, result=self.result, place=self.place, noted=self.noted)


@dataclass(frozen=True, slots=True)
class WasCancelled:
    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended:
        return ledger.cancelled(hold, then)


@dataclass(frozen=True, slots=True)
class AwaitsChildren:
    """The run is over, the task isn't: it goes on when its last child has ended."""

    on_error: str = ""
    max_parallel: int | None = None

    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended:
        return ledger.await_children(hold, self.on_error, self.max_parallel, then)


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The run ends unfinished and costs nothing: another worker takes the task up at once."""

    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended:  # noqa: ARG002
        return ledger.hand_back(hold)


@dataclass(frozen=True, slots=True)
class LetGo:
    """Nothing is written: the run was superseded."""

    def write(self, ledger: Ledger, hold: Hold, then: Appetite | None) -> Ended:  # noqa: ARG002
        return Ended(written=False)


@dataclass(slots=True)
class Run:
    """What an actor knows of the run it is in. `result` is JSON, or lies at `place` in the blob store,
    both sealed. `tally` names a counter that its good end adds to."""

    started: Started
    ledger: Ledger
    interrupts: Interrupts
    progress_interval_s: float
    result: str | bytes = ""
    place: str = ""
    tally: str = ""
    awaits: AwaitsChildren | None = None
    lines: RunLines = field(init=False)
    slowest: Slowest = field(default_factory=Slowest)
    _budget: float = field(default=BURST, init=False)
    _told: float = field(default_factory=monotonic, init=False)
    _begun: float = field(default_factory=monotonic, init=False)

    def __post_init__(self) -> None:
        self.lines = RunLines(self.started.hold, self.started.seal, self.ledger, self.interrupts)

    @property
    def hold(self) -> Hold:
        return self.started.hold

    @property
    def task_id(self) -> str:
        return self.hold.task_id

    @property
    def number(self) -> int:
        return self.hold.run

    @property
    def tenant(self) -> str:
        return self.started.tenant

    @property
    def seal(self) -> TaskSeal:
        """Seals what the run leaves, under the key of its case."""
        return self.started.seal

    @property
    def payload(self) -> Mapping[str, Any]:
        return self.started.payload

    def noted(self) -> Noted:
        """For the reports. To be asked once, at its end."""
        took_ms = 1_000 * (monotonic() - self._begun)
        return Noted(self.tally, self.slowest.is_among(self.started.task_name, took_ms, now_ms()))

    def context(self) -> Context:
        """What is said of the run wherever something is logged or queued in it."""
        started = self.started
        return Context(
            started.options.origin.request_id, started.tenant, self.task_id, started.task_name, self.number
        )

    def await_children(self, on_error: str, max_parallel: int | None) -> None:
        """Let this run end without a result: the task goes on in another one when its last child has ended."""
        self.awaits = AwaitsChildren(on_error, max_parallel)

    def report(self, percent: float, message: str) -> None:
        """Tell how far the run has come. The first few reports pass at once, then a few a second; the rest is
        held back.

        Raises `Cancelled` where the task's end is wished for and `Superseded` where the run no longer counts. A
        Redis that is away costs a report, never the run.
        """
        if not self._may_tell():
            return
        try:
            self.lines.send()
            answer = self.ledger.progress(self.hold, min(max(percent, 0.0), 100.0), message[:500])
        except Unavailable:
            return
        if answer == "cancel" and self.interrupts.claim(self.hold):
            raise Cancelled
        if answer == "lost" and self.interrupts.claim(self.hold):
            raise Superseded

    def _may_tell(self) -> bool:
        now = monotonic()
        earned = (now - self._told) / self.progress_interval_s if self.progress_interval_s else BURST
        self._budget, self._told = min(BURST, self._budget + earned), now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True


class Delivery(MessageProxy):
    """A run in a worker's hands, as the message that Dramatiq's middleware looks at. Until something else is decided,
    it is handed back. `following` are the runs that were fetched with its end."""

    def __init__(self, run: Run) -> None:
        super().__init__(_message(run.started))
        self.run = run
        self.hold = run.hold
        self.outcome: Outcome = HandedBack()
        self.fetches_next = True
        self.following: tuple[Delivery, ...] = ()


def current_run() -> Run | None:
    """The run that the calling thread is in."""
    delivery = CurrentMessage.get_current_message()
    return delivery.run if isinstance(delivery, Delivery) else None


def _message(started: Started) -> Message[Any]:
    """As the ticket in the lane would be read: the record is the truth, the ticket is for those who look on."""
    hold = started.hold
    return Message(
        queue_name=hold.lane,
        actor_name=started.task_name,
        args=(),
        kwargs={},
        options={"redis_message_id": hold.task_id, "run": hold.run},
        message_id=hold.task_id,
        message_timestamp=0,
    )
