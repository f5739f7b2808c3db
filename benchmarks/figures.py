"""What the rounds found, as plain values: they come out of other processes as JSON, and a run can be kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One round of one peer with its workers. Lists hold one sample per task, in ms."""

    drain_per_s: float
    worker_us: float
    server_us: float
    commands: float
    idle_round_trips: float
    idle_commands: float
    """Per second and process, as the calls that clients sent, and with the commands within scripts."""
    pick_up_ms: list[float]
    submit_ms: list[float]
    bulk_per_s: float
    result_ms: list[float]
    others_percent: float
    """What the rest of the machine's work took of all its cores while this peer was idle."""


@dataclass(frozen=True, slots=True)
class HttpFigures:
    """One round of one endpoint under wrk. `failed` counts answers that were no success, and broken connections."""

    per_s: float
    p50_ms: float
    p99_ms: float
    server_us: float
    failed: int
    bulk_per_s: float | None = None
    """Tasks a second by the endpoint that takes many at once, where there is one."""


@dataclass(frozen=True, slots=True)
class RecoveryFigures:
    """One kill of all workers of one peer. `seconds` is `None` where not all were done in time."""

    seconds: float | None
    missing: int
    twice: int


@dataclass(frozen=True, slots=True)
class SizeFigures:
    """Medians of single calls over a store of one size, in ms."""

    status_ms: float
    page_ms: float
    page_of_status_ms: float
    submit_ms: float


@dataclass(frozen=True, slots=True)
class RecordFigures:
    """What one finished task takes of the server's memory, all that points to it included."""

    bytes: float


@dataclass(frozen=True, slots=True)
class MeaningFigures:
    """One round of the local engine of embeddings, and of the search for similar cases."""

    embeddings_per_s: float
    single_per_s: float
    """With one text in each task."""
    similar_p50_ms: float
    similar_p95_ms: float


@dataclass(frozen=True, slots=True)
class WatchersFigures:
    """One round of many open streams on one gateway process. Times are from the write of an event to its arrival."""

    watchers: int
    connected_s: float
    """Until all were connected and told what had happened already."""
    p50_ms: float
    p99_ms: float
    most_ms: float
    idle_mb: float
    """Resident memory of the gateway before they came, and in the end, in MB of a million bytes."""
    resident_mb: float
    cpu_us: float
    """Of the gateway, for each event that reached a watcher."""


@dataclass(frozen=True, slots=True)
class CostFigures:
    """One round of one kind of task. Of the server's CPU: a submit by itself, one of many at once, a run (all calls
    from its fetch to its end), a report of progress, a read of the status, a second of an idle worker process."""

    submit_us: float
    bulk_us: float
    run_us: float
    progress_us: float
    read_us: float
    idle_us: float
    worker_us: float
    """CPU of the worker per task, its work included."""
    in_bytes: float
    out_bytes: float
    """Over the network of the server, for the submit and the run."""
    file_bytes: float
    """In the server's append-only file."""
    drain_per_s: float
    steady_per_s: float
    end_p50_ms: float
    end_p95_ms: float
    """From submit to end at that steady rate."""
    others_percent: float


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run found, by peer, endpoint or size; empty where a part was left out."""

    queue: dict[str, list[QueueFigures]] = field(default_factory=dict)
    http: dict[str, list[HttpFigures]] = field(default_factory=dict)
    recovery: dict[str, list[RecoveryFigures]] = field(default_factory=dict)
    size: dict[str, list[SizeFigures]] = field(default_factory=dict)
    record: dict[str, list[RecordFigures]] = field(default_factory=dict)
    meaning: dict[str, list[MeaningFigures]] = field(default_factory=dict)
    watchers: dict[str, list[WatchersFigures]] = field(default_factory=dict)
    costs: dict[str, list[CostFigures]] = field(default_factory=dict)
    machine: str = ""

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Report:
        kinds = {
            "queue": QueueFigures,
            "http": HttpFigures,
            "recovery": RecoveryFigures,
            "size": SizeFigures,
            "record": RecordFigures,
            "meaning": MeaningFigures,
            "watchers": WatchersFigures,
            "costs": CostFigures,
        }
        parts = {
            part: {name: [kind(**row) for row in rows] for name, rows in raw.get(part, {}).items()}
            for part, kind in kinds.items()
        }
        return cls(**parts, machine=raw["machine"])
