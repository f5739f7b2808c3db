"""Terms and events in court and administrative documents, and the day each one falls on.

A term is counted from the document's own date where one can be read, else from the reference: the true start
(service, publication) is rarely in the document, so a due day is the earliest one, never a late one. Which law
counts the days is told from the words of the document; `terms` holds the laws, `holidays` the calendar.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from actors.engines.text.dates import DateMention, find_dates
from actors.engines.text.document_date import document_date
from actors.engines.text.folding import Folded, fold
from actors.engines.text.number_words import COUNT, read_count
from actors.engines.text.terms import HOURS, Counting, counting_for, legal_term
from tasks.payloads import Deadline

_UNIT = r"(?P<unit>dias?|horas?|hs?|meses|mes|semanas?)\b(?: (?P<kind>uteis|util|corridos?|continuos))?"
_COUNT = rf"(?P<n>{COUNT}) ?(?:\([^()\n]{{1,40}}\) ?)?"
_TERM = re.compile(
    rf"\b(?:(?:no|em|com|pelo|o|dentro do|assino(?: o)?|concedo(?: o)?|fixo(?: o)?"
    rf"|defiro(?: o)?)? ?prazo (?:[a-z]{{4,15}} )?(?:de|e de)(?: ate)?"
    rf"|(?:concedo|defiro|assino|fixo|dou)(?:-lhes?)?(?: (?:a|ao|as|aos) (?:v\.? ?s\w{{0,3}}\.?|[a-z]{{1,15}}))?"
    rf"(?: (?:por )?mais)?"
    rf"|prazo em dobro ?[:,]?(?: de)?"
    rf"|dentro de|prazo(?: (?:para|pra) [a-z ]{{3,40}}?)? ?:(?: ate)?|(?P<weak>em)(?: ate)?) {_COUNT}{_UNIT}"
)
_LAPSED = re.compile(r",? (?:(?:ja|nao|o|a|os|as) )?(?:[a-z]{3,}(?:ou|aram|eram|iram|eu|iu)|decorreu|transcorreu)\b")
"""'No prazo de 15 dias apresentou contestação' tells what was done: no term runs from it."""
_LEGAL_TERM = re.compile(r"\b(?:no|dentro do) prazo legal\b")
_PENALTY = re.compile(r"\bsob (?:as )?penas? (?:d[aeo]s?|pecuniaria)\b[^.;,\n]{0,80}")
_COMMAND = re.compile(
    r"\b(?:intim\w+|cit[ae]\w*|notifi\w+|determin\w+|defir\w+|conced\w+|manifest\w+|apresent\w+|junt[aeo]\w*"
    r"|pag[aueo]\w*|contest\w+|cumpr\w+|emend\w+|requeir\w+|requer\w*|trag\w+|traz\w+|dig[ao]\w*|falem?\b"
    r"|esclare\w+|inform\w+|providenci\w+|recolh\w+|indiqu\w+|especifi\w+|contrami\w+|contrarraz\w+|promov\w+"
    r"|recurso|vista|sob pena|dever[aá]\w*|devendo|autoriz\w+|recorr\w+|embarg\w+|impugn\w+|desocup\w+|devolv\w+"
    r"|entreg\w+|fornec\w+|respond\w+"
    r"|quit[ae]\w*|regulariz\w+|comparec\w+|depositar?|efetu\w+|comprov\w+|vai|ira|analis\w+)"
)
_EVENT = re.compile(
    r"\b(?P<event>audiencias?(?: de instrucao e julgamento)?|pericias?|sessao|leilao|hasta publica|praca publica"
    r"|julgamento|interrogatorio"
    r"|oitiva|vistoria|inspecao|exame pericial"
    r"|assembleia|cirurgia|reuniao|despejo|desocupacao|imissao|reintegracao|prova objetiva|embarque"
    r"|comparecer|compareca)\b"
)
_DUE = re.compile(
    r"\b(?P<due>vencimento|vence(?:ra|ndo|m)?|venc\.|prazo (?:final|fatal|limite)|data limite|pagavel"
    r"|pagar ate|validade|termo final|ate)"
    r"(?: ?[:-])?(?: ?(?:o|em|no|dia|para|de|a|do|boleto|ate|fatura|parcela|termina|encerra|se|e)\b)*[ :-]*$"
)
_HELD = re.compile(
    r"\b(?:realizad[ao]s?|ocorrid[ao]s?|havid[ao]s?|realizou|ocorreu|foi|restou|publicad[ao]|proferid[ao]"
    r"|assinad[ao]|celebrad[ao])\b"
)
_HOUR_WORDS = (
    r"(?:uma|duas|tres|quatro|cinco|seis|sete|oito|nove|dez|onze|doze|treze|quatorze|catorze|quinze|dezesseis"
    r"|dezessete|dezoito)"
)
_CLOCK = re.compile(
    r",? ?(?:(?:as|a partir das) )?\d{1,2} ?(?:h(?:oras?)?(?: ?e? ?\d{2}(?: ?min\w*)?)?"
    r"|:\d{2}(?: ?h(?:oras)?)?)\b"
    rf"|,? ?as {_HOUR_WORDS} horas(?: e (?:meia|quinze|trinta|quarenta e cinco)(?: minutos)?)?\b"
)
_FOR_EVENT = re.compile(
    rf",? ?(?:horario de [a-z]+, ?)?(?:para|a fim de que se realize) (?:(?:a|o|que|se) )?(?:realiz\w+ )?"
    rf"(?:(?:a|o|d[ao]) )?{_EVENT.pattern}"
)
_SET = re.compile(
    r"\b(?:design[oae]\w*|marc[oae]\w*|redesign\w+|agend\w+|fix[oae]\w*)(?: (?:o|para o))?(?: proximo)?(?: dia)? ?$"
)
_EACH = re.compile(r" ?(?:de|do) (?:cada|todo) mes\b| ?de cada\b")
_DOUBLED = re.compile(r"^[^.;\n]{0,60}\bem dobro\b|^[^.;\n]{0,60}\bart(?:igo)?\.? ?(?:180|183|186)\b")
_ALREADY = re.compile(r"\bja (?:contad|computad|considerad|em |dobrad|com )")
_DOUBLES_FOR = (
    ("art. 186", re.compile(r"\bdefensor")),
    ("art. 180", re.compile(r"\bministerio publico\b")),
    ("art. 183", re.compile(r"")),
)
"""Whose terms run twice as long: CPC arts. 180, 183 and 186."""
_COUNTED_FROM = re.compile(
    r"^[ ,]{0,2}(?:(?:uteis|corridos) )?"
    r"(?:a contar|contad[oa]s?|que (?:correm|se contam|comecam)|a partir|a correr)(?: a partir)? (?:d[aeo]s?|desde) "
    r"(?:(?P<step>juntada|publicacao|intimacao|citacao|recebimento|ciencia|disponibilizacao|entrega)\b)?"
)
_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")
_STOP = re.compile(r"[.;!?](?=\s)|\n\s*\n")

_SPELLING = {
    "audiencia": "audiência",
    "pericia": "perícia",
    "sessao": "sessão",
    "leilao": "leilão",
    "hasta publica": "leilão",
    "praca publica": "leilão",
    "exame pericial": "perícia",
    "inspecao": "inspeção",
    "reuniao": "reunião",
    "desocupacao": "desocupação",
    "imissao": "imissão na posse",
    "reintegracao": "reintegração de posse",
    "comparecer": "comparecimento",
    "compareca": "comparecimento",
}

EVENT_REACH = 140
MAX_DEADLINES = 1_000
"""Of one kind, in one text: a bound on hostile input."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What every rule needs of a document: its folded text, the day terms run from, and how they are counted."""

    text: str
    folded: Folded
    origin: dt.date
    counting: Counting
    dates: tuple[DateMention, ...]
    page_of: Callable[[int], int] | None
    steps: dict[str, dt.date | None] = field(default_factory=dict)
    """The days of the case's steps that were looked up already."""


