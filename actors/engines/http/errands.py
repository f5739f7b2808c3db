"""Waits on a network in a thread of its own, so that whoever waits for the outcome can be interrupted.

An interrupt is raised in a thread only while that runs Python code, and a thread that sits in a socket's read runs
none. So what waits is a coroutine in the loop of another thread, and its client looks for the outcome in naps; a
client that is interrupted has the coroutine cancelled, which closes its connection.

Between the two stand only an event loop's own queue and a `SimpleQueue`, which no interrupt can leave locked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]

NAP_S = 0.05
"""How long an interrupt may go unheard."""


class Errands:
    """An event loop in a thread of its own, which ends with the process. `resolving` of its errands may wait for name
    servers at a time, by default as many as asyncio lets."""

    def __init__(self, resolving: int | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        if resolving is not None:
            self._loop.set_default_executor(ThreadPoolExecutor(resolving, "resolving"))
        Thread(target=self._loop.run_forever, name="errands", daemon=True).start()

    def run(self, work: Work[T], within_s: float) -> T:
        """What `work` returns or raises. Raises `TimeoutError` after `within_s`; then, and where the calling thread
        is interrupted, `work` is cancelled."""
        errand = _Errand(work)
        try:
            self._loop.call_soon_threadsafe(errand.begin)
            return errand.outcome(within_s)
        finally:
            self._loop.call_soon_threadsafe(errand.give_up)


class _Errand(Generic[T]):
    """`begin` and `give_up` are called in the loop, `outcome` outside of it."""

    def __init__(self, work: Work[T]) -> None:
        self._work = work
        self._task: asyncio.Task[T] | None = None
        self._ended: SimpleQueue[asyncio.Task[T]] = SimpleQueue()

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[T]) -> None:
        # Looked at, so that asyncio logs no error that nobody is left to hear of.
        _ = task.cancelled() or task.exception()
        self._ended.put(task)

    def give_up(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def outcome(self, within_s: float) -> T:
        until = monotonic() + within_s
        while True:
            try:
                return self._ended.get(timeout=NAP_S).result()
            except Empty:
                if monotonic() > until:
                    raise TimeoutError from None


@cache
def errands() -> Errands:
    """Those of this process. To be asked for before runs begin: a start of a thread must not be interrupted."""
    return Errands()
