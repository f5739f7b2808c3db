"""Why a task isn't running, or what became of it: a list of reasons, each with what it is read from.

A reason is found by a function over what is known of the task just now. Whatever else may hold a task back one day
becomes one more field of `Situation` and one more function in `HINDRANCES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.clock import rfc3339
from tasks.lifecycle import State, lane_name
from tasks.reader import Reader, Worker
from tasks.record import Task, error_as_json
from tasks.standing import Outlook, Standing, waits


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is so: its name for programs, a sentence for people, and the evidence."""

    name: str
    detail: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"reason": self.name, "detail": self.detail, "evidence": dict(self.evidence)}


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a task that waits. `workers` are all that live; `parent` is its batch, where it is part of
    one."""

    task: Task
    standing: Standing
    workers: Sequence[Worker]
    parent: Task | None

    @property
    def readers(self) -> list[Worker]:
        return [worker for worker in self.workers if self.task.queue in worker.queues]

    @property
    def knowers(self) -> list[Worker]:
        return [worker for worker in self.readers if self.task.name in worker.task_names]

    @property
    def takers(self) -> list[Worker]:
        return [worker for worker in self.knowers if worker.takes_tasks]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A task, where it stands, and the reasons, the weightiest first."""

    task: Task
    standing: Standing
    reasons: Sequence[Reason]

    def as_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task.task_id,
            "status": self.task.status.value,
            **self.standing.as_json(),
            "reasons": [reason.as_json() for reason in self.reasons],
        }


async def explain(task: Task, reader: Reader, outlook: Outlook) -> Explanation:
    """Why this task is where it is. Raises `Unavailable` when Redis is away."""
    standing = await outlook.of(task)
    if task.status.final:
        return Explanation(task, standing, [_end(task)])
    workers = await reader.workers()
    if not waits(task):
        return Explanation(task, standing, _running(task, workers))
    parent = await reader.task(task.parent_id) if task.parent_id else None
    situation = Situation(task, standing, workers, parent)
    found = [reason for find in HINDRANCES if (reason := find(situation)) is not None]
    return Explanation(task, standing, found or [_soon(situation)])


# ------------------------------------------------------------------------------------- what holds it back


def _not_due(now: Situation) -> Reason | None:
    if now.task.status is not State.SCHEDULED:
        return None
    eta = rfc3339(now.task.eta_ms)
    return Reason("scheduled", f"It was asked for at {eta}.", {"eta": eta})


def _retry_due(now: Situation) -> Reason | None:
    task = now.task
    if task.status is not State.RETRYING or _waits_for(task):
        return None
    eta = rfc3339(task.eta_ms)
    evidence = {
        "eta": eta,
        "attempt": task.attempt,
        "max_retries": task.max_retries,
        "error": error_as_json(task.error),
    }
    return Reason("retry_due", f"Attempt {task.attempt} failed; the next one is due at {eta}.", evidence)


def _waits_for(task: Task) -> str:
    """What its last run found in its way, such as `breaker llm`."""
    last = next((event for event in reversed(task.events()) if event.event == "retrying"), None)
    return str(last.extra.get("waits_for", "")) if last else ""


def _breaker_open(now: Situation) -> Reason | None:
    kind, _, name = _waits_for(now.task).partition(" ")
    if now.task.status is not State.RETRYING or kind != "breaker":
        return None
    until = rfc3339(now.task.eta_ms)
    detail = f"What it needs keeps failing and is left alone: breaker open until {until}. That uses up no attempt."
    return Reason("breaker_open", detail, {"breaker": name, "until": until})


def _queue_paused(now: Situation) -> Reason | None:
    pause, queue = now.standing.pause, now.task.queue
    if pause is None:
        return None
    detail = f"The queue {queue} was paused by {pause.by} at {rfc3339(pause.at_ms)}."
    return Reason("queue_paused", detail, {"queue": queue, **pause.as_json()})


def _batch_paused(now: Situation) -> Reason | None:
    """Of a case of the batch, and of the batch itself before it begins; a case that was run again by itself doesn't
    wait for it."""
    batch = now.parent if now.parent is not None and not now.task.alone else now.task
    if batch.pause is None:
        return None
    detail = f"Its batch was paused by {batch.pause.by} at {rfc3339(batch.pause.at_ms)}."
    return Reason("batch_paused", detail, {"batch": batch.task_id, **batch.pause.as_json()})


def _no_reader(now: Situation) -> Reason | None:
    if now.readers:
        return None
    detail = f"No live worker reads the queue {now.task.queue}."
    return Reason("no_worker_reads_queue", detail, {"queue": now.task.queue, "workers": _names(now.workers)})


def _no_knower(now: Situation) -> Reason | None:
    if not now.readers or now.knowers:
        return None
    detail = f"No live worker knows the task type {now.task.name}: are the workers older than the gateway?"
    evidence = {"task_name": now.task.name, "workers": _names(now.readers)}
    return Reason("no_worker_knows_task_type", detail, evidence)


def _no_taker(now: Situation) -> Reason | None:
    if not now.knowers or now.takers:
        return None
    why = "Every worker that would run it is stopping or stuck, and takes nothing new."
    return Reason("workers_stopping", why, {"workers": _names(now.knowers)})


