"""Lines of cron in a time zone: which moments they mean, over changes to and from summer time. Nothing here knows of
schedules, nor of what time it is.

A line has the five fields minute, hour, day of month, month and weekday (0 and 7 are Sunday; names of three English
letters are taken). Where both kinds of day are given, either serves, as crontab(5) has it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

_MONTHS = {
    name: i
    for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_WEEKDAYS = {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _WEEKDAYS),
)
_DAY = dt.timedelta(days=1)
_AHEAD = 9 * 366
"""Days: from one 29 February to the next there may be eight years."""


@dataclass(frozen=True, slots=True)
class Cron:
    """One line. What names its hours comes once a day, also where the clock skips or repeats that hour; what comes
    every hour comes in each hour that there is."""

    line: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, line: str) -> Cron:
        """Raises `ValueError`, which names the field."""
        parts = line.split()
        if len(parts) != len(_FIELDS):
            raise ValueError(f"{line!r} has not the five fields minute, hour, day of month, month and weekday")
        minutes, hours, days, months, weekdays = (
            _values(part.lower(), *field) for part, field in zip(parts, _FIELDS, strict=True)
        )
        cron = cls(
            line=" ".join(parts),
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(day % 7 for day in weekdays),
        )
        if not any(cron.has(dt.date(2024, 1, 1) + i * _DAY) for i in range(_AHEAD)):
            raise ValueError(f"{line!r} never comes")
        return cron

    def between(self, after: dt.datetime, until: dt.datetime, zone: ZoneInfo) -> Iterator[dt.datetime]:
        """The moments later than `after` and not later than `until`, in UTC and in their order, each once."""
        last = after.astimezone(dt.UTC)
        # A clock that is turned on may carry a moment of one day into the next.
        day, end = after.astimezone(zone).date() - _DAY, until.astimezone(zone).date() + _DAY
        while day <= end:
            for moment in _of_day(self, day, zone):
                if last < moment <= until:
                    yield moment
                    last = moment
            day += _DAY

    def next(self, after: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """The first moment later than `after`, in UTC."""
        return next(self.between(after, after + _AHEAD * _DAY, zone))

    def has(self, day: dt.date) -> bool:
        """Whether anything comes on a day."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        both_given = len(self.days) < 31 and len(self.weekdays) < 7
        return in_month or in_week if both_given else in_month and in_week


@lru_cache(maxsize=256)
def _of_day(cron: Cron, day: dt.date, zone: ZoneInfo) -> Sequence[dt.datetime]:
    if not cron.has(day):
        return ()
    walls = (dt.datetime(day.year, day.month, day.day, h, m, tzinfo=zone) for h in cron.hours for m in cron.minutes)
    if len(cron.hours) < 24:
        return sorted({wall.astimezone(dt.UTC) for wall in walls})
    return sorted({moment for wall in walls for moment in _all_of(wall, zone)})


def _all_of(wall: dt.datetime, zone: ZoneInfo) -> Iterator[dt.datetime]:
    """When the clock shows this: never, once or twice."""
    for fold in (0, 1):
        moment = wall.replace(fold=fold).astimezone(dt.UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
            yield moment


def _values(text: str, name: str, least: int, most: int, names: Mapping[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, {}) if slash else 1
        first, last = _span(span, name, least, most, names)
        if slash and "-" not in span and span != "*":
            last = most
        if not (least <= first <= last <= most and step >= 1):
            raise ValueError(f"{text!r} is no {name}: they go from {least} to {most}")
        found.update(range(first, last + 1, step))
    return found


def _span(span: str, name: str, least: int, most: int, names: Mapping[str, int]) -> tuple[int, int]:
    if span == "*":
        return least, most
    first, dash, last = span.partition("-")
    begin = _number(first, name, names)
    return begin, _number(last, name, names) if dash else begin


def _number(text: str, name: str, names: Mapping[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(f"{text!r} is no {name}")
    return int(text)
