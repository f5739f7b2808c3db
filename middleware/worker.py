"""Dramatiq's worker with one consumer for all queues, and a stop that hands back what it can't finish."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial
from time import monotonic, sleep
from typing import Any

from dramatiq import Worker
from dramatiq.broker import MessageProxy
from dramatiq.common import iter_queue
from dramatiq.errors import BrokerConnectionError
from dramatiq.middleware import Interrupt
from dramatiq.worker import ConsumerThread, WorkerThread

from middleware.broker import LaneBroker
from middleware.listener import Listener
from middleware.proof import Proof
from middleware.pulse import Pulse
from middleware.run import Delivery, ShuttingDown
from middleware.run_lines import LineSender
from middleware.run_spans import span_of
from tasks.context import about
from tasks.errors import Unavailable

log = logging.getLogger(__name__)
IDLE_MS = 250
"""How long a thread without work waits before it looks whether it should stop."""
RETIRING_LOOK_S = 0.1
LAST_WORDS_S = 2.0
"""How long an interrupted run may take to end, and a thread that speaks with Redis to finish."""


class _OneConsumer(dict[str, ConsumerThread]):
    """Dramatiq asks for a message's consumer by the name of its queue; here all lanes have the same one."""

    def __missing__(self, queue_name: str) -> ConsumerThread:
        return next(iter(self.values()))


class _Consuming(ConsumerThread):
    """What was fetched with the end of a run goes to the threads at once, without a detour by this thread."""

    def post_process_message(self, message: MessageProxy) -> None:
        super().post_process_message(message)
        if isinstance(message, Delivery):
            for following in message.following:
                self.handle_message(following)


class _SteadyThread(WorkerThread):
    """A worker thread that an interrupt can't kill: one that arrives after the run has ended is told and dropped.
    What it does with a message, it does in the context of its run."""

    def process_message(self, message: MessageProxy) -> None:
        assert isinstance(message, Delivery)
        with about(message.run.context()), span_of(message):
            self._process(message)

    def _process(self, message: Delivery) -> None:
        try:
            super().process_message(message)
        except Interrupt as late:
            log.warning("%s came after the end of task %s", type(late).__name__, message.message_id)


class LaneWorker(Worker):
    """Threads over one `LaneBroker`. Don't run more than one per process."""

    broker: LaneBroker

    def __init__(self, broker: LaneBroker, threads: int) -> None:
        super().__init__(broker, worker_threads=threads, worker_timeout=IDLE_MS)
        self.consumers = _OneConsumer()
        self.pulse = Pulse(broker.worker, broker.ledger, broker.interrupts, broker.settings, self._describe)
        self.line_sender = LineSender(lambda: [delivery.run.lines for delivery in list(broker.held.values())])
        self.listener = Listener(
            broker.settings, broker.interrupts, broker.ring, self.pulse.look_soon, self.pulse.chain_soon
        )
        self.proof = Proof(broker.signs, self.pulse, self.workers, broker.time_limit.overdue, lambda: broker.draining)

    def _describe(self) -> dict[str, Any]:
        return {
            "host": socket.gethostname(),
            "threads": self.worker_threads,
            "task_names": sorted(self.broker.actors),
            "queues": sorted(self.broker.queues),
            "draining": self.broker.draining,
            "stuck": self.proof.stuck(),
        }

    def start(self) -> None:
        # Listed before it takes anything: what an unlisted worker holds, nobody would take back.
        self.pulse.beat()
        self.pulse.start()
        self.line_sender.start()
        self.listener.start()
        super().start()

    def _add_consumer(self, queue_name: str, *, delay: bool = False) -> None:
        if self.consumers or delay:
            return
        consumer = self.consumers[queue_name] = _Consuming(
            broker=self.broker,
            queue_name=queue_name,
            # No deeper than the threads: what lies in a worker's memory is lost to every more urgent task.
            prefetch=self.worker_threads,
            work_queue=self.work_queue,
            worker_timeout=self.worker_timeout,
        )
        consumer.start()

    def _add_worker(self) -> None:
        thread = _SteadyThread(
            broker=self.broker,
            consumers=self.consumers,
            work_queue=self.work_queue,
            worker_timeout=self.worker_timeout,
        )
        thread.start()
        self.workers.append(thread)

    # ------------------------------------------------------------------------------------------- the end

    def drain(self, timeout_s: float) -> None:
        """Take nothing new, let running tasks finish for so long, hand back the rest, and stop."""
        self._take_no_more()
        if not _within(timeout_s, self._idle):
            for hold in self.broker.interrupts.holds():
                self.broker.interrupts.interrupt(hold, ShuttingDown)
            _within(LAST_WORDS_S, self._idle)
        self._hand_back_unfinished()
        self._stop_consuming()
        self.stop(timeout=1_000)
        self._leave()

    def retire(self, must_hurry: Callable[[], bool]) -> None:
        """Take nothing new, and wait until all that runs has ended, however long that takes, or until `must_hurry()`.
        To be followed by `drain`."""
        self._take_no_more()
        while not self._is_done() and not must_hurry():
            sleep(RETIRING_LOOK_S)

    def _is_done(self) -> bool:
        """What hangs beyond its time limit will never end here; `drain` hands it back."""
        return self._idle() or (not self.broker.fetching and self.proof.hung() >= len(self.broker.held))

    def _take_no_more(self) -> None:
        self.broker.draining = True
        self.pulse.describe_soon()
        self.broker.ring()
        self._hand_back_unbegun()

    def _idle(self) -> bool:
        """In this order: what a call brings is held before the call is over."""
        return not self.broker.fetching and not self.broker.held

    def _hand_back_unbegun(self) -> None:
        """Whatever no thread has taken up yet is another worker's."""
        for item in iter_queue(self.work_queue):  # type: ignore[no-untyped-call]
            _try(partial(self.consumers["any"].requeue_messages, [item.message]))
            self.work_queue.task_done()

    def _hand_back_unfinished(self) -> None:
        """A run that hears no interrupt (it is in native code) is fenced off here; it ends with the process."""
        for delivery in list(self.broker.held.values()):
            _try(partial(self.broker.ledger.hand_back, delivery.hold))

    def _stop_consuming(self) -> None:
        """The consumer looks whether it should stop when its bell rings, not before."""
        for consumer in self.consumers.values():
            consumer.stop()
        self.broker.ring()

    def _leave(self) -> None:
        self.pulse.stop(LAST_WORDS_S)
        self.line_sender.stop(LAST_WORDS_S)
        self.listener.stop()
        _try(partial(self.broker.ledger.retire, self.broker.worker))


def _try(step: Callable[[], object]) -> None:
    try:
        step()
    except (Unavailable, BrokerConnectionError):
        log.warning("Redis is away: what this worker held is taken back by the reaper")


def _within(timeout_s: float, condition: Callable[[], bool]) -> bool:
    deadline = monotonic() + timeout_s
    while not condition():
        if monotonic() >= deadline:
            return False
        sleep(0.02)
    return True
