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

V = TypeVar("V")
Call = Callable[..., Awaitable[Any]]
WAITING = frozenset({State.SCHEDULED, State.QUEUED, State.RETRYING})
FIGURES_KEPT_MS, CREW_KEPT_MS = 10_000, 2_000
TENANTS_KEPT = 1_000
BESIDE_ITS_RUN_MS = 3.0
"""What a task costs a worker's thread beside its run."""


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

    @property
    def position(self) -> int | None:
        """How many tasks are ahead of it, in its lane and in those above."""
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

    def __init__(self, call: Call, reader: Reader) -> None:
        self._call = call
        self._reader = reader
        self._run_ms: OrderedDict[str, _Kept[Mapping[str, float]]] = OrderedDict()
        self._crew: _Kept[Sequence[Worker]] = _Kept((), 0)

    async def of(self, task: Task) -> Standing:
        """Where a task stands now; `NOWHERE` for one that doesn't wait."""
        if not waits(task):
            return NOWHERE
        priority = task.raised or task.priority.value
        answer = await self._call("standing", task.task_id, task.queue, priority, task.parent_id or "")
        in_lane, is_counted, above, running, pause, held = answer
        standing = Standing(
            in_lane=None if in_lane < 0 else in_lane,
            is_counted=bool(is_counted),
            above=above,
            running=running,
            pause=Pause.parse(pause) if pause else None,
            held=None if held < 0 else held,
        )
        return replace(standing, expected_start_ms=await self._expected_start_ms(task, standing))

    async def _expected_start_ms(self, task: Task, standing: Standing) -> int | None:
        if standing.pause is not None:
            return None
        if task.status in (State.SCHEDULED, State.RETRYING):
            return task.eta_ms
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
