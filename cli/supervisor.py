"""Keeps a set of processes running: starts them in order, starts again what dies, and ends them in order.

What the processes are is not known here (`cli.program`), nor how one is started and ended (`cli.child`). One
thread, one loop: every pause ends at a signal, a child's death or its word that it is ready.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cli.child import Child, ChildSpec, Stage, describe_exit
from cli.logs import last_lines, log, trim
from cli.stop_requests import StopRequests
from tasks.errors import DespachoError

Clock = Callable[[], float]

PROBE_S = 0.02
IDLE_S = 1.0
"""The longest pause: a safety net, should a signal be missed."""

TRIM_S = 30.0


class StartFailed(DespachoError):
    """A process ended, or did not become ready, before Despacho was up. Nothing is left running."""


class Backoff:
    """How long to wait before a child is started again: doubling, and forgotten after a life long enough."""

    FIRST_S = 0.5
    LONGEST_S = 30.0
    HEALTHY_S = 60.0

    def __init__(self) -> None:
        self._next = self.FIRST_S

    def after_life_of(self, seconds: float) -> float:
        if seconds >= self.HEALTHY_S:
            self._next = self.FIRST_S
        delay, self._next = self._next, min(self._next * 2, self.LONGEST_S)
        return delay


@dataclass(slots=True)
class _Watched:
    """A child with what its supervision needs to remember. `due_at` is set while it waits to be started,
    `told_at` when it was told to end. One that is `retiring` ends when its work is done, and for good."""

    child: Child
    backoff: Backoff = field(default_factory=Backoff)
    started_at: float = 0.0
    due_at: float | None = None
    died_at: float | None = None
    heard_at: float = 0.0
    told_at: float | None = None
    retiring: bool = False

    def late(self, now: float) -> bool:
        return now - self.started_at > self.child.spec.start_timeout_s

    def silent(self, now: float) -> bool:
        """Whether it has to prove that it serves and hasn't for too long."""
        if self.child.spec.silence_s is None or not self.child.ready:
            return False
        if self.child.was_heard():
            self.heard_at = now
        return now - self.heard_at > self.child.spec.silence_s

    @property
    def starting(self) -> bool:
        return self.child.pid is not None and not self.child.ready


@dataclass(frozen=True, slots=True)
class Muster:
    """The children of a stage, by name: those that serve (with their pids), those that are being started or are to be
    started again, and those that retire. `died_at` is when the last one died that was to live."""

    ready: Mapping[str, int]
    starting: tuple[str, ...]
    retiring: tuple[str, ...]
    died_at: float | None

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.ready, *self.starting, *self.retiring)


