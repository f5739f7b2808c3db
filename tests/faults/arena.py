"""One case against one system: a server, a proxy, worker processes, and at the end the verdict."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import redis

from tasks.errors import Unavailable
from tests.conftest import wait_until
from tests.faults.despacho import Despacho
from tests.faults.processes import Process, Server
from tests.faults.proxy import Breaks, Proxy, Rule
from tests.faults.recording import Line, read
from tests.faults.staging import Moment
from tests.faults.systems import Scale, System
from tests.faults.verdict import Verdict, judge

POLL_S = 0.05


class Arena:
    """Where a case is played. `expected` are the numbers that must end well, once each."""

    def __init__(self, kind: type[System], scale: Scale) -> None:
        self.scale = scale
        self.folder = Path(tempfile.mkdtemp(prefix="dspf-"))
        self.server = Server(self.folder)
        self.server.start()
        self.proxy = Proxy(self.folder, self.server.socket)
        self.system = kind(self.folder, self.server, scale)
        self.expected: set[int] = set()
        self.broken: list[str] = []
        self._broken_off: set[tuple[int, int]] = set()
        self._afterwards: list[Callable[[], None]] = []
        self._at_close: list[Callable[[], None]] = []

    def close(self) -> None:
        for step in self._at_close:
            step()
        self.system.close()
        self.proxy.close()
        self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ----------------------------------------------------------------------------------------- what cases say

    @property
    def despacho(self) -> Despacho | None:
        """For what only Despacho promises."""
        return self.system if isinstance(self.system, Despacho) else None

    def submit(
        self, count: int, *, work_s: float = 0.0, fails: bool = False, delay_s: float = 0.0, first: int = 0
    ) -> range:
        """So many tasks, three times as many in the long form."""
        numbers = range(first, first + self.scale.tasks(count))
        self.system.submit(numbers, work_s=work_s, fails=fails, delay_s=delay_s)
        self.expected.update(numbers)
        return numbers

    def workers(self, count: int, threads: int = 4, url: str = "") -> list[Process]:
        return [self.system.start_worker(threads, url) for _ in range(count)]

    def breaks(self, moment: Moment, how: Breaks, every: int = 1, most: int = 1) -> Rule:
        return self.proxy.rule(self.system.moments[moment], how, every, most)

    def kill(self, *processes: Process) -> None:
        for process in processes:
            self.system.kill(process)

    def break_off(self, process: Process) -> set[int]:
        """Freeze a process; those are the tasks that it was in the middle of."""
        process.signal(signal.SIGSTOP)
        numbers = self._under_way(process)
        self._broken_off |= {(number, process.group) for number in numbers}
        return numbers

    def promise(self, kept: bool, otherwise: str) -> None:
        """What a case looks at beside its executions; `otherwise` is how the table tells that it isn't so."""
        if not kept:
            self.broken.append(otherwise)

    def remember_slots(self) -> None:
        """Called when the schedulers have ended."""
        self.expected.update(self.system.due_slots(self.lines()))
        self.broken += self.system.untold_slots()

    def afterwards(self, step: Callable[[], None]) -> None:
        """What is looked at when all has settled."""
        self._afterwards.append(step)

    def at_close(self, step: Callable[[], None]) -> None:
        self._at_close.append(step)

    def lines(self) -> list[Line]:
        return list(read(self.folder))

    def count(self, event: str) -> int:
        return sum(line.event == event for line in self.lines())

    def _under_way(self, process: Process) -> set[int]:
        told = Counter(line.number for line in self.lines() if line.group == process.group)
        return {number for number, lines in told.items() if lines == 1}

    def until_busy(self, process: Process) -> None:
        """Until this very process is in the middle of something: others may have begun all there was."""
        wait_until(lambda: self._under_way(process), "the worker is in the middle of a task", 30)

    def until_begun(self, count: int) -> None:
        wait_until(lambda: self.count("begin") >= count, f"{count} executions have begun", 30)

    # ------------------------------------------------------------------------------------------- the verdict

    def settle(self) -> Verdict:
        """Give the system its time, then see that nothing more begins."""
        assert any(process.alive for process in self.system.processes), "a worker lives that could take what waits"
        deadline = monotonic() + self.scale.patience_s
        while not self._all_done() and monotonic() < deadline:
            sleep(POLL_S)
        self._until_quiet()
        for step in self._afterwards:
            step()
        lines = self.lines()
        left, untrue = self._left(), self.system.untrue(lines)
        return judge(self.expected, lines, left, self.system.killed, untrue, self.broken, self._broken_off)

    def _all_done(self) -> bool:
        ended = {line.number for line in self.lines() if line.event == "end"}
        return self.expected <= ended and not self._left() & self.expected

    def _left(self) -> set[int]:
        with suppress(redis.RedisError, Unavailable):
            return self.system.left()
        return set(self.expected)

    def _until_quiet(self) -> None:
        """A second execution comes late: when a worker is taken for dead, or a message is found once more."""
        seen, since = self.count("begin"), monotonic()
        deadline = monotonic() + self.scale.patience_s
        while monotonic() - since < self.system.quiet_s and monotonic() < deadline:
            sleep(POLL_S)
            if self.count("begin") != seen:
                seen, since = self.count("begin"), monotonic()


Play = Callable[[Arena], None]


@dataclass(frozen=True, slots=True)
class Case:
    """`fault` is what the table calls it. Where it `reruns`, something must have been run again; else the fault
    has missed. `stock`: it exists there too."""

    name: str
    fault: str
    play: Play
    reruns: bool
    stock: bool


CASES: dict[str, Case] = {}


def case(fault: str, *, reruns: bool = False, stock: bool = True) -> Callable[[Play], Play]:
    """Makes a function a case (see `Case`)."""

    def register(play: Play) -> Play:
        CASES[play.__name__] = Case(play.__name__, fault, play, reruns, stock)
        return play

    return register


def run(case: Case, kind: type[System], scale: Scale) -> Verdict:
    arena = Arena(kind, scale)
    try:
        case.play(arena)
        verdict = arena.settle()
    except BaseException:  # a wait that was in vain fails by pytest, whose failures are none of `Exception`
        with suppress(OSError):
            print(f"{case.name}: the last that its processes said:\n{(arena.folder / 'log').read_text()[-3_000:]}")
        raise
    finally:
        arena.close()
    return verdict
