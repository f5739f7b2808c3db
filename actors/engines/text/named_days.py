"""Rules for days that have a name: weekdays, days of a month, written dates, months, years and feasts."""

from __future__ import annotations

import datetime as dt
import re

from actors.engines.text import written_dates as written
from actors.engines.text.date_grammar import (
    LAST,
    THIS,
    Asked,
    Resolved,
    Rule,
    a_period,
    add_months,
    move_of,
    named_month,
    one_day,
)
from actors.engines.text.holidays import DAY, easter
from actors.engines.text.number_words import read_count

_WEEKDAYS = {"segund": 0, "terc": 1, "quart": 2, "quint": 3, "sext": 4, "sabad": 5, "doming": 6}
_WEEKDAY_NAME = r"(?P<weekday>segunda|terca|quarta|quinta|sexta|sabado|domingo)"
_ORDINAL_USE = (
    r"(?! (?:vez|vezes|via|vias|vara|turma|camara|secao|instancia|parte|parcela|prestacao|opcao|chance"
    r"|pessoa|serie|filha|esposa|mulher"
    r"|guerra|etapa|fase|classe|mao|linha|folha|clausula|regiao|edicao|feira santa|testemunha|audiencia"
    r"|pericia|requerida|re\b|autora"
    r"|reclamada|vitima|casa|familia|avenida|rua|geracao|praca|reuniao|nota|carta|notificacao|cirurgia"
    r"|tentativa|colocada|maior|-)"
    r"|s\b|\.? (?:turma|vara|camara)|[ªºa]?\.? ?\d)"
)
_WEEKDAY = re.compile(
    rf"(?<!feira a )(?<!da a )(?<!ca a )(?<!ta a )(?<!go a )(?<!toda )"
    rf"(?<!todo )(?<!cada )\b(?:(?P<next>proxim[oa]|prox) |(?P<last>ultim[oa]) "
    rf"|(?P<this>{THIS}) )?{_WEEKDAY_NAME}"
    rf"(?P<fair>[ -]?feira)?\b(?! a (?:sex|sab|dom|qui|qua))(?:(?: (?P<next2>que vem|q vem|qvem|proxim[oa]"
    rf"|seguinte)| (?P<last2>{LAST})| (?P<before>retrasad[oa])"
    rf"| (?P<now>agora)| d?a (?P<nextweek>(?:semana que vem|proxima semana|outra semana)))\b)?"
)
_AFTER_ORDINAL = re.compile(_ORDINAL_USE)
_PREPOSITION = re.compile(
    r"\b(?:na|no|nesta|neste|nessa|nesse|esta|essa|ate|pra|para|p|dia|desde|da|do|em|eh|e|foi|fica|ficou|ser"
    r"|ontem|hoje|amanha)[ ,(]*$"
)


def _weekday(asked: Asked) -> Resolved | None:
    if not _names_a_weekday(asked):
        return None
    wanted = next(n for stem, n in _WEEKDAYS.items() if (asked["weekday"] or "").startswith(stem))
    return one_day(_that_weekday(asked, wanted))


def _names_a_weekday(asked: Asked) -> bool:
    """'Segunda' is an ordinal too: in doubt it wants '-feira', a word that says which, or no noun behind it."""
    if asked["fair"] or move_of(asked) is not None or asked["nextweek"] or asked["weekday"] in ("sabado", "domingo"):
        return True
    return bool(_AFTER_ORDINAL.match(asked.match.string, asked.match.end()))


def _that_weekday(asked: Asked, wanted: int) -> dt.date:
    reference = asked.reference
    if asked["nextweek"]:
        return reference + (7 - reference.weekday() + wanted) * DAY
    move = move_of(asked)
    if move is not None and move < 0:
        return _weekday_before(reference, wanted) + 7 * (move + 1) * DAY
    if move is None and asked.tense == "past":
        return _weekday_before(reference, wanted)
    ahead = (wanted - reference.weekday()) % 7
    return reference + (ahead or (0 if move == 0 else 7)) * DAY


def _weekday_before(reference: dt.date, wanted: int) -> dt.date:
    return reference - ((reference.weekday() - wanted) % 7 or 7) * DAY


