"""The catalog: one `TaskSpec` per type of task. It lets the gateway check a payload and build a message without
importing an actor, and gives the actor its queue, its time limit and its retries.

A task's `kind` (what stands before the first dot of its name) is the prefix of its events on a case's stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from tasks import payloads
from tasks.errors import MOST_LISTED, FieldError, InvalidInput
from tasks.lifecycle import LANES, lane_name
from tasks.task_limits import UNLIMITED, TaskLimits

BATCH = "batch.process_cases"
"""The type of task that has children, and results of its own."""
WEBHOOK_TASK = "webhooks.deliver"
"""Queued by the scripts themselves, with the end of a task that has a callback."""

NOTICE_TASK = "notices.send"
"""Tells the people who run the service."""

REPLAY_TASK = "dead_letters.replay"
"""Takes the steps of a gradual replay."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed task is run again and how long it waits: `min_backoff_s * 2 ** n`, with jitter, never
    more than `max_backoff_s`."""

    max_retries: int = 3
    min_backoff_s: float = 60.0
    max_backoff_s: float = 3_600.0


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One type of task. `internal` ones are queued by Despacho itself and refused from outside."""

    name: str
    queue: str
    payload: type[BaseModel]
    result: type[BaseModel]
    description: str
    retry: RetryPolicy = RetryPolicy()
    timeout_s: float = 600.0
    limits: TaskLimits = UNLIMITED
    internal: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition(".")[0]

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Name the positional arguments: they follow the order of the payload's fields."""
        names = list(self.payload.model_fields)
        if len(args) > len(names):
            raise InvalidInput.of("args", f"{self.name} takes at most {len(names)} arguments: {', '.join(names)}")
        bound = dict(zip(names, args, strict=False))
        if twice := sorted(bound.keys() & kwargs.keys()):
            raise InvalidInput.of(f"kwargs.{twice[0]}", "is given twice, in args and in kwargs")
        return bound | dict(kwargs)

    def validate(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> BaseModel:
        """The payload of a call. Raises `InvalidInput`, which names the argument and what would be right."""
        bound = self.bind(args, kwargs or {})
        positions = {name: i for i, name in enumerate(self.payload.model_fields) if i < len(args)}
        try:
            return self.payload.model_validate(bound)
        except ValidationError as error:
            if error.error_count() > MOST_LISTED:
                raise InvalidInput.too_much("kwargs", error.error_count()) from None
            raise InvalidInput([_named(e, positions) for e in error.errors(include_url=False)]) from None


def _named(error: Any, positions: Mapping[str, int]) -> FieldError:
    path = [str(part) for part in error["loc"]]
    if not path:
        return FieldError("kwargs", error["msg"])
    root = f"args[{positions[path[0]]}]" if path[0] in positions else f"kwargs.{path[0]}"
    return FieldError(".".join([root, *path[1:]]), error["msg"])


_SPECS = (
    TaskSpec(
        name="triage.process_async",
        queue="triage",
        payload=payloads.TriagePayload,
        result=payloads.TriageResult,
        description="Says what a client's conversation is about, how urgent it is, and what is missing.",
        timeout_s=120,
    ),
    TaskSpec(
        name="documents.analyze_async",
        queue="documents",
        payload=payloads.DocumentsPayload,
        result=payloads.DocumentsResult,
        description="Reads documents: text, type, entities, deadlines.",
        timeout_s=900,
    ),
    TaskSpec(
        name="embeddings.generate_async",
        queue="embeddings",
        payload=payloads.EmbeddingsPayload,
        result=payloads.EmbeddingsResult,
        description="Turns texts, a case or documents into vectors.",
        timeout_s=600,
    ),
    TaskSpec(
        name=BATCH,
        queue="batch",
        payload=payloads.BatchPayload,
        result=payloads.BatchResult,
        description="Runs operations over many cases and tells one line of NDJSON per case, as it ends.",
        timeout_s=3_600,
    ),
    TaskSpec(
        name="batch.process_case",
        queue="batch",
        payload=payloads.BatchCasePayload,
        result=payloads.BatchCaseResult,
        description="One case of a batch.",
        timeout_s=900,
        internal=True,
    ),
    TaskSpec(
        name="reports.generate",
        queue="reports",
        payload=payloads.ReportPayload,
        result=payloads.ReportResult,
        description="Writes a report over a day or a week.",
        timeout_s=600,
    ),
    TaskSpec(
        name=WEBHOOK_TASK,
        queue="webhooks",
        payload=payloads.WebhookPayload,
        result=payloads.WebhookResult,
        description="Tells a client's server that a task has ended.",
        # 5 s, 10 s, 20 s, ... 5.7 h, then 6 h three times: some 25 hours with the jitter.
        retry=RetryPolicy(max_retries=16, min_backoff_s=5, max_backoff_s=6 * 3_600),
        timeout_s=60,
        internal=True,
    ),
    TaskSpec(
        name=NOTICE_TASK,
        queue="notices",
        payload=payloads.NoticePayload,
        result=payloads.NoticeResult,
        description="Tells the people who run the service, by e-mail or webhook.",
        # 5 s, 10 s, 20 s, ... 43 min, then an hour: some two hours and a half; older news is none.
        retry=RetryPolicy(max_retries=11, min_backoff_s=5, max_backoff_s=3_600),
        timeout_s=90,
        internal=True,
    ),
    TaskSpec(
        name="alerts.evaluate",
        queue="upkeep",
        payload=payloads.AlertsPayload,
        result=payloads.AlertsResult,
        description="Holds the service against the rules of alerts.",
        retry=RetryPolicy(max_retries=0),
        timeout_s=60,
        internal=True,
    ),
    TaskSpec(
        name=REPLAY_TASK,
        queue="upkeep",
        payload=payloads.ReplayPayload,
        result=payloads.ReplayResult,
        description="Replays dead letters: one, then a tenth, then all.",
        retry=RetryPolicy(max_retries=20, min_backoff_s=2, max_backoff_s=60),
        timeout_s=300,
        internal=True,
    ),
    TaskSpec(
        name="upkeep.sweep",
        queue="upkeep",
        payload=payloads.UpkeepPayload,
        result=payloads.UpkeepResult,
        description="Forgets what is older than its retention and mends what was left half done.",
        retry=RetryPolicy(max_retries=0),
        timeout_s=300,
        internal=True,
    ),
    TaskSpec(
        name="backup.run",
        queue="upkeep",
        payload=payloads.BackupPayload,
        result=payloads.BackupResult,
        description="Writes the nightly backup and removes those that are older than they are kept.",
        retry=RetryPolicy(max_retries=2, min_backoff_s=300, max_backoff_s=1_800),
        timeout_s=6 * 3_600,
        internal=True,
    ),
)


class Catalog:
    """Task types by name. Tests build small ones; everything else uses `CATALOG`."""

    def __init__(self, specs: Sequence[TaskSpec]) -> None:
        self.specs = MappingProxyType({spec.name: spec for spec in specs})
        self.queues = tuple(dict.fromkeys(spec.queue for spec in specs))

    def get(self, name: str, *, internal: bool = False) -> TaskSpec:
        """The type of that name. Raises `InvalidInput`, which lists the names there are."""
        spec = self.specs.get(name)
        if spec is None or (spec.internal and not internal):
            known = ", ".join(s.name for s in self.specs.values() if not s.internal)
            raise InvalidInput.of("task_name", f"there is no task {name!r}; there are: {known}")
        return spec

    def check_queue(self, queue: str) -> str:
        """Raises `InvalidInput` for a queue that no worker would ever read."""
        if queue not in self.queues:
            raise InvalidInput.of("queue", f"there is no queue {queue!r}; there are: {', '.join(self.queues)}")
        return queue

    @property
    def lanes(self) -> tuple[str, ...]:
        return tuple(lane_name(queue, lane) for queue in self.queues for lane in LANES)


CATALOG = Catalog(_SPECS)
