"""Days and periods that a client or a document speaks of, resolved against the day on which it is read.

Own grammar of Brazilian Portuguese as it is typed: 'depois de amanhã', 'daqui a 3 dias', 'dia 15 do mês que
vem', 'segunda-feira que vem', '12/03', without accents too. A day that could be before or after the reference
is the next one, unless the clause speaks of the past. Clock times are left out of a mention. What a date
means for a case, and court terms counted in business days, are not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Literal

from actors.engines.text.date_grammar import Asked, Resolved, Rule
from actors.engines.text.folding import Folded, fold
from actors.engines.text.foreign_dates import FOREIGN_RULES
from actors.engines.text.named_days import NAMED_RULES
from actors.engines.text.relative_dates import RELATIVE_RULES

MAX_PER_RULE = 3_000
"""Mentions of one kind read in one text: more is no document, and the words around each cost time."""
_BETWEEN_NAME_AND_DATE = re.compile(r"[ ,(]{0,3}(?:dia |o dia |the )?$")


@dataclass(frozen=True, slots=True)
class DateMention:
    """Words that name a day or a period. `start` and `end` are offsets into the text; `first` and `last` are
    inclusive and equal for `kind` 'date'."""

    text: str
    start: int
    end: int
    first: date
    last: date
    kind: Literal["date", "period"]


def find_dates(text: str, reference: date) -> tuple[DateMention, ...]:
    """Every date and period in `text`, in order, without overlaps; 'hoje' is `reference`. Never raises."""
    folded = fold(text)
    found = _outermost(sorted(_found(text, folded, reference), key=lambda f: (f.start, -f.end)))
    return tuple(_mention(text, folded, f) for f in _without_weekday_beside_date(folded.text, found))


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    resolved: Resolved
    weekday: bool


def _found(text: str, folded: Folded, reference: date) -> Iterator[_Found]:
    for rule in (*RELATIVE_RULES, *NAMED_RULES, *FOREIGN_RULES):
        for match in islice(rule.pattern.finditer(folded.text), MAX_PER_RULE):
            asked = Asked(match, reference, text, folded.start(match.start()), folded.end(match.end()))
            resolved = _resolve(rule, asked)
            if resolved:
                yield _Found(match.start(), match.end(), resolved, rule.weekday)


def _resolve(rule: Rule, asked: Asked) -> Resolved | None:
    """Days outside the calendar (year 0, year 10000) are no days: they are left out, not raised."""
    try:
        return rule.resolve(asked)
    except (OverflowError, ValueError):
        return None


def _outermost(found: list[_Found]) -> list[_Found]:
    kept: list[_Found] = []
    for candidate in found:
        if not kept or candidate.start >= kept[-1].end:
            kept.append(candidate)
    return kept


def _without_weekday_beside_date(folded: str, found: list[_Found]) -> list[_Found]:
    """In 'terça-feira, 22/04' and '22/04 (terça-feira)' the date has the say, whatever the weekday would be."""
    return [f for i, f in enumerate(found) if not (f.weekday and _beside_date(folded, found, i))]


def _beside_date(folded: str, found: list[_Found], i: int) -> bool:
    following, previous = found[i + 1 : i + 2], found[i - 1 : i] if i else []
    if (
        following
        and not following[0].weekday
        and _BETWEEN_NAME_AND_DATE.match(folded[found[i].end : following[0].start])
    ):
        return True
    return (
        bool(previous) and not previous[0].weekday and folded[previous[0].end : found[i].start].strip() in ("(", ",")
    )


def _mention(text: str, folded: Folded, found: _Found) -> DateMention:
    start, end = folded.start(found.start), folded.end(found.end)
    first, last, kind = found.resolved
    return DateMention(text[start:end], start, end, first, last, kind)