class Supervisor:
    """Life of a child: started, ready, (dead, waiting, started again, ready)*, told to end, ended. One that is
    told to retire is not started again.

    `on_change` is called with all children whenever one was started, so that their pids can be noted.
    """

    def __init__(
        self,
        stop: StopRequests,
        on_change: Callable[[Sequence[Child]], None] = lambda _children: None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._stop = stop
        self._on_change = on_change
        self._clock = clock
        self._watched: list[_Watched] = []
        self._trimmed_at = clock()

    @property
    def children(self) -> list[Child]:
        return [watched.child for watched in self._watched]

    def start(self, *specs: ChildSpec) -> None:
        """Start processes and watch them from now on. Raises `StartFailed`."""
        for spec in specs:
            watched = _Watched(Child(spec))
            self._watched.append(watched)
            try:
                self._launch(watched)
            except OSError as error:
                raise StartFailed(f"{spec.name} can't be started: {error}") from None

    def wait_until_ready(self) -> None:
        """Wait for all that was started; returns early if a stop is asked for. Raises `StartFailed`."""
        while not self._stop.asked and not self._all_ready(self._watched):
            self._pause()
            for watched in self._watched:
                self._refuse_failed_start(watched)

    def watch(self, tend: Callable[[], None] = lambda: None) -> None:
        """Keep all running until a stop is asked for; `tend` is called after each step, and may add and retire."""
        while not self._stop.asked:
            self.step()
            tend()

    def step(self) -> None:
        """Wait for the next thing to happen, and see to it."""
        self._pause()
        self._see_to_deaths()
        self._see_to_readiness()
        self._see_to_silence()
        self._start_what_is_due()
        self._trim_logs()

    def stop(self) -> None:
        """End all: first what takes work in, then what does it, at last the server they stand on.

        Whoever outlasts its grace is killed; a hurried stop gives none, except to the server.
        """
        for stage in sorted(Stage, reverse=True):
            self._end([w for w in self._watched if w.child.spec.stage is stage and w.child.pid is not None])

    # ---------------------------------------------------------------------------------- growing, shrinking

    def add(self, spec: ChildSpec) -> str:
        """Start one more process, as soon as it may be, and watch it like the others; returns its name."""
        self._watched.append(_Watched(Child(spec), due_at=self._clock()))
        return spec.name

    def retire(self, name: str) -> None:
        """Tell a process to take nothing new and to end when it has finished, however long that takes."""
        for watched in self._watched:
            if watched.child.spec.name == name:
                watched.retiring = True
                watched.child.retire()

    def muster(self, stage: Stage) -> Muster:
        """How the processes of a stage stand."""
        of_stage = [watched for watched in self._watched if watched.child.spec.stage is stage]
        staying = [watched for watched in of_stage if not watched.retiring]
        deaths = [watched.died_at for watched in of_stage if watched.died_at is not None]
        return Muster(
            ready={w.child.spec.name: w.child.pid for w in staying if w.child.ready and w.child.pid is not None},
            starting=tuple(w.child.spec.name for w in staying if not w.child.ready),
            retiring=tuple(w.child.spec.name for w in of_stage if w.retiring),
            died_at=max(deaths, default=None),
        )

    # ------------------------------------------------------------------------------------------- starting

    def _launch(self, watched: _Watched) -> None:
        watched.started_at, watched.due_at, watched.told_at = self._clock(), None, None
        watched.heard_at = watched.started_at
        watched.child.start()
        log.info("%s started as process %d", watched.child.spec.name, watched.child.pid)
        self._on_change(self.children)

    def _refuse_failed_start(self, watched: _Watched) -> None:
        spec, code = watched.child.spec, watched.child.reap()
        if code is not None:
            raise StartFailed(_with_log(f"{spec.name} ended with {describe_exit(code)} at its start", spec))
        if watched.starting and watched.late(self._clock()):
            raise StartFailed(_with_log(f"{spec.name} was not ready after {spec.start_timeout_s:g} s", spec))

    def _all_ready(self, among: Sequence[_Watched]) -> bool:
        # Each is asked, also after a "no": a pipe whose word is not read would end every pause at once.
        ready = [watched.child.check_ready() for watched in among]
        return all(ready)

    # ------------------------------------------------------------------------------------------- watching

    def _pause(self) -> None:
        pipes = [w.child.ready_pipe for w in self._watched if w.starting and w.child.ready_pipe is not None]
        self._stop.wait(self._pause_s(), *pipes)

    def _pause_s(self) -> float:
        now = self._clock()
        due = [w.due_at - now for w in self._watched if w.due_at is not None and self._may_start(w)]
        probed = [PROBE_S for w in self._watched if w.starting and w.child.spec.probe]
        return min([IDLE_S, *due, *probed])

    def _see_to_deaths(self) -> None:
        for watched in list(self._watched):
            code = watched.child.reap()
            if code is None:
                continue
            if watched.retiring:
                self._dismiss(watched, code)
            else:
                watched.died_at = self._clock()
                self._start_later(watched, f"ended with {describe_exit(code)}")

    def _dismiss(self, watched: _Watched, code: int) -> None:
        self._watched.remove(watched)
        log.info("%s has retired with %s", watched.child.spec.name, describe_exit(code))
        self._on_change(self.children)

    def _start_later(self, watched: _Watched, why: str) -> None:
        now = self._clock()
        delay = watched.backoff.after_life_of(now - watched.started_at)
        watched.due_at = now + delay
        log.warning("%s %s; it is started again in %g s", watched.child.spec.name, why, delay)

    def _see_to_readiness(self) -> None:
        for watched in self._watched:
            if not watched.starting:
                continue
            if watched.child.check_ready():
                watched.heard_at = self._clock()
                log.info("%s is ready", watched.child.spec.name)
            elif watched.late(self._clock()):
                log.warning("%s does not become ready and is killed", watched.child.spec.name)
                watched.child.kill()

    def _see_to_silence(self) -> None:
        """Who is there and does nothing gets the time to end in order, for its threads may still have work."""
        now = self._clock()
        for watched in self._watched:
            if watched.told_at is not None:
                self._kill_if_overdue(watched.child, watched.told_at)
            elif watched.silent(now):
                log.warning("%s takes no tasks any more and is replaced", watched.child.spec.name)
                watched.told_at = now
                watched.child.terminate()

    def _start_what_is_due(self) -> None:
        for watched in self._watched:
            if watched.due_at is not None and watched.due_at <= self._clock() and self._may_start(watched):
                self._start_again(watched)

    def _start_again(self, watched: _Watched) -> None:
        try:
            self._launch(watched)
        except OSError as error:
            self._start_later(watched, f"can't be started ({error})")

    def _may_start(self, watched: _Watched) -> bool:
        """Nobody is started before the server is back: it would only die of that."""
        if watched.child.spec.stage is Stage.SERVER:
            return True
        return self._all_ready([w for w in self._watched if w.child.spec.stage is Stage.SERVER])

    def _trim_logs(self) -> None:
        if self._clock() - self._trimmed_at > TRIM_S:
            self._trimmed_at = self._clock()
            for child in self.children:
                trim(child.spec.log)

    # --------------------------------------------------------------------------------------------- ending

    def _end(self, ending: Sequence[_Watched]) -> None:
        told_at = self._clock()
        for watched in ending:
            watched.child.terminate()
        left = list(ending)
        while left := [watched for watched in left if not self._has_ended(watched)]:
            for watched in left:
                self._kill_if_overdue(watched.child, told_at)
            self._stop.wait(PROBE_S)

    def _has_ended(self, watched: _Watched) -> bool:
        spec, code = watched.child.spec, watched.child.reap()
        if code == -signal.SIGKILL:
            log.warning("%s did not end in its %g s and was killed", spec.name, spec.grace_s)
        elif code is not None:
            log.info("%s ended with %s", spec.name, describe_exit(code))
        return code is not None

    def _kill_if_overdue(self, child: Child, told_at: float) -> None:
        hurried = self._stop.hurried and child.spec.stage is not Stage.SERVER
        if hurried or self._clock() - told_at > child.spec.grace_s:
            child.kill()


def _with_log(problem: str, spec: ChildSpec) -> str:
    last = " | ".join(last_lines(spec.log, 3))
    return f"{problem}. Its log is {spec.log}" + (f" and ends: {last}" if last else "")