def find_deadlines(
    text: str, reference: dt.date, page_of: Callable[[int], int] | None = None
) -> tuple[Deadline, ...]:
    """Terms ('no prazo de 15 dias') and events ('audiência em 12/04/2025 às 14h') in `text`, by position.

    `due` is the last day of the term or the day of the event, None where it can't be told; `rule` names the
    law that counts the days, or the kind of event. Never raises.
    """
    origin = document_date(text, reference) or reference
    dates = tuple(mention for mention in find_dates(text, origin) if mention.kind == "date")
    reading = _Reading(text, _lines_joined(fold(text)), origin, counting_for(text), dates, page_of)
    found = [*_events(reading), *_terms(reading), *_legal_terms(reading)]
    found += _penalties(reading, found)
    return tuple(_apart(sorted(found, key=lambda d: (d.start, -d.end))))


def _lines_joined(folded: Folded) -> Folded:
    """A term may go on in the next line; an empty line ends it."""
    return replace(folded, text=_LINE_END.sub(" ", folded.text))


def _apart(found: list[Deadline]) -> Iterator[Deadline]:
    end = -1
    for deadline in found:
        if deadline.start >= end:
            end = deadline.end
            yield deadline


def _deadline(reading: _Reading, start: int, end: int, rule: str, due: dt.date | None) -> Deadline:
    """A deadline over folded offsets."""
    s, e = reading.folded.start(start), reading.folded.end(end)
    page = reading.page_of(s) if reading.page_of else None
    return Deadline(text=reading.text[s:e], rule=rule, due=due, page=page, start=s, end=e)


