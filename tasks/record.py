"""The record of one task and the events of its life, with their codecs: the hash and the log lines that the
scripts write, read back into frozen values.

Whoever shows a task uses these; nobody else looks into the hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pydantic_core import from_json

from tasks.clock import now_ms, rfc3339
from tasks.context import NOWHERE, Origin
from tasks.lifecycle import Priority, State
from tasks.sealing import is_sealed

SEQ_PER_MS = 4096
"""A sequence number is a time in ms times this: see the prelude of the scripts."""

PACKED_FIELDS = (
    *("name", "queue", "priority", "tenant", "case", "parent", "cseq", "run", "retries", "crashes", "attempt"),
    *("worker", "queued", "started", "finished", "progress", "progress_seq", "progress_message"),
)
"""The lines of `packed`, into which the scripts put the small fields of what has ended."""

RECORD_FIELDS = (
    "packed",
    "name",
    "queue",
    "priority",
    "tenant",
    "case",
    "parent",
    "cseq",
    "status",
    "run",
    "retries",
    "attempt",
    "worker",
    "queued",
    "started",
    "finished",
    "eta",
    "cancel",
    "requeued",
    "alone",
    "paused",
    "awaiting",
    "raised",
    "limiter",
    "progress",
    "progress_message",
    "progress_seq",
    "options",
    "metadata",
    "error",
    "result",
    "result_place",
    "log",
    "kids_total",
    "kids_running",
    "kids_succeeded",
    "kids_failed",
    "kids_cancelled",
)
"""All of a record but its payload, which only the worker and those who may read payloads get."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a task was given for its runs: how often it is repeated, how long it waits, how long it may take, and
    where it comes from."""

    max_retries: int = 0
    min_backoff_s: float = 0.0
    max_backoff_s: float = 0.0
    timeout_s: float = 0.0
    origin: Origin = NOWHERE

    def encode(self) -> str:
        """Four numbers in a row, which every record holds, and the origin where there is one."""
        numbers = (self.max_retries, self.min_backoff_s, self.max_backoff_s, self.timeout_s)
        return ",".join(f"{number:.15g}" for number in numbers) + self.origin.encode()

    @classmethod
    def decode(cls, text: bytes) -> Self:
        max_retries, *rest = text.split(b",")
        origin = Origin(*(part.decode() for part in rest[3:5])) if len(rest) > 3 else NOWHERE
        min_backoff_s, max_backoff_s, timeout_s = map(float, rest[:3])
        return cls(int(max_retries), min_backoff_s, max_backoff_s, timeout_s, origin)


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused a queue or a batch, the id of an API key, and when."""

    by: str
    at_ms: int

    @classmethod
    def parse(cls, raw: bytes) -> Pause:
        told = from_json(raw)
        return cls(told["by"], told["at"])

    def as_json(self) -> dict[str, Any]:
        return {"by": self.by, "at": rfc3339(self.at_ms)}


