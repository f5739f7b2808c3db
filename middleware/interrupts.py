"""Which thread runs which task, and how it is interrupted: by a time limit, a cancellation or a shutdown.

An interrupt is an exception raised in the thread from outside (CPython's `PyThreadState_SetAsyncExc`). Three rules
keep it from hitting the wrong code: raising and leaving share a lock, a run is interrupted at most once, and a
thread that leaves clears what was set but not yet raised.
"""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, get_ident

from dramatiq.middleware import Interrupt
from dramatiq.middleware.threading import raise_thread_exception

from tasks.ledger import Hold

EARLY_AT_MOST = 1_000


@dataclass(slots=True)
class _Running:
    hold: Hold
    thread: int
    interrupted: bool = False
    shielded: bool = False
    held_back: type[Interrupt] | None = None


class Interrupts:
    """The runs that are going on in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[Hold, _Running] = {}
        self._by_thread: dict[int, _Running] = {}
        self._early: OrderedDict[tuple[str, int], type[Interrupt]] = OrderedDict()

    def enter(self, hold: Hold) -> None:
        """The calling thread begins this run, and may be interrupted from now on."""
        running = _Running(hold, get_ident())
        with self._lock:
            self._running[hold] = self._by_thread[running.thread] = running
            early = self._early.pop((hold.task_id, hold.run), None)
        if early is not None:
            self.interrupt(hold, early)

    def interrupt_soon(self, task_id: str, run: int, reason: type[Interrupt]) -> None:
        """Interrupt this run, also where it is only about to be entered: a wish that comes between its start and
        its entry is kept for it."""
        hold = next((hold for hold in self.holds() if (hold.task_id, hold.run) == (task_id, run)), None)
        if hold is not None and self.interrupt(hold, reason):
            return
        with self._lock:
            self._early[(task_id, run)] = reason
            while len(self._early) > EARLY_AT_MOST:
                self._early.popitem(last=False)

    def leave(self, hold: Hold) -> None:
        """The calling thread has ended this run; an interrupt that is on its way is taken back."""
        with self._lock:
            running = self._running.pop(hold, None)
            self._by_thread.pop(get_ident(), None)
        if running is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(running.thread), None)

    def interrupt(self, hold: Hold, reason: type[Interrupt]) -> bool:
        """Raise `reason` in the thread of this run. False where it isn't going on any more."""
        with self._lock:
            running = self._running.get(hold)
            if running is None or running.interrupted:
                return False
            running.interrupted = True
            if running.shielded:
                running.held_back = reason
            else:
                _raise_in(running.thread, reason)
            return True

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """While this lasts, no interrupt hits the calling thread; one that came meanwhile is raised at its end."""
        running = self._by_thread.get(get_ident())
        if running is None or running.shielded:
            yield
            return
        with self._lock:
            running.shielded = True
        try:
            yield
        finally:
            self._lift_shield(running)

    def _lift_shield(self, running: _Running) -> None:
        with self._lock:
            running.shielded = False
            late, running.held_back = running.held_back, None
        if late is not None:
            raise late

    def claim(self, hold: Hold) -> bool:
        """The run's own code is about to raise an interrupt. False where one is on its way already."""
        with self._lock:
            running = self._running.get(hold)
            if running is None or running.interrupted:
                return False
            running.interrupted = True
            return True

    def holds(self) -> list[Hold]:
        """The runs that are going on just now."""
        with self._lock:
            return [running.hold for running in self._running.values()]


def _raise_in(thread: int, reason: type[Interrupt]) -> None:
    raise_thread_exception(thread, reason)  # type: ignore[no-untyped-call]
