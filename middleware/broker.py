"""Dramatiq's broker over the ledger: four lanes per queue instead of one list, a consumer that a bell wakes, and
the stack of middleware in the order that it needs.

The layout in Redis and the format of messages are Dramatiq's own, so dramatiq-dashboard reads them.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from threading import Event, Lock
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import redis
from dramatiq import Broker, Consumer, Message
from dramatiq.broker import MessageProxy
from dramatiq.common import q_name
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import CurrentMessage

from middleware.interrupts import Interrupts
from middleware.proof import TURN_S, Signs
from middleware.retries import LedgerRetries
from middleware.run import Delivery, Failed, HandedBack, Run
from middleware.shielded import connect_shielded
from middleware.slowest import Slowest
from middleware.status import Status
from middleware.time_limit import TimeLimit
from tasks.blobs import blobs_of, results_folder
from tasks.catalog import CATALOG, Catalog
from tasks.clock import now_ms
from tasks.errors import IllegalMove, NotFound, Unavailable
from tasks.ids import is_task_id
from tasks.keys import Keys
from tasks.ledger import Appetite, Ended, Hold, Ledger, Started
from tasks.lifecycle import Priority, split_lane
from tasks.settings import Settings
from tasks.submission import DEFAULT_TENANT, Order, check

log = logging.getLogger(__name__)
AWAY_S = 0.5
RECLAIM_EVERY_S = 15.0
ANSWERS_WITHIN_S = 1.0
FALLBACK_S = 15.0
"""How often an idle consumer looks though no bell rang: a net below the bell, not the way it works."""


def worker_id() -> str:
    """A name for this process that no other has had: host, process, and a random end."""
    host = "".join(c if c.isalnum() or c == "-" else "-" for c in socket.gethostname())[:40]
    return f"w-{host}-{os.getpid()}-{secrets.token_hex(3)}"


class LaneBroker(Broker):
    """Enqueues through the ledger and consumes from its lanes."""

    def __init__(
        self, ledger: Ledger, settings: Settings, catalog: Catalog = CATALOG, interrupts: Interrupts | None = None
    ) -> None:
        self.ledger = ledger
        self.settings = settings
        self.catalog = catalog
        self.interrupts = interrupts or Interrupts()
        self._slowest = Slowest()
        self.worker = worker_id()
        self.bell = Event()
        self.draining = False
        self.held: dict[Hold, Delivery] = {}
        self.fetching: set[object] = set()
        """Calls whose answers may bring new runs."""
        self.signs = Signs()
        self.time_limit = TimeLimit(self.interrupts)
        super().__init__(middleware=self._stack())
        self.queues: set[str] = set()

    def _stack(self) -> list[Any]:
        """`before_*` hooks run in this order, `after_*` hooks in the reverse."""
        return [
            # Last to hear a run's verdict.
            Status(),
            # Decides before Status listens, after TimeLimit has let go.
            LedgerRetries(),
            # Tells the actor which message it is called for.
            CurrentMessage(),
            # Last to be armed and first to be lifted, so that no hook above is ever interrupted.
            self.time_limit,
        ]

    # ------------------------------------------------------------------- what dramatiq-dashboard looks at

    @property
    def client(self) -> redis.Redis:
        return self.ledger.client

    @property
    def namespace(self) -> str:
        return Keys(self.settings.namespace).queue_namespace

    # -------------------------------------------------------------------------------------- Dramatiq's API

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        return self.queues.copy()

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Queue a message that came from Dramatiq's own API: an `actor.send()`, or the requeue button of
        dramatiq-dashboard."""
        self.emit_before("enqueue", message, delay)
        message = self._requeue(message) or self._submit(message, delay)
        self.emit_after("enqueue", message, delay)
        return message

    def _requeue(self, message: Message[Any]) -> Message[Any] | None:
        if "redis_message_id" not in message.options:
            return None
        try:
            self.ledger.requeue(message.message_id)
        except (NotFound, IllegalMove) as refusal:
            log.warning("task %s was not queued again: %s", message.message_id, refusal)
        return message

    def _submit(self, message: Message[Any], delay_ms: int | None) -> Message[Any]:
        queue, priority = _route(message.queue_name)
        order = Order(
            task_name=message.actor_name,
            args=message.args,
            kwargs=message.kwargs,
            queue=queue,
            priority=message.options.get("priority", priority),
            countdown_s=None if delay_ms is None else delay_ms / 1_000,
            tenant=DEFAULT_TENANT,
            task_id=_id_of(message),
            internal=True,
        )
        self.ledger.submit([check(order, self.catalog)])
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> LaneConsumer:  # noqa: ARG002
        return LaneConsumer(self, prefetch)

    def run_of(self, started: Started) -> Run:
        return Run(started, self.ledger, self.interrupts, self.settings.progress_interval_s, slowest=self._slowest)

    def ring(self) -> None:
        """Wake the consumer: there may be work, or a free thread."""
        self.bell.set()


