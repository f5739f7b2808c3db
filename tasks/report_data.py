"""The data of a report: the figures of its period and of the one before it, and what breakers and alerts did.

It is made once and kept as JSON; the table and the pages are made of it when they are asked for.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from zoneinfo import ZoneInfo

import redis

from tasks.alerts import AlertBook
from tasks.breakers import BreakerBook, Opening
from tasks.catalog import BATCH
from tasks.clock import now_ms, rfc3339
from tasks.keys import Keys
from tasks.lifecycle import State
from tasks.redis_faults import redis_faults
from tasks.report_figures import (
    ENDS,
    HOUR_MS,
    Counted,
    FigureBook,
    Period,
    faults_of,
    is_own,
    period_before,
    period_of,
    totals_of,
    triage_of,
)
from tasks.settings import Settings
from tasks.statistics import Figures

SLOWEST = 10
FAULTS = 20
BREAKERS = 50
ALERTS = 100


class ReportMaker:
    """Gathers what a report tells. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._keys = Keys(settings.namespace)
        self._zone = ZoneInfo(settings.time_zone)
        self._figures = FigureBook(client, self._keys)
        self._breakers = BreakerBook(client, settings)
        self._alerts = AlertBook(client, settings)

    def make(self, report_id: str, kind: str, until: dt.datetime | None, now: int | None = None) -> dict[str, Any]:
        """The report of the day or the week that ends at `until`, or now. Of lists that could be long the first are
        in it, and how many there are."""
        now = now_ms() if now is None else now
        period = period_of(kind, until or dt.datetime.fromtimestamp(now / 1_000, dt.UTC), self._zone)
        counted = self._figures.counted(period, now)
        earlier = self._figures.counted(period_before(kind, period, self._zone), now)
        before = earlier if earlier.is_known else None
        return {
            "report_id": report_id,
            "kind": kind,
            "from": rfc3339(period.first_ms),
            "until": rfc3339(period.last_ms),
            "made_at": rfc3339(now),
            "time_zone": self._zone.key,
            "totals": totals_of(counted.work),
            "own": {what: counted.own.counts[what] for what in ENDS},
            "previous": _previous(before),
            "statuses": self._statuses(),
            "queues": _told(counted.queues),
            "tasks": _told(counted.names),
            "volume": _volume(counted, before),
            "triage": {**triage_of(counted.work), "previous": triage_of(before.work) if before else None},
            "slowest": self._slowest(counted),
            "errors": faults_of(counted.names, before.names if before else None, FAULTS),
            **self._breaker_history(period),
            **self._alert_history(period),
        }

    def _slowest(self, counted: Counted) -> list[dict[str, Any]]:
        """A batch takes as long as its cases, which are told themselves."""
        names = [name for name in counted.names if not is_own(name) and name != BATCH]
        return self._figures.slowest(counted.period, names, SLOWEST)

    def _statuses(self) -> dict[str, int]:
        """How many tasks are in which state now, over all tenants."""
        with redis_faults():
            members = cast(set[bytes], self._client.smembers(self._keys.of("tenants")))
            tenants = [member.decode() for member in members]
            pipe = self._client.pipeline(transaction=False)
            for status in State:
                for tenant in tenants:
                    pipe.zcard(self._keys.of("by_status", tenant=tenant, status=status))
            counts = pipe.execute() if tenants else []
        size = len(tenants)
        return {state.value: sum(counts[i * size : (i + 1) * size]) for i, state in enumerate(State)}

    def _breaker_history(self, period: Period) -> dict[str, Any]:
        of_name: dict[str, list[Opening]] = defaultdict(list)
        for opening in self._breakers.openings(period.first_ms, period.last_ms - 1):
            of_name[opening.name].append(opening)
        order = sorted(of_name, key=lambda name: (-len(of_name[name]), name))
        return {
            "breakers": [_opened(name, of_name[name]) for name in order[:BREAKERS]],
            "breakers_count": len(of_name),
        }

    def _alert_history(self, period: Period) -> dict[str, Any]:
        alerts = self._alerts.history(period.first_ms, period.last_ms - 1)
        return {"alerts": alerts[-ALERTS:], "alerts_count": len(alerts)}


def _previous(before: Counted | None) -> dict[str, Any] | None:
    if before is None:
        return None
    return {
        "from": rfc3339(before.period.first_ms),
        "until": rfc3339(before.period.last_ms),
        "totals": totals_of(before.work),
        "tasks": _told(before.names),
    }


def _told(figures: Mapping[str, Figures]) -> dict[str, Any]:
    return {name: figures[name].as_json() for name in sorted(figures)}


def _volume(counted: Counted, before: Counted | None) -> dict[str, Any]:
    """What ended in each hour, from the one in which the period begins; of the one before all ends together."""
    return {
        "from": rfc3339(counted.period.hours.start * HOUR_MS),
        "step_s": HOUR_MS // 1_000,
        **{end: [of_hour[end] for of_hour in counted.by_hour] for end in ENDS},
        "previous": [of_hour.total() for of_hour in before.by_hour] if before else None,
    }


def _opened(name: str, openings: Sequence[Opening]) -> dict[str, Any]:
    return {
        "name": name,
        "openings": len(openings),
        "first_at": rfc3339(openings[0].at_ms),
        "last_at": rfc3339(openings[-1].at_ms),
        "errors": _distinct(opening.error for opening in openings),
    }


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))[:5]
