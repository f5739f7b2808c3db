"""Rules for days as foreigners in Brazil write them: 'tomorrow', 'this Thursday', 'the 28th', 'pasado mañana'.

English, and what Spanish doesn't share with Portuguese: a word that both have keeps its Portuguese reading. It is a
short list on purpose, for those who write so name few dates.
"""

from __future__ import annotations

import re

from actors.engines.text import written_dates as written
from actors.engines.text.date_grammar import Asked, Resolved, Rule, add_months, one_day
from actors.engines.text.holidays import DAY

_DAY_WORDS = re.compile(
    r"\b(?:(?P<f2>(?:the )?day after tomorrow|pasado manana)|(?P<f1>tomorrow|(?<!esta )(?<!la )(?<!de )manana)"
    r"|(?P<f0>today|tonight|hoy)|(?P<p2>anteayer|(?:the )?day before yesterday)|(?P<p1>yesterday|ayer))\b"
)
_DAY_OFFSETS = {"p2": -2, "p1": -1, "f0": 0, "f1": 1, "f2": 2}

_NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
_COUNTS = {name: n for n, name in enumerate(_NUMBERS.split(" "), 1)} | {"a": 1, "an": 1, "twenty": 20, "thirty": 30}
_COUNT = rf"(?P<n>\d{{1,3}}|{'|'.join(_COUNTS)})"
_UNIT = r"(?P<unit>hour|day|week|month|year)s?"
_AHEAD = re.compile(
    rf"\b(?:in|within|have|has|got|gave \w{{1,8}}) (?:just |only |about )?{_COUNT} {_UNIT}\b(?! ago| old)"
)
_AGO = re.compile(rf"\b{_COUNT} {_UNIT} ago\b")

_ENGLISH = "monday tuesday wednesday thursday friday saturday sunday"
_SPANISH = "lunes martes miercoles jueves viernes"
_WEEKDAYS = {name: n for names in (_ENGLISH, _SPANISH) for n, name in enumerate(names.split(" "))}
_WEEKDAY = re.compile(
    r"\b(?:(?:(?P<this>this|coming|next|by|until|till|este|proximo)|(?P<last>last|pasado)) (?:coming )?)?"
    rf"(?<!every )(?<!cada )(?<!todos los )\b(?P<weekday>{'|'.join(_WEEKDAYS)})\b(?P<last2> pasado)?"
)

_NAMES = "january february march april may june july august september october november december"
_MONTHS = {name: n for n, name in enumerate(_NAMES.split(" "), 1)}
_MONTH = "|".join(_MONTHS)
_ORDINAL = r"(?P<day>\d{1,2})(?:st|nd|rd|th)"
_YEAR = rf"(?:,? (?P<year>{written.YEAR})\b)?"
_NTH = re.compile(
    rf"\b(?:by|on|until|till|before|from|is|was|for|,) the {_ORDINAL}\b(?! \w*(?:floor|time|week|district|street))"
    rf"(?: of (?:(?P<this>this|the) month|(?P<next>next month)|(?P<month>{_MONTH})))?{_YEAR}"
)
_DAY_MONTH = re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<month>{_MONTH})\b{_YEAR}")
_MONTH_DAY = re.compile(
    rf"(?<!i )(?<!we )(?<!it )(?<!you )(?<!he )(?<!she )(?<!they )\b(?P<month>{_MONTH}) (?P<day>\d{{1,2}})"
    rf"(?:st|nd|rd|th)?(?!\d){_YEAR}"
)

_PAST = re.compile(
    r"\b(?:was|were|did|had|got|told|said|left|came|took|went|paid|sent|gave|lost|stole|broke|beat|hit"
    r"|(?!need|speed|feed|seed)[a-z]{2,}ed)\b"
)
_NOT_PAST = re.compile(
    r"\b(?:will|must|has to|have to|going to|is|are|be|deadline|due|hearing|flight|leaves?|i'll|scheduled)\b"
)
REACH = 60


def _day_word(asked: Asked) -> Resolved | None:
    return one_day(asked.reference + _DAY_OFFSETS[asked.match.lastgroup or "f0"] * DAY)


def _moved(asked: Asked, sign: int) -> Resolved | None:
    said, unit = asked["n"] or "", asked["unit"] or ""
    count = sign * (int(said) if said.isdigit() else _COUNTS[said])
    if unit in ("month", "year"):
        return one_day(add_months(asked.reference, count * (12 if unit == "year" else 1)))
    days = {"hour": count // 24 if count > 0 else -(-count // 24), "day": count, "week": 7 * count}[unit]
    return one_day(asked.reference + days * DAY)


def _ahead(asked: Asked) -> Resolved | None:
    return _moved(asked, 1)


def _ago(asked: Asked) -> Resolved | None:
    return _moved(asked, -1)


def _weekday(asked: Asked) -> Resolved | None:
    wanted = _WEEKDAYS[asked["weekday"] or ""]
    past = asked["last"] or asked["last2"] or (not asked["this"] and _told_as_past(asked))
    if past:
        return one_day(asked.reference - ((asked.reference.weekday() - wanted) % 7 or 7) * DAY)
    return one_day(asked.reference + ((wanted - asked.reference.weekday()) % 7 or 7) * DAY)


def _told_as_past(asked: Asked) -> bool:
    """Whether the words before it tell what was and none that is to come. Behind it nothing counts: 'on Friday' ends
    more clauses than it begins."""
    clause = re.split(r"[.!?;\n]", asked.match.string[max(0, asked.match.start() - REACH) : asked.match.start()])[-1]
    return bool(_PAST.search(clause)) and not _NOT_PAST.search(clause)


def _nth(asked: Asked) -> Resolved | None:
    if asked["month"]:
        return _written(asked)
    month = asked.reference.replace(day=1)
    day = int(asked["day"] or 0)
    if asked["next"] or (not asked["this"] and day < asked.reference.day and not _told_as_past(asked)):
        month = add_months(month, 1)
    return one_day(written.safe_date(month.year, month.month, day))


def _written(asked: Asked) -> Resolved | None:
    """Without a year it is the nearest such day to come, or the last one where the clause tells the past."""
    day, month = int(asked["day"] or 0), _MONTHS[asked["month"] or ""]
    if asked["year"]:
        return one_day(written.safe_date(int(asked["year"]), month, day))
    found = written.safe_date(asked.reference.year, month, day)
    if found is None:
        return None
    past = _told_as_past(asked)
    if past and found > asked.reference:
        return one_day(written.safe_date(found.year - 1, month, day))
    if not past and found < asked.reference:
        return one_day(written.safe_date(found.year + 1, month, day))
    return one_day(found)


FOREIGN_RULES: tuple[Rule, ...] = (
    Rule(_DAY_WORDS, _day_word),
    Rule(_AHEAD, _ahead),
    Rule(_AGO, _ago),
    Rule(_NTH, _nth),
    Rule(_DAY_MONTH, _written),
    Rule(_MONTH_DAY, _written),
    Rule(_WEEKDAY, _weekday, weekday=True),
)
