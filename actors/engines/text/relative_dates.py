"""Rules for days told from today: 'amanhã', 'daqui a 3 dias', 'há 2 semanas', 'semana que vem', 'fim do mês'."""

from __future__ import annotations

import datetime as dt
import re

from actors.engines.text import written_dates as written
from actors.engines.text.date_grammar import (
    LAST,
    NEXT,
    Asked,
    Resolved,
    Rule,
    a_period,
    add_months,
    move_of,
    moved_pattern,
    named_month,
    one_day,
)
from actors.engines.text.holidays import DAY, add_business_days
from actors.engines.text.number_words import COUNT, read_count

_DAY_WORDS = re.compile(
    r"\b(?:(?P<p3>trasanteontem)|(?P<p2>ant[ei] ?ontem|antontem|antes de ontem)|(?P<f2>d(?:epois|pois"
    r"|ps) d[e']? ?amanha+n?)"
    r"|(?P<p1>ont[ei][mn])|(?P<f1>amanha+n?|amnha|amanhe)|(?P<f0>hoje|hj|hoj)(?! em dia| a \d| a oito"
    r"| a quinze))\b"
)
_DAY_OFFSETS = {"p3": -3, "p2": -2, "p1": -1, "f0": 0, "f1": 1, "f2": 2}


def _day_word(asked: Asked) -> Resolved | None:
    return one_day(asked.reference + _DAY_OFFSETS[asked.match.lastgroup or "f0"] * DAY)


_ABOUT = (
    r"(?:(?:uns|umas|cerca de|mais ou menos|apenas|so|somente|no maximo|ate|mais de|menos de|quase|ja"
    r"|aproximadamente|mais) ){0,2}"
)
_UNIT = r"dias?(?P<business> ut(?:eis|il))?|semanas?|quinzenas?|mes(?:es)?|anos?|horas?|hrs?|h"
_SPAN = rf"{_ABOUT}(?P<n>{COUNT})(?: \((?:[a-z ]{{2,30}})\))? ?(?P<unit>{_UNIT})\b"

_AHEAD = re.compile(
    rf"\b(?:da(?:qui|ki|ki)(?: a| ha| em| pra)?|dentro de|em|no prazo(?: maximo)? de|prazo (?:e )?(?:de )?"
    rf"|falta[mn]?|restam?"
    rf"|de hoje a|hoje a|vence em) {_SPAN}(?! atras)"
)
_GRANTED = re.compile(
    rf"\b(?:tenho|temos|tem|deu|deram|dando|da|dao|ganhei|deixou|deixaram) {_SPAN}(?= (?:pra|para|p|de prazo"
    rf"|corridos? pra|corridos? para)\b)"
)
_OTHER_SPAN = re.sub(r"\?P<(\w+)>", r"?P<\g<1>2>", _SPAN)
_AGO = re.compile(rf"\b(?:ha|faz|fazem|fez) {_SPAN}(?: atras)?|\btem {_OTHER_SPAN}(?= que\b| atras\b)")
_BACK = re.compile(rf"\b{_SPAN} atras\b")
_COMING_SPAN = re.compile(rf"\b(?:nos|n?as|os|pelos|pelas) proxim[oa]s {_SPAN}")
_LAST_SPAN = re.compile(rf"\b(?:nos|n?as|os|pelos|pelas) ultim[oa]s {_SPAN}")


