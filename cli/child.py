"""One supervised process: how it is started, known to be ready, and ended. When and how often is the
supervisor's business.

A child leads a process group of its own: Ctrl-C in the terminal reaches the supervisor alone, which then keeps
the order of the stop, and what a child leaves behind can be ended with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from cli.logs import trim
from tasks.readiness import READY_FD, READY_LINE, RETIRE_SIGNAL

HEARD_AT_ONCE = 65_536
"""All that a pipe holds: of a child that was not listened to for long, the last word counts."""

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends to a process when the thread that started it ends."""


class Stage(IntEnum):
    """Processes are started in this order and ended in the opposite one: nobody loses what it stands on."""

    SERVER = 0
    WORK = 1
    FRONT = 2


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run, and what is granted to it. `env` is the whole environment; secrets belong there, never into
    `command`, which every user of the machine can read.

    `probe` tells whether the process serves; without one it announces that itself (`tasks.readiness`).
    `grace_s` is the time between SIGTERM and SIGKILL. `silence_s`: how long one may be silent that has to prove all
    the time that it serves; `None` for the others, who say it once.
    """

    name: str
    stage: Stage
    command: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    grace_s: float
    start_timeout_s: float = 60.0
    kept_fds: tuple[int, ...] = ()
    probe: Callable[[], bool] | None = None
    silence_s: float | None = None


class Child:
    """A spec and the process that runs it at present, if any."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.pid: int | None = None
        self.ready = False
        self.ready_pipe: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process. Raises `OSError` if the machine refuses. For the main thread only: the kernel ties
        the child's life to the thread that starts it."""
        trim(self.spec.log)
        reader, writer = os.pipe()
        try:
            self._process = self._spawn(writer)
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        os.set_blocking(reader, False)
        self.pid, self.ready, self.ready_pipe = self._process.pid, False, reader

    def check_ready(self) -> bool:
        """Whether the process serves by now."""
        if self.pid is not None and not self.ready:
            self.ready = self.spec.probe() if self.spec.probe else self._announced()
        return self.ready

    def was_heard(self) -> bool:
        """Whether the process has said since the last question that it still serves."""
        return self.ready_pipe is not None and bool(self._read(HEARD_AT_ONCE))

    def reap(self) -> int | None:
        """The exit code if the process has ended (negative: by that signal), else `None`.

        Its group is swept first, while the unreaped pid still keeps the group's number from being given away.
        """
        if self._process is None or not _has_ended(self._process.pid):
            return None
        _signal_group(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self._forget()
        return code

    def terminate(self) -> None:
        """Ask the process to end; what it started itself it ends itself."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)

    def retire(self) -> None:
        """Tell the process to take nothing new and to end when it has finished. For one that is ready: before that it
        may not know the signal, and dies of it."""
        if self.pid is not None:
            os.kill(self.pid, RETIRE_SIGNAL)

    def kill(self) -> None:
        """End the process and all of its group at once."""
        if self.pid is not None:
            _signal_group(self.pid, signal.SIGKILL)

    def _spawn(self, ready_pipe: int) -> subprocess.Popen[bytes]:
        with self.spec.log.open("ab") as log:
            return subprocess.Popen(
                self.spec.command,
                env={**self.spec.env, READY_FD: str(ready_pipe)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(*self.spec.kept_fds, ready_pipe),
                preexec_fn=functools.partial(_end_with_parent, _libc(), os.getpid()),
            )

    def _announced(self) -> bool:
        if self.ready_pipe is None:
            return False
        said = self._read(len(READY_LINE))
        if said is None:
            return False
        if said != READY_LINE or self.spec.silence_s is None:
            self._close_pipe()
        return said == READY_LINE

    def _read(self, most: int) -> bytes | None:
        """What was said; nothing from a closed pipe, `None` where nothing was said."""
        assert self.ready_pipe is not None
        try:
            return os.read(self.ready_pipe, most)
        except BlockingIOError:
            return None

    def _forget(self) -> None:
        self._close_pipe()
        self.pid, self.ready, self._process = None, False, None

    def _close_pipe(self) -> None:
        if self.ready_pipe is not None:
            os.close(self.ready_pipe)
            self.ready_pipe = None


def describe_exit(code: int) -> str:
    """An exit code in words: `exit code 1`, `signal 9 (SIGKILL)`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent(libc: ctypes.CDLL | None, parent: int) -> None:
    """Runs in the child between fork and exec: a supervisor killed with -9 takes the child along."""
    if libc is None:
        return
    libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        # The parent died between fork and prctl, so its signal will never come.
        os._exit(1)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
