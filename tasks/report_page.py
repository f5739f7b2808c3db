"""A report as a page of its own, in Portuguese or English: no script, nothing loaded, made to be read and printed.

Everything a client or a rule named is escaped by the template; nothing of it is markup here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jinja2

from tasks.report_figures import is_own
from tasks.report_plots import STACK, URGENCIES, Cell, band, columns, scale_of, stacked
from tasks.report_sentences import headline, rate_of, sentences
from tasks.report_words import NOTHING, Lang, Words, words_for

HOURS_LABELLED = 3


def page(report: Mapping[str, Any], lang: Lang, *, other_language: str = "") -> str:
    """The page; `other_language` is where it is read in the other one, and '' where there is no such place."""
    words = words_for(report, lang)
    return str(
        templates()
        .get_template("report.html")
        .render(
            report=report,
            w=words,
            t=words.text,
            nothing=NOTHING,
            headline=headline(report, words),
            sentences=sentences(report, words),
            figures=list(main_figures(report, words)),
            volume=volume(report, words),
            heat=heat(report, words),
            areas=areas(report, words),
            types=types(report, words),
            urgencies=URGENCIES,
            other_language=other_language,
        )
    )


@cache
def templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tasks", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


# ------------------------------------------------------------------------------------------------ figures


def main_figures(report: Mapping[str, Any], words: Words) -> Iterator[dict[str, str]]:
    """The few figures on top: what they are called, what they are, and what they were."""
    now, then = report["totals"], (report["previous"] or {}).get("totals")
    before = report["triage"]["previous"]
    yield _figure("ended", now, then, lambda totals: words.number(_ended(totals)), words)
    yield _figure("success", now, then, lambda totals: words.percent(rate_of(totals)), words)
    yield _figure("failed", now, then, lambda totals: words.number(totals["failed"]), words)
    yield _figure("triages", report["triage"], before, lambda triage: words.number(triage["total"]), words)
    yield _figure("wait", now, then, lambda totals: words.duration(totals["wait_ms"]["p95"]), words)
    yield _figure("run", now, then, lambda totals: words.duration(totals["run_ms"]["p95"]), words)


def _figure(name: str, now: Any, then: Any, shown: Any, words: Words) -> dict[str, str]:
    was = shown(then) if then is not None else NOTHING
    return {
        "name": words.text(f"fig.{name}"),
        "value": shown(now),
        "was": "" if was == NOTHING else words.text("was", value=was),
        "bad": "bad" if name == "failed" and now["failed"] else "",
    }


def _ended(totals: Mapping[str, Any]) -> int:
    return int(totals["ended"])


# ------------------------------------------------------------------------------------------------- volume


def volume(report: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Bars by the hour of a day, by the day of a week, and what they say in words."""
    rows = _by_hour(report, words) if report["kind"] == "daily" else _by_day(report, words)
    peak = max(rows, key=_all_of, default=None)
    every = HOURS_LABELLED if report["kind"] == "daily" else 1
    if peak is None or not _all_of(peak):
        return {"plot": columns(rows, every), "desc": words.text("volume.none"), "empty": True}
    told = {
        "total": words.number(_ended(report["totals"])),
        "peak": words.number(_all_of(peak)),
        "when": peak["when"],
    }
    return {"plot": columns(rows, every), "desc": words.text("volume.desc", **told), "empty": False}


def _all_of(row: Mapping[str, Any]) -> int:
    return int(sum(row[kind] for kind in STACK))


def _hours(report: Mapping[str, Any], words: Words) -> Iterator[tuple[dt.datetime, dict[str, Any]]]:
    """The local beginning of each hour, and its counts."""
    told, first = report["volume"], words.local(report["volume"]["from"])
    before = told["previous"]
    for i in range(len(told["succeeded"])):
        start = (first.astimezone(dt.UTC) + dt.timedelta(seconds=i * told["step_s"])).astimezone(words.zone)
        counts = {kind: told[kind][i] for kind in STACK}
        # A day of 25 hours is compared with one of 24.
        then = None if before is None else before[i] if i < len(before) else 0
        yield start, {**counts, "before": then}