def _sentence_around(folded: str, start: int, end: int, reach: int = 300) -> str:
    before = _STOP.split(folded[max(0, start - reach) : start])[-1]
    return before + folded[start:end] + _STOP.split(folded[end : end + reach])[0]


# -------------------------------------------------------------------------------------------------- terms


def _terms(reading: _Reading) -> Iterator[Deadline]:
    folded = reading.folded.text
    for match in islice(_TERM.finditer(folded), MAX_DEADLINES):
        count = read_count(match["n"])
        if not count or not _runs(folded, match):
            continue
        rule, due = _count(reading, count, match)
        yield _deadline(reading, match.end() - len(match[0].lstrip()), match.end(), rule, due)


def _runs(folded: str, match: re.Match[str]) -> bool:
    """'Em 5 dias' is a term where somebody has to do something, and a mere duration elsewhere."""
    if _LAPSED.match(folded, match.end()):
        return False
    if match["unit"].startswith("mes") and not match[0].startswith("no prazo"):
        return False
    return not match["weak"] or bool(_COMMAND.search(_sentence_around(folded, match.start(), match.end())))


def _count(reading: _Reading, count: int, term: re.Match[str]) -> tuple[str, dt.date | None]:
    unit, folded = term["unit"], reading.folded.text
    if unit.startswith("h"):
        return HOURS.rule, HOURS.due(_origin(reading, term.end()), count, "horas")
    counting = reading.counting.said_to_be(term["kind"] or "")
    if unit.startswith("mes"):
        return "CC art. 132 § 3º", counting.due(_origin(reading, term.end()), count, unit)
    twice = _doubled_by(folded, term) if counting.judicial else None
    rule = f"{counting.rule}, em dobro ({twice})" if twice else counting.rule
    return rule, counting.due(_origin(reading, term.end()), 2 * count if twice else count, unit)


def _doubled_by(folded: str, term: re.Match[str]) -> str | None:
    """The article that doubles the term, if the document says that it runs twice and hasn't counted so already."""
    behind = folded[term.end() : term.end() + 100]
    said = "em dobro" in term[0] or _DOUBLED.search(behind)
    if not said or _ALREADY.search(_STOP.split(behind)[0]):
        return None
    sentence = _sentence_around(folded, term.start(), term.end())
    return next(article for article, whose in _DOUBLES_FOR if whose.search(sentence))


def _origin(reading: _Reading, end: int) -> dt.date:
    """The day that the words behind a term count from, where the document tells it; else the document's own."""
    folded = reading.folded
    counted = _COUNTED_FROM.match(folded.text[end : end + 80])
    if counted is None:
        return reading.origin
    if not counted["step"]:
        start = folded.start(end + counted.end())
        return next((d.first for d in reading.dates if 0 <= d.start - start <= 4), reading.origin)
    step = counted["step"]
    if step not in reading.steps:
        reading.steps[step] = _day_of(reading, step)
    return reading.steps[step] or reading.origin


def _day_of(reading: _Reading, step: str) -> dt.date | None:
    """The day of a step of the case, told as 'juntado aos autos em 05/02/2025' or 'intimada no dia 3 de março'."""
    told = re.compile(rf"\b{step[:5]}\w*(?: [a-z-]+){{0,6}} (?:em|no dia|aos)(?: data de)? ?:? ?$")
    for mention in reading.dates:
        before = fold(reading.text[max(0, mention.start - 90) : mention.start]).text
        if told.search(_LINE_END.sub(" ", before)):
            return mention.first
    return None


def _legal_terms(reading: _Reading) -> Iterator[Deadline]:
    """'No prazo legal' has a length if the act it is given for is known to the law."""
    folded = reading.folded.text
    for match in islice(_LEGAL_TERM.finditer(folded), MAX_DEADLINES):
        sentence = _sentence_around(folded, match.start(), match.end())
        term = legal_term(sentence, reading.counting)
        due = reading.counting.due(reading.origin, term.days, "dias") if term else None
        yield _deadline(reading, match.start(), match.end(), term.rule if term else "prazo legal", due)


