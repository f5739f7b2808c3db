"""Processes known by more than a number: a pid is given away again, a pid with its start time is not.

For leftovers of a supervisor that was killed with -9; living children are the business of `cli.child`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

DRAIN_S = 5.0
"""What leftovers get to end by themselves; they were told so when their parent died."""

KILL_S = 2.0
POLL_S = 0.05

Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process of this boot: `started` is in clock ticks since the boot (proc_pid_stat(5), field 22), `program`
    is a part of its command line, empty where that may change."""

    pid: int
    started: int
    boot: str
    program: str

    @classmethod
    def of(cls, pid: int, program: str) -> Self:
        return cls(pid, _start_time(pid) or 0, _boot(), program)

    @property
    def alive(self) -> bool:
        """Whether just this process still runs. A zombie does not: it holds nothing any more."""
        return self.boot == _boot() and self.started == _start_time(self.pid) and self._runs_program()

    def end(self, number: signal.Signals) -> None:
        """Signal the process, and with SIGKILL all of its group; it may have ended meanwhile."""
        if not self.alive:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, number)
            if number is signal.SIGKILL:
                os.killpg(self.pid, number)

    def _runs_program(self) -> bool:
        with contextlib.suppress(OSError):
            return self.program.encode() in Path(f"/proc/{self.pid}/cmdline").read_bytes()
        return False


def end_all(processes: Sequence[ProcessId], pause: Pause) -> bool:
    """End what is left of `processes`, within `DRAIN_S + KILL_S`; true if nothing is left then."""
    for number, patience_s in ((signal.SIGTERM, DRAIN_S), (signal.SIGKILL, KILL_S)):
        for process in processes:
            process.end(number)
        if _gone(processes, patience_s, pause):
            return True
    return False


def _gone(processes: Sequence[ProcessId], patience_s: float, pause: Pause) -> bool:
    deadline = time.monotonic() + patience_s
    while any(process.alive for process in processes):
        if time.monotonic() > deadline:
            return False
        pause(POLL_S)
    return True


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name, field 2, may hold spaces and brackets: fields are counted from its last bracket on.
    state, *fields = stat[stat.rindex(")") + 1 :].split()
    return None if state in "ZX" else int(fields[18])


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