def _route(queue_name: str) -> tuple[str, str]:
    name = q_name(queue_name)
    try:
        return split_lane(name)
    except ValueError:
        return name, Priority.NORMAL


def _id_of(message: Message[Any]) -> str:
    return message.message_id if is_task_id(message.message_id) else str(UUID(message.message_id))


class _Hands:
    """What a worker process holds, and whether it can take more. Counting and letting go share a lock: who was rung
    for and finds no hand free is woken by the next one that becomes free.

    A hand that was busy with an end when the others were counted may have looked before anything was there, and what
    a fetch for the others leaves rings no bell: so its becoming free wakes too.
    """

    def __init__(self, most: int, held: dict[Hold, Delivery], wake: Callable[[], None]) -> None:
        self._most = most
        self._held = held
        self._wake = wake
        self._lock = Lock()
        self._is_awaited = False
        self._ending: set[Hold] = set()
        self._ending_then: set[Hold] = set()

    def free(self) -> int:
        with self._lock:
            free = self._most - len(self._held)
            self._is_awaited, self._ending_then = free <= 0, set(self._ending)
            return free

    def begin_end(self, delivery: Delivery) -> None:
        with self._lock:
            self._ending.add(delivery.hold)

    def take(self, deliveries: Iterable[Delivery]) -> None:
        with self._lock:
            self._held.update((delivery.hold, delivery) for delivery in deliveries)

    def let_go(self, delivery: Delivery) -> None:
        with self._lock:
            self._held.pop(delivery.hold, None)
            self._ending.discard(delivery.hold)
            is_awaited = self._is_awaited or delivery.hold in self._ending_then
            wakes = is_awaited and len(self._held) < self._most
        if wakes:
            self._wake()