_DAY_NUMBER = (
    r"(?P<day>\d{1,2}|primeiro|dois|tres|quatro|cinco|seis|sete|oito|nove|dez|onze|doze|treze|quatorze"
    r"|quinze|vinte(?: e [a-z]{2,6})?|trinta(?: e um)?)"
)
_DAY_OF_MONTH = re.compile(
    rf"(?<!todo )(?<!cada )\b(?P<last>ultimo )?(?P<next>proximo )?dia {_DAY_NUMBER}[ºo]?(?![\d/]"
    rf"|[.,-]\d|\w| de (?:{written.MONTH})\b)"
    rf"(?: (?:(?P<last2>passado)|(?P<next2>que vem|q vem|proximo)|(?P<now>agora|proximo)"
    rf"|d[oe] (?:mes )?(?:(?P<mnext>proximo(?: mes)?|(?:mes )?que vem|mes que vem|seguinte)"
    rf"|(?P<mlast>passado|mes passado)|(?P<mthis>corrente|este mes|atual))|deste mes|desse mes)\b)?"
)


def _day_of_month(asked: Asked) -> Resolved | None:
    day = 1 if asked["day"] == "primeiro" else read_count(asked["day"] or "")
    if not day or day > 31:
        return None
    if asked["mnext"] or asked["mlast"]:
        return one_day(_in_month(add_months(asked.reference.replace(day=1), 1 if asked["mnext"] else -1), day))
    if asked["mthis"] or asked.match[0].endswith((" deste mes", " desse mes")):
        return one_day(_in_month(asked.reference, day))
    past = asked["last"] or asked["last2"] or (asked.tense == "past" and not (asked["next"] or asked["next2"]))
    return one_day(_nearest_month_with(asked.reference, day, -1 if past else 1))


def _in_month(month: dt.date, day: int) -> dt.date | None:
    return written.safe_date(month.year, month.month, day)


def _nearest_month_with(reference: dt.date, day: int, step: int) -> dt.date | None:
    """The next (or last) `day` of a month that has one; today counts as next and not as last."""
    month = reference.replace(day=1)
    for _ in range(4):
        candidate = _in_month(month, day)
        if candidate and (candidate >= reference if step > 0 else candidate < reference):
            return candidate
        month = add_months(month, step)
    return None


_RANGE = re.compile(
    rf"\b(?P<from>\d{{1,2}})[ºo]?(?: a | ate | e "
    rf"|-)(?P<to>\d{{1,2}}) de (?P<month>{written.MONTH})\b(?: de (?P<year>{written.YEAR}))?"
)
_DAY_AND_MONTH = re.compile(
    r"(?<![\d/.,-])(?P<day>0?[1-9]|[12]\d|3[01])(?:/(?P<month>0?[1-9]|1[0-2])|[.-](?P<month2>0[1-9]"
    r"|1[0-2]))(?![\d/%]|[.,-]\d| ?(?:avos|das ferias|de ferias|do salario))"
)
_DAY_OF_MONTH_NUMBER = re.compile(r"\bdia (?P<day>\d{1,2}) do (?:mes )?(?P<month>0?[1-9]|1[0-2])\b(?!/)")
_NAMED_MONTH = re.compile(
    rf"\b(?:em|de|desde|ate|no mes de|mes de|proximo|deste|desse|para|pra|final de"
    rf"|durante)(?: o mes de)? (?P<month>{written.MONTH})\b(?P<now> agora| passado| que vem| deste ano"
    rf"| do ano que vem| do ano passado)?"
)
_NAMED_YEAR = re.compile(rf"\b(?:em|de|desde|ano de|ate|no ano de) (?P<year>{written.YEAR})\b(?![/.,]\d)")
PAST_REACH = 60
"""Days: without a telling word, '12/03' up to two months back is that one, and farther back the coming one."""


def _numeric(asked: Asked) -> Resolved | None:
    return one_day(written.read_numeric(asked.match))


