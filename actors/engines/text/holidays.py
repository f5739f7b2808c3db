"""The forensic calendar: national holidays, movable feasts and the year-end recess, computed for any year.

It knows the national calendar only. Holidays of a state, a city or a court are not in it, so a due day that
falls on one is a day early: the safe side for whoever has to meet the term.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

DAY = dt.timedelta(days=1)

_FIXED = ((1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25))
"""Lei nº 662/1949 and Lei nº 6.802/1980."""

_FROM_EASTER = (-48, -47, -2, 60)
"""Carnival Monday and Tuesday, Good Friday, Corpus Christi: days without court business."""


@lru_cache(maxsize=256)
def easter(year: int) -> dt.date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm published in Nature, 1876)."""
    a, (b, c) = year % 19, divmod(year, 100)
    (d, e), f = divmod(b, 4), (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    j = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * j) // 451
    month, day = divmod(h + j - 7 * m + 114, 31)
    return dt.date(year, month, day + 1)


@lru_cache(maxsize=256)
def holidays(year: int) -> frozenset[dt.date]:
    """National holidays and the movable days on which the courts rest, in `year`."""
    days = {dt.date(year, month, day) for month, day in _FIXED}
    if year >= 2024:
        days.add(dt.date(year, 11, 20))  # Consciência Negra, national since Lei nº 14.759/2023
    days.update(easter(year) + offset * DAY for offset in _FROM_EASTER)
    return frozenset(days)


def in_recess(day: dt.date) -> bool:
    """Whether civil terms are suspended: 20 December to 20 January, CPC art. 220 and CLT art. 775-A."""
    return (day.month == 12 and day.day >= 20) or (day.month == 1 and day.day <= 20)


def is_business_day(day: dt.date) -> bool:
    """Neither Saturday, Sunday nor a national holiday (CPC art. 216)."""
    return day.weekday() < 5 and day not in holidays(day.year)


def add_business_days(start: dt.date, days: int) -> dt.date:
    """The last of so many business days that follow `start`, the first day left out (CPC art. 224). The year-end
    recess is no matter here: it suspends terms of procedure, which are counted in `terms`.

    Raises OverflowError at the end of the calendar (year 9999).
    """
    day = start
    for _ in range(days):
        day += DAY
        while not is_business_day(day):
            day += DAY
    return day
