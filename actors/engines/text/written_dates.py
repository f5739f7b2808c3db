"""Calendar dates as they are written: '12/03/2025', '12.3.25', '1º de maio de 2025', '2025-03-12', 'março de 2025'.

Only what the words themselves say: which year '12/03' belongs to, and what 'amanhã' means, is for `dates`.
All patterns are for folded text.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass

MONTHS = {
    "janeiro": 1,
    "fevereiro": 2,
    "fevreiro": 2,
    "marco": 3,
    "abril": 4,
    "maio": 5,
    "junho": 6,
    "julho": 7,
    "agosto": 8,
    "setembro": 9,
    "outubro": 10,
    "novembro": 11,
    "dezembro": 12,
    "desembro": 12,
}
_SHORT = {name[:3]: number for name, number in MONTHS.items()}
MONTH = "|".join(MONTHS)
SHORT_MONTH = rf"{MONTH}|(?:{'|'.join(dict.fromkeys(_SHORT))})\b\.?"
YEAR = r"(?:1[89]|20)\d{2}"

_PAIR_AHEAD = r"(?![\d/]|[.-]\d)"
NUMERIC = re.compile(
    rf"(?<![\d/.,-])(?P<day>\d{{1,2}})[ºo]?(?P<sep> ?[/.-] ?)(?P<month>\d{{1,2}})(?P=sep)(?P<year>{YEAR}"
    rf"|\d{{2}}){_PAIR_AHEAD}"
)
ISO = re.compile(rf"(?<![\d/.-])(?P<year>{YEAR})-(?P<month>\d{{2}})-(?P<day>\d{{2}})(?!\d|-\d)")
SPELLED = re.compile(
    rf"(?<![\d/.,-])\b(?P<day>\d{{1,2}}|primeiro)[ºo]?(?P<sep>[ \n]{{1,3}}(?:dia )?de[ \n]{{1,3}}"
    rf"|[ /.-])(?P<month>{SHORT_MONTH})\b"
    rf"(?:(?:[ \n]{{1,3}}del?[ \n]{{1,3}}|[ /.-])(?P<year>{YEAR}|(?<=[/.-])\d{{2}}(?!\d))\b)?"
)
MONTH_YEAR = re.compile(rf"\b(?P<month>{SHORT_MONTH})(?: de | ?/ ?| )(?P<year>{YEAR})(?![\d/])")
NUMERIC_MONTH_YEAR = re.compile(rf"(?<![\d/.,-])(?P<month>0?[1-9]|1[0-2])/(?P<year>{YEAR})(?![\d/]|[.,-]\d)")

CENTURY_TURN = 60
"""Two-digit years up to this one belong to 2000, later ones to 1900."""


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date as far as it is written; `year` is None for '12 de março'."""

    day: int
    month: int
    year: int | None

    def on(self, year: int) -> dt.date | None:
        """The day in `year`, or None where the calendar has no such day (29 February)."""
        return safe_date(year, self.month, self.day)


def safe_date(year: int, month: int, day: int) -> dt.date | None:
    """The date, or None if the calendar has none such."""
    try:
        return dt.date(year, month, day)
    except (ValueError, OverflowError):
        return None


def month_number(name: str) -> int:
    """1 to 12 for a folded month name, whole or in three letters. Raises KeyError for any other word."""
    return MONTHS.get(name) or _SHORT[name[:3]]


def full_year(text: str) -> int:
    """Year of two or four digits as a full year."""
    year = int(text)
    if len(text) > 2:
        return year
    return year + (2000 if year <= CENTURY_TURN else 1900)


def read_numeric(match: re.Match[str]) -> dt.date | None:
    """The date that a NUMERIC or ISO match stands for."""
    return safe_date(full_year(match["year"]), int(match["month"]), int(match["day"]))


def read_spelled(match: re.Match[str]) -> WrittenDate | None:
    """The date that a SPELLED match stands for, with or without its year."""
    day = 1 if match["day"] == "primeiro" else int(match["day"])
    month = month_number(match["month"])
    written = WrittenDate(day, month, full_year(match["year"]) if match["year"] else None)
    return written if written.on(written.year or 2024) else None


def month_span(year: int, month: int) -> tuple[dt.date, dt.date] | None:
    """First and last day of a month, or None outside the calendar."""
    first = safe_date(year, month, 1)
    return (first, first.replace(day=calendar.monthrange(year, month)[1])) if first else None
