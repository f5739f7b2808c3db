"""The wish to stop, as signals bring it, and the one way in which the supervising process waits.

Every pause of `despacho up` goes through `StopRequests`, so that Ctrl-C is heard at once wherever it stands. What
a stop consists of is the supervisor's business.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

SAME_REQUEST_S = 0.5
"""A launcher (`uv run`, a shell script) may pass on the signal that the terminal sent already: two signals this
close are one wish, not an impatient second one."""


class Stopped(Exception):
    """A stop was asked for while nothing was running yet; there is nothing to do but to leave."""


class StopRequests:
    """`asked` after the first signal, `hurried` after another one that is not an echo of the first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.asked = False
        self.hurried = False
        self._clock = clock
        self._asked_at = 0.0
        self._listening = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def ask(self) -> None:
        """Ask for a stop; asked again later, ask to hurry."""
        if not self.asked:
            self.asked, self._asked_at = True, self._clock()
        elif self._clock() - self._asked_at > SAME_REQUEST_S:
            self.hurried = True
        self._wake()

    def wait(self, timeout_s: float, *readable: int) -> None:
        """Pause until a signal comes, one of `readable` can be read, or `timeout_s` is over."""
        select.select([self._reader.fileno(), *readable], [], [], max(0.0, timeout_s))
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)

    def pause(self, timeout_s: float) -> None:
        """`wait`, for what comes before the first process is started. Raises `Stopped`."""
        self.wait(timeout_s)
        if self.asked:
            raise Stopped

    def listen(self) -> None:
        """Hear the process's signals from now on, SIGCHLD among them so that a child's death ends a pause.

        SIGHUP stays ignored where it was (`nohup`). For the main thread only.
        """
        for number in _heard_signals():
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._listening = True

    def close(self) -> None:
        """Hear nothing more. Where it listened, stop signals are ignored from then on: all has ended, and an
        impatient Ctrl-C has nothing left to interrupt but the exit itself."""
        if self._listening:
            signal.set_wakeup_fd(-1)
            for number in _heard_signals():
                signal.signal(number, signal.SIG_IGN)
        self._reader.close()
        self._writer.close()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")


def _heard_signals() -> Sequence[signal.Signals]:
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in STOP_SIGNALS if number is not signal.SIGHUP or not ignored]
