"""Where a waiting task stands, and when it may be expected to start.

The start is an estimate: the tasks ahead of it, times what a task of its queue took lately, divided by how many of
the queue run side by side. It is told only where all of that is known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from tasks.clock import now_ms, rfc3339
from tasks.lifecycle import State
from tasks.reader import Reader, Worker
from tasks.record import Pause, Task
from tasks.statistics import mean
from tasks.task_limits import UNLIMITED, TaskLimits

V = TypeVar("V")
Call = Callable[..., Awaitable[Any]]
WAITING = frozenset({State.SCHEDULED, State.QUEUED, State.RETRYING})
FIGURES_KEPT_MS, CREW_KEPT_MS = 10_000, 2_000
TENANTS_KEPT = 1_000
BESIDE_ITS_RUN_MS = 3.0
"""What a task costs a worker's thread beside its run."""


@dataclass(frozen=True, slots=True)
class Parking:
    """Of a task that its limits park: how many are ahead of it there, how many run that take a slot which it waits
    for, and, of a rate, the ms when it has room again."""

    ahead: int
    running: int
    next_slot_ms: float | None
    limits: TaskLimits

    def turn_ms(self) -> int | None:
        """When its turn comes by the rate alone; `None` where it has none."""
        if self.limits.gap_ms is None:
            return None
        return round(max(self.next_slot_ms or 0, now_ms()) + self.ahead * self.limits.gap_ms)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands. `in_lane` tasks are ahead of it in its own lane, `None` where it stands in none;
    `is_counted` is false where that is an estimate. `above` are in the lanes above; `running` of its queue run.
    `held` children of its batch are held back with it; `None` where it isn't."""

    in_lane: int | None = None
    is_counted: bool = True
    above: int = 0
    running: int = 0
    pause: Pause | None = None
    held: int | None = None
    expected_start_ms: int | None = None
    parking: Parking | None = None

    @property
    def position(self) -> int | None:
        """How many tasks are ahead of it, in its lane and in those above, or where it is parked."""
        if self.parking is not None:
            return self.parking.ahead
        return None if self.in_lane is None else self.in_lane + self.above

    def as_json(self) -> dict[str, Any]:
        return {"position": self.position, "expected_start_at": rfc3339(self.expected_start_ms)}


@dataclass(frozen=True, slots=True)
class _Kept(Generic[V]):
    """What was read lately and is good until then."""

    value: V
    until_ms: int


NOWHERE = Standing()
"""Of what runs or has ended."""


def waits(task: Task) -> bool:
    """Whether the task waits for a worker or for its time; a batch whose children have ended does so too."""
    return task.status in WAITING or task.awaiting == "due"


class Outlook:
    """Looks where tasks stand. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, call: Call, reader: Reader, limits: Mapping[str, TaskLimits]) -> None:
        self._call = call
        self._reader = reader
        self._limits = limits
        self._run_ms: OrderedDict[str, _Kept[Mapping[str, float]]] = OrderedDict()
        self._crew: _Kept[Sequence[Worker]] = _Kept((), 0)

    async def of(self, task: Task) -> Standing:
        """Where a task stands now; `NOWHERE` for one that doesn't wait."""
        if not waits(task):
            return NOWHERE
        priority = task.raised or task.priority.value
        parked = (task.name, task.tenant, task.case_id or "", task.limiter)
        answer = await self._call("standing", task.task_id, task.queue, priority, task.parent_id or "", *parked)
        in_lane, is_counted, above, running, pause, held, ahead, in_use, next_slot = answer
        limits = self._limits.get(task.name, UNLIMITED)
        standing = Standing(
            in_lane=None if in_lane < 0 else in_lane,
            is_counted=bool(is_counted),
            above=above,
            running=running,
            pause=Pause.parse(pause) if pause else None,
            held=None if held < 0 else held,
            parking=None if ahead < 0 else Parking(ahead, in_use, float(next_slot) if next_slot else None, limits),
        )
        return replace(standing, expected_start_ms=await self._expected_start_ms(task, standing))

    async def _expected_start_ms(self, task: Task, standing: Standing) -> int | None:
        if standing.pause is not None:
            return None
        if task.status in (State.SCHEDULED, State.RETRYING):
            return task.eta_ms
        if standing.parking is not None:
            return standing.parking.turn_ms() if task.limiter == "rate" else None
        if standing.position is None:
            return None
        run_ms = (await self._mean_run_ms(task.tenant)).get(task.queue)
        threads = sum(worker.threads for worker in await self._live_workers() if worker.takes(task))
        if run_ms is None or not threads:
            return None
        side_by_side = standing.running or threads
        return now_ms() + round((standing.position + 1) * (run_ms + BESIDE_ITS_RUN_MS) / side_by_side)

    async def _mean_run_ms(self, tenant: str) -> Mapping[str, float]:
        """What a task of each queue took on average lately: the tenant's own, for others' are not its business."""
        now, kept = now_ms(), self._run_ms.get(tenant, _Kept({}, 0))
        if kept.until_ms > now:
            return kept.value
        # Whoever asks meanwhile goes by the older figures.
        self._run_ms[tenant] = _Kept(kept.value, now + FIGURES_KEPT_MS)
        self._run_ms.move_to_end(tenant)
        if len(self._run_ms) > TENANTS_KEPT:
            self._run_ms.popitem(last=False)
        figures = await self._reader.figures_by_queue(tenant)
        means = {queue: mean(of_queue.run) for queue, of_queue in figures.items() if of_queue.run}
        self._run_ms[tenant] = _Kept(means, now + FIGURES_KEPT_MS)
        return means

    async def _live_workers(self) -> Sequence[Worker]:
        now = now_ms()
        if self._crew.until_ms <= now:
            self._crew = _Kept(self._crew.value, now + CREW_KEPT_MS)
            self._crew = _Kept(await self._reader.workers(), now + CREW_KEPT_MS)
        return self._crew.value
