"""A report in sentences: what one reads first, on the page and in the mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.report_figures import is_own
from tasks.report_words import Words

FEW = 20
"""Of fewer a percentage says less than the number."""


def headline(report: Mapping[str, Any], words: Words) -> str:
    """The first sentence: how many, how well, and how that compares."""
    ended, compared = _ended(report["totals"]), _compared(report, words)
    if not ended:
        told = words.text("none_ended")
    else:
        how_many = words.text("one_ended") if ended == 1 else words.text("ended", n=words.number(ended))
        told = ", ".join(filter(None, (how_many, _well(report["totals"], words))))
    return f"{told}; {compared}." if compared else f"{told}."


def rate_of(counts: Mapping[str, Any]) -> float | None:
    """The share that succeeded of what ran to an end, not rounded; `None` where nothing did."""
    ran = counts["succeeded"] + counts["failed"]
    return counts["succeeded"] / ran if ran else None


def _ended(totals: Mapping[str, Any]) -> int:
    return int(totals["succeeded"] + totals["failed"] + totals["cancelled"])


def _well(totals: Mapping[str, Any], words: Words) -> str:
    rate = rate_of(totals)
    if rate is None or (rate == 0 and totals["failed"] == 1):
        return ""
    if rate == 1:
        return words.text("well_one" if totals["succeeded"] == 1 else "well_all")
    return words.text("well", share=words.percent(rate)) if rate else words.text("well_none")


def _compared(report: Mapping[str, Any], words: Words) -> str:
    previous, kind = report["previous"], report["kind"]
    if previous is None:
        return ""
    now, then = _ended(report["totals"]), _ended(previous["totals"])
    before = words.text(f"in_before.{kind}")
    if then == 0:
        return words.text("were_none", then=before) if now else ""
    if now == then:
        return words.text("as_many", then=before)
    if then < FEW or now > 4 * then or now == 0:
        return words.text("were", then=before, n=words.number(then))
    change = (now - then) / then
    share = words.percent(abs(change), 0 if 0.095 <= abs(change) < 0.995 else 1)
    return words.text("more" if change > 0 else "less", share=share, than=words.text(f"than_before.{kind}"))


def sentences(report: Mapping[str, Any], words: Words) -> list[str]:
    """What follows the headline: failures, triages, waits, alerts and breakers."""
    told = (_failures(report, words), _triages(report, words), _waits(report, words), _alerts(report, words))
    return [sentence for sentence in (*told, _breakers(report, words)) if sentence]


def _failures(report: Mapping[str, Any], words: Words) -> str:
    failed = report["totals"]["failed"]
    if not failed:
        return words.text("failed_none") if report["totals"]["succeeded"] else ""
    first = next((fault for fault in report["errors"] if not is_own(fault["task_name"])), None)
    if first is None or first["count"] == 1 < failed:
        return words.text("failed_plain", n=words.number(failed))
    return words.text(
        "failed_one" if failed == 1 else "failed_some",
        n=words.number(failed),
        fault=words.name("fault", first["error_type"]),
        task=words.name("task", first["task_name"]),
        count=words.number(first["count"]),
    )


def _triages(report: Mapping[str, Any], words: Words) -> str:
    triage = report["triage"]
    if not triage["total"]:
        return ""
    area, counts = next(iter(triage["areas"].items()))
    if triage["total"] == 1:
        return words.text("triaged_one", area=words.name("area", area))
    most = sum(counts.values())
    return words.text(
        "triaged",
        n=words.number(triage["total"]),
        count=words.number(most),
        area=words.name("area", area),
        share=words.percent(most / triage["total"], 0),
        critical=words.number(triage["urgencies"]["critical"]),
        high=words.number(triage["urgencies"]["high"]),
    )


def _waits(report: Mapping[str, Any], words: Words) -> str:
    waits = report["totals"]["wait_ms"]
    if waits["p50"] is None:
        return ""
    return words.text("waited", p50=words.duration(waits["p50"]), p95=words.duration(waits["p95"]))


def _alerts(report: Mapping[str, Any], words: Words) -> str:
    count, alerts = report["alerts_count"], report["alerts"]
    if count < 2:
        return words.text("alerts_one", rule=alerts[0]["rule"]) if count else words.text("alerts_none")
    still = sum(alert["resolved_at"] is None for alert in alerts)
    return words.text("alerts_still" if still else "alerts_some", n=words.number(count), still=words.number(still))


def _breakers(report: Mapping[str, Any], words: Words) -> str:
    openings = sum(breaker["openings"] for breaker in report["breakers"])
    if not openings:
        return ""
    return words.text("breakers_one" if openings == 1 else "breakers_some", n=words.number(openings))