@dataclass(frozen=True, slots=True)
class Children:
    """How a batch's children stand. `pending` are those that are waiting in one way or another."""

    total: int
    succeeded: int
    failed: int
    cancelled: int
    running: int

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.cancelled

    @property
    def pending(self) -> int:
        return self.total - self.ended - self.running

    @property
    def percent(self) -> float:
        """How many of a hundred have ended, to a tenth."""
        return 1_000 * self.ended // self.total / 10 if self.total else 0.0

    @property
    def counters(self) -> str:
        counted = (self.total, self.running, self.succeeded, self.failed, self.cancelled)
        return ".".join(map(str, counted))

    def as_json(self) -> dict[str, int]:
        return {
            "total": self.total,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "running": self.running,
            "pending": self.pending,
        }


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it stood when it was read. Times are in ms since 1970; `seq` numbers its creation. `awaiting` is `1`
    while a batch waits for its children and `due` when it may go on; `raised` is the lane to which a task was moved
    up because it had waited long; `pause` is that of a batch which is paused; a case of a batch that is
    `alone` was run again by itself."""

    task_id: str
    name: str
    queue: str
    priority: Priority
    tenant: str
    status: State
    seq: int
    case_id: str | None = None
    parent_id: str | None = None
    run: int = 0
    attempt: int = 0
    max_retries: int = 0
    worker: str | None = None
    queued_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    eta_ms: int | None = None
    cancel_requested: bool = False
    requeued: bool = False
    alone: bool = False
    pause: Pause | None = None
    awaiting: str = ""
    raised: str = ""
    limiter: str = ""
    progress: float = 0.0
    progress_message: str = ""
    progress_seq: int = 0
    options: RunOptions = RunOptions()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    result: Any = None
    result_place: str | None = None
    children: Children | None = None
    log: str = ""
    sealed: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """What can't be read without a key, by its field: `sealed_tasks.opened` puts it there."""

    @property
    def created_ms(self) -> int:
        return self.seq // SEQ_PER_MS

    @property
    def version(self) -> str:
        """Another one after every change of the record: the number of its latest event, and what changes without
        one. `lua/requests.lua` says the same, so that a move can be bound to it."""
        latest = max(int(self.log.rpartition("\n")[2].partition(" ")[0] or self.seq), self.progress_seq)
        version = f"{latest}-{self.run}{'c' if self.cancel_requested else ''}{'p' if self.pause else ''}"
        return version if self.children is None else f"{version}-{self.children.counters}"

    @property
    def kind(self) -> str:
        return self.name.partition(".")[0]

    @property
    def wait_ms(self) -> int | None:
        """How long the present or last run waited in its lane."""
        if self.queued_ms is None:
            return None
        end = self.started_ms if self.status is not State.QUEUED else now_ms()
        return max(0, end - self.queued_ms) if end is not None else None

    @property
    def run_ms(self) -> int | None:
        """How long the last run took, or has taken so far."""
        if self.started_ms is None:
            return None
        end = self.finished_ms or (now_ms() if self.status is State.RUNNING else None)
        return max(0, end - self.started_ms) if end is not None else None

    def as_json(self) -> dict[str, Any]:
        """The record as the API shows it, without its links."""
        progress, message = self._how_far()
        return {
            "task_id": self.task_id,
            "task_name": self.name,
            "queue": self.queue,
            "priority": self.priority.value,
            "status": self.status.value,
            "progress": progress,
            "progress_message": message,
            "attempt": self.attempt,
            "max_retries": self.max_retries,
            "case_id": self.case_id,
            "parent_id": self.parent_id,
            "children": self.children.as_json() if self.children else None,
            "created_at": rfc3339(self.created_ms),
            "eta": rfc3339(self.eta_ms),
            "started_at": rfc3339(self.started_ms),
            "finished_at": rfc3339(self.finished_ms),
            "wait_ms": self.wait_ms,
            "run_ms": self.run_ms,
            "worker": self.worker,
            "cancel_requested": self.cancel_requested,
            "paused": self.pause.as_json() if self.pause else None,
            # What one attempt leaves to the next is nobody else's.
            "result": self.result if self.status.final else None,
            "error": error_as_json(self.error),
            "metadata": dict(self.metadata),
        }

    def _how_far(self) -> tuple[float, str]:
        """Of a running batch, what its cases say now: its events tell that only a few times a second."""
        if self.status is State.SUCCEEDED:
            return 100.0, self.progress_message
        if self.status is State.RUNNING and self.children is not None:
            paused = ", em pausa" if self.pause else ""
            return self.children.percent, f"{self.children.ended} de {self.children.total} casos{paused}"
        return self.progress, self.progress_message

    def events(self) -> list[Event]:
        """What the task went through, oldest first, with its latest progress in its place."""
        told = [self._event(line) for line in self.log.split("\n") if line and not _stands_for_lost(line)]
        # The record's error is that of the latest failure.
        last = next((number for number in reversed(range(len(told))) if told[number].event in _FAILURES), None)
        if last is not None:
            told[last] = replace(told[last], error=self.error)
        if self.progress_seq:
            told.append(self._latest_progress())
        return sorted(told, key=lambda event: event.seq)

    @property
    def trimmed_seq(self) -> int:
        """The number of the last event that a long log has lost; 0 where it has lost none."""
        marks = [line for line in self.log.split("\n", 2)[:2] if _stands_for_lost(line)]
        return int(marks[0].partition(" ")[0]) if marks else 0

    def _latest_progress(self) -> Event:
        extra = {
            "progress": self.progress,
            "progress_message": self.progress_message,
            "attempt": self.attempt,
        }
        return Event(self.progress_seq, "progress", self.task_id, self.name, self.case_id, extra)

    def _event(self, line: str) -> Event:
        seq, event, extra = line.split(" ", 2)
        return Event(
            seq=int(seq),
            event=event,
            task_id=self.task_id,
            task_name=self.name,
            case_id=self.case_id,
            extra=from_json(extra) if extra else {},
            result=self.result if event == State.SUCCEEDED else None,
        )


def _stands_for_lost(line: str) -> bool:
    """Whether this line of a log is no event, but stands for those that a long log has lost."""
    return line.endswith(" trimmed ")