class LaneConsumer(Consumer):
    """Takes from all queues at once, as many tasks as there are free threads, the most urgent first.

    One consumer for all queues, because "the most urgent" and "a free thread" are questions to the whole process:
    with one consumer per queue a low task of one queue would take the thread that a critical one of another needs.
    A thread that ends a run fetches its next one in the same call; the consumer's own thread is for those that idle.
    """

    def __init__(self, broker: LaneBroker, prefetch: int) -> None:
        self._broker = broker
        self._ledger = broker.ledger
        self._hands = _Hands(prefetch, broker.held, broker.ring)
        queues = sorted(broker.queues)
        self._orders = cycle([queues[i:] + queues[:i] for i in range(len(queues))] or [[]])
        self._fetched: deque[Delivery] = deque()
        self._fetching = broker.fetching
        self._reclaim_at = self._look_at = 0.0
        broker.ring()

    def __next__(self) -> Delivery | None:
        if not self._fetched:
            self._broker.signs.turned()
            if self._broker.bell.wait(TURN_S) or monotonic() >= self._look_at:
                # Cleared before looking: a bell that rings from here on is not missed.
                self._broker.bell.clear()
                self._look()
        return self._fetched.popleft() if self._fetched else None

    def _look(self) -> None:
        try:
            if monotonic() >= self._reclaim_at:
                self._reclaim()
            self._fetch()
            self._look_at = monotonic() + FALLBACK_S
            self._broker.signs.fetched()
        except Unavailable as error:
            self._broker.signs.failed()
            self._reclaim_at = 0.0
            log.warning("Redis is away (%s); the consumer tries again", error)
            sleep(AWAY_S)
            self._broker.ring()

    def _fetch(self) -> None:
        # Asked for inside of the call: whoever sees no call after it stopped the taking knows that none will come.
        with self._call():
            appetite = self._appetite(self._hands.free())
            if appetite is not None:
                self._fetched.extend(self._taken(self._ledger.fetch(appetite)))

    def _appetite(self, most: int) -> Appetite | None:
        if most <= 0 or self._broker.draining:
            return None
        return Appetite(self._broker.worker, next(self._orders), most)

    def _taken(self, started: Iterable[Started]) -> tuple[Delivery, ...]:
        deliveries = tuple(Delivery(self._broker.run_of(run)) for run in started)
        self._hands.take(deliveries)
        return deliveries

    @contextmanager
    def _call(self) -> Iterator[None]:
        """While this lasts, an answer with new runs may be on its way."""
        call = object()
        self._fetching.add(call)
        try:
            yield
        finally:
            self._fetching.discard(call)

    # -------------------------------------------------------------------------------------- what was lost

    def _reclaim(self) -> None:
        """An answer may have been lost on its way: then the server thinks that this worker holds what it doesn't know
        of. Asked now and then, and at once after an outage."""
        on_server = self._ledger.held_by(self._broker.worker)
        calls = set(self._fetching)
        if on_server - self._broker.held.keys() and not self._have_ended(calls):
            return
        lost = on_server - self._broker.held.keys()
        if lost and self._ledger.reclaim(self._broker.worker, lost):
            log.warning("%d runs were lost on their way to this worker and given back", len(lost))
        self._reclaim_at = monotonic() + RECLAIM_EVERY_S

    def _have_ended(self, calls: set[object]) -> bool:
        """What isn't known here may be in an answer that is still being read."""
        deadline = monotonic() + ANSWERS_WITHIN_S
        while calls & self._fetching:
            if monotonic() > deadline:
                return False
            sleep(0.005)
        return True

    # -------------------------------------------------------------------------------------------- the end

    def ack(self, message: MessageProxy) -> None:
        """Write how the run ended, which acks its message and fetches the next one in the same step; repeated until
        it lands."""
        assert isinstance(message, Delivery)
        self._hands.begin_end(message)
        try:
            ended = self._write_until_it_lands(message)
            if not ended:
                log.info("task %s run %d was not written", message.message_id, message.hold.run)
                self._clear_up(message)
        finally:
            self._hands.let_go(message)
        if not ended.looked:
            self._broker.ring()

    def _clear_up(self, delivery: Delivery) -> None:
        """A task that was erased while it ran has nobody else to delete what this run has left."""
        with suppress(Unavailable):
            if not self._ledger.is_known(delivery.hold.task_id):
                folder = results_folder(delivery.run.tenant, delivery.hold.task_id)
                blobs_of(self._broker.settings).delete_folder(folder)

    def nack(self, message: MessageProxy) -> None:
        """The same; what failed without a verdict has no actor here."""
        assert isinstance(message, Delivery)
        if message.failed and isinstance(message.outcome, HandedBack):
            message.outcome = Failed(_no_actor(message))
            # The next one may be such a one too, and would be ended inside of this end, and so on.
            message.fetches_next = False
        self.ack(message)

    def _write_until_it_lands(self, delivery: Delivery) -> Ended:
        try:
            with self._call():
                appetite = self._appetite(1) if delivery.fetches_next else None
                ended = self._write(delivery, appetite)
                delivery.following = self._taken(ended.started)
            return ended
        except Unavailable as error:
            log.warning("the end of task %s waits for Redis (%s)", delivery.message_id, error)
        self._reclaim_at = 0.0
        return self._repeat_until_it_lands(delivery)

    def _repeat_until_it_lands(self, delivery: Delivery) -> Ended:
        while True:
            sleep(AWAY_S)
            try:
                return self._write(delivery, None)
            except Unavailable as error:
                log.warning("the end of task %s waits for Redis (%s)", delivery.message_id, error)

    def _write(self, delivery: Delivery, appetite: Appetite | None) -> Ended:
        # A server may have no room for lines and take the end all the same.
        with suppress(Unavailable):
            delivery.run.lines.send()
        return delivery.outcome.write(self._ledger, delivery.hold, appetite)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Hand back what was fetched and not begun; called when the worker stops."""
        for message in messages:
            assert isinstance(message, Delivery)
            try:
                self._ledger.hand_back(message.hold)
            except Unavailable as error:
                raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
            self._hands.let_go(message)

    def close(self) -> None:
        self._broker.ring()


def _no_actor(delivery: Delivery) -> dict[str, Any]:
    return {
        "type": "ActorNotFound",
        "message": f"worker {delivery.hold.worker} has no actor {delivery.actor_name}: is it older than the gateway?",
        "attempt": 1,
        "at": now_ms(),
        "retryable": True,
    }


def build_broker(settings: Settings, catalog: Catalog = CATALOG) -> LaneBroker:
    """A broker over the Redis of the settings, with every queue of the catalog declared."""
    interrupts = Interrupts()
    client = connect_shielded(settings, interrupts)
    broker = LaneBroker(Ledger(client, settings, catalog, interrupts.held_back), settings, catalog, interrupts)
    for queue in catalog.queues:
        broker.declare_queue(queue)
    return broker
