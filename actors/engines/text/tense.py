"""Whether the words around a date speak of the past or of what is to come.

'Foi na sexta' and 'a audiência é na sexta' name the same weekday and other days. The nearest telling word of
the clause decides, looking back first; without one there is no answer. It is a word list, not a parser.
"""

from __future__ import annotations

import re
from typing import Literal

from actors.engines.text.folding import plain

Tense = Literal["past", "future"]

REACH = 70
"""Characters looked at on either side: about a clause."""

_PAST = (
    r"(?:[a-z]{2,}(?:aram|eram|iram)|[a-z]{3,}(?:ou|iu)|(?!meu\b|seu\b|teu\b)[a-z]{3,}eu|(?!hei\b|sei\b"
    r"|lei\b)[a-z]{2,}[^r\W]ei"
    r"|foi|fui|fomos|foram|era|eram|estava|tava|tavam|tinha|tinham|teve|tive|deu|dei|fez|fiz|veio|vim|disse"
    r"|quis|pos|pude"
    r"|[a-z]{2,}(?:aste|este|iste)i?|passad[oa]|ultim[oa]|desde)"
)
_NOT_PAST = (
    r"(?:vou|sou|dou|estou|tou|to|ficou (?:para|pra|de)|marcou|marcaram|agendou|agendaram|designou|remarcou"
    r"|remarcaram|intimou)"
)
_FUTURE = (
    rf"(?:{_NOT_PAST}|eh|sera|serao|vai|vao|vamos|tem|tenho|temos|vence|vencem|vencera|termina|acaba|comeca"
    rf"|abre|encerra|preciso|precisa"
    r"|precisamos|quero|quer|posso|pode|podem|volta|sai|chega|cai|embarco|embarca|viajo|viaja|opero|opera"
    r"|tera|terao|havera|fara"
    r"|ocorrera|acontece|acontecera|realizara|devo|deve|devem|devera|tenha|compareca|comparecer|marcad[oa]s?"
    r"|agendad[oa]s?"
    r"|designad[oa]s?|previst[oa]s?|remarcad[oa]s?|proxim[oa]s?|audiencia|leilao|pericia|cirurgia|embarque"
    r"|viagem|prazo|prova|despejo"
    r"|vencimento|julgamento|assembleia|casamento|reuniao|consulta|mudanca)"
)
_TELLING = re.compile(rf"\b(?:(?P<future>{_FUTURE})|(?P<past>{_PAST}))\b")
_TOWARDS = re.compile(r"\b(?:para|pra|pro|p/?|ate)(?: (?:o|a|as|essa|esta|este|esse|proxim[oa]|dia|na|no)){0,3} ?$")
_CLAUSE = re.compile(r"[.!?;\n]\s|\n")
_IS = re.compile(r"\bé\b", re.IGNORECASE)


def tense_around(text: str, start: int, end: int) -> Tense | None:
    """What the clause around `text[start:end]` says of its time, or None if nothing tells."""
    before = _readable(_CLAUSE.split(text[max(0, start - REACH) : start])[-1])
    if _TOWARDS.search(before):
        return "future"
    telling = list(_TELLING.finditer(before))
    if telling:
        return _tense(telling[-1])
    after = _TELLING.search(_readable(_CLAUSE.split(text[end : end + REACH])[0]))
    return _tense(after) if after else None


def _readable(piece: str) -> str:
    """Folded, but with 'é' kept apart from 'e'."""
    return plain(_IS.sub("eh", piece))


def _tense(match: re.Match[str]) -> Tense:
    return "future" if match["future"] else "past"
