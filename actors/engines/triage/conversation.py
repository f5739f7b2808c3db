"""What of a conversation counts as the client's account: who said it, what was taken back, what is no account.

Only the client's turns state facts. A correction in the last message ('na verdade', 'esquece', 'me enganei')
overrides what was said before it. Orders to the machine are dropped from the account, so they can't steer it:
the text is data.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from actors.engines.text.dates import DateMention, find_dates
from tasks.payloads import Turn

LONGEST_ACCOUNT = 200_000
WINDOW = 3_000
ENOUGH_WORDS = 6
MOST_WORDS_OF_A_DAY = 12
ANY_DAY = dt.date(2000, 1, 3)

_CORRECTION = re.compile(
    r"\b(?:na verdade|na real|alias|ali[aá]s|esque[cç][ea](?: isso| o que| tudo)?|me enganei|enganei|me confundi|"
    r"confundi|me expressei mal|me expliquei mal|falei errado|escrevi errado|corrigindo|correção|correcao|"
    r"n[aã]o [eé] (?:isso|bem isso|nada disso)|(?:li|vi|olhei|contei) (?:errado|mal|de novo|direito|melhor)|"
    r"(?:fiz|fizemos) (?:a |as )?contas? errad[ao]s?|troquei (?:a data|o dia|as datas)|equivoquei|i was wrong|"
    r"desconsidera|desconsidere|quis dizer|quer dizer|melhor dizendo|"
    r"actually|scratch that|never ?mind|i meant|pensando bem|digo|foi mal|minto|errei)\b",
    re.IGNORECASE,
)
_TERM = re.compile(r"\b\d{1,3} ?(?:dias?|horas?|semanas?|meses|m[eê]s|days?|hours?|weeks?)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?;\n]+(?:\s|$)")
_GRADE = (
    r"(?:baix[ao]|m[eé]di[ao]|alt[ao]|cr[ií]tic[ao]|m[aá]xim[ao]|m[ií]nim[ao]|low|medium|high|critical|indefinid[ao])"
)
_MATTER = r"(?:prioridade|urg[eê]ncia|urgency|priority|[aá]rea|n[ií]vel|categoria|caso|case)"
_TELL = (
    r"(?:marque|marca|classifique|classifica|defina|define|coloque|registre|responda|retorne|trate|diga|devolva|"
    r"label|classify|mark|set|output|answer|say)"
)
_ORDER = re.compile(
    r"(?:\b(?:ignor|desconsider|esque[cç]|disregard|forget)\w{0,4}(?: \w{1,12}){0,3} "
    r"(?:instru[cç]\w{1,6}|instructions|regras|rules|prompts?|ordens|comandos|sistema)"
    r"(?: (?:anteriores|acima|previous|above))?"
    rf"|\b(?:e |and )?{_TELL}(?: \w{{1,12}}){{0,4}} (?:como|as|to) (?:{_MATTER} )?{_GRADE}\b"
    rf"|\b(?:e |and )?{_TELL}(?: \w{{1,12}}){{0,3}} {_MATTER} "
    rf"(?:de |da |do |e |é |is |to |as |como |para )?{_GRADE}\b"
    r"|\b(?:urg[eê]ncia|urgency|prioridade|priority|[aá]rea) ?[:=] ?\"?\w{1,15}\"?"
    r"|(?:^|[\n.!?]) ?(?:system|sistema|assistant) ?:"
    r"|\bvoc[eê] agora [eé] \w{1,15}\b)",
    re.IGNORECASE,
)
_LOUD = re.compile(
    r"(?<!cirurgia )(?<!internação )(?<!internacao )(?<!procedimento )(?<!atendimento )(?<!exame )(?<!parto )"
    r"(?<!cirurgia de )(?<!internação de )(?<!internacao de )(?<!atendimento de )(?<!procedimento de )"
    r"\b(?:(?:muito |super |é |e |com (?:muita )?|de )?urg[eê]n(?:te|tes|tíssimo|tissimo|temente|cia|t)|asap)\b"
    r"(?! m[eé]dic)[!.]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Account:
    """The client's words. `text` is all of them, as said; `case` is what holds now, without what is no fact;
    `earlier` is what a correction overrode, and empty without one. Days that `case` names before the character
    `days_from` were taken back."""

    text: str
    case: str
    earlier: str
    days_from: int = 0

    @property
    def corrected(self) -> bool:
        return bool(self.earlier)


def read(conversation: Sequence[Turn]) -> Account:
    """Read the client's account out of a conversation, oldest turn first."""
    said = [_clean(turn.content) for turn in conversation if turn.by_client]
    said = [turn for turn in said if turn]
    text = "\n".join(said)[:LONGEST_ACCOUNT]
    facts = [_facts(_window(turn)) for turn in said]
    if _corrects_a_day(facts):
        case = _window("\n".join(facts))
        return Account(text, case, "", days_from=max(0, len(case) - len(facts[-1])))
    if _takes_back(facts):
        return Account(text, facts[-1], _window("\n".join(facts[:-1])))
    return Account(text, _window("\n".join(facts)), "")


def _takes_back(facts: list[str]) -> bool:
    return _is_corrected(facts) and len(facts[-1].split()) >= ENOUGH_WORDS


def _corrects_a_day(facts: list[str]) -> bool:
    """'Li errado, é dia 28': the story stands, and only its days and terms were wrong."""
    if not _is_corrected(facts):
        return False
    corrected = _sentence_of(facts[-1], _CORRECTION)
    short = len(corrected.split()) <= MOST_WORDS_OF_A_DAY
    return short and _names_a_day(corrected) and any(map(_names_a_day, facts[:-1]))


def _sentence_of(text: str, pattern: re.Pattern[str]) -> str:
    """The sentence in which the pattern is first found."""
    return next(part for part in _SENTENCE_END.split(text) if pattern.search(part))


def _names_a_day(text: str) -> bool:
    return bool(_days(text) or _TERM.search(text))


def _is_corrected(facts: list[str]) -> bool:
    return len(facts) > 1 and bool(_CORRECTION.search(facts[-1]))


def _days(text: str) -> tuple[DateMention, ...]:
    """Where days and terms are named; which ones they are matters to no one here."""
    return find_dates(text, ANY_DAY)


def _clean(text: str) -> str:
    return text.replace("\0", " ").strip()


def _facts(text: str) -> str:
    """The text without orders to the machine and without the bare word 'urgente', which states no fact."""
    return _LOUD.sub(" ", _ORDER.sub(" ", text)).strip()


def _window(text: str) -> str:
    """Head and tail of a long text: a case is told at its start, and what is wanted at its end."""
    return text if len(text) <= WINDOW else f"{text[: WINDOW // 2]}\n{text[-WINDOW // 2 :]}"
