"""Terms and events in court and administrative documents, and the day each one falls on.

A term is counted from the document's own date where one can be read, else from the reference: the true start
(service, publication) is rarely in the document, so a due day is the earliest one, never a late one. Which law
counts the days is told from the words of the document; `terms` holds the laws, `holidays` the calendar.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from actors.engines.text.dates import DateMention, find_dates
from actors.engines.text.document_date import document_date
from actors.engines.text.folding import Folded, fold
from actors.engines.text.number_words import COUNT, read_count
from actors.engines.text.terms import HOURS, Counting, counting_for, legal_term
from tasks.payloads import Deadline

_UNIT = r"(?P<unit>dias?|horas?|meses|mes|semanas?)\b(?: (?P<kind>uteis|util|corridos?|continuos))?"
_COUNT = rf"(?P<n>{COUNT}) ?(?:\([^()\n]{{1,40}}\) ?)?"
_TERM = re.compile(
    rf"\b(?:(?:no|em|com|pelo|o|dentro do|assino(?: o)?|concedo(?: o)?|fixo(?: o)?"
    rf"|defiro(?: o)?)? ?prazo (?:[a-z]{{4,15}} )?(?:de|e de)(?: ate)?"
    rf"|dentro de|prazo(?: (?:para|pra) [a-z ]{{3,40}}?)? ?:(?: ate)?|(?P<weak>em)(?: ate)?) {_COUNT}{_UNIT}"
)
_LAPSED = re.compile(r",? (?:(?:ja|nao|o|a|os|as) )?(?:[a-z]{3,}(?:ou|aram|eram|iram|eu|iu)|decorreu|transcorreu)\b")
"""'No prazo de 15 dias apresentou contestação' tells what was done: no term runs from it."""
_LEGAL_TERM = re.compile(r"\b(?:no|dentro do) prazo legal\b")
_PENALTY = re.compile(r"\bsob (?:as )?penas? (?:d[aeo]s?|pecuniaria)\b[^.;,\n]{0,80}")
_COMMAND = re.compile(
    r"\b(?:intim\w+|cit[ae]\w*|notifi\w+|determin\w+|defir\w+|conced\w+|manifest\w+|apresent\w+|junt[ae]\w*"
    r"|pag[aueo]\w*|contest\w+|cumpr\w+"
    r"|emend\w+|sob pena|dever[aá]\w*|devendo|autoriz\w+|recorr\w+|embarg\w+|impugn\w+|desocup\w+|devolv\w+"
    r"|entreg\w+|fornec\w+|respond\w+"
    r"|quit[ae]\w*|regulariz\w+|comparec\w+|depositar?|efetu\w+|comprov\w+|vai|ira|analis\w+)"
)
_EVENT = re.compile(
    r"\b(?P<event>audiencias?|pericias?|sessao|leilao|hasta publica|praca publica|julgamento|interrogatorio"
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
_CLOCK = re.compile(
    r",? ?(?:(?:as|a partir das) )?\d{1,2} ?(?:h(?:oras?)?(?: ?e? ?\d{2}(?: ?min\w*)?)?"
    r"|:\d{2}(?: ?h(?:oras)?)?)\b"
)
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
    page_of: Callable[[int], int] | None


def find_deadlines(
    text: str, reference: dt.date, page_of: Callable[[int], int] | None = None
) -> tuple[Deadline, ...]:
    """Terms ('no prazo de 15 dias') and events ('audiência em 12/04/2025 às 14h') in `text`, by position.

    `due` is the last day of the term or the day of the event, None where it can't be told; `rule` names the
    law that counts the days, or the kind of event. Never raises.
    """
    origin = document_date(text, reference) or reference
    reading = _Reading(text, fold(text), origin, counting_for(text), page_of)
    found = [*_events(reading), *_terms(reading), *_legal_terms(reading)]
    found += _penalties(reading, found)
    return tuple(_apart(sorted(found, key=lambda d: (d.start, -d.end))))


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
        rule, due = _count(reading, count, match["unit"], match["kind"] or "")
        yield _deadline(reading, match.start(), match.end(), rule, due)


def _runs(folded: str, match: re.Match[str]) -> bool:
    """'Em 5 dias' is a term where somebody has to do something, and a mere duration elsewhere."""
    if _LAPSED.match(folded, match.end()):
        return False
    if match["unit"].startswith("mes") and not match[0].startswith("no prazo"):
        return False
    return not match["weak"] or bool(_COMMAND.search(_sentence_around(folded, match.start(), match.end())))


def _count(reading: _Reading, count: int, unit: str, kind: str) -> tuple[str, dt.date | None]:
    counting = HOURS if unit.startswith("hora") else reading.counting.said_to_be(kind)
    return counting.rule, counting.due(reading.origin, count, unit)


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
    for mention in find_dates(reading.text, reading.origin):
        if mention.kind == "date" and not _is_term(mention):
            yield from _event_at(reading, mention)


def _is_term(mention: DateMention) -> bool:
    """'Em 5 dias' is counted by `_terms`, with the law's calendar."""
    return bool(re.search(r"(?:dia|hora|semana|m[eê]s|ano)", mention.text, re.IGNORECASE)) and not re.match(
        r"(?i)(?:próximo |ultimo |último )?dia\b", mention.text
    )


def _event_at(reading: _Reading, mention: DateMention) -> Iterator[Deadline]:
    before = fold(reading.text[max(0, mention.start - EVENT_REACH) : mention.start])
    clause_start = _last_stop(before.text)
    clause = before.text[clause_start:]
    named = _named_event(clause)
    if named is None:
        return
    at, rule = named
    start = mention.start - (before.length - before.start(clause_start + at))
    end = mention.end + _clock_after(reading.text, mention.end)
    page = reading.page_of(start) if reading.page_of else None
    yield Deadline(text=reading.text[start:end], rule=rule, due=mention.first, page=page, start=start, end=end)


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
    event = events[-1]["event"].rstrip("s")
    return events[-1].start(), _SPELLING.get(event, event)


def _clock_after(text: str, end: int) -> int:
    following = fold(text[end : end + 30])
    clock = _CLOCK.match(following.text)
    return following.end(clock.end()) if clock else 0