def _penalties(reading: _Reading, found: list[Deadline]) -> list[Deadline]:
    """A threatened consequence without a term beside it: CPC art. 218 § 3º gives five days in court."""
    folded = reading.folded.text
    lonely = []
    for match in islice(_PENALTY.finditer(folded), MAX_DEADLINES):
        sentence = _sentence_around(folded, match.start(), match.end())
        if _TERM.search(sentence) or _near(reading, found, match.start()) or not _COMMAND.search(sentence):
            continue
        rule, due = ("sob pena", None)
        if reading.counting.judicial:
            rule, due = "CPC art. 218 § 3º", reading.counting.due(reading.origin, 5, "dias")
        lonely.append(_deadline(reading, match.start(), match.end(), rule, due))
    return lonely


def _near(reading: _Reading, found: list[Deadline], start: int) -> bool:
    origin = reading.folded.start(start)
    return any(-200 <= origin - d.end <= 200 for d in found)


# ------------------------------------------------------------------------------------------------- events


def _events(reading: _Reading) -> Iterator[Deadline]:
    end = 0
    for mention in reading.dates:
        if _is_term(mention) or _EACH.match(_after(reading, mention.end)):
            continue
        for event in (*_event_before(reading, mention, end), *_event_behind(reading, mention)):
            end = event.end
            yield event
            break


def _is_term(mention: DateMention) -> bool:
    """'Em 5 dias' is counted by `_terms`, with the law's calendar."""
    return bool(re.search(r"(?:dia|hora|semana|m[eê]s|ano)", mention.text, re.IGNORECASE)) and not re.match(
        r"(?i)(?:próximo |ultimo |último )?dia\b", mention.text
    )


def _event_before(reading: _Reading, mention: DateMention, told_to: int) -> Iterator[Deadline]:
    """'Audiência em 22/04/2025, às 14h'. Two days of one event ('leilão em 2/4 e em 16/4') are told apart:
    `told_to` is where the one before ends."""
    before = fold(reading.text[max(0, mention.start - EVENT_REACH) : mention.start])
    clause_start = _last_stop(before.text)
    clause = before.text[clause_start:]
    named = _named_event(clause)
    if named is None:
        return
    at, rule = named
    start = mention.start - (before.length - before.start(clause_start + at))
    yield _event(reading, mention, start if start >= told_to else mention.start, rule, mention.end)


def _event_behind(reading: _Reading, mention: DateMention) -> Iterator[Deadline]:
    """'Designo o dia 22/04/2025, às 14h, para a audiência de conciliação'."""
    before = fold(reading.text[max(0, mention.start - 40) : mention.start]).text
    clocked = mention.end + _clock_after(reading.text, mention.end)
    following = _after(reading, clocked)
    named = _FOR_EVENT.match(following)
    if named and _SET.search(_LINE_END.sub(" ", before)):
        end = clocked + fold(reading.text[clocked : clocked + 120]).end(named.end())
        yield _event(reading, mention, mention.start, _spelled(named["event"]), end)


def _after(reading: _Reading, end: int) -> str:
    return _LINE_END.sub(" ", fold(reading.text[end : end + 120]).text)


def _event(reading: _Reading, mention: DateMention, start: int, rule: str, end: int) -> Deadline:
    if end == mention.end:
        end += _clock_after(reading.text, end)
    page = reading.page_of(start) if reading.page_of else None
    return Deadline(text=reading.text[start:end], rule=rule, due=mention.first, page=page, start=start, end=end)


def _last_stop(folded: str) -> int:
    stops = [m.end() for m in _STOP.finditer(folded) if not _abbreviated(folded, m.start())]
    return stops[-1] if stops else 0


def _abbreviated(folded: str, point: int) -> bool:
    return bool(re.search(r"\b(?:art|arts|dr|dra|sr|sra|n|no|fl|fls|venc|des|min|exmo|inc)$", folded[:point]))


def _named_event(clause: str) -> tuple[int, str] | None:
    due = _DUE.search(clause)
    if due:
        return due.start(), "data fixada" if due["due"] in ("ate", "pagar ate") else "vencimento"
    events = list(_EVENT.finditer(clause))
    if not events or _HELD.search(clause[events[-1].end() :]):
        return None
    return events[-1].start(), _spelled(events[-1]["event"])


def _spelled(event: str) -> str:
    event = event.partition(" de ")[0].rstrip("s")
    return _SPELLING.get(event, event)


def _clock_after(text: str, end: int) -> int:
    following = fold(text[end : end + 30])
    clock = _CLOCK.match(following.text)
    return following.end(clock.end()) if clock else 0
