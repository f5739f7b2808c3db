"""The figures of a report: what the counters say of a day or a week, hour by hour, over all tenants.

Counters are kept by the minute for eight days and by the hour for 35 (tasks/lua/counting.lua). An hour that lies in
the period and is folded is read as one hash; of any other its minutes are read. No record is read, so a report costs
the same after a hundred tasks as after a hundred million.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast
from zoneinfo import ZoneInfo

import redis

from tasks.clock import rfc3339, to_ms
from tasks.fingerprints import fingerprint
from tasks.keys import Keys
from tasks.redis_faults import redis_faults
from tasks.statistics import Figures, percentiles

DAYS = {"daily": 1, "weekly": 7}
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
MINUTES_KEPT_MS = 8 * 24 * HOUR_MS
HOURS_AT_ONCE = 24
HASHES_AT_ONCE = 1_440
ENDS = ("succeeded", "failed", "cancelled")
COUNTS = (*ENDS, "retried")
OWN_KINDS = frozenset({"reports", "webhooks", "notices", "alerts", "upkeep", "backup"})
"""The service's own housekeeping, which nobody submitted a case for."""


def is_own(task_name: str) -> bool:
    """Whether a type of task is the service's own."""
    return task_name.partition(".")[0] in OWN_KINDS


@dataclass(frozen=True, slots=True)
class Period:
    """From `first_ms` to just before `last_ms`."""

    first_ms: int
    last_ms: int

    @property
    def hours(self) -> range:
        """The hours, counted from 1970, that the period touches."""
        return range(self.first_ms // HOUR_MS, -(-self.last_ms // HOUR_MS))

    def has(self, ms: int) -> bool:
        return self.first_ms <= ms < self.last_ms

    def minutes_of(self, hour: int) -> range:
        """The minutes of an hour that the period touches."""
        first = max(hour * 60, self.first_ms // MINUTE_MS)
        return range(first, min(hour * 60 + 60, -(-self.last_ms // MINUTE_MS)))


def period_of(kind: str, until: dt.datetime, zone: ZoneInfo) -> Period:
    """The day or the week that ends at `until`. It begins at the same time of day by the clocks of `zone`, so where
    they change a day has 23 or 25 hours."""
    end = until.astimezone(zone)
    return Period(to_ms(end - dt.timedelta(days=DAYS[kind])), to_ms(end))


def period_before(kind: str, period: Period, zone: ZoneInfo) -> Period:
    """The one that ends where this one begins."""
    return period_of(kind, dt.datetime.fromtimestamp(period.first_ms / 1_000, dt.UTC), zone)


@dataclass(slots=True)
class Counted:
    """What the counters say of a period. `by_hour` has an entry for each hour, of the tasks that came to an end and
    aren't the service's own; `known` tells of how many of the hours anything is still known."""

    period: Period
    queues: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    names: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_hour: list[Counter[str]] = field(default_factory=list)
    known: int = 0

    def __post_init__(self) -> None:
        self.by_hour = [Counter() for _ in self.period.hours]

    def add(self, hour: int, counters: Mapping[bytes, bytes]) -> None:
        of_hour = self.by_hour[hour - self.period.hours.start]
        for raw, told in counters.items():
            queue, name, what, which = [*raw.decode().split("/"), "", "", ""][:4]
            if not what:
                continue
            count = int(told)
            self.queues[queue].add(what, which, count)
            self.names[name].add(what, which, count)
            if what in ENDS and not is_own(name):
                of_hour[what] += count

    @property
    def work(self) -> Figures:
        """All tasks that aren't the service's own."""
        return _sum(figures for name, figures in self.names.items() if not is_own(name))

    @property
    def own(self) -> Figures:
        return _sum(figures for name, figures in self.names.items() if is_own(name))

    @property
    def is_known(self) -> bool:
        """Whether enough is known to compare with: all but an hour or two."""
        return self.known >= len(self.by_hour) - 2


def _sum(some: Iterator[Figures]) -> Figures:
    total = Figures()
    for figures in some:
        total.merge(figures)
    return total


class FigureBook:
    """Reads counters. Every method raises `Unavailable` when Redis is away."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def counted(self, period: Period, now: int) -> Counted:
        """What was counted in a period, as far as it is known at `now` (ms)."""
        counted, tenants = Counted(period), self._tenants()
        for some in _some(period.hours, HOURS_AT_ONCE):
            names = [self._keys.of("hours", hour=str(hour)) for hour in some]
            for hour, folded in zip(some, self._hashes(names), strict=True):
                self._add(counted, hour, folded, tenants, now)
        return counted

    def _add(
        self, counted: Counted, hour: int, folded: Mapping[bytes, bytes], tenants: Sequence[str], now: int
    ) -> None:
        minutes = counted.period.minutes_of(hour)
        if folded.get(b"minutes") == b"60" and len(minutes) == 60:
            counted.add(hour, folded)
        elif (hour + 1) * HOUR_MS > now - MINUTES_KEPT_MS:
            for counters in self._minutes(minutes, tenants):
                counted.add(hour, counters)
        elif folded and counted.period.has(hour * HOUR_MS):
            # A part of an hour whose minutes are gone: it counts where it begins.
            counted.add(hour, folded)
        elif not folded:
            return
        counted.known += 1

    def _minutes(self, minutes: range, tenants: Sequence[str]) -> Iterator[dict[bytes, bytes]]:
        names = (
            self._keys.of("stats", tenant=tenant, minute=str(minute)) for minute in minutes for tenant in tenants
        )
        for some in _some(names, HASHES_AT_ONCE):
            yield from self._hashes(some)

    def _hashes(self, names: Sequence[str]) -> list[dict[bytes, bytes]]:
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        with redis_faults():
            return cast(list[dict[bytes, bytes]], pipe.execute())

    def _tenants(self) -> list[str]:
        with redis_faults():
            members = cast(set[bytes], self._client.smembers(self._keys.of("tenants")))
        return sorted(member.decode() for member in members)

    def slowest(self, period: Period, task_names: Sequence[str], most: int) -> list[dict[str, Any]]:
        """The longest runs that ended in a period, the longest first; of a type in an hour at most the five that are
        kept."""
        asked = [(name, hour) for name in task_names for hour in period.hours]
        found: list[tuple[float, str, str]] = []
        for some in _some(asked, HASHES_AT_ONCE):
            pipe = self._client.pipeline(transaction=False)
            for name, hour in some:
                pipe.zrange(self._keys.of("slowest", task_name=name, hour=str(hour)), 0, -1, withscores=True)
            with redis_faults():
                answers = pipe.execute()
            for (name, _), runs in zip(some, answers, strict=True):
                found += [(ms, name, member.decode()) for member, ms in runs]
            found = sorted((run for run in found if period.has(_end_of(run[2]))), reverse=True)[:most]
        return [_slow(*run) for run in found]


def _end_of(member: str) -> int:
    return int(member.rpartition(" ")[2])


def _slow(ms: float, name: str, member: str) -> dict[str, Any]:
    task_id, status, ended = member.split(" ")
    return {
        "task_id": task_id,
        "task_name": name,
        "status": status,
        "run_ms": round(ms),
        "finished_at": rfc3339(int(ended)),
    }


def _some(items: Any, size: int) -> Iterator[list[Any]]:
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some


# ------------------------------------------------------------------------------------------------ as it is told


def totals_of(figures: Figures) -> dict[str, Any]:
    """Counts, the share that succeeded of those that ran to an end (`None` where none did), and times."""
    totals: dict[str, Any] = {what: figures.counts[what] for what in COUNTS}
    ended = totals["succeeded"] + totals["failed"]
    return {
        "ended": ended + totals["cancelled"],
        **totals,
        "success_rate": round(totals["succeeded"] / ended, 4) if ended else None,
        "wait_ms": percentiles(figures.wait),
        "run_ms": percentiles(figures.run),
    }


def triage_of(figures: Figures) -> dict[str, Any]:
    """How many triages there were, by area and urgency, the most frequent area first."""
    areas: dict[str, Counter[str]] = defaultdict(Counter)
    urgencies: Counter[str] = Counter()
    for which, count in figures.triaged.items():
        area, _, urgency = which.partition(".")
        areas[area][urgency] += count
        urgencies[urgency] += count
    order = sorted(areas, key=lambda area: (-areas[area].total(), area))
    return {
        "total": urgencies.total(),
        "areas": {area: _by_urgency(areas[area]) for area in order},
        "urgencies": _by_urgency(urgencies),
    }


def _by_urgency(counts: Counter[str]) -> dict[str, int]:
    return {urgency: counts[urgency] for urgency in ("critical", "high", "medium", "low")}


def faults_of(names: Mapping[str, Figures], before: Mapping[str, Figures] | None, most: int) -> list[dict[str, Any]]:
    """What tasks failed of, the most frequent first, with how often it was so before."""
    now, then = _faults(names), _faults(before) if before is not None else None
    order = sorted(now, key=lambda fault: (-now[fault], fault))[:most]
    return [
        {
            "fingerprint": mark,
            "task_name": name,
            "error_type": error_type,
            "count": now[name, error_type, mark],
            "previous": then[name, error_type, mark] if then is not None else None,
        }
        for name, error_type, mark in order
    ]


def _faults(names: Mapping[str, Figures]) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for name, figures in names.items():
        for which, count in figures.faults.items():
            mark, _, error_type = which.partition(" ")
            found[name, error_type, mark or fingerprint(name, error_type, "")] += count
    return found
