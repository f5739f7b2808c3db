"""One subscription per worker process, for all that has to be heard at once: the bell that wakes an idle consumer,
and the wish to cancel a running task.

What is said while the connection is down is not heard. So after every new connection the bell is rung, and the
heartbeat asks for wishes that were missed (`pulse.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

import redis

from middleware.interrupts import Interrupts
from middleware.run import Cancelled
from tasks.connection import connect_listener
from tasks.keys import Keys
from tasks.settings import Settings

log = logging.getLogger(__name__)
RECONNECT_S = 0.5
SILENCE_S = 1.0


class Listener:
    """Calls `on_work` when something may have come into a lane and `on_delayed` when a delay was set."""

    def __init__(
        self,
        settings: Settings,
        interrupts: Interrupts,
        on_work: Callable[[], None],
        on_delayed: Callable[[], None],
        on_noted: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._interrupts = interrupts
        self._on_work = on_work
        self._on_delayed = on_delayed
        self._on_noted = on_noted
        self._stopped = Event()

    def start(self) -> None:
        Thread(target=self._listen, name="listener", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                self._hear_until_cut()
            except Exception as error:
                if not isinstance(error, (redis.RedisError, OSError)):
                    log.exception("the listener failed")
                log.warning("the listener lost its connection (%s) and tries again", type(error).__name__)
                self._stopped.wait(RECONNECT_S)

    def _hear_until_cut(self) -> None:
        keys = Keys(self._settings.namespace)
        bell, control = keys.of("bell").encode(), keys.of("control").encode()
        with connect_listener(self._settings) as client, client.pubsub() as channel:
            channel.subscribe(bell, control)
            while not self._stopped.is_set():
                message = channel.get_message(timeout=SILENCE_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._ring_all()
                elif message["channel"] == control:
                    self._obey(message["data"].decode())
                elif message["data"] == b"delayed":
                    self._on_delayed()
                elif message["data"] == b"audit":
                    self._on_noted()
                else:
                    self._on_work()

    def _ring_all(self) -> None:
        self._on_work()
        self._on_delayed()
        self._on_noted()

    def _obey(self, order: str) -> None:
        verb, task_id, run = order.split(" ")
        if verb == "cancel":
            self._interrupts.interrupt_soon(task_id, int(run), Cancelled)
