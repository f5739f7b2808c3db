"""The data of a report as `ReportMaker` makes it, small and with a little of everything."""

from __future__ import annotations

from typing import Any

NOTHING: dict[str, float | None] = {"p50": None, "p95": None, "p99": None}
TIMES: dict[str, float | None] = {"p50": 39.0, "p95": 1_250.0, "p99": 5_400_000.0}
HOUR_S = 3_600


def figures(succeeded: int = 0, failed: int = 0, times: Any = NOTHING) -> dict[str, Any]:
    counts = {"succeeded": succeeded, "failed": failed, "cancelled": 0, "retried": 0}
    spent = dict.fromkeys(("prompt_tokens", "completion_tokens", "cache_hits", "cache_misses"), 0)
    return {**counts, **spent, "wait_ms": times, "run_ms": times}


def totals(succeeded: int = 0, failed: int = 0, times: Any = NOTHING) -> dict[str, Any]:
    ran = succeeded + failed
    told = {"ended": ran, "success_rate": round(succeeded / ran, 4) if ran else None}
    counts = {"succeeded": succeeded, "failed": failed, "cancelled": 0, "retried": 0}
    return {**counts, **told, "wait_ms": times, "run_ms": times}


def triages(**areas: tuple[int, int, int, int]) -> dict[str, Any]:
    urgencies = ("critical", "high", "medium", "low")
    counted = {area: dict(zip(urgencies, counts, strict=True)) for area, counts in areas.items()}
    sums = {each: sum(counts[each] for counts in counted.values()) for each in urgencies}
    return {"total": sum(sums.values()), "areas": counted, "urgencies": sums}


def report(kind: str = "daily", succeeded: int = 0, failed: int = 0, before: int | None = None) -> dict[str, Any]:
    """One in whose tenth hour all ended; `before` is how many succeeded in the period before."""
    hours = 24 if kind == "daily" else 168
    first = "2026-11-22" if kind == "daily" else "2026-11-16"
    states = ("scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled")
    times = TIMES if succeeded + failed else NOTHING
    previous = {"from": "2026-11-21T03:00:00.000Z", "until": "2026-11-22T03:00:00.000Z", "tasks": {}}
    return {
        "report_id": "r-1",
        "kind": kind,
        "from": f"{first}T03:00:00.000Z",
        "until": "2026-11-23T03:00:00.000Z",
        "made_at": "2026-11-23T09:00:00.000Z",
        "time_zone": "America/Sao_Paulo",
        "totals": totals(succeeded, failed, times),
        "own": {"succeeded": 1_440, "failed": 0, "cancelled": 0},
        "previous": None if before is None else {**previous, "totals": totals(before)},
        "statuses": dict.fromkeys(states, 0),
        "queues": {},
        "tasks": {"triage.process_async": figures(succeeded, failed, times)} if succeeded + failed else {},
        "volume": {
            "from": f"{first}T03:00:00.000Z",
            "step_s": HOUR_S,
            "succeeded": [0] * 9 + [succeeded] + [0] * (hours - 10),
            "failed": [0] * 9 + [failed] + [0] * (hours - 10),
            "cancelled": [0] * hours,
            "previous": None if before is None else [before] + [0] * (hours - 1),
        },
        "triage": {**triages(), "previous": None},
        "slowest": [],
        "errors": [],
        "breakers": [],
        "breakers_count": 0,
        "alerts": [],
        "alerts_count": 0,
    }


def full(kind: str = "daily", name: str = "") -> dict[str, Any]:
    """One that has something in each of its parts; `name` stands wherever a client or an operator names something."""
    told = report(kind, 12_345, 7, before=11_000)
    at = "2026-11-22T14:03:00.000Z"
    task = name or "triage.process_async"
    counted = triages(trabalhista=(40, 80, 20, 10), saude=(9, 3, 1, 0))
    alert = {
        "rule": name or "failures",
        "kind": "failure_rate",
        "severity": "critical",
        "state": "firing",
        "value": 12.4,
        "threshold": 10.0,
        "unit": "%",
        "labels": {"task_name": task},
        "since": at,
        "fired_at": at,
        "resolved_at": None,
        "description": name,
    }
    fault = {"fingerprint": "3f9a0c51be27", "task_name": task, "error_type": name or "TimeLimitExceeded"}
    slow = {"task_id": name or "t-1", "task_name": task, "status": "failed", "run_ms": 120_000, "finished_at": at}
    opened = {
        "name": name or "llm",
        "openings": 3,
        "first_at": at,
        "last_at": at,
        "errors": [name or "ProviderFailed"],
    }
    return {
        **told,
        "tasks": {task: figures(12_345, 7, TIMES), "upkeep.sweep": figures(288)},
        "triage": {**counted, "previous": counted},
        "slowest": [slow],
        "errors": [{**fault, "count": 7, "previous": 2}],
        "breakers": [opened],
        "breakers_count": 1,
        "alerts": [alert, {**alert, "resolved_at": at, "severity": "warning"}],
        "alerts_count": 102,
    }