def _held_by_batch(now: Situation) -> Reason | None:
    held, parent = now.standing.held, now.parent
    if held is None or parent is None or parent.children is None:
        return None
    children = parent.children
    under_way = max(0, children.running + children.pending - held)
    evidence = {"batch": parent.task_id, "under_way": under_way, "running": children.running, "held": held}
    detail = f"Its batch lets few be under way at a time (max_parallel): {under_way} are, {held} are held back."
    return Reason("held_by_batch", detail, evidence)


def _limiter(now: Situation) -> Reason | None:
    parking, limiter = now.standing.parking, now.task.limiter
    if parking is None:
        return None
    limits, until = parking.limits, rfc3339(parking.turn_ms()) if limiter == "rate" else None
    told = {
        "rate": f"{now.task.name} is limited to {limits.rate}; its turn comes at {until}.",
        "concurrency": f"{now.task.name} is limited to {limits.concurrency} at a time; {parking.running} run.",
        "case": f"{now.task.name} is limited to {limits.per_case} of one case at a time; {parking.running} run.",
        "turn": f"{now.task.name} is limited by case; its case is free, and it begins when its turn comes.",
    }
    evidence = {
        "limiter": limiter,
        "limits": limits.model_dump(),
        "until": until,
        "ahead": parking.ahead,
        "running": parking.running,
    }
    return Reason("limiter", told[limiter] + " That uses up no attempt.", evidence)


def _ahead_in_lane(now: Situation) -> Reason | None:
    standing, task = now.standing, now.task
    if not standing.position or standing.in_lane is None:
        return None
    lane = lane_name(task.queue, task.raised or task.priority.value)
    evidence = {
        "lane": lane,
        "ahead": standing.position,
        "in_lane": standing.in_lane,
        "in_lanes_above": standing.above,
        "exact": standing.is_counted,
    }
    about = "" if standing.is_counted else "about "
    detail = f"{about}{standing.position} tasks are ahead of it in its lane and in those above."
    return Reason("ahead_in_lane", detail[0].upper() + detail[1:], evidence)


def _threads_busy(now: Situation) -> Reason | None:
    threads = sum(worker.threads for worker in now.takers)
    busy = sum(worker.busy for worker in now.takers)
    if now.standing.in_lane is None or not threads or busy < threads:
        return None
    evidence = {"threads": threads, "busy": busy, "workers": _names(now.takers)}
    return Reason("threads_busy", f"All {threads} threads of the workers that would run it are busy.", evidence)


HINDRANCES: tuple[Callable[[Situation], Reason | None], ...] = (
    _not_due,
    _retry_due,
    _breaker_open,
    _queue_paused,
    _batch_paused,
    _no_reader,
    _no_knower,
    _no_taker,
    _held_by_batch,
    _limiter,
    _ahead_in_lane,
    _threads_busy,
)
"""Each looks for one reason; the weightiest come first."""


def _soon(now: Situation) -> Reason:
    if now.standing.position is None:
        # In between two moves, or lost: then the sweep puts it back into its lane.
        return Reason("between_lanes", "It stands in no lane just now; look again, the sweep looks too.")
    return Reason("about_to_start", "It is next: a worker takes it as soon as a thread is free.", {"position": 0})


def _names(workers: Sequence[Worker]) -> list[str]:
    return [worker.worker for worker in workers]


# ------------------------------------------------------------------------------------- what runs, and ends


def _running(task: Task, workers: Sequence[Worker]) -> list[Reason]:
    reasons = [_awaits_children(task) if task.awaiting else _on_a_worker(task, workers)]
    if task.pause is not None:
        detail = f"It was paused by {task.pause.by} at {rfc3339(task.pause.at_ms)}: none of its cases begins."
        reasons.insert(0, Reason("batch_paused", detail, {"batch": task.task_id, **task.pause.as_json()}))
    if task.cancel_requested:
        reasons.append(Reason("cancel_requested", "Its end is wished for; its worker was told."))
    return reasons


def _on_a_worker(task: Task, workers: Sequence[Worker]) -> Reason:
    worker = next((worker for worker in workers if worker.worker == task.worker), None)
    told = max(task.events(), key=lambda event: event.seq, default=None)
    last = None
    if told is not None and told.event == "progress":
        last = {"progress": task.progress, "progress_message": task.progress_message, "at": rfc3339(told.at_ms)}
    since = rfc3339(task.started_ms)
    evidence = {
        "worker": task.worker,
        "since": since,
        "attempt": task.attempt,
        "last_progress": last,
        "worker_last_seen": rfc3339(worker.last_seen_ms) if worker else None,
    }
    if worker is None:
        lost = f"Worker {task.worker}, which runs it, was not heard of lately; soon it is taken for dead."
        return Reason("worker_silent", lost, evidence)
    return Reason("running", f"Worker {task.worker} runs it since {since}.", evidence)


def _awaits_children(task: Task) -> Reason:
    evidence = task.children.as_json() if task.children else {}
    return Reason("awaits_children", "It goes on when the last of its children has ended.", evidence)


_ENDS = {
    State.SUCCEEDED: "It ended well.",
    State.FAILED: "It failed and is not tried again by itself.",
    State.CANCELLED: "It was cancelled.",
}


def _end(task: Task) -> Reason:
    evidence = {
        "finished_at": rfc3339(task.finished_ms),
        "attempt": task.attempt,
        "worker": task.worker,
        "error": error_as_json(task.error),
    }
    return Reason(task.status.value, _ENDS[task.status], evidence)
