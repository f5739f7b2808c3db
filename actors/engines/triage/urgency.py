"""How urgent a case is: a classifier's answer that dates and rules may raise, and the reasons for it.

A rule never lowers. A fact that is negated, hypothetical, past or resolved fires none, and neither does the word
'urgente'. The rules and their thresholds are those of `README.md`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from actors.engines.text.dates import DateMention, find_dates
from actors.engines.triage.features import Floats
from actors.engines.triage.folding import fold
from actors.engines.triage.rules import (
    BILL,
    EVENT,
    HYPOTHETICAL,
    NEGATED,
    NOT_CUSTODY,
    NOW,
    ONGOING,
    OPENS,
    PAST,
    PATTERNS,
    RELEASED,
    RESOLVED,
    SINCE,
    Rule,
)
from tasks.payloads import Urgency, UrgencyReason

LEVELS: tuple[Urgency, ...] = get_args(Urgency)
RULES = ("C1", "C2", "C3", "C4", "C5", "A1", "A2", "A3", "A4", "A5")
CRITICAL_DAYS = 2
HIGH_DAYS = 15
BILL_DAYS = 7
SERIOUS, PRESSING = 0.3, 0.6
"""Least probability of the two upper, or the three upper levels, with which a day to come counts by itself."""
LONGEST_EVIDENCE = 160
MOST_SENTENCES = 200

MISTAKE_COST = np.array(
    [[0, 1, 4, 9], [1, 0, 1, 3], [6, 1.2, 0, 1], [24, 18, 1.3, 0]],
    dtype=np.float32,
)
"""Cost of answering the column when the row is true: squared distance as in the quadratic kappa (Cohen 1968), and
more for an answer below the truth, since a serious case taken for a light one does the greater harm."""

_SENTENCE = re.compile(r"(?:[^.!?;\n]|(?<=\d)\.(?=\d))+[.!?;\n]*")
_ASKING = re.compile(
    r"\b(?:posso|podem?|como (?:faco|funciona|fazer|e que)|quero saber|queria saber|gostaria de saber|tenho direito|"
    r"vale a pena|da para|e possivel|preciso de|qual (?:a|o) |quanto custa|quanto tempo|"
    r"duvida|me orienta|orientacao|planej\w+|pretendo|pensando em|estou pensando|can i|do i|how do|is it possible)\b"
)
_DISTANCE = (0, 2, 7, 15, 60, 400)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the case: as written, folded, and the days it names."""

    text: str
    folded: str
    dates: tuple[DateMention, ...]


@dataclass(frozen=True, slots=True)
class Signals:
    """What the rules read in a case: the reasons that hold, the cues that the classifier learns from, and the reason
    that a day to come would be if the case is as serious as the classifier may find."""

    reasons: tuple[UrgencyReason, ...]
    cues: Floats
    by_day: UrgencyReason | None


def read(case: str, reference: dt.date, days_from: int = 0) -> Signals:
    """Read the rules and dates of a case; 'hoje' in it means `reference`. Days before the character `days_from` were
    taken back and count for nothing."""
    sentences = _sentences(case, reference, days_from)
    found = [reason for s in sentences for reason in (*_dated(s, reference), *_patterned(s))]
    released = any(RELEASED.search(s.folded) for s in sentences)
    held = [reason for reason in found if not (released and reason.rule == "C2")]
    return Signals(_first_of_each(held), _cues(sentences, held, reference), _by_day(sentences, reference))


def decide(probabilities: Floats, reasons: Sequence[UrgencyReason]) -> Urgency:
    """The level of least expected cost, raised to the highest rule that holds."""
    expected = probabilities @ MISTAKE_COST
    return max(LEVELS[int(expected.argmin())], *(level_of(r.rule) for r in reasons), LEVELS[0], key=LEVELS.index)


def due(probabilities: Floats, signals: Signals) -> tuple[UrgencyReason, ...]:
    """The reason of a day to come with no word of the guideline beside it ('o juiz marcou dia 12'): it holds where
    the classifier, too, takes the case for a serious one (for C1) or at least for none that can wait (for A1)."""
    if signals.by_day is None:
        return ()
    serious, pressing = float(probabilities[2:].sum()), float(probabilities[1:].sum())
    holds = serious > SERIOUS if signals.by_day.rule == "C1" else pressing > PRESSING
    return (signals.by_day,) if holds else ()


def level_of(rule: str) -> Urgency:
    return {"C": LEVELS[3], "A": LEVELS[2]}.get(rule[0], LEVELS[0])


def _sentences(case: str, reference: dt.date, days_from: int) -> list[Sentence]:
    spans = [m.span() for m in _SENTENCE.finditer(case)][:MOST_SENTENCES]
    mentions = [mention for mention in find_dates(case, reference) if mention.start >= days_from]
    return [
        Sentence(case[a:b].strip(), fold(case[a:b]), tuple(m for m in mentions if a <= m.start < b)) for a, b in spans
    ]


