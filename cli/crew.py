"""The worker processes of `despacho up --workers auto`: looks how long tasks wait, asks `cli.scaling` what that
means, and has the supervisor do it.

Everything happens in the supervisor's thread, between two of its steps: processes are forked from it, and a process
that has threads can't be forked safely. So a look is short, and after one that failed the next has to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.child import ChildSpec, Stage
from cli.logs import log
from cli.memory import available_bytes, cores, weight_bytes
from cli.scaling import Bounds, Mood, Sight, Step, decide
from cli.supervisor import Muster, Supervisor
from tasks.backlog import Backlog, Load
from tasks.errors import Unavailable
from tasks.settings import Settings

LOOK_EVERY_S = 1.0
LOOK_AGAIN_S = 5.0
ANSWER_WITHIN_S = 0.5
"""The supervisor hears nothing meanwhile, so a silent server is given little time."""

MEMORY_MARGIN = 1.5
"""Another worker is started where there is so many times the memory of the largest."""


def bounds_of(settings: Settings) -> Bounds:
    """Between how many, and when. Without a setting there are no more workers than processors."""
    most = settings.max_processes or max(settings.min_processes, cores())
    return Bounds(
        settings.min_processes, most, settings.threads, settings.scale_out_after_s, settings.scale_in_after_s
    )


class Crew:
    """The workers of one supervisor; `worker(number)` tells what one is. `tend` is called after each of its steps."""

    def __init__(
        self,
        settings: Settings,
        supervisor: Supervisor,
        worker: Callable[[int], ChildSpec],
        look: Callable[[], Load] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds = bounds_of(settings)
        self._supervisor = supervisor
        self._worker = worker
        self._look = look or Backlog(_impatient(settings), settings).look
        self._clock = clock
        self._mood = Mood()
        self._look_at = 0.0
        self._lacks_memory = False

    def tend(self) -> None:
        """Start or retire one worker, where it is time to look and what is seen asks for it."""
        now = self._clock()
        if now < self._look_at:
            return
        load = self._load()
        self._look_at = self._clock() + (LOOK_EVERY_S if load else LOOK_AGAIN_S)
        muster = self._supervisor.muster(Stage.WORK)
        self._mood, step = decide(self._mood, self._sight(now, load, muster), self._bounds)
        if step is Step.OUT:
            self._grow(muster, load)
        elif step is Step.IN:
            self._shrink(muster)

    def _load(self) -> Load | None:
        try:
            return self._look()
        except Unavailable:
            return None

    def _sight(self, now: float, load: Load | None, muster: Muster) -> Sight:
        return Sight(
            at=now,
            age_s=load.age_s if load else None,
            running=load.running if load else 0,
            taking=len(muster.ready),
            starting=len(muster.starting),
            draining=len(muster.retiring),
            died_at=muster.died_at,
            has_memory=self._has_memory(muster),
        )

    def _has_memory(self, muster: Muster) -> bool:
        left, largest = available_bytes(), max(map(weight_bytes, muster.ready.values()), default=0)
        lacks = left is not None and left < largest * MEMORY_MARGIN
        if lacks and not self._lacks_memory:
            log.warning("there is no memory for another worker: %d MiB are left", (left or 0) >> 20)
        self._lacks_memory = lacks
        return not lacks

    def _grow(self, muster: Muster, load: Load | None) -> None:
        name = self._supervisor.add(self._worker(_free_number(muster)))
        seen = load or Load(0.0, 0)
        log.info("%s is added: the oldest task has waited for %.1f s, and %d run", name, seen.age_s, seen.running)

    def _shrink(self, muster: Muster) -> None:
        newest = max(muster.ready, key=_number)
        log.info("%s is retired: nothing has waited for %g s", newest, self._bounds.in_after_s)
        self._supervisor.retire(newest)


def _impatient(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=ANSWER_WITHIN_S,
        socket_timeout=ANSWER_WITHIN_S,
        retry=Retry(NoBackoff(), 0),
    )


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _free_number(muster: Muster) -> int:
    taken = {_number(name) for name in muster.names}
    return next(number for number in range(1, len(taken) + 2) if number not in taken)
