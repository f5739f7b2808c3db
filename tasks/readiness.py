"""How a process tells the one that started it that it truly serves: a line into a pipe, and a byte now and then from
one that has to prove it all the time; and how it is told to retire.

Nothing of a supervisor is needed: where none waits (compose, Kubernetes), the call does nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

READY_FD = "DESPACHO_READY_FD"
"""The variable that holds the number of the pipe's end to write to."""

READY_LINE = b"ready\n"

STILL_HERE = b"."

RETIRE_SIGNAL = signal.SIGUSR1
"""Tells a worker to take nothing new and to end when all that it runs has ended, however long that takes. SIGTERM
tells it to hurry, also afterwards."""

MOST_DIGITS = 9
"""No descriptor has more; a longer number would not even fit into the C int that the kernel takes."""


def announce_ready() -> None:
    """Say that this process serves from now on: its port is open, or its consumers are running.

    Only the first call writes; a supervisor that is gone by then is no error.
    """
    given = os.environ.pop(READY_FD, None)
    if given is not None and given.isdecimal() and len(given) <= MOST_DIGITS:
        _write_and_close(int(given))


def announce_ready_and_stay() -> Callable[[], None]:
    """The same, and the pipe stays open: what is returned writes a byte into it. It never waits: a supervisor that
    reads nothing must not hold up its child."""
    given = os.environ.pop(READY_FD, None)
    if given is None or not given.isdecimal() or len(given) > MOST_DIGITS:
        return lambda: None
    descriptor = int(given)

    def say(what: bytes = STILL_HERE) -> None:
        with contextlib.suppress(OSError):
            os.write(descriptor, what)

    with contextlib.suppress(OSError):
        os.set_blocking(descriptor, False)
    say(READY_LINE)
    return say


def _write_and_close(descriptor: int) -> None:
    with contextlib.suppress(OSError), open(descriptor, "wb", buffering=0) as pipe:
        pipe.write(READY_LINE)
