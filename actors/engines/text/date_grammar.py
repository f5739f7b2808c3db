"""What a rule of the date grammar is: a pattern over folded text and the days it resolves to."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from actors.engines.text import written_dates as written
from actors.engines.text.tense import Tense, tense_around

Resolved = tuple[dt.date, dt.date, Literal["date", "period"]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One match of a rule, with the day it is asked on and the text around it."""

    match: re.Match[str]
    reference: dt.date
    text: str
    start: int
    end: int

    def __getitem__(self, group: str) -> str | None:
        return self.match.groupdict().get(group)

    @property
    def tense(self) -> Tense | None:
        return tense_around(self.text, self.start, self.end)


@dataclass(frozen=True, slots=True)
class Rule:
    """`weekday` marks rules that name a day of the week, which a date beside it overrules."""

    pattern: re.Pattern[str]
    resolve: Callable[[Asked], Resolved | None]
    weekday: bool = False


def one_day(day: dt.date | None) -> Resolved | None:
    return (day, day, "date") if day else None


def a_period(span: tuple[dt.date, dt.date] | None) -> Resolved | None:
    return (*span, "period") if span else None


def add_months(day: dt.date, months: int) -> dt.date:
    """`day` some months on, on the last day of the month where it has no such day. Raises ValueError outside
    the calendar."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


NEXT = r"que vem|q vem|qvem|proxim[oa]|seguinte|entrante|vindour[oa]"
LAST = r"passad[oa]|pasad[oa]|anterior"
THIS = r"n?est[ea]|n?ess[ea]|dest[ea]|dess[ea]"
_MOVED = {"next": 1, "next2": 1, "last": -1, "last2": -1, "before": -2, "this": 0, "now": 0}


def moved_pattern(noun: str) -> str:
    """`noun` with a word that says which: before it ('próxima semana') or after it ('semana que vem')."""
    return (
        rf"\b(?:(?P<next>proxim[oa]|prox|outr[oa]) |(?P<last>ultim[oa]) |(?P<this>{THIS}) )?(?:{noun})\b"
        rf"(?: (?:(?P<next2>{NEXT})|(?P<last2>{LAST})|(?P<before>retrasad[oa])|(?P<now>agora|atual"
        rf"|corrente))\b)?"
    )


def move_of(asked: Asked) -> int | None:
    """How many units ahead the words point: the words behind the noun overrule those before it."""
    for group in ("next2", "last2", "before", "next", "last", "this", "now"):
        if asked[group]:
            return _MOVED[group]
    return None


def named_month(asked: Asked) -> tuple[dt.date, dt.date] | None:
    """The month in its written year; else the last one if the clause speaks of the past, or the next."""
    month = written.month_number(asked["month"] or "")
    if asked["year"]:
        return written.month_span(int(asked["year"]), month)
    year = asked.reference.year
    said = asked["now"] or ""
    if said.endswith(("do ano que vem", "do ano passado")):
        return written.month_span(year + (1 if said.endswith("vem") else -1), month)
    past = said.endswith("passado") or asked.match[0].startswith("desde") or asked.tense == "past"
    if past:
        return written.month_span(year if month <= asked.reference.month else year - 1, month)
    return written.month_span(year if month >= asked.reference.month else year + 1, month)
