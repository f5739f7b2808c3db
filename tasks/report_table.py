"""A report as a table for spreadsheets: CSV after RFC 4180, in UTF-8. Numbers are written as machines read them,
times are in ms, and moments as in the JSON.

`what` says what a line is of: the total and that of the period before, an hour, a queue, a type of task, an area, an
urgency, an error, a slow task, a breaker, an alert. What its columns don't apply to is left empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.clock import rfc3339, rfc3339_ms

COUNTS = ("succeeded", "failed", "cancelled", "retried")
SHARES = ("p50", "p95", "p99")
HEADER = (
    *("from", "until", "what", "name", *COUNTS, "success_rate"),
    *(f"{times}_{share}_ms" for times in ("wait", "run") for share in SHARES),
    *("value", "previous", "at", "note"),
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula, https://owasp.org/www-community/attacks/CSV_Injection."""


def as_csv(report: Mapping[str, Any]) -> str:
    """The text of the table; its lines end with CR LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in _rows(report):
        told = {"from": report["from"], "until": report["until"], **row}
        writer.writerow([_harmless(told.get(column)) for column in HEADER])
    return text.getvalue()


def _rows(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield _figures("total", "", report["totals"])
    if previous := report.get("previous"):
        yield {
            **_figures("previous_total", "", previous["totals"]),
            "from": previous["from"],
            "until": previous["until"],
        }
    for what, figures in (("queue", report["queues"]), ("task", report["tasks"])):
        for name, of_name in figures.items():
            yield _figures(what, name, of_name)
    yield from _hours(report.get("volume"))
    yield from _triage(report.get("triage"))
    yield from _events(report)


def _figures(what: str, name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    ended = figures["succeeded"] + figures["failed"]
    times = {f"{of}_{share}_ms": figures.get(f"{of}_ms", {}).get(share) for of in ("wait", "run") for share in SHARES}
    rate = round(figures["succeeded"] / ended, 4) if ended else None
    return {"what": what, "name": name, **{count: figures[count] for count in COUNTS}, "success_rate": rate, **times}


def _hours(volume: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    if volume is None:
        return
    first, before = rfc3339_ms(volume["from"]), volume["previous"] or []
    for i, succeeded in enumerate(volume["succeeded"]):
        counts = {"succeeded": succeeded, "failed": volume["failed"][i], "cancelled": volume["cancelled"][i]}
        at = rfc3339(first + i * volume["step_s"] * 1_000)
        previous = before[i] if i < len(before) else None
        yield {"what": "hour", "name": at, **counts, "value": sum(counts.values()), "previous": previous, "at": at}


def _triage(triage: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    if triage is None:
        return
    before = triage["previous"]
    for area, counts in triage["areas"].items():
        note = " ".join(f"{urgency}={count}" for urgency, count in counts.items())
        previous = sum(before["areas"].get(area, {}).values()) if before else None
        yield {"what": "area", "name": area, "value": sum(counts.values()), "previous": previous, "note": note}
    for urgency, count in triage["urgencies"].items():
        yield {
            "what": "urgency",
            "name": urgency,
            "value": count,
            "previous": before["urgencies"][urgency] if before else None,
        }


def _events(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for error in report.get("errors", ()):
        note = f"{error['error_type']} in {error['task_name']}"
        counts = {"value": error["count"], "previous": error["previous"]}
        yield {"what": "error", "name": error["fingerprint"], **counts, "note": note}
    for slow in report.get("slowest", ()):
        note = f"{slow['task_name']} {slow['status']}"
        yield {
            "what": "slow",
            "name": slow["task_id"],
            "value": slow["run_ms"],
            "at": slow["finished_at"],
            "note": note,
        }
    for breaker in report.get("breakers", ()):
        counts = {"value": breaker["openings"], "at": breaker["last_at"]}
        yield {"what": "breaker", "name": breaker["name"], **counts, "note": " ".join(breaker["errors"])}
    for alert in report.get("alerts", ()):
        note = " ".join([alert["severity"], alert["state"], *(f"{k}={v}" for k, v in alert["labels"].items())])
        yield {"what": "alert", "name": alert["rule"], "value": alert["value"], "at": alert["fired_at"], "note": note}


def _harmless(cell: Any) -> Any:
    """A text that begins like a formula gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell
