"""Collects what an actor logs in its run, for the task's log.

Nothing is sent for a line: what has come together goes with the next progress or the end of the run, or after a
second at the latest. A run that logs nothing costs nothing. However much it logs, only its newest lines are held.
"""

from __future__ import annotations

import base64
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

from middleware.interrupts import Interrupts
from tasks.context import present
from tasks.errors import Unavailable
from tasks.ledger import Hold, Ledger
from tasks.lines import KIND, LINES_AT_ONCE, Line, encode_part, line_of
from tasks.sealed_tasks import TaskSeal

log = logging.getLogger(__name__)
SENT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Part:
    number: int
    stands_for: int
    sealed: bytes


class RunLines:
    """The lines of one run. They are added by whatever thread has the run's context; sent by one at a time."""

    __slots__ = ("_added", "_interrupts", "_ledger", "_lines", "_lock", "_part", "_parts", "_through", "hold", "seal")

    def __init__(self, hold: Hold, seal: TaskSeal, ledger: Ledger, interrupts: Interrupts) -> None:
        self.hold = hold
        self.seal = seal
        self._ledger = ledger
        self._interrupts = interrupts
        self._lines: deque[Line] | None = None
        self._part: _Part | None = None
        self._parts = self._through = 0

    def add(self, record: logging.LogRecord) -> None:
        """Keep a line until it is sent. One step each for the interpreter, so threads need no lock here, which an
        interrupt could leave taken."""
        if self._lines is None:
            self._added, self._lock = itertools.count(1), Lock()
            self._lines = deque(maxlen=LINES_AT_ONCE)
        self._lines.append(line_of(next(self._added), record))

    def send(self) -> None:
        """Send what has come together. Raises `Unavailable`; then it goes with the next call."""
        if self._lines is None:
            return
        with self._interrupts.held_back(), self._lock:
            if self._part is None:
                self._part = self._next_part(self._lines)
            if self._part is not None:
                part = self._part
                self._ledger.keep_lines(self.hold, part.number, part.stands_for, base64.b64encode(part.sealed))
                self._part = None

    def _next_part(self, lines: deque[Line]) -> _Part | None:
        taken = list(_taken(lines))
        if not taken:
            return None
        self._parts += 1
        stands_for, self._through = taken[-1].number - self._through, taken[-1].number
        return _Part(self._parts, stands_for, self.seal.seal(encode_part(taken), KIND))


def _taken(lines: deque[Line]) -> Iterable[Line]:
    with suppress(IndexError):
        # What is added meanwhile is the next part's.
        for _ in range(LINES_AT_ONCE):
            yield lines.popleft()


class RunLogHandler(logging.Handler):
    """Hands lines to the run that they were logged in; others are none of its business."""

    def handle(self, record: logging.LogRecord) -> bool:
        # Without the handler's lock: a run's lines wait for nobody.
        context = present()
        if context is not None and context.keeps is not None:
            context.keeps(record)
        return True


def keep_lines_of_runs(level: str) -> None:
    """To be called once by a worker, when its other handlers are set up. `level` may be lower than theirs."""
    root, handler = logging.getLogger(), RunLogHandler(logging.getLevelName(level.upper()))
    for other in root.handlers:
        other.setLevel(max(other.level, root.level))
    root.setLevel(min(root.level, handler.level))
    root.addHandler(handler)


class LineSender:
    """Sends, now and then, what runs have logged that report no progress."""

    def __init__(self, lines: Callable[[], Iterable[RunLines]]) -> None:
        self._lines = lines
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="lines", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Returns when what is being sent is sent, or takes longer than this."""
        self._stopped.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        while not self._stopped.wait(SENT_EVERY_S):
            for lines in self._lines():
                self._send(lines)

    def _send(self, lines: RunLines) -> None:
        try:
            lines.send()
        except Unavailable:
            return
        except Exception as error:  # noqa: BLE001
            # Lines are lost rather than the thread that sends all others.
            log.warning("lines of task %s could not be kept: %s", lines.hold.task_id, type(error).__name__)