def _by_hour(report: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    rows = []
    for start, counts in _hours(report, words):
        when = words.hour(start)
        rows.append({**counts, "label": when, "when": when, "title": _bar_title(when, counts, report, words)})
    return rows


def _by_day(report: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    days: dict[dt.date, dict[str, Any]] = {}
    for start, counts in _hours(report, words):
        day = days.setdefault(start.date(), {**dict.fromkeys(STACK, 0), "before": None, "start": start})
        for kind in STACK:
            day[kind] += counts[kind]
        if counts["before"] is not None:
            day["before"] = (day["before"] or 0) + counts["before"]
    rows = []
    for day in days.values():
        when = words.weekday(day["start"])
        rows.append({**day, "label": when, "when": when, "title": _bar_title(when, day, report, words)})
    return rows


def _bar_title(when: str, counts: Mapping[str, Any], report: Mapping[str, Any], words: Words) -> str:
    total = words.number(sum(counts[kind] for kind in STACK))
    told = words.text("volume.bar", when=when, n=total, failed=words.number(counts["failed"]))
    if counts["before"] is None:
        return told
    before = words.text(f"before.{report['kind']}")
    return told + words.text("volume.before", before=before, n=words.number(counts["before"]))


def heat(report: Mapping[str, Any], words: Words) -> dict[str, Any] | None:
    """Of a week: a cell for each hour of each day. `None` where nothing ended, and of a day."""
    if report["kind"] != "weekly" or not _ended(report["totals"]):
        return None
    hours = [(start, _all_of(counts)) for start, counts in _hours(report, words)]
    peak_at, peak = max(hours, key=lambda hour: hour[1])
    days = list(dict.fromkeys(start.date() for start, _ in hours))
    cells = [
        Cell(
            start.hour,
            days.index(start.date()),
            round(count / peak, 3),
            f"{words.day_and_hour(start)}: {words.number(count)}",
        )
        for start, count in hours
        if count
    ]
    firsts = {day: next(start for start, _ in hours if start.date() == day) for day in days}
    desc = words.text("heat.desc", when=words.day_and_hour(peak_at), peak=words.number(peak))
    return {"cells": cells, "days": [words.weekday(firsts[day]) for day in days], "desc": desc}


# ------------------------------------------------------------------------------------- areas and task types


def areas(report: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    """A row for each area: its bar, stacked by urgency, as long as its share of the largest."""
    triage = report["triage"]
    before, most = triage["previous"], max((sum(counts.values()) for counts in triage["areas"].values()), default=0)
    rows = []
    for area, counts in triage["areas"].items():
        total, name = sum(counts.values()), words.name("area", area)
        urgencies = ((words.text(f"urgency.{each}"), counts[each]) for each in URGENCIES if counts[each])
        parts = ", ".join(f"{urgency.lower()} {words.number(count)}" for urgency, count in urgencies)
        rows.append(
            {
                "name": name,
                "counts": counts,
                "total": total,
                "share": total / triage["total"],
                "parts": stacked(counts, URGENCIES, most),
                "title": words.text("triage.bar", area=name, parts=parts),
                "before": None if before is None else sum(before["areas"].get(area, {}).values()),
            }
        )
    return rows


def types(report: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """A row for each type of task but the service's own: its figures, and its waits and runs on one scale."""
    names = [name for name in report["tasks"] if not is_own(name)]
    of_names = {name: report["tasks"][name] for name in names}
    shares = ("p50", "p95", "p99")
    scale = scale_of(
        of_names[name][f"{of}_ms"][share] for name in names for of in ("wait", "run") for share in shares
    )
    rows = []
    for name in sorted(names, key=lambda each: -_ends_of(of_names[each])):
        figures = of_names[name]
        rows.append(
            {
                "name": words.name("task", name),
                "code": name,
                "figures": figures,
                "rate": rate_of(figures),
                "bands": [
                    {"what": of, "band": band(scale, figures[f"{of}_ms"]), "title": _band_title(of, figures, words)}
                    for of in ("wait", "run")
                    if scale is not None
                ],
            }
        )
    marks = [(place, words.duration(ms)) for place, ms in (scale.marks if scale else ())]
    return {"rows": rows, "marks": marks}


def _ends_of(figures: Mapping[str, Any]) -> int:
    return int(figures["succeeded"] + figures["failed"] + figures["cancelled"])


def _band_title(of: str, figures: Mapping[str, Any], words: Words) -> str:
    times = {share: words.duration(value) for share, value in figures[f"{of}_ms"].items()}
    return words.text("times.bar", what=words.text(of), **times)