def _spelled(asked: Asked) -> Resolved | None:
    spelled = written.read_spelled(asked.match)
    if spelled is None:
        return None
    return one_day(spelled.on(spelled.year) if spelled.year else _likely_year(asked, spelled))


def _day_and_month(asked: Asked) -> Resolved | None:
    bare = asked["month2"] or (len(asked["day"] or "") == 1 and len(asked["month"] or "") == 1)
    if bare and not _PREPOSITION.search(asked.match.string[max(0, asked.match.start() - 12) : asked.match.start()]):
        return None
    day = written.WrittenDate(int(asked["day"] or 0), int(asked["month"] or asked["month2"] or 0), None)
    return one_day(_likely_year(asked, day))


def _likely_year(asked: Asked, day: written.WrittenDate) -> dt.date | None:
    year = asked.reference.year
    candidates = [d for y in range(year - 5, year + 6) if 0 < y < 10_000 and (d := day.on(y))]
    before = [d for d in candidates if d < asked.reference]
    after = [d for d in candidates if d >= asked.reference]
    if not (before and after):
        return next(iter(before[-1:] or after), None)
    tense = asked.tense
    if tense == "past" or (tense is None and (asked.reference - before[-1]).days <= PAST_REACH):
        return before[-1]
    return after[0]


def _range(asked: Asked) -> Resolved | None:
    month = written.month_number(asked["month"] or "")
    last = written.WrittenDate(int(asked["to"] or 0), month, None)
    end = last.on(int(asked["year"] or 0)) if asked["year"] else _likely_year(asked, last)
    begin = written.safe_date(end.year, month, int(asked["from"] or 0)) if end else None
    return a_period((begin, end) if begin and end and begin <= end else None)


def _month_year(asked: Asked) -> Resolved | None:
    month = asked["month"] or ""
    number = int(month) if month.isdigit() else written.month_number(month)
    return a_period(written.month_span(int(asked["year"] or 0), number))


def _bare_month(asked: Asked) -> Resolved | None:
    return a_period(named_month(asked))


def _named_year(asked: Asked) -> Resolved | None:
    year = int(asked["year"] or 0)
    return a_period((dt.date(year, 1, 1), dt.date(year, 12, 31)))


_FEAST = re.compile(
    r"\b(?:n?[oa]|ate (?:o|a)|antes d[oa]|depois d[oa]|apos [oa]|est[ea]|proxim[oa]|feriado d[eao]"
    r"|vespera d[eao]) "
    r"(?P<feast>natal|ano novo|reveillon|carnaval|pascoa|sexta[- ]feira santa"
    r"|corpus christi)\b(?! ?[-/(] ?rn\b)"
)


def _feast(asked: Asked) -> Resolved | None:
    step = -1 if asked.tense == "past" else 1
    for year in range(asked.reference.year - (step < 0), asked.reference.year + 2)[::step]:
        day = _feast_day(asked["feast"] or "", year)
        if day >= asked.reference if step > 0 else day < asked.reference:
            return one_day(day)
    return None


def _feast_day(feast: str, year: int) -> dt.date:
    fixed = {"natal": (12, 25), "ano novo": (1, 1), "reveillon": (12, 31)}
    if feast in fixed:
        return dt.date(year, *fixed[feast])
    from_easter = {"carnaval": -47, "pascoa": 0, "corpus christi": 60}
    return easter(year) + from_easter.get(feast, -2) * DAY


NAMED_RULES: tuple[Rule, ...] = (
    Rule(_WEEKDAY, _weekday, weekday=True),
    Rule(_DAY_OF_MONTH, _day_of_month),
    Rule(_DAY_OF_MONTH_NUMBER, _day_and_month),
    Rule(written.NUMERIC, _numeric),
    Rule(written.ISO, _numeric),
    Rule(written.SPELLED, _spelled),
    Rule(_RANGE, _range),
    Rule(_DAY_AND_MONTH, _day_and_month),
    Rule(written.MONTH_YEAR, _month_year),
    Rule(written.NUMERIC_MONTH_YEAR, _month_year),
    Rule(_NAMED_MONTH, _bare_month),
    Rule(_NAMED_YEAR, _named_year),
    Rule(_FEAST, _feast),
)