def _shift(day: dt.date, count: int, unit: str, business: bool) -> dt.date:
    if business and count > 0:
        return add_business_days(day, min(count, 3_000))
    if unit.startswith("h"):
        return day + (count // 24 if count > 0 else -(-count // 24)) * DAY
    if unit.startswith(("mes", "ano")):
        return add_months(day, count * (12 if unit.startswith("a") else 1))
    return day + count * {"d": 1, "s": 7, "q": 15}[unit[0]] * DAY


def _shifted(asked: Asked, sign: int) -> dt.date | None:
    count = read_count(asked["n"] or asked["n2"] or "")
    unit = asked["unit"] or asked["unit2"] or "dia"
    return None if count is None else _shift(asked.reference, sign * count, unit, bool(asked["business"]))


def _ahead(asked: Asked) -> Resolved | None:
    return one_day(_shifted(asked, 1))


def _ago(asked: Asked) -> Resolved | None:
    return one_day(_shifted(asked, -1))


def _coming_span(asked: Asked) -> Resolved | None:
    end = _shifted(asked, 1)
    return a_period((asked.reference, end) if end else None)


def _last_span(asked: Asked) -> Resolved | None:
    begin = _shifted(asked, -1)
    return a_period((begin, asked.reference) if begin else None)


_MOVED_UNIT = re.compile(moved_pattern(r"(?P<unit>semana|mes|ano)"))
_WEEKEND = re.compile(moved_pattern(r"(?<!todo )(?:fim|final) de semana|findi|fds"))


def _moved_unit(asked: Asked) -> Resolved | None:
    move = move_of(asked)
    return None if move is None else a_period(_unit_span(asked.reference, asked["unit"] or "", move))


def _unit_span(reference: dt.date, unit: str, move: int) -> tuple[dt.date, dt.date] | None:
    if unit == "semana":
        monday = reference + (7 * move - reference.weekday()) * DAY
        return monday, monday + 6 * DAY
    if unit == "ano":
        return dt.date(reference.year + move, 1, 1), dt.date(reference.year + move, 12, 31)
    month = add_months(reference.replace(day=1), move)
    return written.month_span(month.year, month.month)


def _weekend(asked: Asked) -> Resolved | None:
    move = move_of(asked)
    if move is None:
        move = -1 if asked.tense == "past" else 0
    saturday = asked.reference + (5 - asked.reference.weekday() + 7 * move) * DAY
    return a_period((saturday, saturday + DAY))


_PART = re.compile(
    rf"\b(?P<part>fim|final|fins|comeco|inicio|meio|meados) d(?:o|a|e|est[ea]|ess[ea]) "
    rf"(?:(?P<next>proxim[oa] )?(?P<unit>semana|mes|ano)\b(?: (?:(?P<next2>{NEXT})|(?P<last2>{LAST}))\b)?"
    rf"|(?:mes de )?(?P<month>{written.MONTH})\b(?: de (?P<year>{written.YEAR}))?)"
)


def _part(asked: Asked) -> Resolved | None:
    """A third of the month, a day or two of the week, a few months of the year: what people mean by it."""
    if asked["month"]:
        return a_period(_part_of(named_month(asked), asked["part"] or "", "mes"))
    span = _unit_span(asked.reference, asked["unit"] or "", move_of(asked) or 0)
    return a_period(_part_of(span, asked["part"] or "", asked["unit"] or ""))


def _part_of(span: tuple[dt.date, dt.date] | None, part: str, unit: str) -> tuple[dt.date, dt.date] | None:
    if span is None:
        return None
    first, last = span
    if unit == "semana":
        days = {"c": (0, 1), "i": (0, 1), "m": (2, 2), "f": (3, 4)}[part[0]]
        return first + days[0] * DAY, first + days[1] * DAY
    if unit == "ano":
        months = {"c": (1, 2), "i": (1, 2), "m": (6, 7), "f": (11, 12)}[part[0]]
        return first.replace(month=months[0]), _last_of(first.year, months[1])
    days = {"c": (1, 10), "i": (1, 10), "m": (11, 20), "f": (21, last.day)}[part[0]]
    return first.replace(day=days[0]), first.replace(day=days[1])


def _last_of(year: int, month: int) -> dt.date:
    return add_months(dt.date(year, month, 1), 1) - DAY


RELATIVE_RULES: tuple[Rule, ...] = (
    Rule(_DAY_WORDS, _day_word),
    Rule(_AHEAD, _ahead),
    Rule(_GRANTED, _ahead),
    Rule(_AGO, _ago),
    Rule(_BACK, _ago),
    Rule(_COMING_SPAN, _coming_span),
    Rule(_LAST_SPAN, _last_span),
    Rule(_MOVED_UNIT, _moved_unit),
    Rule(_WEEKEND, _weekend),
    Rule(_PART, _part),
)
