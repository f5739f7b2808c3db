"""How a process tells the one that started it that it truly serves: one line into a pipe, once; and how it is told to
retire.

Nothing of a supervisor is needed: where none waits (compose, Kubernetes), the call does nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal

READY_FD = "DESPACHO_READY_FD"
"""The variable that holds the number of the pipe's end to write to."""

READY_LINE = b"ready\n"

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


def _write_and_close(descriptor: int) -> None:
    with contextlib.suppress(OSError), open(descriptor, "wb", buffering=0) as pipe:
        pipe.write(READY_LINE)