def error_as_json(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if error is None else {**error, "at": rfc3339(error["at"])}


_FAILURES = (State.FAILED, State.RETRYING)
_STATUS_OF_EVENT = {"progress": State.RUNNING, "recovered": State.QUEUED}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a task. `seq` grows over all tasks, and its time can be read off it."""

    seq: int
    event: str
    task_id: str
    task_name: str
    case_id: str | None
    extra: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    error: Mapping[str, Any] | None = None

    @property
    def at_ms(self) -> int:
        return self.seq // SEQ_PER_MS

    @property
    def status(self) -> State:
        return _STATUS_OF_EVENT.get(self.event) or State(self.event)

    @property
    def final(self) -> bool:
        return self.status.final

    def as_json(self, *, with_payload: bool = True) -> dict[str, Any]:
        """The data of the SSE event; without the result for who may not see it."""
        finished = self.event == State.SUCCEEDED
        shown: dict[str, Any] = {
            "task_id": self.task_id,
            "task_name": self.task_name,
            "case_id": self.case_id,
            "status": self.status.value,
            "progress": 100.0 if finished else float(self.extra.get("progress", 0)),
            "progress_message": self.extra.get("progress_message", ""),
            "attempt": self.extra.get("attempt", 0),
            "at": rfc3339(self.at_ms),
        }
        if finished:
            shown["result"] = self.result if with_payload else None
            if with_payload and self.extra.get("large"):
                shown["result_url"] = f"/api/tasks/{self.task_id}/result"
        if self.error is not None:
            shown["error"] = error_as_json(self.error)
        if "eta" in self.extra:
            shown["eta"] = rfc3339(self.extra["eta"])
        if "waits_for" in self.extra:
            shown["waits_for"] = self.extra["waits_for"]
        return shown

    def as_log_entry(self) -> dict[str, Any]:
        """The entry of the task's log: what happened, when, and what the move added."""
        entry = {"id": str(self.seq), "event": self.event, "at": rfc3339(self.at_ms), **self.extra}
        if "eta" in self.extra:
            entry["eta"] = rfc3339(self.extra["eta"])
        return entry


def parse_message(message: bytes) -> Event:
    """An event as the scripts publish it: seq, event, task, name, case and extra on a line each, then the error where
    it has one. A result is not told there: whoever may see it looks it up."""
    head = message.split(b"\n", 6)
    seq, event, task_id, name, case, extra = (part.decode() for part in head[:6])
    rest = head[6:]
    tail = from_json(rest[0]) if rest and rest[0] else None
    return Event(
        seq=int(seq),
        event=event,
        task_id=task_id,
        task_name=name,
        case_id=case or None,
        extra=from_json(extra) if extra else {},
        error=tail if event in _FAILURES else None,
    )


def parse_task(task_id: str, values: list[bytes | None]) -> Task | None:
    """The record whose `RECORD_FIELDS` hold these values; `None` where there is none."""
    raw = dict(zip(RECORD_FIELDS, values, strict=True))
    if raw["packed"] is not None:
        raw |= zip(PACKED_FIELDS, raw["packed"].split(b"\n", len(PACKED_FIELDS) - 1), strict=True)
    if raw["name"] is None:
        return None
    options = RunOptions.decode(raw["options"]) if raw["options"] else RunOptions()
    return Task(
        task_id=task_id,
        name=_text(raw["name"]),
        queue=_text(raw["queue"]),
        priority=Priority(_text(raw["priority"])),
        tenant=_text(raw["tenant"]),
        status=State(_text(raw["status"])),
        seq=_number(raw["cseq"]) or 0,
        case_id=_text(raw["case"]) or None,
        parent_id=_text(raw["parent"]) or None,
        run=_number(raw["run"]) or 0,
        attempt=_number(raw["attempt"]) or 0,
        max_retries=options.max_retries,
        worker=_text(raw["worker"]) or None,
        queued_ms=_number(raw["queued"]),
        started_ms=_number(raw["started"]),
        finished_ms=_number(raw["finished"]),
        eta_ms=_number(raw["eta"]),
        cancel_requested=raw["cancel"] == b"1",
        requeued=raw["requeued"] == b"1",
        alone=raw["alone"] == b"1",
        pause=Pause.parse(raw["paused"]) if raw["paused"] else None,
        awaiting=_text(raw["awaiting"]),
        raised=_text(raw["raised"]),
        limiter=_text(raw["limiter"]),
        progress=float(raw["progress"] or 0),
        progress_message=_text(raw["progress_message"]),
        progress_seq=_number(raw["progress_seq"]) or 0,
        options=options,
        metadata=_clear_json(raw["metadata"], {}),
        error=_json(raw["error"], None),
        result=_clear_json(raw["result"], None),
        sealed=_sealed(raw),
        result_place=_text(raw["result_place"]) or None,
        children=_children(raw),
        log=_text(raw["log"]),
    )


def _children(raw: Mapping[str, bytes | None]) -> Children | None:
    if raw["kids_total"] is None:
        return None
    return Children(
        total=_number(raw["kids_total"]) or 0,
        succeeded=_number(raw["kids_succeeded"]) or 0,
        failed=_number(raw["kids_failed"]) or 0,
        cancelled=_number(raw["kids_cancelled"]) or 0,
        running=_number(raw["kids_running"]) or 0,
    )


def _text(value: bytes | None) -> str:
    return value.decode() if value else ""


def _number(value: bytes | None) -> int | None:
    return int(value) if value else None


def _clear_json(value: bytes | None, default: Any) -> Any:
    """What an older release wrote, before values were sealed."""
    return default if value is None or is_sealed(value) else _json(value, default)


def _sealed(raw: Mapping[str, bytes | None]) -> dict[str, bytes]:
    return {name: value for name in ("metadata", "result") if (value := raw[name]) and is_sealed(value)}


def _json(value: bytes | None, default: Any) -> Any:
    return from_json(value) if value else default


def compact_json(value: Any) -> str:
    """JSON as it is kept: no spaces, no escapes that UTF-8 doesn't need. NaN is refused (RFC 8259)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