def _dated(sentence: Sentence, reference: dt.date) -> list[UrgencyReason]:
    """C1 and A1: an event on a day to come. The day itself is the due date."""
    if not EVENT.search(sentence.folded) or _is_void(sentence.folded):
        return []
    days = sorted({m.last for m in sentence.dates if m.last >= reference and not _opens(m, sentence)})
    is_bill = bool(BILL.search(sentence.folded))
    return [
        UrgencyReason(rule=rule, evidence=_evidence(sentence), due=day)
        for day in days
        if (rule := _rule_for((day - reference).days, is_bill))
    ][:1]


def _by_day(sentences: Sequence[Sentence], reference: dt.date) -> UrgencyReason | None:
    """C1 or A1 for the soonest day to come, today left out: most things that are told happen today."""
    coming = [
        (mention.last, sentence)
        for sentence in sentences
        if not _is_void(sentence.folded)
        for mention in sentence.dates
        if mention.kind == "date" and mention.last > reference and not _opens(mention, sentence)
    ]
    if not coming:
        return None
    day, sentence = min(coming, key=lambda found: found[0])
    rule = _rule_for((day - reference).days, bool(BILL.search(sentence.folded)))
    return UrgencyReason(rule=rule, evidence=_evidence(sentence), due=day) if rule else None


def _rule_for(days: int, is_bill: bool) -> str | None:
    if is_bill:
        return "A5" if days <= BILL_DAYS else None
    if days <= CRITICAL_DAYS:
        return "C1"
    return "A1" if days <= HIGH_DAYS else None


def _opens(mention: DateMention, sentence: Sentence) -> bool:
    before = sentence.text.find(mention.text)
    return bool(OPENS.search(fold(sentence.text[max(0, before - 30) : max(0, before)]) + " "))


def _patterned(sentence: Sentence) -> list[UrgencyReason]:
    return [
        UrgencyReason(rule=rule.name, evidence=_evidence(sentence))
        for rule in PATTERNS
        if _holds(rule, sentence.folded)
    ]


def _holds(rule: Rule, folded: str) -> bool:
    match = rule.pattern.search(folded)
    if not match or (rule.now and not NOW.search(folded)):
        return False
    if rule.name == "C2" and NOT_CUSTODY.search(folded):
        return False
    if _is_denied(match, folded) or _is_void(folded):
        return False
    return NOW.search(folded) is not None or not SINCE.search(folded) or _goes_on(rule, match)


def _is_denied(match: re.Match[str], folded: str) -> bool:
    return bool(NEGATED.search(folded[max(0, match.start() - 40) : match.start()]))


def _goes_on(rule: Rule, match: re.Match[str]) -> bool:
    """Want and lack of treatment are states; so is whatever is told as 'está' or 'continua'."""
    return rule.name in ("A2", "A3") or bool(ONGOING.search(match.group()))


def _is_void(folded: str) -> bool:
    """Whether a sentence speaks of what may be, of what was, or of what is settled."""
    if HYPOTHETICAL.search(folded) or RESOLVED.search(folded):
        return True
    return bool(PAST.search(folded)) and not NOW.search(folded)


def _evidence(sentence: Sentence) -> str:
    return sentence.text[:LONGEST_EVIDENCE]


def together(*found: Sequence[UrgencyReason]) -> tuple[UrgencyReason, ...]:
    """One reason a rule, the most serious first."""
    return _first_of_each([reason for some in found for reason in some])


def _first_of_each(reasons: Sequence[UrgencyReason]) -> tuple[UrgencyReason, ...]:
    """One reason a rule, the most serious first; the guideline's order within a level."""
    first: dict[str, UrgencyReason] = {}
    for reason in reasons:
        first.setdefault(reason.rule, reason)
    return tuple(sorted(first.values(), key=lambda r: RULES.index(r.rule)))


def _cues(sentences: Sequence[Sentence], held: Sequence[UrgencyReason], reference: dt.date) -> Floats:
    rules = {reason.rule for reason in held}
    folded = " . ".join(s.folded for s in sentences)
    days = [(m.first - reference).days for s in sentences for m in s.dates if m.first]
    flags = [
        bool(HYPOTHETICAL.search(folded)),
        bool(PAST.search(folded)),
        bool(RESOLVED.search(folded)),
        bool(NOW.search(folded)),
        bool(_ASKING.search(folded)),
        bool(EVENT.search(folded)),
        "?" in folded,
        len(folded.split()) < 8,
    ]
    ahead = [d for d in days if d >= 0]
    behind = [-d for d in days if d < 0]
    parts = [[r in rules for r in RULES], _nearest(ahead), _nearest(behind), flags]
    return np.array([float(x) for part in parts for x in part], dtype=np.float32)


def _nearest(days: Sequence[int]) -> list[bool]:
    """One-hot: in which stretch of days the nearest one lies; the last place stands for none or beyond."""
    stretch = next((i for i, limit in enumerate(_DISTANCE) if days and min(days) <= limit), len(_DISTANCE))
    return [i == stretch for i in range(len(_DISTANCE) + 1)]
