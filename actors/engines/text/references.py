"""References to law, case law and dates in running text: rules propose, the tagger decides the edges.

What the tagger says stands; a rule's span that the tagger saw nothing of is kept too, for the rules read the
short forms of clients and forms ('lei maria da penha', '12/03') which rulings don't use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from actors.engines.text.citations import Span, find_citations, split_lists
from actors.engines.text.tagger import tag
from actors.engines.text.tempo import find_written_dates

_REGISTER = re.compile(r"(?:matr[íi]cula|boletim|protocolo|cep|cid|rg|nota|s[ée]rie)\b", re.IGNORECASE)
"""Numbers of registers and forms, which look like numbers of cases and are none."""
_NUMBER_BEFORE = re.compile(r"[\d./-]{1,24}$")
_NUMBER_AFTER = re.compile(r"(?:[./-]?\d){1,24}")

_BARE_NUMBER = re.compile(r"\d[\d.]*/\d{2,4}")
_BETWEEN = re.compile(r", ?| e ")
_NEXT_NUMBER = re.compile(r"(?:(?<=/\d\d)|(?<=/\d{4}))(?:, ?| e )(\d[\d.]{0,9}/(?:\d{4}|\d{2}))(?![\d/.]|,\d)")


def find_references(text: str) -> list[Span]:
    """Spans of LEGISLACAO, JURISPRUDENCIA and TEMPO, by position, none overlapping another."""
    rules = rule_spans(text)
    tagged = [part for span in tag(text, rules) for part in _parts(text, _whole_numbers(text, span))]
    tagged = [span for span in tagged if not _REGISTER.match(text[span[0] : span[1]])]
    return list(_lists_in_full(text, sorted([*tagged, *_untouched(rules, tagged)])))


def rule_spans(text: str) -> list[Span]:
    """What the rules alone find: the tagger's evidence, in training and in use."""
    dates: list[Span] = [(d.start, d.end, "TEMPO") for d in find_written_dates(text)]
    return sorted([*find_citations(text), *dates])


def _lists_in_full(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """All numbers of a list are what its first one is: 'Acórdãos 479/2010, 333/2010 e 12/2011'."""
    end, kind = 0, None
    for span in spans:
        if span[0] < end:
            continue
        listed = kind and _BARE_NUMBER.fullmatch(text, span[0], span[1]) and _BETWEEN.fullmatch(text, end, span[0])
        kind = kind if listed and kind else span[2]
        end = span[1]
        yield span[0], end, kind
        while kind != "TEMPO" and (following := _NEXT_NUMBER.match(text, end)):
            end = following.end(1)
            yield following.start(1), end, kind


def _whole_numbers(text: str, span: Span) -> Span:
    """`span` with the numbers at its edges whole: '815/2017' of 'nº 5.815/2017' has lost its head."""
    start, end, kind = span
    if kind == "TEMPO":
        return span
    before = _NUMBER_BEFORE.search(text[max(0, start - 24) : start])
    if before and text[start : start + 1] in _NUMERIC:
        start -= len(before[0].lstrip("./-"))
    after = _NUMBER_AFTER.match(text, end)
    if after and text[end - 1 : end].isdigit():
        end = after.end()
    return start, end, kind


_NUMERIC = frozenset("0123456789./-")


def _parts(text: str, span: Span) -> Iterator[Span]:
    return iter((span,)) if span[2] == "TEMPO" else split_lists(text, span)


def _untouched(rules: Sequence[Span], tagged: Sequence[Span]) -> Iterator[Span]:
    """Of the rules' spans, the first of each group that overlaps nothing told so far."""
    occupied, at, end = sorted(tagged), 0, 0
    for span in rules:
        while at < len(occupied) and occupied[at][1] <= span[0]:
            at += 1
        free = at == len(occupied) or span[1] <= occupied[at][0]
        if free and span[0] >= end:
            end = span[1]
            yield span
